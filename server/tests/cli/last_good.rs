//! A server that keeps its last good policies starts with them where the source has none that can be used.

use std::fs;

use signalbox_client::Client;

use crate::Server;
use crate::support::{files, request, run, runtime};

const GOOD: &str = "{schema: 1, version: 7, default: good, models: [{id: good}]}\n";
const ACME: &str = "{schema: 1, version: 2, default: acme, models: [{id: acme}]}\n";
const BAD: &str = "{schema: 1, default: missing, models: [{id: good}]}\n";

fn client(server: &Server) -> Client {
    Client::connect(format!("http://{}", server.word("grpc"))).unwrap()
}

/// The model for a caller of this tenant, or the message of the refusal.
fn model(server: &Server, tenant: &str) -> String {
    let mut asked = request("hello");
    asked.caller.get_or_insert_default().tenant = tenant.to_owned();
    match runtime().block_on(async { client(server).route(asked).await }) {
        Ok(decision) => decision.model_id,
        Err(error) => error.to_string(),
    }
}

/// Version in force, and the messages of what was refused.
fn in_force(server: &Server) -> (u64, String) {
    let told = runtime()
        .block_on(async { client(server).get_policy().await })
        .unwrap();
    let refused = told.last_error.map(|error| format!("{:?}", error.diagnostics));
    (told.version, refused.unwrap_or_default())
}

#[test]
fn a_start_with_a_bad_policy_serves_by_the_last_good_one_and_says_so() {
    let (_folder, path) = files(&[]);
    fs::create_dir(path("policies")).unwrap();
    fs::write(path("policies/default.yaml"), GOOD).unwrap();
    fs::write(path("policies/acme.yaml"), ACME).unwrap();
    let config = format!(
        "policy: {}\nreload: {{poll_ms: 50, debounce_ms: 20, last_good: {}}}\n",
        path("policies"),
        path("kept")
    );
    fs::write(path("config.yaml"), config).unwrap();
    let (args, stop) = (["--config", &path("config.yaml")], |server: Server| {
        server.signal("-TERM");
        server.end().2
    });
    stop(Server::start(&args));

    fs::write(path("policies/default.yaml"), BAD).unwrap();
    fs::write(path("policies/acme.yaml"), BAD).unwrap();
    let server = Server::start(&args);
    assert_eq!(
        (model(&server, ""), model(&server, "acme")),
        ("good".into(), "acme".into())
    );
    let (version, refused) = in_force(&server);
    assert!(version == 7 && refused.contains("missing"), "{refused}");
    let log = stop(server);
    assert!(
        log.contains("the last good one serves everyone: version 7")
            && log.contains("tenant `acme`: version 2"),
        "{log}"
    );

    fs::rename(path("policies"), path("elsewhere")).unwrap();
    let server = Server::start(&args);
    assert_eq!(
        (model(&server, ""), model(&server, "acme")),
        ("good".into(), "acme".into())
    );
    fs::rename(path("elsewhere"), path("policies")).unwrap();
    fs::remove_file(path("policies/acme.yaml")).unwrap();
    fs::write(path("policies/default.yaml"), GOOD.replace('7', "8")).unwrap();
    server.signal("-HUP");
    let mended = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        in_force(&server) == (8, String::new()) && model(&server, "acme") == "good"
    });
    assert!(mended, "{:?} {}", in_force(&server), model(&server, "acme"));
    stop(server);
    assert!(
        !fs::exists(path("kept/tenant-acme.yaml")).unwrap(),
        "whoever has none any more is forgotten"
    );

    fs::write(path("policies/default.yaml"), BAD).unwrap();
    fs::remove_dir_all(path("kept")).unwrap();
    let (code, _, err) = run(&[
        "--config",
        &path("config.yaml"),
        "--listen",
        "127.0.0.1:0",
        "--metrics",
        "off",
    ]);
    assert!(code == 1 && err.contains("nothing to serve"), "{err}");
    fs::remove_dir_all(path("kept")).unwrap();
    fs::write(path("kept"), "").unwrap();
    let (code, _, err) = run(&[
        "--config",
        &path("config.yaml"),
        "--listen",
        "127.0.0.1:0",
        "--metrics",
        "off",
    ]);
    assert!(code == 1 && err.contains("reload.last_good"), "{err}");
}
