//! `signalboxctl` as users run it: what it prints and how it exits.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use signalbox_client::v1;
use tonic::Status;

use crate::fake::{Fake, bad_policy, bad_request, nobody};

/// Runs the compiled binary beside the fake server.
pub(crate) async fn ctl(endpoint: &str, args: &[&str], stdin: &str) -> Output {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let (endpoint, stdin) = (endpoint.to_owned(), stdin.to_owned());
    let run = move || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_signalboxctl"))
            .args(args)
            .env("SIGNALBOX_ENDPOINT", endpoint)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Commands that read nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn decision() -> v1::RouteResponse {
    v1::RouteResponse {
        decision_id: "0192f0c1-0000-7000-8000-000000000000".into(),
        model_id: "a/b".into(),
        route: "code".into(),
        confidence: Some(0.0),
        source: v1::DecisionSource::Embedding.into(),
        policy: Some(v1::PolicyRef {
            version: 42,
            checksum: "00ff".into(),
        }),
        model_labels: (0..9)
            .rev()
            .map(|n| (format!("label-{n}"), String::new()))
            .collect(),
        processing_duration: Some(prost_types::Duration {
            seconds: 0,
            nanos: 43_000,
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn route_prints_the_model_first() {
    let fake = Fake::start().await;
    fake.route([Ok(decision())]);
    let output = ctl(&fake.endpoint, &["route", "reverse a list"], "").await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().next(), Some("a/b"));
    assert_eq!(stderr(&output), "");
}

#[tokio::test]
async fn json_has_the_names_and_forms_of_proto3() {
    let fake = Fake::start().await;
    fake.route([Ok(decision()), Ok(decision())]);
    let output = ctl(&fake.endpoint, &["--json", "route", "x"], "").await;
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["modelId"], "a/b");
    assert_eq!(answer["source"], "DECISION_SOURCE_EMBEDDING");
    assert_eq!(answer["confidence"], 0.0, "a zero that was sent is shown");
    assert_eq!(answer["processingDuration"], "0.000043s");
    assert_eq!(answer["policy"]["version"], "42");
    assert_eq!(
        answer["fallbackModelIds"],
        serde_json::json!([]),
        "an empty list is shown"
    );
    assert!(
        answer.get("margin").is_none(),
        "a number that was not sent is not invented"
    );
    let again = ctl(&fake.endpoint, &["route", "x", "--json"], "").await;
    assert_eq!(output.stdout, again.stdout, "the same answer prints the same");
}

#[tokio::test]
async fn a_refusal_exits_with_one_and_lists_the_fields() {
    let fake = Fake::start().await;
    fake.route([Err(bad_request())]);
    let output = ctl(&fake.endpoint, &["route", "secret prompt"], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    let want = "\
error: 2 fields are wrong
  messages[0].role: unknown role 99
  requirements.min_quality: must be within 0 and 1
  omitted: 0
  reason: INVALID_REQUEST
";
    assert_eq!(stderr(&output), want);
}

#[tokio::test]
async fn missing_credentials_name_the_flag() {
    let fake = Fake::start().await;
    fake.script
        .reload
        .lock()
        .unwrap()
        .push_back(Err(Status::unauthenticated("a token is needed")));
    let output = ctl(&fake.endpoint, &["reload"], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--token-file"), "{}", stderr(&output));
}

#[tokio::test]
async fn an_unreachable_server_exits_with_three_and_names_the_endpoint() {
    let (_socket, endpoint) = nobody();
    let output = ctl(&endpoint, &["health"], "").await;
    assert_eq!(output.status.code(), Some(3));
    let message = stderr(&output);
    assert!(
        message.contains(&endpoint) && message.contains("--endpoint"),
        "{message}"
    );
}

#[tokio::test]
async fn a_late_answer_exits_with_three() {
    let fake = Fake::start().await;
    *fake.script.delay.lock().unwrap() = std::time::Duration::from_secs(30);
    let output = ctl(&fake.endpoint, &["--timeout", "100ms", "policy"], "").await;
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("--timeout"), "{}", stderr(&output));
}

#[tokio::test]
async fn wrong_usage_exits_with_two_and_sends_nothing() {
    let fake = Fake::start().await;
    for args in [
        &["route"][..],
        &["dance"],
        &["route", "x", "--label", "no-equals-sign"],
        &["route", "x", "--modality", "smell"],
        &["route", "x", "--messages", "no/such/file.json"],
        &["explain"],
        &["explain", "x", "--decision-id", "y"],
        &["explain", "--decision-id", "y", "--tier", "pro"],
        &["explain", "-", "--policy", "-"],
        &["reload", "--policy", "no/such/file.yaml"],
        &["--endpoint", "http://", "policy"],
        &["--timeout", "soon", "policy"],
        &["--token-file", "no/such/token", "policy"],
    ] {
        let output = ctl(&fake.endpoint, args, "").await;
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(
            stderr(&output).starts_with("error: "),
            "{args:?}: {}",
            stderr(&output)
        );
    }
    assert!(fake.script.routed.lock().unwrap().is_empty());
    assert!(fake.script.explained.lock().unwrap().is_empty());
    assert!(fake.script.reloaded.lock().unwrap().is_empty());
}

#[tokio::test]
async fn health_exits_with_the_state_of_the_server() {
    let fake = Fake::start().await;
    let ready = ctl(&fake.endpoint, &["health"], "").await;
    assert_eq!(
        (ready.status.code(), stdout(&ready)),
        (Some(0), "SERVING\n".to_owned())
    );
    fake.health
        .set_service_status("signalbox.llm", tonic_health::ServingStatus::NotServing)
        .await;
    let engine = ctl(
        &fake.endpoint,
        &["health", "--service", "signalbox.llm", "--json"],
        "",
    )
    .await;
    assert_eq!(engine.status.code(), Some(1));
    let answer: serde_json::Value = serde_json::from_slice(&engine.stdout).unwrap();
    assert_eq!(
        answer,
        serde_json::json!({"service": "signalbox.llm", "status": "NOT_SERVING"})
    );
}

#[tokio::test]
async fn reload_exits_with_one_unless_the_policy_is_good() {
    let fake = Fake::start().await;
    let error = v1::Diagnostic {
        severity: v1::Severity::Error.into(),
        message: "unknown key `modls`".into(),
        line: 3,
        column: 1,
        ..Default::default()
    };
    let applied = v1::ReloadPolicyResponse {
        applied: true,
        ..Default::default()
    };
    let fine = v1::ReloadPolicyResponse::default();
    let bad = v1::ReloadPolicyResponse {
        diagnostics: vec![error],
        ..Default::default()
    };
    for (answer, args, exit, line) in [
        (applied, &["reload"][..], 0, "applied"),
        (
            fine.clone(),
            &["reload", "--dry-run"],
            0,
            "checked, not applied (dry run)",
        ),
        (fine, &["reload"], 1, "not applied"),
        (
            bad,
            &["reload", "--dry-run"],
            1,
            "policy:3:1: error: unknown key `modls`",
        ),
    ] {
        fake.script.reload.lock().unwrap().push_back(Ok(answer));
        let output = ctl(&fake.endpoint, args, "").await;
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {}", stderr(&output));
        assert!(
            stdout(&output).lines().any(|found| found == line),
            "{args:?}: {}",
            stdout(&output)
        );
    }
}

#[tokio::test]
async fn a_refused_policy_is_diagnosed_by_a_dry_run() {
    let fake = Fake::start().await;
    let error = v1::Diagnostic {
        severity: v1::Severity::Error.into(),
        message: "the key `default` is missing".into(),
        line: 1,
        column: 1,
        ..Default::default()
    };
    let found = v1::ReloadPolicyResponse {
        diagnostics: vec![error],
        ..Default::default()
    };
    fake.script
        .reload
        .lock()
        .unwrap()
        .extend([Err(bad_policy()), Ok(found)]);
    let output = ctl(&fake.endpoint, &["reload", "--policy", "-"], "schema: 1\n").await;
    assert_eq!(output.status.code(), Some(1));
    let want = "-:1:1: error: the key `default` is missing\nnot applied\n";
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), (want, ""));
    let asked: Vec<_> = fake
        .script
        .reloaded
        .lock()
        .unwrap()
        .iter()
        .map(|seen| (seen.message.dry_run, seen.message.policy_yaml.clone()))
        .collect();
    let yaml = Some("schema: 1\n".to_owned());
    assert_eq!(asked, [(false, yaml.clone()), (true, yaml)]);
}

#[tokio::test]
async fn a_refusal_stands_when_the_dry_run_finds_nothing() {
    let fake = Fake::start().await;
    fake.script.reload.lock().unwrap().push_back(Err(bad_policy()));
    let output = ctl(&fake.endpoint, &["reload"], "").await;
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    let want = "\
error: the policy is wrong
  1:1: the key `default` is missing
  reason: INVALID_POLICY
";
    assert_eq!(stderr(&output), want);
}

#[tokio::test]
async fn policy_shows_what_is_in_force_and_what_was_refused() {
    let fake = Fake::start().await;
    let answer = v1::GetPolicyResponse {
        version: 7,
        checksum: "ab".repeat(32),
        source: "policy.yaml".into(),
        models: vec![v1::PolicyModel {
            id: "a/b".into(),
            quality: Some(0.9),
            ..Default::default()
        }],
        aliases: vec![v1::PolicyAlias {
            name: "best".into(),
            model_ids: vec!["a/b".into(), "c/d".into()],
        }],
        last_error: Some(v1::PolicyError {
            checksum: "cd".repeat(32),
            ..Default::default()
        }),
        ..Default::default()
    };
    fake.script.policy.lock().unwrap().push_back(Ok(answer));
    let text = stdout(&ctl(&fake.endpoint, &["policy"], "").await);
    for wanted in [
        "version 7, abab",
        "a/b, quality 0.9",
        "best -> a/b, c/d",
        "cdcdcdcdcdcd was refused",
    ] {
        assert!(text.contains(wanted), "no `{wanted}` in:\n{text}");
    }
}
