//! The audit log of the running binary: what is in it, what is not, and what a kill leaves.

use std::fs;

use serde_json::Value;
use signalbox_api::v1;
use signalbox_client::Client;
use signalbox_server::audit::Line;

use crate::Server;
use crate::support::{files, request, runtime};

fn start(path: &str, more: &str) -> (Server, tempfile::TempDir) {
    let (folder, at) = files(&[("config.yaml", &format!("audit: {{path: {path}{more}}}\n"))]);
    (Server::start(&["--config", &at("config.yaml")]), folder)
}

/// Asks for decisions, each of another prompt.
fn ask(server: &Server, count: usize) {
    runtime().block_on(async {
        let client = Client::connect(format!("http://{}", server.word("grpc"))).unwrap();
        for n in 0..count {
            let prompt = format!("write a zebra-77 function in python, number {n}");
            client.route(request(&prompt)).await.unwrap();
        }
        let unknown = v1::RouteRequest {
            model: "nobody/knows".into(),
            ..Default::default()
        };
        client.route(unknown).await.unwrap_err();
    });
}

#[test]
fn each_decision_and_refusal_is_a_line_with_its_evidence_and_without_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (server, _config) = start(path.to_str().unwrap(), "");
    ask(&server, 3);
    server.until("signalbox_audit_lines_total{result=\"written\"} 4\n");
    server.signal("-TERM");
    let (code, _, err) = server.end();
    assert_eq!(code, Some(0), "{err}");
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("zebra"), "{text}");
    let lines: Vec<Line> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0].outcome.route.as_deref(), Some("code_generation"));
    assert_eq!((lines[0].sample, lines[0].cache.as_str()), (1.0, "miss"));
    assert_eq!(lines[3].outcome.refused.as_deref(), Some("UNKNOWN_MODEL"));
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(
        first["evidence"]["embedding"]["got"]["routes"].is_array(),
        "{first}"
    );
}

#[test]
fn a_kill_leaves_whole_lines_and_the_next_start_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (mut server, _config) = start(path.to_str().unwrap(), "");
    ask(&server, 200);
    server.child.kill().unwrap();
    drop(server);
    let text = fs::read_to_string(&path).unwrap();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let kept = whole.lines().count();
    assert_ne!(kept, 0, "nothing was written before the kill");
    assert!(
        whole
            .lines()
            .all(|line| serde_json::from_str::<Line>(line).is_ok())
    );
    let (server, _config) = start(path.to_str().unwrap(), "");
    ask(&server, 1);
    server.until("signalbox_audit_lines_total{result=\"written\"} 2\n");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), kept + 2, "what was there is still there");
    assert!(
        text.lines()
            .all(|line| serde_json::from_str::<Line>(line).is_ok())
    );
}

#[test]
fn a_log_that_cannot_be_written_fails_no_decision_and_is_said_once() {
    let (server, _config) = start("/dev/full", "");
    ask(&server, 20);
    server.until("signalbox_audit_lines_total{result=\"written\"} 0\n");
    let metrics = server.metrics();
    let failed = metrics
        .lines()
        .find_map(|line| line.strip_prefix("signalbox_audit_lines_total{result=\"failed\"} "))
        .unwrap();
    assert_ne!(failed, "0");
    server.signal("-TERM");
    let (code, _, err) = server.end();
    assert_eq!(
        (code, err.matches("audit: /dev/full").count()),
        (Some(0), 1),
        "{err}"
    );
}
