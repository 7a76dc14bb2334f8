//! A canary's model in the winner's place, under the same hard limits.

use super::*;
use crate::canary::{Canary, CanaryKey};
use crate::plan::{Plan, PlanKind, PlanSpec};
use crate::rule::{Action, Condition, Rule, Rules, Use};

/// Route 0 has models 0 and 1; everybody with a session gets model 3 instead.
pub(super) fn with_canary() -> Policy {
    let mut policy = policy();
    policy.canaries = vec![Canary {
        name: "try-d".into(),
        model: 3,
        share: 1.0,
        route: Some(0),
        key: CanaryKey::SessionId,
    }];
    policy
}

fn session() -> Query {
    let mut query = Query::default();
    query.caller.session_id = "s".into();
    query
}

#[test]
fn the_canarys_model_takes_the_winners_place_and_the_winner_is_the_first_fallback() {
    let policy = with_canary();
    let decision = done(&policy, &session(), &scores(&[0.8, 0.1])).unwrap();
    assert_eq!((decision.model, &decision.fallbacks[..]), (3, &[0, 1][..]));
    assert_eq!((decision.canary, decision.route), (Some(0), Some(0)));
    assert!(
        decision
            .reason
            .contains("`d` is canary `try-d`'s, for 1 of the requests by caller.session_id"),
        "{}",
        decision.reason
    );
}

#[test]
fn a_request_without_the_key_or_of_another_route_is_in_no_canary() {
    let policy = with_canary();
    let without = done(&policy, &Query::default(), &scores(&[0.8, 0.1])).unwrap();
    assert_eq!((without.model, without.canary), (0, None));
    let mut other = session();
    other.caller.tier = "pro".into();
    let other = done(&policy, &other, &scores(&[0.1, 0.8])).unwrap();
    assert_eq!((other.model, other.canary), (2, None));
}

#[test]
fn what_the_request_names_stays() {
    let mut policy = with_canary();
    policy.canaries[0].route = None;
    for name in ["a", "list"] {
        let query = Query {
            model: Some(name.into()),
            ..session()
        };
        assert_eq!(done(&policy, &query, &Evidence::default()).unwrap().canary, None);
    }
    let default = done(&policy, &session(), &scores(&[0.1, 0.1])).unwrap();
    assert_eq!((default.model, default.canary), (3, Some(0)));
}

#[test]
fn a_canary_that_may_not_serve_the_request_changes_nothing() {
    let mut policy = with_canary();
    policy.canaries[0].model = 2;
    let decision = done(&policy, &session(), &scores(&[0.8, 0.1])).unwrap();
    assert_eq!((decision.model, decision.canary), (0, None));
    let explanation = explain(&policy, &session(), &scores(&[0.8, 0.1])).unwrap();
    let text = explanation.text(&policy);
    assert!(
        text.contains("canary `try-d`: in, but c may not serve this request"),
        "{text}"
    );
}

#[test]
fn a_canary_outside_a_profiles_band_changes_nothing() {
    let mut policy = with_canary();
    policy.canaries[0] = Canary {
        model: 0,
        route: None,
        ..policy.canaries[0].clone()
    };
    let query = Query {
        profile: Some("general".into()),
        ..session()
    };
    let decision = done(&policy, &query, &Evidence::default()).unwrap();
    assert_eq!((decision.model, decision.canary), (1, None));
}

#[test]
fn a_plan_of_several_models_gives_way_to_the_canarys_model_alone() {
    let mut policy = with_canary();
    let kind = PlanKind::Cascade { accept_at: 0.5 };
    policy.routes[0].plan = Some(PlanSpec { models: vec![], kind });
    let decision = done(&policy, &session(), &scores(&[0.8, 0.1])).unwrap();
    assert_eq!((decision.model, &decision.plan), (3, &Plan::Single));
    let tool = PlanKind::ToolThenModel { tool: "t".into() };
    policy.routes[0].plan = Some(PlanSpec {
        models: vec![],
        kind: tool,
    });
    let decision = done(&policy, &session(), &scores(&[0.8, 0.1])).unwrap();
    assert_eq!((decision.model, decision.plan.as_str()), (3, "tool_then_model"));
}

#[test]
fn explain_names_every_canary_that_was_looked_at() {
    let mut policy = with_canary();
    policy.canaries.insert(
        0,
        Canary {
            name: "none".into(),
            share: 0.0,
            ..policy.canaries[0].clone()
        },
    );
    policy.canaries.insert(
        0,
        Canary {
            name: "labelled".into(),
            key: CanaryKey::Label("ring".into()),
            ..policy.canaries[0].clone()
        },
    );
    let text = explain(&policy, &session(), &scores(&[0.8, 0.1]))
        .unwrap()
        .text(&policy);
    for line in [
        "canary `labelled`: out, the request has no caller.labels.ring",
        "is not below 0",
        "is below 1: d goes first",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(policy.varying_evidence(), Vec::<&str>::new());
    policy.canaries[0].key = CanaryKey::RequestId;
    assert_eq!(policy.varying_evidence(), ["canary"]);
}

#[test]
fn a_rule_that_names_a_route_leaves_the_model_to_its_canary_and_one_that_names_models_does_not() {
    for (whom, wanted) in [(Use::Route(0), 3), (Use::Models(vec![1, 2]), 1)] {
        let mut policy = with_canary();
        policy.canaries[0].route = (wanted == 3).then_some(0);
        policy.rules = Rules::new(vec![Rule {
            name: "r".into(),
            when: Condition::parse("true").unwrap(),
            action: Action::Use(whom, None),
        }]);
        let decision = done(&policy, &session(), &scores(&[0.1, 0.8])).unwrap();
        assert_eq!((decision.model, decision.rule), (wanted, Some(0)));
        assert_eq!(decision.canary.is_some(), wanted == 3);
    }
}
