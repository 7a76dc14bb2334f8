//! `ReloadPolicy` and `GetPolicy`: every way to put a policy in force, and what is told about it.

use signalbox_api::v1;
use tonic::Code;

use crate::support::{POLICY, Server, ask, name, version};

fn push(yaml: &str) -> v1::ReloadPolicyRequest {
    v1::ReloadPolicyRequest {
        policy_yaml: Some(yaml.to_owned()),
        ..Default::default()
    }
}

#[tokio::test]
async fn get_policy_tells_what_is_in_force() {
    let server = Server::start().await;
    let policy = server.client().get_policy().await.unwrap();
    assert_eq!((policy.version, policy.checksum.len()), (7, 64));
    assert_eq!(policy.source, server.file.display().to_string());
    assert!(policy.load_time.is_some() && policy.last_error.is_none());
    let ids: Vec<&str> = policy.models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["acme/small", "acme/large", "other/gold"]);
    let large = &policy.models[1];
    assert_eq!((large.context_window, large.quality), (Some(200_000), Some(0.9)));
    assert_eq!(large.route_quality["code_generation"], 0.95);
    assert_eq!(large.price.unwrap().output, Some(15.0));
    assert_eq!(
        large.latency.unwrap().first_token_duration.unwrap().nanos,
        600_000_000
    );
    assert_eq!(policy.models[2].price, None);
    assert_eq!(policy.models[2].tiers, ["gold"]);
    let routes: Vec<&str> = policy.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(routes, ["code_generation", "translation"]);
    assert_eq!(policy.routes[1].model_ids, ["acme/small", "acme/large"]);
    assert_eq!(policy.aliases[0].model_ids, ["acme/large", "acme/small"]);
}

#[tokio::test]
async fn a_pushed_policy_decides_and_says_where_it_came_from() {
    let server = Server::start().await;
    let client = server.client();
    let yaml = version(8).replace("best: [acme/large, acme/small]", "best: acme/small");
    let answer = client.reload_policy(push(&yaml)).await.unwrap();
    assert!(answer.applied);
    assert_eq!(answer.previous.unwrap().version, 7);
    let current = answer.current.unwrap();
    assert_eq!((current.version, current.source.as_str()), (8, "rpc"));
    assert!(current.load_time.is_some());
    assert_eq!(client.route(name("best")).await.unwrap().model_id, "acme/small");
    assert_eq!(client.get_policy().await.unwrap().source, "rpc");
}

#[tokio::test]
async fn without_a_policy_the_configured_source_is_read_again() {
    let server = Server::start().await;
    let client = server.client();
    client.reload_policy(push(&version(8))).await.unwrap();
    std::fs::write(&server.file, version(9)).unwrap();
    let current = client
        .reload_policy(Default::default())
        .await
        .unwrap()
        .current
        .unwrap();
    assert_eq!(
        (current.version, current.source),
        (9, server.file.display().to_string())
    );
}

#[tokio::test]
async fn a_source_that_cannot_be_read_is_an_error_that_get_policy_remembers() {
    let server = Server::start().await;
    let client = server.client();
    std::fs::remove_file(&server.file).unwrap();
    let error = client.reload_policy(Default::default()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.reason()),
        (Code::InvalidArgument, Some("INVALID_POLICY"))
    );
    let remembered = client.get_policy().await.unwrap().last_error.unwrap();
    assert_eq!(remembered.diagnostics[0].code, "unreadable");

    let dry = v1::ReloadPolicyRequest {
        dry_run: true,
        ..Default::default()
    };
    assert_eq!(
        client.reload_policy(dry).await.unwrap().diagnostics[0].code,
        "unreadable"
    );
}

#[tokio::test]
async fn a_dry_run_tells_everything_and_changes_nothing() {
    let server = Server::start().await;
    let client = server.client();
    let yaml = version(8).replace("  - name: translation", "  - name: interpreting");
    let dry = v1::ReloadPolicyRequest {
        dry_run: true,
        ..push(&yaml)
    };
    let answer = client.reload_policy(dry).await.unwrap();
    assert!(!answer.applied);
    let checked = answer.current.unwrap();
    assert_eq!((checked.version, checked.load_time), (8, None));
    let diff = answer.diff.unwrap();
    let routes = diff.routes.unwrap();
    assert_eq!(
        (routes.added, routes.removed),
        (vec!["interpreting".into()], vec!["translation".into()])
    );
    assert_eq!(client.get_policy().await.unwrap().version, 7);
}

#[tokio::test]
async fn a_dry_run_of_a_bad_policy_is_ok_with_every_problem_and_its_place() {
    let server = Server::start().await;
    let client = server.client();
    let yaml = POLICY.replace("default: acme/small", "default: acme/smal\ncolour: red");
    let dry = v1::ReloadPolicyRequest {
        dry_run: true,
        ..push(&yaml)
    };
    let answer = client.reload_policy(dry).await.unwrap();
    assert!(!answer.applied && answer.current.is_none());
    let mut found: Vec<(&str, u32)> = answer
        .diagnostics
        .iter()
        .map(|d| (d.path.as_str(), d.line))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [("colour", 4), ("default", 3)]);
    assert!(
        answer
            .diagnostics
            .iter()
            .all(|d| d.severity() == v1::Severity::Error)
    );
    assert!(
        client.get_policy().await.unwrap().last_error.is_none(),
        "a dry run leaves no trace"
    );
}

#[tokio::test]
async fn a_bad_policy_stays_on_record_until_a_good_one_comes() {
    let server = Server::start().await;
    let client = server.client();
    client.reload_policy(push("")).await.unwrap_err();
    let error = client.get_policy().await.unwrap().last_error.unwrap();
    assert_eq!(error.checksum.len(), 64);
    assert!(!error.diagnostics.is_empty());
    client.reload_policy(push(&version(8))).await.unwrap();
    assert!(client.get_policy().await.unwrap().last_error.is_none());
}

#[tokio::test]
async fn compare_and_swap_goes_on_only_with_the_checksum_in_force() {
    let server = Server::start().await;
    let client = server.client();
    let checksum = client.get_policy().await.unwrap().checksum;
    let swap = |number, expected: &str| v1::ReloadPolicyRequest {
        expected_checksum: expected.to_owned(),
        ..push(&version(number))
    };
    client.reload_policy(swap(8, &checksum)).await.unwrap();
    let late = client.reload_policy(swap(9, &checksum)).await.unwrap_err();
    assert_eq!(late.code(), Code::Aborted);
    assert_eq!(client.get_policy().await.unwrap().version, 8);
}

#[tokio::test]
async fn a_policy_whose_own_tests_fail_is_not_applied() {
    let server = Server::start().await;
    let client = server.client();
    let tests = "tests:\n  - {prompt: translate this, request: {model: best}, want: {model: acme/small}}\n";
    let yaml = version(8) + tests;
    let run = v1::ReloadPolicyRequest {
        run_tests: true,
        ..push(&yaml)
    };
    let error = client.reload_policy(run.clone()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.reason()),
        (Code::InvalidArgument, Some("INVALID_POLICY"))
    );
    assert_eq!(error.field_violations()[0].field, "tests[0]");
    assert_eq!(client.get_policy().await.unwrap().version, 7);

    let dry = v1::ReloadPolicyRequest {
        dry_run: true,
        ..run.clone()
    };
    let answer = client.reload_policy(dry).await.unwrap();
    assert_eq!(answer.tests, Some(v1::PolicyTests { passed: 0, failed: 1 }));
    assert!(
        answer
            .diagnostics
            .iter()
            .any(|d| d.code == "test_failed" && d.path == "tests[0]")
    );

    let untested = v1::ReloadPolicyRequest {
        run_tests: false,
        ..run
    };
    assert!(client.reload_policy(untested).await.unwrap().applied);
}

#[tokio::test]
async fn churn_counts_the_recent_decisions_that_would_change() {
    let server = Server::start().await;
    let client = server.client();
    client.route(name("best")).await.unwrap();
    client.route(name("acme/small")).await.unwrap();
    client
        .route(ask("translate this sentence into french"))
        .await
        .unwrap();
    let yaml = version(8)
        .replace("best: [acme/large, acme/small]", "best: acme/small")
        .replace("description: translating text", "description: turning text");
    let dry = v1::ReloadPolicyRequest {
        dry_run: true,
        ..push(&yaml)
    };
    let churn = client.reload_policy(dry).await.unwrap().churn.unwrap();
    assert_eq!((churn.decisions, churn.changed, churn.undecidable), (3, 1, 1));
}
