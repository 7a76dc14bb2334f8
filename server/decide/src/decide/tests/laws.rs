//! Laws that hold for every request and every evidence.

use proptest::prelude::*;

use super::*;
use crate::llm::LlmMode;
use crate::plan::{Combine, Plan, PlanKind, PlanSpec, Prefer};
use crate::policy::StrongWeak;
use crate::query::{Attempt, AttemptOutcome, Weights};

fn weights() -> impl Strategy<Value = Weights> {
    (0.01f64..5.0, 0.01f64..5.0, 0.01f64..5.0).prop_map(|(latency, cost, quality)| Weights {
        latency,
        cost,
        quality,
    })
}

pub(super) fn requests() -> impl Strategy<Value = Query> {
    let names = prop::option::of(prop::sample::select(vec!["a", "list", "nobody"]));
    let profiles = prop::option::of(prop::sample::select(vec!["fast", "code", "nobody"]));
    let tiers = prop::sample::select(vec!["", "pro"]);
    let tried = prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d"]), 0..4);
    let attempt = |id: &str| Attempt {
        model_id: id.into(),
        outcome: AttemptOutcome::Error,
        confidence: None,
    };
    (
        names,
        profiles,
        tiers,
        tried,
        prop::option::of(0.0f64..0.02),
        prop::option::of(weights()),
        any::<bool>(),
    )
        .prop_map(
            move |(model, profile, tier, tried, max_cost_usd, weights, read_cache)| {
                let mut query = Query {
                    read_cache,
                    input_tokens: 1000,
                    ..Query::default()
                };
                query.model = model.map(Into::into);
                query.profile = profile.map(Into::into);
                query.caller.tier = tier.into();
                query.attempts = tried.into_iter().map(attempt).collect();
                query.requirements.max_cost_usd = max_cost_usd;
                query.preferences.weights = weights;
                query
            },
        )
}

pub(super) fn answers() -> impl Strategy<Value = Evidence> {
    let pair = || (0.0f32..0.5, 0.0f32..0.5);
    (pair(), 0.0f64..1.0, prop::option::of(pair())).prop_map(|((code, text), difficulty, llm)| Evidence {
        difficulty: Answer::Got(difficulty),
        health: Answer::Got(Arc::default()),
        session: Answer::Got(None),
        llm: match llm {
            Some((code, text)) => super::llm::judged(&[code, text]),
            None => super::llm::missed(),
        },
        ..scores(&[code, text])
    })
}

fn modes() -> impl Strategy<Value = LlmMode> {
    prop::sample::select(vec![
        LlmMode::Never,
        LlmMode::FallbackOnly,
        LlmMode::WhenUnsure,
        LlmMode::Always,
    ])
}

/// Any plan that a policy may give route 0, whose models are 0, 1 and 3.
fn plans() -> impl Strategy<Value = PlanSpec> {
    let kinds = prop_oneof![
        (0.0f64..1.0).prop_map(|accept_at| PlanKind::Cascade { accept_at }),
        (
            prop::option::of(2usize..4),
            prop::option::of(prop::sample::select(vec![0usize, 1, 2, 3]))
        )
            .prop_map(|(n, judge)| PlanKind::Ensemble {
                n,
                combine: Combine::BestOf,
                judge
            }),
        Just(PlanKind::Speculative {
            prefer: Prefer::Fast,
            wait_ms: 100
        }),
        Just(PlanKind::ToolThenModel { tool: "t".into() }),
    ];
    let models = prop::sample::subsequence(vec![0usize, 1, 3], 2..=3);
    (kinds, prop::option::of(models)).prop_map(|(kind, models)| PlanSpec {
        models: models.unwrap_or_default(),
        kind,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn it_ends_and_asks_no_probe_twice(query in requests(), answers in answers(), mode in modes()) {
        let mut policy = policy();
        policy.llm.mode = mode;
        policy.health.enabled = true;
        policy.sessions.enabled = true;
        policy.sessions.derive = true;
        policy.routes[0].strong_weak = Some(StrongWeak { strong: 0, weak: 1, threshold: 0.5 });
        let mut evidence = Evidence::default();
        let mut asked = Vec::new();
        while let Step::Ask(probe) = decide(&policy, &query, &evidence) {
            prop_assert!(!asked.contains(&probe));
            asked.push(probe);
            match probe {
                Probe::ExactCache => evidence.cache = answers.cache.clone(),
                Probe::Embedding => evidence.embedding = answers.embedding.clone(),
                Probe::Encoder => evidence.encoder = answers.encoder.clone(),
                Probe::Llm => evidence.llm = answers.llm.clone(),
                Probe::Difficulty(_) => evidence.difficulty = answers.difficulty.clone(),
                Probe::Signals => evidence.signals = answers.signals.clone(),
                Probe::Health => evidence.health = answers.health.clone(),
                Probe::Session => evidence.session = answers.session.clone(),
            }
        }
    }

    #[test]
    fn filters_never_let_through_what_they_forbid(query in requests(), evidence in answers(), mode in modes()) {
        let mut policy = policy();
        policy.llm.mode = mode;
        if let Ok(decision) = done(&policy, &query, &evidence) {
            for index in decision.fallbacks.iter().chain([&decision.model]) {
                let model = &policy.models[*index];
                prop_assert!(!query.attempts.iter().any(|a| a.model_id == model.id));
                prop_assert!(model.tiers.is_empty() || model.tiers.contains(&query.caller.tier));
            }
            prop_assert!(!decision.fallbacks.contains(&decision.model));
            if let Some(limit) = query.requirements.max_cost_usd {
                prop_assert!(decision.estimate.cost_usd.unwrap() <= limit);
            }
        }
    }

    #[test]
    fn no_plan_repeats_a_model_or_holds_one_that_may_not_serve(
        query in requests(), evidence in answers(), plan in plans(),
    ) {
        let mut policy = policy();
        policy.routes[0].models = vec![0, 1, 3];
        policy.routes[0].plan = Some(plan);
        if let Ok(decision) = done(&policy, &query, &evidence) {
            let mut models = decision.plan.models(decision.model);
            prop_assert_eq!(models[0], decision.model);
            models.extend(&decision.fallbacks);
            let judge = match decision.plan { Plan::Ensemble { judge, .. } => judge, _ => None };
            for &index in models.iter().chain(&judge) {
                let model = &policy.models[index];
                prop_assert!(!query.attempts.iter().any(|a| a.model_id == model.id));
                prop_assert!(model.tiers.is_empty() || model.tiers.contains(&query.caller.tier));
            }
            let all = models.len();
            models.sort_unstable();
            models.dedup();
            prop_assert_eq!(models.len(), all);
        }
    }

    #[test]
    fn explain_agrees_with_decide(query in requests(), evidence in answers(), mode in modes()) {
        let mut policy = policy();
        policy.llm.mode = mode;
        let explained = explain(&policy, &query, &evidence).unwrap();
        prop_assert_eq!(explained.outcome, done(&policy, &query, &evidence));
    }

    #[test]
    fn scaling_the_weights_changes_nothing(query in requests(), evidence in answers(), factor in 0.001f64..1000.0) {
        let policy = policy();
        let mut scaled = query.clone();
        if let Some(w) = &mut scaled.preferences.weights {
            *w = Weights { latency: w.latency * factor, cost: w.cost * factor, quality: w.quality * factor };
        }
        prop_assert_eq!(done(&policy, &query, &evidence), done(&policy, &scaled, &evidence));
        // The same weights as the policy's, a route's or a profile's instead of the request's.
        let at = |w: Option<Weights>| {
            let mut policies = vec![policy.clone(), policy.clone(), policy.clone()];
            policies[0].weights = w;
            policies[1].routes[0].select = w.map(Objective::Weights);
            policies[2].profiles.iter_mut().for_each(|p| p.select = w.map(Objective::Weights));
            policies
        };
        let (own, theirs) = (query.preferences.weights, scaled.preferences.weights);
        let mut silent = query.clone();
        silent.preferences.weights = None;
        for (one, two) in at(own).iter().zip(&at(theirs)) {
            let models = |policy| done(policy, &silent, &evidence).map(|d| (d.model, d.fallbacks.clone()));
            prop_assert_eq!(models(one), models(two));
        }
    }

    #[test]
    fn a_cached_decision_is_returned_as_it_is(evidence in answers()) {
        let policy = policy();
        let query = Query { read_cache: true, ..Query::default() };
        if let Ok(decision) = done(&policy, &query, &evidence) {
            let cached = Evidence { cache: Answer::Got(Some(decision.clone())), ..Evidence::default() };
            prop_assert_eq!(done(&policy, &query, &cached).unwrap(), decision);
        }
    }

    #[test]
    fn reordering_routes_changes_only_ties(code in 0.0f32..0.5, text in 0.0f32..0.5) {
        prop_assume!(code != text);
        let policy = policy();
        let mut turned = policy.clone();
        turned.routes.reverse();
        let straight = done(&policy, &Query::default(), &scores(&[code, text]));
        let reversed = done(&turned, &Query::default(), &scores(&[text, code]));
        prop_assert_eq!(straight.map(|d| d.model), reversed.map(|d| d.model));
    }
}
