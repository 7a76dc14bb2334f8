//! The binary under TLS, with tokens, and without file descriptors.

use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use signalbox_api::v1;
use signalbox_client::{Client, Error, Options, Tls};

use crate::Server;
use crate::support::{files, run, runtime, signalbox};

/// A certificate that is its own authority, and its key.
pub(crate) fn certificate() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// Reloads the policy with these credentials.
fn reload(server: &Server, ca: Option<&str>, token: Option<&str>) -> Result<(), Error> {
    runtime().block_on(async {
        let options = Options {
            bearer_token: token.map(str::to_owned),
            tls: Tls {
                ca: ca.map(str::to_owned),
                ..Tls::default()
            },
            ..Options::default()
        };
        let scheme = if ca.is_some() { "https" } else { "http" };
        let client = Client::connect_with(format!("{scheme}://{}", server.word("grpc")), options)?;
        client
            .reload_policy(v1::ReloadPolicyRequest::default())
            .await
            .map(drop)
    })
}

#[test]
fn certificates_and_tokens_are_read_again_when_they_change_and_at_sighup_and_bad_ones_keep_the_old() {
    let (cert, key) = certificate();
    let (_folder, path) = files(&[
        ("cert.pem", &cert),
        ("key.pem", &key),
        ("tokens", "the-first-token-of-all\n"),
    ]);
    let config = format!(
        "tls: {{cert: {}, key: {}}}\nadmin: {{tokens_file: {}}}\nreload: {{poll_ms: 50, debounce_ms: 20}}\n",
        path("cert.pem"),
        path("key.pem"),
        path("tokens")
    );
    fs::write(path("config.yaml"), config).unwrap();
    let server = Server::start(&["--config", &path("config.yaml")]);
    reload(&server, Some(&cert), Some("the-first-token-of-all")).unwrap();
    assert!(server.get("/readyz").ends_with("ready\n") && server.get("/livez").contains("200 OK"));
    let (code, out, err) = run(&[
        "healthcheck",
        "--config",
        &path("config.yaml"),
        "--metrics",
        server.word("metrics"),
    ]);
    assert_eq!((code, out.as_str()), (0, "serving\n"), "{err}");

    fs::write(path("tokens"), "short\n").unwrap();
    server.until("signalbox_credential_reloads_total{what=\"tokens\",result=\"invalid\"} 1\n");
    reload(&server, Some(&cert), Some("the-first-token-of-all")).unwrap();
    fs::write(path("tokens"), "the-second-token-of-all\n").unwrap();
    server.until("signalbox_credential_reloads_total{what=\"tokens\",result=\"applied\"} 1\n");
    reload(&server, Some(&cert), Some("the-second-token-of-all")).unwrap();
    reload(&server, Some(&cert), Some("the-first-token-of-all")).unwrap_err();

    let (next, next_key) = certificate();
    fs::write(path("cert.pem"), &next).unwrap();
    server.until("signalbox_credential_reloads_total{what=\"certificate\",result=\"invalid\"} 1\n");
    reload(&server, Some(&cert), Some("the-second-token-of-all")).unwrap();
    fs::write(path("key.pem"), next_key).unwrap();
    server.until("signalbox_credential_reloads_total{what=\"certificate\",result=\"applied\"} 1\n");
    reload(&server, Some(&next), Some("the-second-token-of-all")).unwrap();
    server.signal("-HUP");
    server.until("signalbox_credential_reloads_total{what=\"certificate\",result=\"applied\"} 2\n");

    server.signal("-TERM");
    let (code, _, err) = server.end();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("token 1 is shorter than 16 bytes"), "{err}");
    assert!(!err.contains("short\n") && !err.contains("token-of-all"), "{err}");
}

#[test]
fn bad_certificates_and_tokens_keep_the_server_from_starting_and_are_never_shown() {
    let (_folder, path) = files(&[("tokens", "s3cret\n")]);
    let listen = ["--listen", "127.0.0.1:0", "--metrics", "off"];
    let mut command = signalbox(&listen);
    let output = command
        .env("SIGNALBOX__ADMIN__TOKENS_FILE", path("tokens"))
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && err.contains("token 1 is shorter"),
        "{err}"
    );
    assert!(!err.contains("s3cret"), "{err}");
    let mut command = signalbox(&["config"]);
    let output = command
        .env("SIGNALBOX__TLS__CERT", "a")
        .env("SIGNALBOX__ADMIN__CLIENT_NAMES", "ops")
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        err.contains("2 problem(s)") && err.contains("tls.key") && err.contains("admin.client_names"),
        "{err}"
    );
}

#[test]
fn without_file_descriptors_it_waits_says_so_once_and_goes_on() {
    let mut limited = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_signalbox");
    limited.args([
        "-c",
        "ulimit -n 64; exec \"$0\" --listen 127.0.0.1:0 --metrics 127.0.0.1:0",
        program,
    ]);
    let server = Server::spawn(limited);
    let open: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(server.word("grpc")).unwrap())
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    drop(open);
    let start = std::time::Instant::now();
    while run(&["healthcheck", "--listen", server.word("grpc")]).0 != 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "never served again");
    }
    let metrics = server.metrics();
    let failed = metrics
        .lines()
        .find_map(|line| line.strip_prefix("signalbox_connections_total{result=\"failed\"} "))
        .unwrap();
    // Each failure is followed by a pause: no busy loop.
    assert!((1..=30).contains(&failed.parse::<u32>().unwrap()), "{failed}");
    server.signal("-TERM");
    let (code, _, err) = server.end();
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(err.matches("connections cannot be accepted").count(), 1, "{err}");
}
