//! When the sentence encoder looks again, what its answer decides, and what a missing one leaves.

use super::llm::missed as no_llm;
use super::*;
use crate::llm::LlmMode;
use crate::policy::EncoderSettings;

fn looking() -> Policy {
    let mut policy = policy();
    policy.evidence.encoder = Some(EncoderSettings {
        directory: None,
        ask_below: 0.5,
    });
    policy
}

/// First looks that a second may follow.
fn first(routes: &[f32]) -> Evidence {
    let mut evidence = scores(routes);
    if let Answer::Got(scores) = &mut evidence.embedding {
        Arc::make_mut(scores).second_look = true;
    }
    evidence
}

/// The same with the encoder's answer.
fn second(routes: &[f32], by_encoder: &[f32]) -> Evidence {
    Evidence {
        encoder: scores(by_encoder).embedding,
        ..first(routes)
    }
}

fn asks(policy: &Policy, evidence: &Evidence) -> bool {
    decide(policy, &Query::default(), evidence) == Step::Ask(Probe::Encoder)
}

#[test]
fn it_is_asked_where_the_best_is_near_to_the_next_with_none_among_them() {
    assert!(asks(&looking(), &first(&[0.7, 0.21])));
    assert!(!asks(&looking(), &first(&[0.75, 0.2])));
    assert!(asks(&looking(), &first(&[0.3, 0.0])), "none leads by 0.4");
    assert!(!asks(&looking(), &first(&[0.2, 0.0])), "none leads by 0.6");
}

#[test]
fn it_is_not_asked_where_the_policy_or_the_conversation_has_none() {
    let near = first(&[0.5, 0.4]);
    assert!(asks(&looking(), &near));
    assert!(!asks(&policy(), &near));
    assert!(!asks(&looking(), &scores(&[0.5, 0.4])));
    let mut never = looking();
    never.evidence.encoder.as_mut().unwrap().ask_below = 0.0;
    assert!(!asks(&never, &near));
}

#[test]
fn its_answer_decides_as_the_embeddings_would() {
    let pro = {
        let mut query = Query::default();
        query.caller.tier = "pro".into();
        query
    };
    let evidence = second(&[0.5, 0.4], &[0.1, 0.8]);
    let decision = done(&looking(), &pro, &evidence).unwrap();
    assert_eq!(
        (decision.source, decision.route, decision.confidence),
        (Source::Embedding, Some(1), Some(0.8))
    );
    assert!(decision.degraded.is_empty());
    let none = done(&looking(), &pro, &second(&[0.5, 0.4], &[0.1, 0.1])).unwrap();
    assert_eq!((none.source, none.confidence), (Source::Default, Some(0.8)));
}

#[test]
fn without_its_answer_the_embedding_decides_and_the_decision_says_so() {
    let evidence = Evidence {
        encoder: Answer::Failed {
            code: "encoder_overloaded",
            detail: "too many".into(),
        },
        ..first(&[0.6, 0.3])
    };
    let decision = done(&looking(), &Query::default(), &evidence).unwrap();
    assert_eq!((decision.route, decision.confidence), (Some(0), Some(0.6)));
    let codes: Vec<_> = decision.degraded.iter().map(|lost| lost.code).collect();
    assert_eq!(codes, ["encoder_overloaded"]);
}

#[test]
fn the_language_model_is_asked_by_what_stands_after_it() {
    let mut policy = looking();
    policy.llm.mode = LlmMode::WhenUnsure;
    let ask = |evidence: &Evidence| decide(&policy, &Query::default(), evidence);
    let unsure = first(&[0.5, 0.4]);
    assert_eq!(ask(&unsure), Step::Ask(Probe::Encoder));
    assert!(matches!(ask(&second(&[0.5, 0.4], &[0.9, 0.0])), Step::Done(_)));
    let still = second(&[0.5, 0.4], &[0.6, 0.3]);
    assert_eq!(ask(&still), Step::Ask(Probe::Llm));
    let given_up = Evidence {
        llm: no_llm(),
        ..still
    };
    let decision = done(&policy, &Query::default(), &given_up).unwrap();
    assert_eq!(decision.confidence, Some(0.6));
}

#[test]
fn an_explanation_shows_both_looks() {
    let explanation = explain(&looking(), &Query::default(), &second(&[0.5, 0.4], &[0.9, 0.05])).unwrap();
    insta::assert_snapshot!(explanation.text(&looking()));
}
