//! When the language model is asked, what its answer decides, and what a missing one leaves.

use super::*;
use crate::llm::{Judgement, LlmMode};

/// What the model says: probabilities of the routes, the rest for none.
pub(super) fn judged(routes: &[f32]) -> Answer<Arc<Judgement>> {
    let Answer::Got(scores) = scores(routes).embedding else {
        unreachable!("`scores` gives them")
    };
    Answer::Got(Arc::new(Judgement {
        scores,
        measured: true,
        ..Judgement::default()
    }))
}

pub(super) fn missed() -> Answer<Arc<Judgement>> {
    Answer::Failed {
        code: "llm_deadline",
        detail: "no answer within 200 ms".into(),
    }
}

fn asking(mode: LlmMode) -> Policy {
    let mut policy = policy();
    policy.llm.mode = mode;
    policy
}

/// Whether the embedding's answer is followed by a question to the model.
fn asks(mode: LlmMode, embedding: &[f32]) -> bool {
    let step = decide(&asking(mode), &Query::default(), &scores(embedding));
    step == Step::Ask(Probe::Llm)
}

#[test]
fn when_unsure_asks_below_its_threshold_also_where_the_embedding_holds_that_none_fits() {
    assert!(asks(LlmMode::WhenUnsure, &[0.79, 0.2]));
    assert!(!asks(LlmMode::WhenUnsure, &[0.8, 0.2]));
    assert!(asks(LlmMode::WhenUnsure, &[0.05, 0.05]));
}

#[test]
fn fallback_only_asks_where_the_embedding_leaves_it_to_the_default() {
    assert!(!asks(LlmMode::FallbackOnly, &[0.6, 0.1]), "a route");
    assert!(!asks(LlmMode::FallbackOnly, &[0.45, 0.45]), "a domain");
    assert!(asks(LlmMode::FallbackOnly, &[0.2, 0.2]));
    assert!(asks(LlmMode::FallbackOnly, &[0.0, 0.0]));
    assert!(!asks(LlmMode::Never, &[0.2, 0.2]));
}

#[test]
fn always_asks_before_the_embedding_which_an_answer_makes_needless() {
    let policy = asking(LlmMode::Always);
    let ask = |evidence: &Evidence| decide(&policy, &Query::default(), evidence);
    assert_eq!(ask(&Evidence::default()), Step::Ask(Probe::Llm));
    let answered = Evidence {
        llm: judged(&[0.1, 0.7]),
        ..Evidence::default()
    };
    let pro = {
        let mut query = Query::default();
        query.caller.tier = "pro".into();
        query
    };
    let decision = done(&policy, &pro, &answered).unwrap();
    assert_eq!((decision.source, decision.route), (Source::Llm, Some(1)));
    let failed = Evidence {
        llm: missed(),
        ..Evidence::default()
    };
    assert_eq!(ask(&failed), Step::Ask(Probe::Embedding));
}

#[test]
fn its_answer_goes_before_the_embeddings_by_the_same_ladder() {
    let policy = asking(LlmMode::WhenUnsure);
    let decided = |llm: &[f32]| {
        let evidence = Evidence {
            llm: judged(llm),
            ..scores(&[0.1, 0.7])
        };
        done(&policy, &Query::default(), &evidence).unwrap()
    };
    let route = decided(&[0.9, 0.05]);
    assert_eq!((route.source, route.route), (Source::Llm, Some(0)));
    assert_eq!(route.confidence, Some(0.9));
    assert!(route.reason.contains("by the language model"), "{}", route.reason);
    let domain = decided(&[0.45, 0.45]);
    assert_eq!(
        (domain.source, domain.route, domain.domain),
        (Source::Llm, None, Some(0))
    );
    let other = decided(&[0.1, 0.1]);
    assert_eq!((other.source, other.confidence), (Source::Default, Some(0.8)));
    assert!(route.degraded.is_empty() && other.degraded.is_empty());
}

#[test]
fn without_its_answer_the_embedding_decides_and_the_decision_says_so() {
    let policy = asking(LlmMode::WhenUnsure);
    let evidence = Evidence {
        llm: missed(),
        ..scores(&[0.7, 0.1])
    };
    let decision = done(&policy, &Query::default(), &evidence).unwrap();
    assert_eq!(
        (decision.source, decision.route, decision.confidence),
        (Source::Embedding, Some(0), Some(0.7))
    );
    let codes: Vec<_> = decision.degraded.iter().map(|lost| lost.code).collect();
    assert_eq!(codes, ["llm_deadline"]);
}

#[test]
fn a_bare_name_decides_without_a_confidence() {
    let policy = asking(LlmMode::Always);
    for (routes, source) in [([1.0, 0.0], Source::Llm), ([0.0, 0.0], Source::Default)] {
        let Answer::Got(said) = judged(&routes) else {
            unreachable!()
        };
        let evidence = Evidence {
            llm: Answer::Got(Arc::new(Judgement {
                measured: false,
                ..(*said).clone()
            })),
            ..Evidence::default()
        };
        let decision = done(&policy, &Query::default(), &evidence).unwrap();
        assert_eq!(
            (decision.source, decision.confidence, decision.margin),
            (source, None, None)
        );
    }
}

#[test]
fn a_named_model_and_a_rule_need_no_opinion() {
    let policy = asking(LlmMode::Always);
    let query = Query {
        model: Some("b".into()),
        ..Query::default()
    };
    assert_eq!(
        done(&policy, &query, &Evidence::default()).unwrap().source,
        Source::Direct
    );
}

#[test]
fn an_explanation_shows_both_opinions() {
    let policy = asking(LlmMode::WhenUnsure);
    let Answer::Got(said) = judged(&[0.9, 0.05]) else {
        unreachable!()
    };
    let evidence = Evidence {
        llm: Answer::Got(Arc::new(Judgement {
            prompt_tokens: Some(412),
            cached_tokens: Some(380),
            queued: Some(std::time::Duration::from_micros(100)),
            computed: std::time::Duration::from_micros(41_300),
            ..(*said).clone()
        })),
        ..scores(&[0.6, 0.2])
    };
    let explanation = explain(&policy, &Query::default(), &evidence).unwrap();
    insta::assert_snapshot!(explanation.text(&policy));
}
