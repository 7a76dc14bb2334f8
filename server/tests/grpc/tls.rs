//! TLS from a real client: who is let in, and certificates that change while the server runs.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use signalbox_api::v1;
use signalbox_client::{Client, Error, Options, Tls as ClientTls};
use signalbox_server::grpc::access::Admin;
use signalbox_server::serve::Settings;
use signalbox_server::serve::credentials::{Credentials, follow};
use signalbox_server::serve::tls::{Tls, TlsFiles};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic::Code;

use crate::support::{POLICY, Server, ask};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key, as PEM, for a name.
fn issued(by: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, by).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// The server's files in a folder.
struct Files {
    folder: TempDir,
    mutual: bool,
}

impl Files {
    /// With a certificate for 127.0.0.1; with `clients`, that authority's clients alone are let in.
    fn new(server: &Authority, clients: Option<&Authority>) -> Files {
        let files = Files {
            folder: tempfile::tempdir().unwrap(),
            mutual: clients.is_some(),
        };
        files.issue(server);
        if let Some(clients) = clients {
            fs::write(files.path("clients.pem"), clients.pem()).unwrap();
        }
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn issue(&self, by: &Authority) {
        let (cert, key) = issued(by, "127.0.0.1");
        fs::write(self.path("cert.pem"), cert).unwrap();
        fs::write(self.path("key.pem"), key).unwrap();
    }

    fn load(&self) -> Arc<Tls> {
        let files = TlsFiles {
            cert: self.path("cert.pem"),
            key: self.path("key.pem"),
            client_ca: self.mutual.then(|| self.path("clients.pem")),
        };
        Arc::new(Tls::load(files).unwrap())
    }
}

async fn server(tls: &Arc<Tls>, admin: Admin) -> Server {
    let settings = Settings {
        tls: Some(tls.clone()),
        handshake: Duration::from_millis(300),
        admin,
        ..Settings::default()
    };
    Server::with(settings, Some(POLICY)).await
}

fn client(server: &Server, ca: &Authority, identity: Option<(String, String)>) -> Client {
    let options = Options {
        retries: 0,
        tls: ClientTls {
            ca: Some(ca.pem()),
            identity,
            server_name: None,
        },
        ..Options::default()
    };
    Client::connect_with(format!("https://{}", server.address), options).unwrap()
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_is_served_and_no_other_and_nobody_without_tls() {
    let ours = authority();
    let files = Files::new(&ours, None);
    let server = server(&files.load(), Admin::default()).await;
    client(&server, &ours, None).route(ask("hello")).await.unwrap();
    let error = client(&server, &authority(), None)
        .route(ask("hello"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(server.client().route(ask("hello")).await.is_err());
}

#[tokio::test]
async fn under_mtls_only_clients_of_the_authority_are_let_in_and_only_named_ones_administer() {
    let (ours, theirs) = (authority(), authority());
    let files = Files::new(&ours, Some(&theirs));
    let admin = Admin {
        client_names: vec!["ops.example".into()],
        ..Admin::default()
    };
    let server = server(&files.load(), admin).await;
    for stranger in [None, Some(issued(&authority(), "ops.example"))] {
        assert!(
            client(&server, &ours, stranger)
                .route(ask("hello"))
                .await
                .is_err()
        );
    }
    let app = client(&server, &ours, Some(issued(&theirs, "app.example")));
    app.route(ask("hello")).await.unwrap();
    let reload = v1::ReloadPolicyRequest::default();
    let refused = app.reload_policy(reload.clone()).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.reason()),
        (Code::PermissionDenied, Some("CREDENTIALS_WRONG"))
    );
    let ops = client(&server, &ours, Some(issued(&theirs, "ops.example")));
    assert!(ops.reload_policy(reload).await.unwrap().applied);
}

#[tokio::test]
async fn a_certificate_is_rotated_under_load_without_a_failed_call_and_a_bad_one_changes_nothing() {
    let (old, new) = (authority(), authority());
    let files = Files::new(&old, None);
    let tls = files.load();
    let server = server(&tls, Admin::default()).await;
    let watched: Vec<Arc<dyn Credentials>> = vec![tls.clone()];
    let following = tokio::spawn(follow(
        watched,
        Duration::from_millis(20),
        Duration::from_millis(20),
    ));
    let connected = client(&server, &old, None);
    connected.route(ask("hello")).await.unwrap();
    let load = tokio::spawn({
        let connected = connected.clone();
        async move {
            for _ in 0..200 {
                connected.route(ask("hello")).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    fs::write(files.path("key.pem"), "no key").unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    client(&server, &old, None).route(ask("hello")).await.unwrap();
    files.issue(&new);
    let start = Instant::now();
    while client(&server, &new, None).route(ask("hello")).await.is_err() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the new certificate is not used"
        );
    }
    assert!(client(&server, &old, None).route(ask("hello")).await.is_err());
    load.await.unwrap();
    following.abort();
}

#[tokio::test]
async fn slow_handshakes_hold_up_nobody_and_are_cut_off() {
    let ours = authority();
    let files = Files::new(&ours, None);
    let server = server(&files.load(), Admin::default()).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    let start = Instant::now();
    client(&server, &ours, None).route(ask("hello")).await.unwrap();
    assert!(
        start.elapsed() < Duration::from_millis(250),
        "{:?}",
        start.elapsed()
    );
    for mut stream in silent {
        let end = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0; 64])).await;
        assert!(matches!(end.unwrap(), Ok(0) | Err(_)));
    }
}

#[test]
fn every_problem_with_certificates_is_reported_at_once_without_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("cert.pem"), "secret").unwrap();
    fs::write(path("key.pem"), "secret").unwrap();
    let files = TlsFiles {
        cert: path("cert.pem"),
        key: path("key.pem"),
        client_ca: Some(path("nothing.pem")),
    };
    let error = Tls::load(files).unwrap_err().to_string();
    for setting in ["tls.cert: ", "tls.key: ", "tls.client_ca: "] {
        assert!(error.contains(setting), "{error}");
    }
    assert!(!error.contains("secret"), "{error}");
    let ours = authority();
    let mixed = Files::new(&ours, None);
    fs::write(mixed.path("key.pem"), issued(&ours, "127.0.0.1").1).unwrap();
    let files = TlsFiles {
        cert: mixed.path("cert.pem"),
        key: mixed.path("key.pem"),
        client_ca: None,
    };
    let error = Tls::load(files).unwrap_err().to_string();
    assert!(error.contains("does not belong to the certificate"), "{error}");
}
