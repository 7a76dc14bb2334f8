use std::sync::Arc;

use super::*;
use crate::evidence::RouteScores;
use crate::explanation::explain;
use crate::policy::{Domain, Latency, Model, Price, Route, builtin_profiles};

fn model(id: &str) -> Model {
    Model {
        id: id.into(),
        modalities: vec!["text".into()],
        ..Model::default()
    }
}

fn route(name: &str, models: Vec<ModelIndex>) -> Route {
    Route {
        name: name.into(),
        domain: None,
        description: format!("requests about {name}"),
        examples: vec![],
        models,
        select: None,
        expected_output_tokens: None,
        plan: None,
        strong_weak: None,
    }
}

/// Four models, two routes of one domain, one alias; the default is model 3.
fn policy() -> Policy {
    let sized = |id: &str, size| Model {
        parameters_b: Some(size),
        ..model(id)
    };
    let priced = |model: Model, input, first_token_ms, quality| Model {
        price: Some(Price {
            input,
            output: input * 4.0,
            cached_input: None,
        }),
        latency: Some(Latency {
            first_token_ms,
            tokens_per_second: 100.0,
        }),
        quality: Some(quality),
        ..model
    };
    Policy {
        models: vec![
            priced(sized("a", 70.0), 3.0, 600.0, 0.9),
            priced(sized("b", 8.0), 0.5, 200.0, 0.6),
            Model {
                tiers: vec!["pro".into()],
                ..sized("c", 3.0)
            },
            model("d"),
        ],
        aliases: [("list".to_owned(), vec![2, 1])].into(),
        default: vec![3],
        profiles: builtin_profiles(),
        domains: vec![Domain {
            name: "work".into(),
            description: String::new(),
            models: vec![1],
        }],
        routes: vec![
            Route {
                domain: Some(0),
                ..route("code", vec![0, 1])
            },
            Route {
                domain: Some(0),
                ..route("text", vec![2])
            },
        ],
        ..Policy::default()
    }
}

fn scores(routes: &[f32]) -> Evidence {
    let other = 1.0 - routes.iter().sum::<f32>();
    let scores = RouteScores {
        routes: routes.to_vec(),
        other,
        default_threshold: 0.5,
        ..RouteScores::default()
    };
    Evidence {
        cache: Answer::Got(None),
        embedding: Answer::Got(Arc::new(scores)),
        ..Evidence::default()
    }
}

fn done(policy: &Policy, query: &Query, evidence: &Evidence) -> Result<Arc<Decision>, Refused> {
    match decide(policy, query, evidence) {
        Step::Done(outcome) => outcome,
        Step::Ask(probe) => panic!("asked for {probe:?}"),
    }
}

fn id(policy: &Policy, decision: &Decision) -> String {
    policy.models[decision.model].id.clone()
}

#[test]
fn a_sure_route_decides_and_its_other_models_are_the_fallbacks() {
    let policy = policy();
    let decision = done(&policy, &Query::default(), &scores(&[0.8, 0.1])).unwrap();
    assert_eq!((decision.model, &decision.fallbacks[..]), (0, &[1][..]));
    assert_eq!(
        (decision.source, decision.route, decision.domain),
        (Source::Embedding, Some(0), Some(0))
    );
    assert_eq!(decision.confidence, Some(0.8));
    assert!((decision.margin.unwrap() - 0.7).abs() < 1e-6);
}

#[test]
fn an_unsure_route_inside_a_sure_domain_goes_to_the_domains_models() {
    let policy = policy();
    let decision = done(&policy, &Query::default(), &scores(&[0.4, 0.35])).unwrap();
    assert_eq!(
        (decision.model, decision.route, decision.domain),
        (1, None, Some(0))
    );
    assert_eq!(decision.source, Source::Embedding);
}

#[test]
fn out_of_scope_skips_domains_and_ends_at_the_default_with_its_probability() {
    let policy = policy();
    let decision = done(&policy, &Query::default(), &scores(&[0.2, 0.2])).unwrap();
    assert_eq!((decision.model, decision.source), (3, Source::Default));
    assert!((decision.confidence.unwrap() - 0.6).abs() < 1e-6);
}

#[test]
fn the_policys_profile_comes_before_its_default() {
    let policy = Policy {
        profile: Some(1),
        ..policy()
    };
    let decision = done(&policy, &Query::default(), &scores(&[0.1, 0.1])).unwrap();
    assert_eq!(
        (decision.model, decision.source, decision.profile),
        (1, Source::Profile, Some(1))
    );
    assert_eq!(decision.confidence, None);
}

#[test]
fn a_named_model_never_falls_to_another_rung() {
    let policy = policy();
    let query = Query {
        model: Some("c".into()),
        ..Query::default()
    };
    let refused = done(&policy, &query, &Evidence::default()).unwrap_err();
    assert_eq!(refused.reason(), "MODEL_NOT_ALLOWED");
    let mut query = Query {
        model: Some("d".into()),
        ..Query::default()
    };
    assert_eq!(
        done(&policy, &query, &Evidence::default()).unwrap().source,
        Source::Direct
    );
    query.requirements.min_context_tokens = Some(1000);
    assert_eq!(
        done(&policy, &query, &Evidence::default()).unwrap_err().reason(),
        "NO_ELIGIBLE_MODEL"
    );
}

#[test]
fn an_alias_tries_its_models_in_order() {
    let policy = policy();
    let mut query = Query {
        model: Some("list".into()),
        ..Query::default()
    };
    let decision = done(&policy, &query, &Evidence::default()).unwrap();
    assert_eq!(
        (id(&policy, &decision).as_str(), decision.source),
        ("b", Source::Alias)
    );
    query.caller.tier = "pro".into();
    let decision = done(&policy, &query, &Evidence::default()).unwrap();
    assert_eq!(
        (id(&policy, &decision).as_str(), &decision.fallbacks[..]),
        ("c", &[1][..])
    );
}

#[test]
fn an_unknown_name_gets_the_nearest_ones() {
    let policy = policy();
    let query = Query {
        model: Some("lisst".into()),
        ..Query::default()
    };
    let refused = done(&policy, &query, &Evidence::default()).unwrap_err();
    assert_eq!(
        refused,
        Refused::UnknownModel {
            name: "lisst".into(),
            nearest: vec!["list".into()]
        }
    );
}

#[test]
fn a_profile_takes_models_of_its_size_and_asks_nothing() {
    let policy = policy();
    for (name, want) in [("fast", "c"), ("general", "b"), ("creative", "a")] {
        let mut query = Query {
            profile: Some(name.into()),
            ..Query::default()
        };
        query.caller.tier = "pro".into();
        let decision = done(&policy, &query, &Evidence::default()).unwrap();
        assert_eq!(
            (id(&policy, &decision).as_str(), decision.degraded.len()),
            (want, 0),
            "{name}"
        );
    }
}

#[test]
fn an_empty_band_takes_the_nearest_size_and_says_so() {
    let policy = policy();
    let query = Query {
        profile: Some("fast".into()),
        ..Query::default()
    };
    let decision = done(&policy, &query, &Evidence::default()).unwrap();
    assert_eq!(id(&policy, &decision), "b");
    assert_eq!(decision.degraded[0].code, "profile_unsatisfied");
}

#[test]
fn a_rung_whose_models_are_all_refused_falls_and_says_so() {
    let policy = policy();
    let decision = done(&policy, &Query::default(), &scores(&[0.1, 0.8])).unwrap();
    assert_eq!((decision.model, decision.source), (3, Source::Default));
    assert_eq!(decision.degraded[0].code, "no_eligible_model_in_route");
    assert_eq!(decision.confidence, None);
}

#[test]
fn an_empty_ladder_names_what_refused_each_model() {
    let policy = policy();
    let mut query = Query::default();
    query.requirements.capabilities = vec!["vision".into()];
    let refused = done(&policy, &query, &scores(&[0.8, 0.1])).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "no eligible model: `d` lacks capability `vision`"
    );
}

#[test]
fn an_unknown_value_never_satisfies_a_hard_requirement() {
    let policy = policy();
    let limits: [fn(&mut Query); 6] = [
        |q| q.requirements.max_cost_usd = Some(1e9),
        |q| q.requirements.max_latency_ms = Some(1e9),
        |q| q.requirements.min_quality = Some(0.0),
        |q| q.requirements.max_output_tokens = Some(1),
        |q| q.requirements.min_context_tokens = Some(1),
        |q| q.requirements.regions = vec!["eu".into()],
    ];
    for (number, limit) in limits.iter().enumerate() {
        let mut query = Query {
            model: Some("d".into()),
            ..Query::default()
        };
        limit(&mut query);
        assert!(
            done(&policy, &query, &Evidence::default()).is_err(),
            "limit {number}"
        );
    }
}

#[test]
fn objectives_choose_among_the_routes_models() {
    let policy = policy();
    for (objective, want) in [
        (Objective::Cheapest, 1),
        (Objective::Fastest, 1),
        (Objective::Best, 0),
        (Objective::Order, 0),
    ] {
        let mut query = Query::default();
        query.preferences.optimize_for = Some(objective);
        assert_eq!(
            done(&policy, &query, &scores(&[0.8, 0.1])).unwrap().model,
            want,
            "{objective:?}"
        );
    }
}

#[test]
fn a_preferred_family_goes_before_the_order() {
    let mut policy = policy();
    policy.models[1].family = Some("Llama".into());
    let mut query = Query::default();
    query.preferences.families = vec!["llama".into()];
    assert_eq!(done(&policy, &query, &scores(&[0.8, 0.1])).unwrap().model, 1);
}

#[test]
fn a_failed_classifier_degrades_the_decision_and_does_not_fail_it() {
    let policy = policy();
    let embedding = Answer::Failed {
        code: "embedding_failed",
        detail: "broken".into(),
    };
    let decision = done(
        &policy,
        &Query::default(),
        &Evidence {
            cache: Answer::Got(None),
            embedding,
            ..Evidence::default()
        },
    )
    .unwrap();
    assert_eq!(
        (decision.source, decision.degraded[0].code),
        (Source::Default, "embedding_failed")
    );
    assert_eq!(decision.confidence, None);
}

#[test]
fn the_explanation_says_who_wins_without_the_winner() {
    let policy = policy();
    let explanation = explain(&policy, &Query::default(), &scores(&[0.8, 0.1])).unwrap();
    assert_eq!(explanation.without_winner.unwrap().unwrap().model, 1);
    assert_eq!(explanation.rungs.len(), 1);
}

mod canary;
mod difficulty;
mod encoder;
mod health;
mod laws;
mod llm;
mod plans;
mod rules;
mod session;
