//! The sentence encoder as callers see it: where it decides, what Explain shows of it, and that it cannot hurt a call.

use signalbox_api::v1;
use signalbox_api::v1::explain_request::Target;

use crate::support::{Server, ask};

const POLICY: &str = r#"schema: 1
version: 1
default: small
models: [{id: small}, {id: large}]
evidence: {encoder: builtin}
routes:
  - {name: payments, description: "bills, refunds and charges on a card", models: [small]}
  - {name: medicine, description: "symptoms, illnesses and drugs", models: [large]}
  - {name: travel, description: "flights, hotels and trips", models: [large, small]}
  - {name: cooking, description: recipes and meals, models: [small]}
"#;
/// The embedding holds that no route fits; the encoder knows better.
const UNSURE: &str = "what to do in Lisbon for two days";

async fn explained(server: &Server, target: Target) -> v1::ExplainResponse {
    let request = v1::ExplainRequest {
        target: Some(target),
        ..Default::default()
    };
    server.raw().await.explain(request).await.unwrap().into_inner()
}

fn asked(explained: &v1::ExplainResponse) -> Vec<&str> {
    explained.steps.iter().map(|step| step.asked.as_str()).collect()
}

#[tokio::test]
async fn it_decides_what_the_embedding_is_unsure_of_and_the_cache_keeps_it() {
    let server = Server::with(Default::default(), Some(POLICY)).await;
    let mut client = server.raw().await;
    let first = client.route(ask(UNSURE)).await.unwrap().into_inner();
    assert_eq!(
        (first.route.as_str(), first.model_id.as_str()),
        ("travel", "large")
    );
    assert_eq!(first.source(), v1::DecisionSource::Embedding);
    assert!(first.degraded.is_empty() && first.confidence.is_some());
    let again = client.route(ask(UNSURE)).await.unwrap().into_inner();
    assert_eq!(again.cache_status(), v1::CacheStatus::ExactHit);
    assert_eq!((again.route, again.confidence), (first.route, first.confidence));
    let later = explained(&server, Target::DecisionId(again.decision_id)).await;
    assert_eq!(asked(&later), ["embedding", "encoder"]);
}

#[tokio::test]
async fn explain_shows_its_step_and_each_routes_probability_by_it() {
    let server = Server::with(Default::default(), Some(POLICY)).await;
    let explained = explained(&server, Target::Request(ask(UNSURE))).await;
    assert_eq!(asked(&explained), ["embedding", "encoder"]);
    assert!(explained.steps[1].answer_duration.is_some() && !explained.steps[1].failed);
    let by = |probe: &str, route: &str| {
        let found = explained
            .routes
            .iter()
            .find(|seen| seen.asked == probe && seen.name == route);
        found.unwrap().probability.unwrap()
    };
    assert_eq!(explained.routes.len(), 10);
    assert!(by("embedding", "travel") < by("embedding", "other"));
    assert!(by("encoder", "travel") > 0.5);
    let decision = explained.decision.as_ref().unwrap();
    assert_eq!(decision.confidence, Some(by("encoder", "travel")));
    assert!(
        explained.text.contains("routes by the encoder"),
        "{}",
        explained.text
    );
    assert_eq!(explained.varying_evidence, ["encoder"]);
}

#[tokio::test]
async fn many_at_once_are_all_answered_and_say_where_they_had_to_do_without() {
    let server = Server::with(Default::default(), Some(POLICY)).await;
    let client = server.raw().await;
    let calls = (0..200).map(|n| {
        let mut client = client.clone();
        tokio::spawn(async move { client.route(ask(&format!("{UNSURE} and {n} nights"))).await })
    });
    let calls: Vec<_> = calls.collect();
    for call in calls {
        let decision = call.await.unwrap().unwrap().into_inner();
        for lost in &decision.degraded {
            assert_eq!(lost.code, "encoder_overloaded");
        }
        assert!(!decision.model_id.is_empty());
    }
}

#[tokio::test]
async fn a_caller_in_a_hurry_is_answered_without_it() {
    let server = Server::with(Default::default(), Some(POLICY)).await;
    let mut client = server.raw().await;
    let mut request = tonic::Request::new(ask(UNSURE));
    request.set_timeout(std::time::Duration::from_millis(5));
    // On a busy machine even that is too late for any answer.
    if let Ok(answer) = client.route(request).await {
        let codes: Vec<_> = answer
            .get_ref()
            .degraded
            .iter()
            .map(|lost| lost.code.as_str())
            .collect();
        assert_eq!(codes, ["encoder_deadline"]);
    }
}

#[tokio::test]
async fn an_encoder_that_cannot_be_loaded_is_a_problem_of_the_policy() {
    let server = Server::with(Default::default(), Some(POLICY)).await;
    let request = v1::ReloadPolicyRequest {
        policy_yaml: Some(POLICY.replace("builtin", "/nowhere/at/all")),
        dry_run: true,
        ..Default::default()
    };
    let told = server
        .raw()
        .await
        .reload_policy(request)
        .await
        .unwrap()
        .into_inner();
    let problem = &told.diagnostics[0];
    assert_eq!(
        (problem.code.as_str(), problem.path.as_str()),
        ("encoder", "evidence.encoder")
    );
    assert!(problem.message.contains("/nowhere/at/all"), "{problem:?}");
}
