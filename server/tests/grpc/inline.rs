//! Routes that a request brings for itself, over the network.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use signalbox_api::v1;
use signalbox_api::v1::explain_request::Target;
use signalbox_api::v1::{CacheStatus, DecisionSource};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::errors::check;
use crate::scripted::{Does, Scripted};
use crate::support::{POLICY, Server, ask, name, version};

fn route(name: &str, description: &str, ids: &[&str]) -> v1::RoutePreference {
    v1::RoutePreference {
        name: name.into(),
        description: description.into(),
        model_ids: ids.iter().map(|&id| id.to_owned()).collect(),
    }
}

/// Poems and sums, of which the policy knows nothing.
fn two() -> Vec<v1::RoutePreference> {
    vec![
        route("poems", "poems, haikus and rhymes", &["acme/large"]),
        route(
            "sums",
            "arithmetic, adding and multiplying numbers",
            &["acme/small", "acme/large"],
        ),
    ]
}

fn with(prompt: &str, route_preferences: Vec<v1::RoutePreference>) -> v1::RouteRequest {
    v1::RouteRequest {
        route_preferences,
        ..ask(prompt)
    }
}

/// What must be the same for equal questions.
fn settled(decision: v1::RouteResponse) -> v1::RouteResponse {
    v1::RouteResponse {
        decision_id: String::new(),
        request_id: String::new(),
        cache_status: 0,
        processing_duration: None,
        ..decision
    }
}

fn explain(target: Target) -> v1::ExplainRequest {
    v1::ExplainRequest {
        target: Some(target),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_language_model_is_asked_about_the_routes_that_the_request_brings() {
    let model = Scripted::new(Duration::ZERO, Does::Says(1, 0.95));
    let policy = format!("{POLICY}llm: {{mode: always, timeout_ms: 5000}}\n");
    let server = Server::with_llm(&policy, model.ready(8, 10_000).await).await;
    let client = server.client();
    let prompt = "write a haiku about rain";
    for (routes, route, model_id) in [
        (two(), "sums", "acme/small"),
        (vec![], "translation", "acme/small"),
        (two().into_iter().rev().collect(), "poems", "acme/large"),
    ] {
        let decision = client.route(with(prompt, routes)).await.unwrap();
        assert_eq!(
            (
                decision.route.as_str(),
                decision.model_id.as_str(),
                decision.source()
            ),
            (route, model_id, DecisionSource::Llm),
            "by its second route: {decision:?}"
        );
    }
    assert_eq!(model.asked(), 3, "no answer is taken for another question's");
}

#[tokio::test]
async fn inline_routes_decide_this_request_and_no_other() {
    let server = Server::start().await;
    let client = server.client();
    let prompt = "write a haiku about rain";
    let own = client.route(with(prompt, two())).await.unwrap();
    assert_eq!(
        (own.route.as_str(), own.model_id.as_str(), own.source()),
        ("poems", "acme/large", DecisionSource::Embedding)
    );
    assert_eq!(own.cache_status(), CacheStatus::Miss);
    let policy = own.policy.unwrap();
    assert_eq!(
        (policy.version, policy.checksum),
        (
            7,
            server.engine.store().current().unwrap().policy.checksum.clone()
        )
    );
    let sum = client
        .route(with("multiply the numbers 17 and 23", two()))
        .await
        .unwrap();
    assert_eq!(
        (sum.route.as_str(), sum.model_id.as_str()),
        ("sums", "acme/small")
    );
    assert_eq!(sum.fallback_model_ids, ["acme/large"]);
    // The policy's own routes are out of the question.
    let french = "translate this sentence into french";
    assert_ne!(
        client.route(with(french, two())).await.unwrap().route,
        "translation"
    );
    assert_eq!(client.route(ask(french)).await.unwrap().route, "translation");
    assert_ne!(client.route(ask(prompt)).await.unwrap().route, "poems");
    let current = client.get_policy().await.unwrap();
    assert_eq!(current.routes.len(), 2);
}

#[tokio::test]
async fn equal_requests_hit_the_cache_and_other_routes_or_models_miss_it() {
    let server = Server::start().await;
    let client = server.client();
    let request = with("write a haiku about rain", two());
    let first = client.route(request.clone()).await.unwrap();
    let again = client.route(request.clone()).await.unwrap();
    assert_eq!(again.cache_status(), CacheStatus::ExactHit);
    assert_eq!(settled(again), settled(first));
    let mut other = request;
    other.route_preferences[0].model_ids = vec!["acme/small".into()];
    let other = client.route(other).await.unwrap();
    assert_eq!(
        (other.cache_status(), other.model_id.as_str()),
        (CacheStatus::Miss, "acme/small")
    );
}

#[tokio::test]
async fn a_name_and_a_profile_go_before_inline_routes() {
    let server = Server::start().await;
    let client = server.client();
    let named = v1::RouteRequest {
        route_preferences: two(),
        ..name("best")
    };
    assert_eq!(client.route(named).await.unwrap().source(), DecisionSource::Alias);
    let profile = v1::RouteRequest {
        profile: "fast".into(),
        ..with("write a haiku about rain", two())
    };
    assert_eq!(
        client.route(profile).await.unwrap().source(),
        DecisionSource::Profile
    );
}

#[tokio::test]
async fn every_problem_of_inline_routes_is_reported_with_those_of_other_fields() {
    let server = Server::start().await;
    let mut request = with(
        "hello",
        vec![
            route("poems", "", &["acme/smal"]),
            route("Poems", "poems", &[]),
            route("other", "the rest", &["acme/small", "acme/small"]),
        ],
    );
    request.messages[0].role = 99;
    let status = server.refusal(request).await;
    check(&status, Code::InvalidArgument, "INVALID_REQUEST");
    let details = status.get_error_details();
    let found: Vec<_> = details.bad_request().unwrap().field_violations.iter().collect();
    let fields: Vec<&str> = found.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "route_preferences[0].description",
            "route_preferences[0].model_ids[0]",
            "route_preferences[1].name",
            "route_preferences[1].model_ids",
            "route_preferences[2].name",
            "route_preferences[2].model_ids[1]",
            "messages[0].role",
        ]
    );
    assert_eq!(
        found[1].description,
        "unknown model `acme/smal`; did you mean `acme/small`?"
    );
    let many = vec![route("poems", "poems", &["acme/small"]); 65];
    let status = server.refusal(with("hello", many)).await;
    check(&status, Code::InvalidArgument, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_replica_that_lags_does_not_judge_inline_routes() {
    let server = Server::start().await;
    let request = v1::RouteRequest {
        min_policy_version: 8,
        ..with("hello", vec![route("poems", "poems", &["acme/newest"])])
    };
    check(&server.refusal(request).await, Code::Unavailable, "POLICY_BEHIND");
}

#[tokio::test]
async fn explain_says_the_same_of_a_request_and_of_its_decision() {
    let server = Server::start().await;
    let client = server.client();
    let request = with("write a haiku about rain", two());
    let routed = client.route(request.clone()).await.unwrap();
    for target in [
        Target::Request(request.clone()),
        Target::DecisionId(routed.decision_id.clone()),
    ] {
        let explained = client.explain(explain(target)).await.unwrap();
        let names: Vec<&str> = explained.routes.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["poems", "sums", "other"]);
        assert_eq!(settled(explained.decision.unwrap()), settled(routed.clone()));
        assert!(!explained.runner_up.unwrap().route.is_empty());
        assert!(explained.text.contains("sums"), "{}", explained.text);
    }
    let yaml = v1::ExplainRequest {
        policy_yaml: Some(version(8)),
        ..explain(Target::Request(request))
    };
    let decision = client.explain(yaml).await.unwrap().decision.unwrap();
    assert_eq!(
        (decision.route.as_str(), decision.policy.unwrap().version),
        ("poems", 8)
    );
    // Another policy would need the routes, which only the request has.
    let yaml = v1::ExplainRequest {
        policy_yaml: Some(version(8)),
        ..explain(Target::DecisionId(routed.decision_id))
    };
    let explained = client.explain(yaml).await.unwrap();
    assert!(explained.decision.is_none());
    assert_eq!(explained.undecidable[0].path, "route_preferences");
}

#[tokio::test]
async fn a_decision_whose_routes_are_no_longer_held_is_explained_as_far_as_it_can_be() {
    let server = Server::start().await;
    let client = server.client();
    let prompt = "write a haiku about rain";
    let routed = client.route(with(prompt, two())).await.unwrap();
    let named = v1::RouteRequest {
        route_preferences: two(),
        ..name("best")
    };
    let named = client.route(named).await.unwrap();
    for n in 0..signalbox_server::engine::inline::KEPT {
        let routes = vec![route("one", &format!("requests of kind {n}"), &["acme/small"])];
        client.route(with(prompt, routes)).await.unwrap();
    }
    let explained = client
        .explain(explain(Target::DecisionId(routed.decision_id)))
        .await
        .unwrap();
    assert!(explained.decision.is_none());
    assert_eq!(explained.undecidable[0].path, "route_preferences");
    let explained = client
        .explain(explain(Target::DecisionId(named.decision_id)))
        .await
        .unwrap();
    assert_eq!(explained.decision.unwrap().model_id, "acme/large");
}

#[tokio::test]
async fn whatever_other_requests_bring_every_request_is_answered_as_if_it_were_alone() {
    let sets = [
        vec![],
        two(),
        // The same names and texts with other models, and the policy's names for something else.
        two()
            .into_iter()
            .map(|r| v1::RoutePreference {
                model_ids: vec!["acme/small".into()],
                ..r
            })
            .collect(),
        vec![
            route("translation", "poems, haikus and rhymes", &["acme/large"]),
            route("code_generation", "translating text into french", &["acme/small"]),
        ],
        vec![route("gold", "anything about money", &["other/gold"])],
    ];
    let prompts = [
        "write a haiku about rain",
        "translate this sentence into french",
        "implement a parser in rust",
        "multiply the numbers 17 and 23",
    ];
    let ask_as = |set: usize, prompt: usize, tenant: bool, cache: i32| v1::RouteRequest {
        caller: Some(v1::Caller {
            tenant: if tenant { "b".into() } else { "a".into() },
            ..Default::default()
        }),
        cache,
        ..with(prompts[prompt], sets[set].clone())
    };
    // Each alone on a server of its own.
    let mut alone = Vec::new();
    for set in 0..sets.len() {
        let server = Server::start().await;
        for prompt in 0..prompts.len() {
            let decision = server
                .client()
                .route(ask_as(set, prompt, false, 1))
                .await
                .unwrap();
            alone.push(settled(decision));
        }
    }
    let server = Server::start().await;
    let client = server.client();
    let one = (0..sets.len(), 0..prompts.len(), any::<bool>(), 0i32..3);
    let strategy = prop::collection::vec(one, 1..12);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..100 {
        let batch = strategy.new_tree(&mut runner).unwrap().current();
        let answers = batch
            .iter()
            .map(|&(set, prompt, tenant, cache)| client.route(ask_as(set, prompt, tenant, cache)));
        let answers = futures_util::future::join_all(answers).await;
        for (&(set, prompt, ..), answer) in batch.iter().zip(answers) {
            assert_eq!(settled(answer.unwrap()), alone[set * prompts.len() + prompt]);
        }
    }
}
