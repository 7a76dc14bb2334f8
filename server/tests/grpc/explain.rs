//! `Explain`: the same decision as `Route`, with what is behind it, and nothing written.

use signalbox_api::v1;
use signalbox_api::v1::explain_request::Target;
use signalbox_api::v1::{DecisionSource, RouteRequest};
use tonic::Code;

use crate::support::{POLICY, Server, ask, name, version};

fn of(request: RouteRequest) -> v1::ExplainRequest {
    v1::ExplainRequest {
        target: Some(Target::Request(request)),
        ..Default::default()
    }
}

fn earlier(decision_id: &str) -> v1::ExplainRequest {
    v1::ExplainRequest {
        target: Some(Target::DecisionId(decision_id.into())),
        ..Default::default()
    }
}

/// A decision without what differs from call to call.
fn settled(mut decision: v1::RouteResponse) -> v1::RouteResponse {
    decision.decision_id.clear();
    decision.request_id.clear();
    decision.processing_duration = None;
    decision.cache_status = 0;
    decision
}

fn requests() -> Vec<RouteRequest> {
    let code = "write a python function that reverses a list";
    let requirements = |change: fn(&mut v1::Requirements)| {
        let mut requirements = v1::Requirements::default();
        change(&mut requirements);
        RouteRequest {
            requirements: Some(requirements),
            ..ask(code)
        }
    };
    let cheap = v1::Preferences {
        optimize_for: v1::OptimizeFor::Cost.into(),
        ..Default::default()
    };
    let tried = v1::Attempt {
        model_id: "acme/large".into(),
        ..Default::default()
    };
    let gold = v1::Caller {
        tier: "gold".into(),
        ..Default::default()
    };
    vec![
        ask(code),
        ask("how do you say good morning in spanish"),
        ask("what is the weather like"),
        name("acme/small"),
        name("best"),
        RouteRequest {
            caller: Some(gold),
            ..name("mine")
        },
        RouteRequest {
            profile: "fast".into(),
            ..ask(code)
        },
        RouteRequest {
            profile: "general".into(),
            ..ask(code)
        },
        RouteRequest {
            preferences: Some(cheap),
            ..ask(code)
        },
        RouteRequest {
            attempts: vec![tried],
            ..ask(code)
        },
        requirements(|need| need.capabilities = vec!["tools".into()]),
        requirements(|need| need.regions = vec!["us".into()]),
        requirements(|need| need.max_cost_usd = Some(0.001)),
    ]
}

#[tokio::test]
async fn explain_equals_route_on_every_rung() {
    let server = Server::start().await;
    let client = server.client();
    for request in requests() {
        let explained = client.explain(of(request.clone())).await.unwrap();
        let routed = client.route(request.clone()).await.unwrap();
        let decision = explained.decision.clone().unwrap();
        assert_eq!(settled(decision), settled(routed.clone()), "{request:?}");
        assert!(explained.text.contains(&routed.model_id) && explained.undecidable.is_empty());
        let winner = explained
            .candidates
            .iter()
            .rfind(|c| c.model_id == routed.model_id)
            .unwrap();
        assert!(winner.eligible && winner.refusals.is_empty());
    }
}

#[tokio::test]
async fn explain_writes_neither_cache_nor_ring() {
    let server = Server::start().await;
    let client = server.client();
    for request in requests() {
        client.explain(of(request)).await.unwrap();
    }
    assert!(server.engine.cache().is_empty());
    assert!(server.engine.ring().all().is_empty());
    let routed = client.route(requests().remove(0)).await.unwrap();
    assert_eq!(routed.cache_status(), v1::CacheStatus::Miss);
}

#[tokio::test]
async fn an_explanation_holds_every_step_route_and_candidate() {
    let server = Server::start().await;
    let weights = v1::Weights {
        quality: Some(1.0),
        ..Default::default()
    };
    let preferences = Some(v1::Preferences {
        weights: Some(weights),
        ..Default::default()
    });
    let request = RouteRequest {
        preferences,
        ..ask("write a python function that reverses a list")
    };
    let explained = server.client().explain(of(request)).await.unwrap();

    assert_eq!(explained.steps.len(), 1);
    assert_eq!(explained.steps[0].asked, "embedding");
    assert!(!explained.steps[0].failed && explained.steps[0].answer_duration.is_some());

    let names: Vec<&str> = explained.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["code_generation", "translation", "other"]);
    let sum: f64 = explained
        .routes
        .iter()
        .filter_map(|route| route.probability)
        .sum();
    assert!((sum - 1.0).abs() < 1e-3, "{sum}");

    let ids: Vec<&str> = explained.candidates.iter().map(|c| c.model_id.as_str()).collect();
    assert_eq!(ids, ["acme/large", "acme/small"]);
    let best = &explained.candidates[0];
    assert_eq!((best.rung(), best.score), (DecisionSource::Embedding, Some(0.95)));
    let terms: Vec<(&str, Option<f64>)> = best.terms.iter().map(|t| (t.name.as_str(), t.weight)).collect();
    assert_eq!(
        terms,
        [
            ("quality", Some(1.0)),
            ("latency", Some(0.0)),
            ("cost", Some(0.0))
        ]
    );

    let runner_up = explained.runner_up.unwrap();
    assert_eq!(
        (runner_up.model_id.as_str(), runner_up.score),
        ("acme/small", Some(0.5))
    );
    assert!(!runner_up.route.is_empty() && runner_up.probability.is_some());
    let without = explained.without_winner.unwrap();
    assert_eq!(
        (without.model_id.as_str(), without.source()),
        ("acme/small", DecisionSource::Embedding)
    );
}

#[tokio::test]
async fn a_refused_candidate_says_why() {
    let server = Server::start().await;
    let requirements = v1::Requirements {
        capabilities: vec!["tools".into()],
        ..Default::default()
    };
    let request = RouteRequest {
        requirements: Some(requirements),
        ..name("best")
    };
    let explained = server.client().explain(of(request)).await.unwrap();
    let refused = explained
        .candidates
        .iter()
        .find(|c| c.model_id == "acme/small")
        .unwrap();
    assert!(!refused.eligible);
    assert_eq!(refused.refusals[0].code, "capability");
    assert_eq!(refused.refusals[0].detail, "lacks capability `tools`");
}

#[tokio::test]
async fn an_earlier_decision_is_explained_by_its_id_even_when_it_came_from_the_cache() {
    let server = Server::start().await;
    let client = server.client();
    let request = ask("translate this sentence into french");
    for _ in 0..2 {
        let routed = client.route(request.clone()).await.unwrap();
        let explained = client.explain(earlier(&routed.decision_id)).await.unwrap();
        let decision = explained.decision.unwrap();
        assert_eq!(decision.decision_id, routed.decision_id);
        assert_eq!(settled(decision), settled(routed));
        assert_eq!(explained.routes.len(), 3);
        assert_eq!(explained.steps[0].asked, "embedding");
    }
}

#[tokio::test]
async fn an_earlier_decision_keeps_its_own_policy_after_a_reload() {
    let server = Server::start().await;
    let client = server.client();
    let routed = client.route(name("best")).await.unwrap();
    let push = |number| v1::ReloadPolicyRequest {
        policy_yaml: Some(version(number)),
        ..Default::default()
    };
    client.reload_policy(push(8)).await.unwrap();
    let explained = client.explain(earlier(&routed.decision_id)).await.unwrap();
    assert_eq!(explained.decision.unwrap().policy.unwrap().version, 7);

    for number in 9..20 {
        client.reload_policy(push(number)).await.unwrap();
    }
    let gone = client.explain(earlier(&routed.decision_id)).await.unwrap_err();
    assert_eq!(
        (gone.code(), gone.reason()),
        (Code::NotFound, Some("UNKNOWN_DECISION"))
    );
}

#[tokio::test]
async fn a_policy_given_decides_for_this_call_only() {
    let server = Server::start().await;
    let client = server.client();
    let yaml = version(8).replace("best: [acme/large, acme/small]", "best: acme/small");
    let request = v1::ExplainRequest {
        policy_yaml: Some(yaml),
        ..of(name("best"))
    };
    let decision = client.explain(request).await.unwrap().decision.unwrap();
    assert_eq!(
        (decision.model_id.as_str(), decision.policy.unwrap().version),
        ("acme/small", 8)
    );
    assert_eq!(client.route(name("best")).await.unwrap().model_id, "acme/large");
    assert_eq!(client.get_policy().await.unwrap().version, 7);
}

#[tokio::test]
async fn a_bad_policy_given_is_invalid_with_paths_and_leaves_no_trace() {
    let server = Server::start().await;
    let yaml = Some(POLICY.replace("default: acme/small", "default: nothing"));
    let request = v1::ExplainRequest {
        policy_yaml: yaml,
        ..of(name("best"))
    };
    let error = server.client().explain(request).await.unwrap_err();
    assert_eq!(
        (error.code(), error.reason()),
        (Code::InvalidArgument, Some("INVALID_POLICY"))
    );
    assert_eq!(error.field_violations()[0].field, "default");
    assert!(server.client().get_policy().await.unwrap().last_error.is_none());
}

#[tokio::test]
async fn recorded_scores_are_used_again_only_for_the_same_routes() {
    let server = Server::start().await;
    let client = server.client();
    let routed = client
        .route(ask("translate this sentence into french"))
        .await
        .unwrap();
    let under = |yaml: String| v1::ExplainRequest {
        policy_yaml: Some(yaml),
        ..earlier(&routed.decision_id)
    };

    let same_routes = version(8).replace("models: [acme/small, acme/large]", "models: [acme/large]");
    let decision = client
        .explain(under(same_routes))
        .await
        .unwrap()
        .decision
        .unwrap();
    assert_eq!(
        (decision.route.as_str(), decision.model_id.as_str()),
        ("translation", "acme/large")
    );

    let other_routes = version(8).replace("description: translating text", "description: turning text");
    let explained = client.explain(under(other_routes.clone())).await.unwrap();
    assert_eq!(explained.decision, None, "nothing is guessed");
    assert_eq!(explained.undecidable[0].path, "routes");
    assert!(explained.text.starts_with("undecidable"));

    // What a name decided needs no scores, whatever became of the routes.
    let named = client.route(name("best")).await.unwrap();
    let request = v1::ExplainRequest {
        policy_yaml: Some(other_routes),
        ..earlier(&named.decision_id)
    };
    assert_eq!(
        client.explain(request).await.unwrap().decision.unwrap().model_id,
        "acme/large"
    );
}

#[tokio::test]
async fn the_prompt_comes_back_only_where_it_was_asked_for() {
    let server = Server::start().await;
    let client = server.client();
    let plain = of(ask("what is the weather like"));
    assert_eq!(client.explain(plain.clone()).await.unwrap().prompt, "");
    let request = v1::ExplainRequest {
        include_prompt: true,
        ..plain
    };
    assert_eq!(
        client.explain(request).await.unwrap().prompt,
        "user: what is the weather like"
    );

    let routed = client.route(name("best")).await.unwrap();
    let request = v1::ExplainRequest {
        include_prompt: true,
        ..earlier(&routed.decision_id)
    };
    let error = client.explain(request).await.unwrap_err();
    assert_eq!(error.field_violations()[0].field, "include_prompt");
}

#[tokio::test]
async fn a_target_is_needed() {
    let server = Server::start().await;
    let error = server
        .client()
        .explain(v1::ExplainRequest::default())
        .await
        .unwrap_err();
    assert_eq!(error.field_violations()[0].field, "target");
}
