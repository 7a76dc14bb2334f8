//! The strong model for difficult prompts, the weak one for the rest.

use super::*;
use crate::policy::StrongWeak;
use crate::query::Weights;

/// Route 0 chooses between its models 0 (strong) and 1 (weak).
fn paired() -> Policy {
    let mut policy = policy();
    policy.routes[0].models = vec![3, 0, 1];
    policy.routes[0].strong_weak = Some(StrongWeak {
        strong: 0,
        weak: 1,
        threshold: 0.6,
    });
    policy
}

fn judged(difficulty: Answer<f64>) -> Evidence {
    Evidence {
        difficulty,
        ..scores(&[0.8, 0.1])
    }
}

#[test]
fn the_strong_model_serves_from_the_threshold_on() {
    let policy = paired();
    for (score, want) in [(0.59, [1, 0, 3]), (0.6, [0, 1, 3]), (1.0, [0, 1, 3])] {
        let evidence = judged(Answer::Got(score));
        let decision = done(&policy, &Query::default(), &evidence).unwrap();
        let mut order = vec![decision.model];
        order.extend(&decision.fallbacks);
        assert_eq!(order, want, "{score}");
    }
}

#[test]
fn difficulty_is_asked_only_where_it_decides() {
    let policy = paired();
    let asked = Step::Ask(Probe::Difficulty(0));
    assert_eq!(decide(&policy, &Query::default(), &scores(&[0.8, 0.1])), asked);
    let other_route = decide(&policy, &Query::default(), &scores(&[0.1, 0.8]));
    assert!(matches!(other_route, Step::Done(_)));
    let mut wishes = Query::default();
    wishes.preferences.weights = Some(Weights {
        cost: 1.0,
        ..Weights::default()
    });
    let decision = done(&policy, &wishes, &scores(&[0.8, 0.1])).unwrap();
    assert_eq!(decision.model, 1);
}

#[test]
fn hard_limits_hold_for_both_and_then_nothing_is_asked() {
    let policy = paired();
    let mut query = Query::default();
    query.requirements.max_latency_ms = Some(5400.0);
    let decision = done(&policy, &query, &scores(&[0.8, 0.1])).unwrap();
    assert_eq!(decision.model, 1, "the strong one is too slow");
    query = Query::default();
    query.requirements.min_quality = Some(0.8);
    let decision = done(&policy, &query, &scores(&[0.8, 0.1])).unwrap();
    assert_eq!(decision.model, 0, "the weak one is not good enough");
}

#[test]
fn a_difficulty_that_cannot_be_had_takes_the_strong_model_and_says_so() {
    let failed = judged(Answer::Failed {
        code: "difficulty_failed",
        detail: "there is no text".into(),
    });
    let decision = done(&paired(), &Query::default(), &failed).unwrap();
    assert_eq!(
        (decision.model, decision.degraded[0].code),
        (0, "difficulty_failed")
    );
}

#[test]
fn reason_and_explanation_show_score_and_threshold() {
    let policy = paired();
    let explanation = explain(&policy, &Query::default(), &judged(Answer::Got(0.25))).unwrap();
    let line = "difficulty 0.250, from 0.600 the strong one";
    assert!(
        explanation.text(&policy).contains(&format!("chosen by {line}")),
        "{}",
        explanation.text(&policy)
    );
    let reason = &explanation.outcome.unwrap().reason;
    assert!(
        reason.contains(&format!("the weak one of two ({line})")),
        "{reason}"
    );
    assert_eq!(explanation.without_winner.unwrap().unwrap().model, 0);
}
