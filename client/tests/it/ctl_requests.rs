//! `signalboxctl` as the server sees it: what the flags and files become on the wire.

use std::fs;

use signalbox_client::v1::{self, explain_request::Target};

use crate::{
    ctl::{ctl, stderr, stdout},
    fake::Fake,
};

#[tokio::test]
async fn every_flag_of_route_reaches_the_server() {
    let fake = Fake::start().await;
    let args = "route hello --model best --profile code --tenant acme --tier pro --session s1 \
        --label batch=true --label url=a=b --capability tools --capability json --modality image \
        --max-cost-usd 0.02 --min-quality 0.8 --region eu --optimize-for cost --attempt a/b=rate-limited";
    let args: Vec<&str> = args.split_whitespace().collect();
    let output = ctl(&fake.endpoint, &args, "").await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let want = v1::RouteRequest {
        messages: vec![v1::Message {
            role: v1::Role::User.into(),
            content: "hello".into(),
            ..Default::default()
        }],
        model: "best".into(),
        profile: "code".into(),
        requirements: Some(v1::Requirements {
            capabilities: vec!["tools".into(), "json".into()],
            modalities: vec![v1::Modality::Image.into()],
            max_cost_usd: Some(0.02),
            min_quality: Some(0.8),
            regions: vec!["eu".into()],
            ..Default::default()
        }),
        preferences: Some(v1::Preferences {
            optimize_for: v1::OptimizeFor::Cost.into(),
            ..Default::default()
        }),
        caller: Some(v1::Caller {
            tenant: "acme".into(),
            tier: "pro".into(),
            session_id: "s1".into(),
            labels: [("batch".into(), "true".into()), ("url".into(), "a=b".into())].into(),
        }),
        attempts: vec![v1::Attempt {
            model_id: "a/b".into(),
            outcome: v1::AttemptOutcome::RateLimited.into(),
            confidence: None,
        }],
        ..Default::default()
    };
    assert_eq!(fake.script.routed.lock().unwrap()[0].message, want);
}

#[tokio::test]
async fn the_prompt_comes_after_the_messages_and_may_come_from_stdin() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages.json");
    fs::write(
        &file,
        r#"[{"role": "developer", "content": "be short"}, {"role": "assistant", "content": "yes"}]"#,
    )
    .unwrap();
    let args = ["route", "-", "--messages", file.to_str().unwrap()];
    let output = ctl(&fake.endpoint, &args, "from stdin").await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let seen = fake.script.routed.lock().unwrap();
    let turns: Vec<_> = seen[0]
        .message
        .messages
        .iter()
        .map(|m| (m.role(), m.content.as_str()))
        .collect();
    let want = [
        (v1::Role::System, "be short"),
        (v1::Role::Assistant, "yes"),
        (v1::Role::User, "from stdin"),
    ];
    assert_eq!(turns, want);
}

#[tokio::test]
async fn a_bad_messages_file_is_wrong_usage_and_names_the_place() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages.json");
    for (content, wanted) in [
        (r#"[{"role": "robot", "content": "x"}]"#, "[0].role"),
        (r#"{"role": "user"}"#, "JSON array"),
    ] {
        fs::write(&file, content).unwrap();
        let output = ctl(
            &fake.endpoint,
            &["route", "--messages", file.to_str().unwrap()],
            "",
        )
        .await;
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(wanted), "{}", stderr(&output));
    }
}

#[tokio::test]
async fn explain_asks_for_a_decision_or_under_another_policy() {
    let fake = Fake::start().await;
    let answer = v1::ExplainResponse {
        text: "because".into(),
        ..Default::default()
    };
    fake.script
        .explain
        .lock()
        .unwrap()
        .extend([Ok(answer.clone()), Ok(answer)]);
    let output = ctl(&fake.endpoint, &["explain", "--decision-id", "0192"], "").await;
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(0), "because\n".to_owned())
    );
    ctl(
        &fake.endpoint,
        &["explain", "hi", "--policy", "-", "--include-prompt"],
        "schema: 1\n",
    )
    .await;
    let seen = fake.script.explained.lock().unwrap();
    assert_eq!(seen[0].message.target, Some(Target::DecisionId("0192".into())));
    assert_eq!(seen[0].message.policy_yaml, None);
    assert!(matches!(&seen[1].message.target, Some(Target::Request(r)) if r.messages[0].content == "hi"));
    assert_eq!(seen[1].message.policy_yaml.as_deref(), Some("schema: 1\n"));
    assert!(seen[1].message.include_prompt);
}

#[tokio::test]
async fn reload_sends_the_file_and_the_token() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (policy, token) = (folder.path().join("p.yaml"), folder.path().join("token"));
    fs::write(&policy, "schema: 1\n").unwrap();
    fs::write(&token, "s3cret\n").unwrap();
    let mut args = vec![
        "reload",
        "--dry-run",
        "--run-tests",
        "--expected-checksum",
        "00ff",
        "--tenant",
        "acme",
    ];
    args.extend([
        "--policy",
        policy.to_str().unwrap(),
        "--token-file",
        token.to_str().unwrap(),
    ]);
    let output = ctl(&fake.endpoint, &args, "").await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let seen = fake.script.reloaded.lock().unwrap();
    let want = v1::ReloadPolicyRequest {
        dry_run: true,
        expected_checksum: "00ff".into(),
        policy_yaml: Some("schema: 1\n".into()),
        run_tests: true,
        tenant: "acme".into(),
    };
    assert_eq!(seen[0].message, want);
    assert_eq!(seen[0].metadata.get("authorization").unwrap(), "Bearer s3cret");
}

#[tokio::test]
async fn without_a_file_the_server_reads_its_own_source() {
    let fake = Fake::start().await;
    ctl(&fake.endpoint, &["reload"], "").await;
    assert_eq!(fake.script.reloaded.lock().unwrap()[0].message.policy_yaml, None);
}

#[tokio::test]
async fn an_outcome_reaches_the_server_with_a_key_of_its_own_unless_one_is_given() {
    let fake = Fake::start().await;
    let accepted = v1::ReportOutcomeResponse {
        accepted: 1,
        ..Default::default()
    };
    for _ in 0..2 {
        fake.script.outcome.lock().unwrap().push_back(Ok(accepted));
    }
    let args = "outcome --decision 0190c0de-0000-7000-8000-000000000000 --model a/b --outcome rate-limited \
        --retry-after 30s --latency 1.5s --input-tokens 7 --output-tokens 9 --cost-usd 0.25 --quality 0.5 --tenant acme";
    let args: Vec<&str> = args.split_whitespace().collect();
    let keyed: Vec<&str> = args
        .iter()
        .copied()
        .chain(["--idempotency-key", "mine"])
        .collect();
    for args in [&args, &keyed] {
        let output = ctl(&fake.endpoint, args, "").await;
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stdout(&output), "accepted\n");
    }
    let seen = fake.script.reported.lock().unwrap();
    assert!(seen.iter().all(|seen| seen.message.tenant == "acme"));
    let mut sent = seen.iter().map(|seen| seen.message.outcomes[0].clone());
    let (first, second) = (sent.next().unwrap(), sent.next().unwrap());
    assert!(first.idempotency_key.len() > 20, "{}", first.idempotency_key);
    let want = v1::Outcome {
        idempotency_key: "mine".into(),
        decision_id: "0190c0de-0000-7000-8000-000000000000".into(),
        model_id: "a/b".into(),
        outcome: v1::AttemptOutcome::RateLimited.into(),
        latency_duration: std::time::Duration::from_millis(1500).try_into().ok(),
        input_tokens: Some(7),
        output_tokens: Some(9),
        cost_usd: Some(0.25),
        quality: Some(0.5),
        end_time: None,
        retry_after_duration: std::time::Duration::from_secs(30).try_into().ok(),
    };
    assert_eq!(second, want);
}

#[tokio::test]
async fn an_outcome_of_nothing_known_is_a_no() {
    let fake = Fake::start().await;
    let unknown = v1::ReportOutcomeResponse {
        unknown: 1,
        ..Default::default()
    };
    fake.script.outcome.lock().unwrap().push_back(Ok(unknown));
    let output = ctl(
        &fake.endpoint,
        &["outcome", "--model", "x", "--outcome", "success"],
        "",
    )
    .await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).starts_with("unknown: "));
    let output = ctl(&fake.endpoint, &["outcome", "--outcome", "success"], "").await;
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn the_policy_of_a_tenant_can_be_asked_for() {
    let fake = Fake::start().await;
    ctl(&fake.endpoint, &["policy", "--tenant", "acme"], "").await;
    ctl(&fake.endpoint, &["policy"], "").await;
    let asked = fake.script.asked.lock().unwrap();
    let tenants: Vec<&str> = asked.iter().map(|seen| seen.message.tenant.as_str()).collect();
    assert_eq!(tenants, ["acme", ""]);
}
