//! Plans: what a route's models do together, with the hard limits still in force.

use super::*;
use crate::plan::{Combine, Plan, PlanKind, PlanSpec, Prefer};
use crate::query::{Attempt, AttemptOutcome};

/// Route 0 has models 0 (dear, slow), 1 (cheap, fast) and 3 (no figures), and this plan.
fn planned(kind: PlanKind, models: &[ModelIndex]) -> Policy {
    let mut policy = policy();
    policy.routes[0].models = vec![0, 1, 3];
    policy.routes[0].plan = Some(PlanSpec {
        models: models.to_vec(),
        kind,
    });
    policy
}

fn tried(ids: &[(&str, AttemptOutcome)]) -> Query {
    let attempt = |&(id, outcome): &(&str, AttemptOutcome)| Attempt {
        model_id: id.into(),
        outcome,
        confidence: None,
    };
    Query {
        attempts: ids.iter().map(attempt).collect(),
        ..Query::default()
    }
}

fn codes(decision: &Decision) -> Vec<&str> {
    decision.degraded.iter().map(|lost| lost.code).collect()
}

const CASCADE: PlanKind = PlanKind::Cascade { accept_at: 0.8 };

#[test]
fn a_cascade_goes_from_cheap_to_dear_with_unknown_cost_last() {
    let policy = planned(CASCADE, &[]);
    let decision = done(&policy, &Query::default(), &scores(&[0.8, 0.1])).unwrap();
    let accept_at = 0.8;
    assert_eq!(
        decision.plan,
        Plan::Cascade {
            models: vec![1, 0, 3],
            accept_at
        }
    );
    assert_eq!((decision.model, &decision.fallbacks[..]), (1, &[][..]));
    assert!(
        decision.reason.contains("`b` is the first in a cascade of 3"),
        "{}",
        decision.reason
    );
}

#[test]
fn a_cascade_moves_along_with_the_attempts_and_its_last_step_has_lost_nothing() {
    let policy = planned(CASCADE, &[0, 1]);
    let low = AttemptOutcome::LowConfidence;
    let decision = done(&policy, &tried(&[("b", low)]), &scores(&[0.8, 0.1])).unwrap();
    assert_eq!((decision.model, &decision.plan), (0, &Plan::Single));
    assert_eq!(codes(&decision), Vec::<&str>::new());
    assert!(
        decision
            .reason
            .contains("the last model that its cascade has left"),
        "{}",
        decision.reason
    );
    assert_eq!(decision.fallbacks, [3]);
}

#[test]
fn a_cascade_that_hard_limits_leave_one_model_says_so() {
    let policy = planned(CASCADE, &[0, 1]);
    let mut query = Query {
        input_tokens: 1000,
        ..Query::default()
    };
    query.requirements.max_cost_usd = Some(0.002);
    let decision = done(&policy, &query, &scores(&[0.8, 0.1])).unwrap();
    assert_eq!((decision.model, &decision.plan), (1, &Plan::Single));
    assert_eq!(codes(&decision), ["plan_unsatisfied"]);
}

#[test]
fn an_ensemble_takes_the_preferred_models_and_an_able_judge() {
    let kind = |judge| PlanKind::Ensemble {
        n: Some(2),
        combine: Combine::BestOf,
        judge,
    };
    let ensemble = |judge| Plan::Ensemble {
        models: vec![0, 1],
        combine: Combine::BestOf,
        judge,
    };
    let evidence = scores(&[0.8, 0.1]);
    let decision = done(&planned(kind(Some(3)), &[]), &Query::default(), &evidence).unwrap();
    assert_eq!(decision.plan, ensemble(Some(3)));
    assert_eq!((decision.model, &decision.fallbacks[..]), (0, &[3][..]));
    // `c` is for the tier `pro` only, so it cannot judge for anybody else.
    let decision = done(&planned(kind(Some(2)), &[]), &Query::default(), &evidence).unwrap();
    assert_eq!(decision.plan, ensemble(None));
    assert_eq!(codes(&decision), ["plan_unsatisfied"]);
}

#[test]
fn an_ensemble_of_one_is_that_one_and_says_so() {
    let kind = PlanKind::Ensemble {
        n: None,
        combine: Combine::Majority,
        judge: None,
    };
    let error = AttemptOutcome::Error;
    let query = tried(&[("a", error), ("d", error)]);
    let decision = done(&planned(kind, &[]), &query, &scores(&[0.8, 0.1])).unwrap();
    assert_eq!((decision.model, &decision.plan), (1, &Plan::Single));
    assert_eq!(codes(&decision), ["plan_unsatisfied"]);
}

#[test]
fn a_race_is_between_the_winner_and_the_fastest_of_the_others() {
    let kind = PlanKind::Speculative {
        prefer: Prefer::Slow,
        wait_ms: 500,
    };
    let decision = done(
        &planned(kind.clone(), &[]),
        &Query::default(),
        &scores(&[0.8, 0.1]),
    )
    .unwrap();
    let race = |fast, slow| Plan::Speculative {
        fast,
        slow,
        prefer: Prefer::Slow,
        wait_ms: 500,
    };
    assert_eq!((decision.model, &decision.plan), (1, &race(1, 0)));
    assert_eq!(decision.fallbacks, [3]);
    let named = done(
        &planned(kind.clone(), &[3, 1]),
        &Query::default(),
        &scores(&[0.8, 0.1]),
    );
    assert_eq!(named.unwrap().plan, race(3, 1));
    let one = tried(&[("d", AttemptOutcome::Timeout)]);
    let decision = done(&planned(kind, &[3, 1]), &one, &scores(&[0.8, 0.1])).unwrap();
    assert_eq!((decision.model, &decision.plan), (1, &Plan::Single));
    assert_eq!(codes(&decision), ["plan_unsatisfied"]);
}

#[test]
fn a_tool_goes_before_the_model_that_wins() {
    let kind = PlanKind::ToolThenModel {
        tool: "search".into(),
    };
    let decision = done(&planned(kind, &[]), &Query::default(), &scores(&[0.8, 0.1])).unwrap();
    assert_eq!(
        decision.plan,
        Plan::ToolThenModel {
            tool: "search".into()
        }
    );
    assert_eq!((decision.model, &decision.fallbacks[..]), (0, &[1, 3][..]));
}

#[test]
fn the_explanation_says_what_to_do() {
    let policy = planned(CASCADE, &[]);
    let explanation = explain(&policy, &Query::default(), &scores(&[0.8, 0.1])).unwrap();
    let text = explanation.text(&policy);
    let plan = "plan: ask b, then a, then d; accept an answer from confidence 0.8";
    assert!(text.contains(plan), "{text}");
}

#[test]
fn a_rule_that_uses_a_route_keeps_its_plan_and_a_set_limits_it() {
    use crate::query::Requirements;
    use crate::rule::{Action, Condition, Rule, Rules, Set, Use};
    let rule = |name: &str, action| Rule {
        name: name.into(),
        when: Condition::parse("true").unwrap(),
        action,
    };
    let requirements = Requirements {
        max_cost_usd: Some(1e6),
        ..Requirements::default()
    };
    let set = Set {
        requirements,
        weights: None,
    };
    let mut policy = planned(CASCADE, &[]);
    policy.rules = Rules::new(vec![
        rule("known cost", Action::Set(set)),
        rule("code", Action::Use(Use::Route(0), None)),
    ]);
    let decision = done(&policy, &Query::default(), &Evidence::default()).unwrap();
    let accept_at = 0.8;
    let models = vec![1, 0];
    assert_eq!(decision.plan, Plan::Cascade { models, accept_at });
    assert_eq!((decision.source, decision.rule), (Source::Rule, Some(1)));
}
