//! What reported outcomes change, and that they alone never fail a request.

use proptest::prelude::*;

use super::*;
use crate::health::{Circuit, Health, HealthSettings, ModelHealth, Observed};

fn healthy(mut policy: Policy) -> Policy {
    policy.health = HealthSettings {
        enabled: true,
        ..HealthSettings::default()
    };
    policy
}

fn cooling() -> ModelHealth {
    ModelHealth {
        cooling_s: Some(20.0),
        ..ModelHealth::default()
    }
}

fn open(trial: bool) -> ModelHealth {
    let circuit = Circuit {
        failure_share: 0.8,
        calls: 10.0,
        trial,
    };
    ModelHealth {
        circuit: Some(circuit),
        ..ModelHealth::default()
    }
}

fn observed(latency_ms: f64) -> ModelHealth {
    let latency = Observed {
        latency_ms,
        output_tokens: 512.0,
        calls: 9.0,
    };
    ModelHealth {
        latency: Some(latency),
        ..ModelHealth::default()
    }
}

fn with(models: &[(&str, ModelHealth)], evidence: Evidence) -> Evidence {
    let models = models.iter().map(|(id, health)| ((*id).to_owned(), *health));
    let health = Health {
        models: models.collect(),
    };
    Evidence {
        health: Answer::Got(Arc::new(health)),
        ..evidence
    }
}

fn codes(decision: &Decision) -> Vec<&str> {
    decision.degraded.iter().map(|lost| lost.code).collect()
}

#[test]
fn health_is_asked_only_where_the_policy_uses_it_and_before_the_cache() {
    let query = Query {
        read_cache: true,
        ..Query::default()
    };
    let nothing = Evidence::default();
    assert_eq!(decide(&policy(), &query, &nothing), Step::Ask(Probe::ExactCache));
    let policy = healthy(policy());
    assert_eq!(decide(&policy, &query, &nothing), Step::Ask(Probe::Health));
    let well = with(&[], Evidence::default());
    assert_eq!(decide(&policy, &query, &well), Step::Ask(Probe::ExactCache));
    let ill = with(&[("b", cooling())], Evidence::default());
    assert_eq!(decide(&policy, &query, &ill), Step::Ask(Probe::Embedding));
}

#[test]
fn what_outcomes_say_counts_for_nothing_while_the_policy_has_it_off() {
    let policy = policy();
    let evidence = with(&[("a", cooling())], scores(&[0.8, 0.1]));
    assert_eq!(
        done(&policy, &Query::default(), &evidence),
        done(&policy, &Query::default(), &scores(&[0.8, 0.1]))
    );
}

#[test]
fn a_model_that_cools_down_or_failed_too_often_is_neither_chosen_nor_a_fallback() {
    let policy = healthy(policy());
    for health in [cooling(), open(false)] {
        let evidence = with(&[("a", health)], scores(&[0.8, 0.1]));
        let decision = done(&policy, &Query::default(), &evidence).unwrap();
        assert_eq!((decision.model, decision.fallbacks.len()), (1, 0));
        assert_eq!(codes(&decision), Vec::<&str>::new());
    }
    let evidence = with(&[("a", open(true))], scores(&[0.8, 0.1]));
    assert_eq!(done(&policy, &Query::default(), &evidence).unwrap().model, 0);
}

#[test]
fn a_rung_that_health_leaves_empty_falls_to_the_next() {
    let policy = healthy(policy());
    let evidence = with(&[("a", cooling()), ("b", open(false))], scores(&[0.8, 0.1]));
    let decision = done(&policy, &Query::default(), &evidence).unwrap();
    assert_eq!((decision.model, decision.source), (3, Source::Default));
    assert_eq!(codes(&decision), ["no_eligible_model_in_route"]);
    let detail = &decision.degraded[0].detail;
    assert!(
        detail.contains("`a` was rate limited and is left alone for 20.0 s"),
        "{detail}"
    );
    assert!(
        detail.contains("`b` is left alone because 80 % of 10.0 calls failed"),
        "{detail}"
    );
}

#[test]
fn where_health_leaves_no_model_at_all_the_decision_is_made_without_it_and_says_so() {
    let policy = healthy(policy());
    let ill: Vec<_> = ["a", "b", "c", "d"].map(|id| (id, cooling())).into();
    let evidence = with(&ill, scores(&[0.8, 0.1]));
    let decision = done(&policy, &Query::default(), &evidence).unwrap();
    assert_eq!((decision.model, decision.source), (0, Source::Embedding));
    assert_eq!(codes(&decision), ["model_unhealthy"]);
    assert!(decision.degraded[0].detail.contains("`d` was rate limited"));
}

#[test]
fn a_model_that_the_request_names_is_used_however_it_is_and_an_alias_where_all_of_it_are_ill() {
    let policy = healthy(policy());
    let named = |name: &str| Query {
        model: Some(name.into()),
        caller: crate::query::Caller {
            tier: "pro".into(),
            ..Default::default()
        },
        ..Query::default()
    };
    let one = with(&[("a", cooling()), ("c", cooling())], Evidence::default());
    let direct = done(&policy, &named("a"), &one).unwrap();
    assert_eq!((direct.model, codes(&direct)), (0, vec!["model_unhealthy"]));
    let alias = done(&policy, &named("list"), &one).unwrap();
    assert_eq!((alias.model, codes(&alias)), (1, vec![]));
    let both = with(&[("b", cooling()), ("c", cooling())], Evidence::default());
    let alias = done(&policy, &named("list"), &both).unwrap();
    assert_eq!((alias.model, codes(&alias)), (2, vec!["model_unhealthy"]));
}

#[test]
fn a_model_that_a_rule_names_is_used_however_it_is_but_not_past_a_hard_limit() {
    let named = super::rules::model("named", "true", &[0]);
    let policy = healthy(super::rules::with(vec![named]));
    let evidence = with(&[("a", cooling())], scores(&[0.1, 0.8]));
    let decision = done(&policy, &Query::default(), &evidence).unwrap();
    assert_eq!((decision.model, decision.source), (0, Source::Rule));
    assert_eq!(codes(&decision), ["model_unhealthy"]);
    let mut query = Query::default();
    query.requirements.regions = vec!["mars".into()];
    assert!(done(&policy, &query, &evidence).is_err());
}

#[test]
fn a_canary_and_a_plan_do_without_a_model_that_is_left_alone() {
    let mut policy = healthy(super::canary::with_canary());
    policy.routes[0].plan = Some(crate::plan::PlanSpec {
        models: vec![],
        kind: crate::plan::PlanKind::Cascade { accept_at: 0.5 },
    });
    let mut query = Query::default();
    query.caller.session_id = "s".into();
    let well = done(&policy, &query, &with(&[], scores(&[0.8, 0.1]))).unwrap();
    assert_eq!((well.model, well.canary), (3, Some(0)));
    let ill = with(&[("d", cooling())], scores(&[0.8, 0.1]));
    let decision = done(&policy, &query, &ill).unwrap();
    assert_eq!((decision.plan.as_str(), decision.canary), ("cascade", None));
    let both = with(&[("d", cooling()), ("b", cooling())], scores(&[0.8, 0.1]));
    let decision = done(&policy, &query, &both).unwrap();
    assert_eq!((decision.model, decision.plan.as_str()), (0, "single"));
    assert_eq!(codes(&decision), ["plan_unsatisfied"]);
}

#[test]
fn an_observed_time_takes_the_place_of_the_stated_one_in_score_limit_and_estimate() {
    let policy = healthy(policy());
    let fastest = || {
        let mut query = Query::default();
        query.preferences.optimize_for = Some(Objective::Fastest);
        query
    };
    let stated = done(&policy, &fastest(), &with(&[], scores(&[0.8, 0.1]))).unwrap();
    assert_eq!((stated.model, stated.estimate.latency_observed), (1, false));
    let slow = with(&[("b", observed(90_000.0))], scores(&[0.8, 0.1]));
    assert_eq!(done(&policy, &fastest(), &slow).unwrap().model, 0);
    let fast = with(&[("a", observed(100.0))], scores(&[0.8, 0.1]));
    let decision = done(&policy, &fastest(), &fast).unwrap();
    assert_eq!((decision.model, decision.estimate.latency_observed), (0, true));
    assert_eq!(decision.estimate.latency_ms, Some(100.0));
    let mut limited = Query::default();
    limited.requirements.max_latency_ms = Some(10_000.0);
    assert_eq!(
        done(&policy, &limited, &with(&[], scores(&[0.8, 0.1])))
            .unwrap()
            .model,
        0
    );
    let late = with(&[("a", observed(20_000.0))], scores(&[0.8, 0.1]));
    assert_eq!(done(&policy, &limited, &late).unwrap().model, 1);
}

#[test]
fn an_observed_time_is_stretched_to_another_length_of_answer_as_the_stated_speed_says() {
    let seen = observed(2_000.0).latency.unwrap();
    let mut model = model("x");
    assert_eq!(seen.expect_ms(&model, 1024), 4_000.0);
    // 100 + 512 / 0.512 = 1,100 ms stated for what took 2,000 ms.
    model.latency = Some(Latency {
        first_token_ms: 100.0,
        tokens_per_second: 512.0,
    });
    assert_eq!(seen.expect_ms(&model, 512), 2_000.0);
    assert!((seen.expect_ms(&model, 1024) - 2_000.0 * 2_100.0 / 1_100.0).abs() < 1e-9);
}

#[test]
fn the_explanation_shows_every_number_and_says_what_was_observed() {
    let policy = healthy(policy());
    let evidence = with(
        &[("a", observed(1234.0)), ("b", open(false))],
        scores(&[0.8, 0.1]),
    );
    let explained = explain(&policy, &Query::default(), &evidence).unwrap();
    let text = explained.text(&policy);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "1234 ms (observed 1234 ms for 512 tokens in 9.0 calls)",
        "b is left alone because 80 % of 10.0 calls failed",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

fn conditions() -> impl Strategy<Value = ModelHealth> {
    (
        prop::option::of(1.0f64..100.0),
        prop::option::of((0.5f64..1.0, any::<bool>())),
        prop::option::of(1.0f64..50_000.0),
    )
        .prop_map(|(cooling_s, circuit, latency_ms)| ModelHealth {
            cooling_s,
            circuit: circuit.map(|(failure_share, trial)| Circuit {
                failure_share,
                calls: 10.0,
                trial,
            }),
            latency: latency_ms.and_then(|latency_ms| observed(latency_ms).latency),
        })
}

fn reports() -> impl Strategy<Value = Health> {
    let ids = prop::sample::select(vec!["a", "b", "c", "d", "gone"]).prop_map(str::to_owned);
    prop::collection::btree_map(ids, conditions(), 0..5).prop_map(|models| Health { models })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn health_alone_never_fails_a_request(
        query in super::laws::requests(), answers in super::laws::answers(), health in reports(),
    ) {
        let without = done(&policy(), &query, &answers);
        let evidence = Evidence { health: Answer::Got(Arc::new(health)), ..answers };
        let with = done(&healthy(policy()), &query, &evidence);
        prop_assert_eq!(with.is_ok(), without.is_ok());
        if without.is_err() {
            prop_assert_eq!(with, without);
        }
    }

    #[test]
    fn who_is_left_alone_is_chosen_only_with_a_word_about_it(
        query in super::laws::requests(), answers in super::laws::answers(), health in reports(),
    ) {
        let policy = healthy(policy());
        let evidence = Evidence { health: Answer::Got(Arc::new(health.clone())), ..answers };
        if let Ok(decision) = done(&policy, &query, &evidence)
            && !codes(&decision).contains(&"model_unhealthy")
        {
            for &index in decision.fallbacks.iter().chain([&decision.model]) {
                let said = health.models.get(&policy.models[index].id);
                prop_assert!(said.is_none_or(|said| said.cooling_s.is_none()));
                prop_assert!(said.and_then(|said| said.circuit).is_none_or(|circuit| circuit.trial));
            }
        }
    }

    #[test]
    fn explain_agrees_with_decide_whatever_outcomes_say(
        query in super::laws::requests(), answers in super::laws::answers(), health in reports(),
    ) {
        let policy = healthy(policy());
        let evidence = Evidence { health: Answer::Got(Arc::new(health)), ..answers };
        let explained = explain(&policy, &query, &evidence).unwrap();
        prop_assert_eq!(explained.outcome, done(&policy, &query, &evidence));
    }

    #[test]
    fn the_cache_is_not_asked_while_outcomes_say_anything(
        query in super::laws::requests(), health in reports(),
    ) {
        let said = !health.is_empty();
        let policy = healthy(policy());
        let evidence = Evidence { health: Answer::Got(Arc::new(health)), ..Evidence::default() };
        if said {
            prop_assert_ne!(decide(&policy, &query, &evidence), Step::Ask(Probe::ExactCache));
        }
    }
}
