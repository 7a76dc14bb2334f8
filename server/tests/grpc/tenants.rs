//! Policies of tenants, over the network: each decides for its own, and nothing of one reaches another.

use proptest::prelude::*;
use signalbox_api::v1;
use signalbox_api::v1::CacheStatus;
use signalbox_api::v1::explain_request::Target;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::errors::{check, retry_after};
use crate::support::{POLICY, Server, ask, name, version};

/// A policy with one route, whose only model is `owner/one`.
fn of(owner: &str, version: u64) -> String {
    format!(
        "schema: 1\nversion: {version}\ndefault: {owner}/default\n\
         models: [{{id: {owner}/one, price: {{input: 1.0, output: 1.0}}}}, {{id: {owner}/default}}]\n\
         routes:\n  - name: {owner}_code\n    description: writing new source code, functions and programs\n    \
         examples: [write a python function that reverses a list]\n    models: [{owner}/one]\n"
    )
}

/// Everyone's is [`POLICY`], `acme` and `globex` have their own, and `broken` has one that never was good.
async fn start() -> Server {
    let (acme, globex) = (of("acme-own", 70), of("globex-own", 3));
    Server::directory(&[
        ("default.yaml", POLICY),
        ("acme.yaml", &acme),
        ("globex.yml", &globex),
        ("broken.yaml", "schema: 1\ndefault: nobody\nmodels: [{id: a}]\n"),
        ("notes.txt", "not a policy"),
    ])
    .await
}

const PROMPT: &str = "write a python function that sorts a list";

fn by(tenant: &str, request: v1::RouteRequest) -> v1::RouteRequest {
    v1::RouteRequest {
        caller: Some(v1::Caller {
            tenant: tenant.into(),
            ..Default::default()
        }),
        ..request
    }
}

fn reload(tenant: &str, yaml: Option<&str>) -> v1::ReloadPolicyRequest {
    v1::ReloadPolicyRequest {
        tenant: tenant.into(),
        policy_yaml: yaml.map(str::to_owned),
        ..Default::default()
    }
}

/// Who decides for a tenant.
async fn model(server: &Server, tenant: &str) -> String {
    let answer = server.client().route(by(tenant, ask(PROMPT))).await;
    answer.unwrap().model_id
}

#[tokio::test]
async fn each_tenant_goes_by_its_own_policy_and_all_others_by_everyones() {
    let server = start().await;
    assert_eq!(model(&server, "acme").await, "acme-own/one");
    assert_eq!(model(&server, "globex").await, "globex-own/one");
    for other in ["", "initech", "ACME", "notes", "default", ".."] {
        assert_eq!(model(&server, other).await, "acme/large", "{other}");
    }
    let answer = server.client().route(by("acme", ask(PROMPT))).await.unwrap();
    assert_eq!(answer.policy.unwrap().version, 70);
    assert_eq!(answer.route, "acme-own_code");
    let foreign = server.refusal(by("globex", name("acme-own/one"))).await;
    let text = format!("{foreign:?}");
    check(&foreign, Code::NotFound, "UNKNOWN_MODEL");
    assert!(
        !text.contains("acme-own/default"),
        "names of another tenant: {text}"
    );
}

#[tokio::test]
async fn a_tenant_whose_policy_was_never_good_is_unavailable_and_gets_nobody_elses() {
    let server = start().await;
    let refused = server.refusal(by("broken", ask(PROMPT))).await;
    check(&refused, Code::Unavailable, "POLICY_NOT_LOADED");
    assert!(retry_after(&refused).is_some());
    assert!(
        refused
            .message()
            .contains("policy of tenant `broken` does not load")
    );
    let explain = v1::ExplainRequest {
        target: Some(Target::Request(by("broken", ask(PROMPT)))),
        ..Default::default()
    };
    let refused = server.raw().await.explain(explain).await.unwrap_err();
    check(&refused, Code::Unavailable, "POLICY_NOT_LOADED");
    let shown = server.client().get_policy_of("broken").await.unwrap();
    assert_eq!((shown.tenant.as_str(), shown.checksum.as_str()), ("broken", ""));
    assert_eq!(shown.last_error.unwrap().diagnostics[0].path, "default");
    let mended = server
        .client()
        .reload_policy(reload("broken", Some(&of("mended", 1))))
        .await;
    assert!(mended.unwrap().applied);
    assert_eq!(model(&server, "broken").await, "mended/one");
}

#[tokio::test]
async fn versions_and_checksums_are_judged_against_the_tenants_own_policy() {
    let server = start().await;
    let client = server.client();
    let at_least = |tenant: &str| v1::RouteRequest {
        min_policy_version: 50,
        ..by(tenant, ask(PROMPT))
    };
    assert!(client.route(at_least("acme")).await.is_ok());
    for behind in ["globex", ""] {
        let refused = server.refusal(at_least(behind)).await;
        check(&refused, Code::Unavailable, "POLICY_BEHIND");
    }
    let checksum = client.get_policy_of("acme").await.unwrap().checksum;
    let pinned = |tenant: &str| v1::RouteRequest {
        policy_checksum: checksum.clone(),
        ..by(tenant, ask(PROMPT))
    };
    assert!(client.route(pinned("acme")).await.is_ok());
    let refused = server.refusal(pinned("globex")).await;
    check(&refused, Code::Unavailable, "POLICY_BEHIND");
}

#[tokio::test]
async fn one_tenants_reload_is_nothing_to_the_others() {
    let server = start().await;
    let client = server.client();
    let before: Vec<_> = ["", "globex"]
        .map(|t| server.engine.policies().of(t).current().unwrap())
        .into();
    let checksum = client.get_policy_of("acme").await.unwrap().checksum;
    let swap = |version, expected: &str| v1::ReloadPolicyRequest {
        expected_checksum: expected.to_owned(),
        ..reload("acme", Some(&of("acme-new", version)))
    };
    let current = client
        .reload_policy(swap(71, &checksum))
        .await
        .unwrap()
        .current
        .unwrap();
    assert_eq!(
        (current.tenant.as_str(), current.version, current.source.as_str()),
        ("acme", 71, "rpc")
    );
    assert_eq!(model(&server, "acme").await, "acme-new/one");
    let late = client.reload_policy(swap(72, &checksum)).await.unwrap_err();
    assert_eq!(late.code(), Code::Aborted);
    for (tenant, before) in ["", "globex"].iter().zip(before) {
        let now = server.engine.policies().of(tenant).current().unwrap();
        assert!(std::sync::Arc::ptr_eq(&before, &now), "{tenant} was loaded again");
    }
    // Bad for one: its last good one stays, and only it has an error.
    client
        .reload_policy(reload("acme", Some("schema: 1\n")))
        .await
        .unwrap_err();
    assert_eq!(model(&server, "acme").await, "acme-new/one");
    assert!(client.get_policy_of("acme").await.unwrap().last_error.is_some());
    assert!(client.get_policy().await.unwrap().last_error.is_none());
    // The file of acme alone is read again.
    let path = server.file.with_file_name("acme.yaml");
    std::fs::write(&path, of("acme-file", 80)).unwrap();
    std::fs::write(server.file.with_file_name("globex.yml"), of("globex-file", 81)).unwrap();
    client.reload_policy(reload("acme", None)).await.unwrap();
    assert_eq!(model(&server, "acme").await, "acme-file/one");
    assert_eq!(model(&server, "globex").await, "globex-own/one");
    std::fs::remove_file(path).unwrap();
    let gone = client.reload_policy(reload("acme", None)).await.unwrap();
    assert_eq!(
        (gone.previous.unwrap().version, gone.current.unwrap().tenant),
        (80, String::new())
    );
    assert_eq!(model(&server, "acme").await, "acme/large");
}

#[tokio::test]
async fn a_tenant_without_a_policy_can_be_pushed_one_and_a_refused_push_leaves_it_to_everyones() {
    let server = start().await;
    let client = server.client();
    let dry = v1::ReloadPolicyRequest {
        dry_run: true,
        ..reload("initech", Some(&of("initech", 1)))
    };
    assert!(!client.reload_policy(dry).await.unwrap().applied);
    client
        .reload_policy(reload("initech", Some("schema: 1\n")))
        .await
        .unwrap_err();
    assert_eq!(model(&server, "initech").await, "acme/large");
    client
        .reload_policy(reload("initech", Some(&of("initech", 1))))
        .await
        .unwrap();
    assert_eq!(model(&server, "initech").await, "initech/one");
    for bad in ["a b", "../x", ".hidden"] {
        let refused = server
            .raw()
            .await
            .reload_policy(reload(bad, None))
            .await
            .unwrap_err();
        check(&refused, Code::InvalidArgument, "INVALID_REQUEST");
        assert_eq!(
            refused.get_details_bad_request().unwrap().field_violations[0].field,
            "tenant"
        );
    }
}

#[tokio::test]
async fn churn_of_a_tenant_counts_its_own_decisions_only() {
    let server = start().await;
    for tenant in ["acme", "acme", "globex", "", "initech"] {
        model(&server, tenant).await;
    }
    for (tenant, yaml, own) in [
        ("acme", of("acme-new", 71), 2),
        ("globex", of("g", 4), 1),
        ("", version(8), 2),
    ] {
        let dry = v1::ReloadPolicyRequest {
            dry_run: true,
            ..reload(tenant, Some(&yaml))
        };
        let churn = server.client().reload_policy(dry).await.unwrap().churn.unwrap();
        assert_eq!(churn.decisions, own, "{tenant}");
    }
}

#[tokio::test]
async fn an_earlier_decision_is_explained_by_the_policy_that_made_it() {
    let server = start().await;
    let client = server.client();
    let mut ids = Vec::new();
    for tenant in ["acme", "globex", ""] {
        let own = vec![v1::RoutePreference {
            name: "sorting".into(),
            description: "sorting lists of things in functions".into(),
            model_ids: vec![model(&server, tenant).await],
        }];
        let inline = v1::RouteRequest {
            route_preferences: own,
            ..by(tenant, ask(PROMPT))
        };
        for request in [by(tenant, ask(PROMPT)), inline] {
            ids.push((tenant, client.route(request).await.unwrap()));
        }
    }
    for (tenant, decision) in ids {
        let explain = v1::ExplainRequest {
            target: Some(Target::DecisionId(decision.decision_id)),
            ..Default::default()
        };
        let explained = client.explain(explain).await.unwrap().decision.unwrap();
        assert_eq!(explained.policy, decision.policy, "{tenant}");
        assert_eq!(
            (explained.model_id, explained.route),
            (decision.model_id, decision.route)
        );
    }
}

#[tokio::test]
async fn equal_files_and_equal_inline_routes_share_no_set_and_no_cached_decision() {
    let same = of("same", 1);
    let server = Server::directory(&[
        ("default.yaml", &same),
        ("acme.yaml", &same),
        ("globex.yaml", &same),
    ])
    .await;
    let inline = |tenant: &str| v1::RouteRequest {
        route_preferences: vec![v1::RoutePreference {
            name: "sorting".into(),
            description: "sorting lists of things".into(),
            model_ids: vec!["same/one".into()],
        }],
        ..by(tenant, ask(PROMPT))
    };
    for (round, tenant) in ["", "acme", "globex"].into_iter().enumerate() {
        for request in [by(tenant, ask(PROMPT)), inline(tenant)] {
            let first = server.client().route(request.clone()).await.unwrap();
            assert_eq!(
                first.cache_status(),
                CacheStatus::Miss,
                "{tenant} sees what others asked"
            );
            let again = server.client().route(request).await.unwrap();
            assert_eq!(again.cache_status(), CacheStatus::ExactHit);
        }
        assert_eq!(server.engine.inline().len(), round + 1, "a set is held for each");
    }
}

#[tokio::test]
async fn outcomes_of_one_tenant_change_no_decision_of_another_though_the_models_are_the_same() {
    let same = of("same", 1) + "health: {enabled: true}\n";
    let files = [
        ("default.yaml", same.as_str()),
        ("acme.yaml", same.as_str()),
        ("globex.yaml", same.as_str()),
    ];
    let server = Server::directory(&files).await;
    let client = server.client();
    let limited = |tenant: &str, key: &str| v1::ReportOutcomeRequest {
        tenant: tenant.into(),
        outcomes: vec![v1::Outcome {
            idempotency_key: key.into(),
            model_id: "same/one".into(),
            outcome: v1::AttemptOutcome::RateLimited.into(),
            ..Default::default()
        }],
    };
    let told = client.report_outcome(limited("acme", "key")).await.unwrap();
    assert_eq!(told.accepted, 1);
    assert_eq!(model(&server, "acme").await, "same/default");
    for other in ["globex", "", "initech"] {
        assert_eq!(model(&server, other).await, "same/one", "{other}");
    }
    // The key of one is not taken for the other.
    let told = client.report_outcome(limited("globex", "key")).await.unwrap();
    assert_eq!((told.accepted, told.duplicate), (1, 0));
    assert_eq!(model(&server, "globex").await, "same/default");
    assert_eq!(model(&server, "").await, "same/one");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// Tenants, everyone's policy and a sequence of reloads and requests: an answer only ever names models of the policy that
    /// its tenant goes by at that moment.
    #[test]
    fn no_answer_names_a_model_of_anothers_policy(steps in prop::collection::vec((0..4_usize, 0..3_usize, any::<bool>()), 1..30)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async move {
            let everyone = of("everyone-0", 1);
            let server = Server::directory(&[("default.yaml", &everyone)]).await;
            let client = server.client();
            let tenants = ["", "a", "b", "c"];
            let mut own: [Option<String>; 4] = [Some("everyone-0".into()), None, None, None];
            for (round, (who, what, inline)) in steps.into_iter().enumerate() {
                let tenant = tenants[who];
                if what == 0 {
                    let owner = format!("owner-{who}-{round}");
                    client.reload_policy(reload(tenant, Some(&of(&owner, 1)))).await.unwrap();
                    own[who] = Some(owner);
                    continue;
                }
                let owner = own[who].as_ref().or(own[0].as_ref()).unwrap();
                let mut request = by(tenant, ask(PROMPT));
                if inline {
                    request.route_preferences = vec![v1::RoutePreference {
                        name: "sorting".into(),
                        description: "sorting lists of things".into(),
                        model_ids: vec![format!("{owner}/one")],
                    }];
                }
                let answer = client.route(request).await.unwrap();
                let named = answer.fallback_model_ids.iter().chain([&answer.model_id]);
                for model in named {
                    assert!(model.starts_with(&format!("{owner}/")), "{tenant}: {model} is not of {owner}");
                }
            }
        });
    }
}
