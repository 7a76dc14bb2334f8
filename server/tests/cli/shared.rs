//! What replicas share, as the binary is told about it: a secret is needed, a store that answers is not.

use signalbox_api::v1;
use signalbox_client::Client;

use crate::Server;
use crate::support::{EXAMPLE, request, runtime, signalbox};

const ADDRESS: &str = "redis://me:hunter2@127.0.0.1:1/0";
const PORTS: [&str; 4] = ["--listen", "127.0.0.1:0", "--metrics", "off"];

#[test]
fn a_redis_without_a_secret_that_all_replicas_have_is_refused_at_the_start() {
    let with = |secret: Option<&str>| {
        let mut command = signalbox(&PORTS);
        command
            .env("SIGNALBOX__SHARED__URL_ENV", "URL")
            .env("URL", ADDRESS);
        if let Some(secret) = secret {
            command
                .env("SIGNALBOX__SHARED__SECRET_ENV", "SECRET")
                .env("SECRET", secret);
        }
        let output = command.output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{err}");
        assert!(!err.contains("hunter2"), "{err}");
        err
    };
    let missing = with(None);
    assert!(
        missing.contains("shared.secret_file")
            && missing.contains("need a secret of their own, at least 32 bytes"),
        "{missing}"
    );
    let short = with(Some("hunter2 hunter2"));
    assert!(
        short.contains("shared.secret_env: `SECRET`: the secret has 15 bytes")
            && short.contains("openssl rand -hex 32"),
        "{short}"
    );
}

#[test]
fn a_redis_that_is_not_there_is_said_and_done_without() {
    let mut command = signalbox(&[
        "--listen",
        "127.0.0.1:0",
        "--metrics",
        "127.0.0.1:0",
        "--policy",
        EXAMPLE,
    ]);
    command
        .env("SIGNALBOX__SHARED__URL_ENV", "URL")
        .env("URL", ADDRESS)
        .env("SIGNALBOX__SHARED__SECRET_ENV", "SECRET")
        .env("SECRET", "hunter2 ".repeat(5));
    let server = Server::spawn(command);
    let decision: v1::RouteResponse = runtime().block_on(async {
        let client = Client::connect(format!("http://{}", server.word("grpc"))).unwrap();
        client.route(request("write a python function")).await.unwrap()
    });
    assert!(
        decision.degraded.is_empty() && !decision.model_id.is_empty(),
        "{decision:?}"
    );
    let metrics = server.metrics();
    assert!(metrics.contains("\nsignalbox_shared_up 0\n"), "{metrics}");
    server.signal("-TERM");
    let (code, _, err) = server.end();
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.contains("shared: ") && err.contains("Connection refused"),
        "{err}"
    );
    assert!(!err.contains("hunter2"), "{err}");
}
