//! When a conversation stays with its model, and when it moves.

use proptest::prelude::*;

use super::laws::{answers, requests};
use super::*;
use crate::query::{Attempt, AttemptOutcome, MessageFacts, Speaker};
use crate::session::{Held, Kept, SessionSettings, Switched, Worth};

fn sessions() -> Policy {
    Policy {
        sessions: SessionSettings {
            enabled: true,
            ..SessionSettings::default()
        },
        ..policy()
    }
}

/// A turn of conversation `s`.
fn turn(user_turn: bool) -> Query {
    let mut query = Query {
        input_tokens: 2000,
        earlier_tokens: 1900,
        user_turn,
        ..Query::default()
    };
    query.caller.session_id = "s".into();
    query
}

fn on(model: &str, route: Option<&str>, evidence: Evidence) -> Evidence {
    let held = Held {
        model: model.into(),
        route: route.map(str::to_owned),
    };
    Evidence {
        session: Answer::Got(Some(held)),
        ..evidence
    }
}

#[test]
fn a_conversation_is_looked_up_where_the_policy_holds_it_and_the_request_belongs_to_one() {
    let asked = |policy: &Policy, query: &Query| decide(policy, query, &Evidence::default());
    assert_eq!(asked(&sessions(), &turn(true)), Step::Ask(Probe::Session));
    assert_eq!(asked(&policy(), &turn(true)), Step::Ask(Probe::Embedding));
    assert_eq!(asked(&sessions(), &Query::default()), Step::Ask(Probe::Embedding));
    let mut derived = sessions();
    derived.sessions.derive = true;
    assert_eq!(asked(&derived, &Query::default()), Step::Ask(Probe::Session));
}

#[test]
fn while_its_model_works_with_tools_nothing_else_is_looked_at() {
    let evidence = on("b", Some("code"), Evidence::default());
    let decision = done(&sessions(), &turn(false), &evidence).unwrap();
    assert_eq!((decision.model, decision.source), (1, Source::Session));
    assert_eq!((decision.route, &decision.fallbacks[..]), (Some(0), &[0][..]));
    assert_eq!(decision.session, Some(Stay::Kept(Kept::ToolLoop)));
    assert!(decision.degraded.is_empty());
}

#[test]
fn a_turn_of_no_route_stays_where_it_is() {
    let decision = done(
        &sessions(),
        &turn(true),
        &on("a", Some("code"), scores(&[0.2, 0.2])),
    )
    .unwrap();
    assert_eq!((decision.model, decision.source), (0, Source::Session));
    assert_eq!(decision.session, Some(Stay::Kept(Kept::NoRoute)));
    assert_eq!((decision.route, decision.confidence), (None, None));
}

#[test]
fn the_same_model_decided_anew_keeps_its_evidence() {
    let decision = done(&sessions(), &turn(true), &on("a", None, scores(&[0.8, 0.1]))).unwrap();
    assert_eq!((decision.model, decision.source), (0, Source::Embedding));
    assert_eq!(decision.session, Some(Stay::Kept(Kept::Same)));
    assert_eq!(decision.confidence, Some(0.8));
}

#[test]
fn another_model_has_to_be_worth_the_lost_prompt_cache() {
    let mut policy = sessions();
    // a costs 0.006 + 0.006144 USD for the whole prompt and 512 tokens back; b's cached tokens are nearly free.
    policy.models[1].price = Some(Price {
        input: 0.5,
        output: 2.0,
        cached_input: Some(0.05),
    });
    let evidence = on("b", Some("text"), scores(&[0.8, 0.1]));
    let held = done(&policy, &turn(true), &evidence).unwrap();
    let Some(Stay::Switched(Switched::Worth(worth))) = held.session else {
        panic!("{:?}", held.session)
    };
    assert_eq!((held.model, held.source), (0, Source::Embedding));
    assert!((worth.gain_usd - 0.3 * 0.05).abs() < 1e-12);
    let warm = (2000.0 * 0.5 + 512.0 * 2.0 - 1900.0 * 0.45) / 1e6;
    let cold = (2000.0 * 3.0 + 512.0 * 12.0) / 1e6;
    assert!((worth.cost_usd - (cold - warm)).abs() < 1e-12);

    policy.sessions.quality_usd = 0.03;
    let held = done(&policy, &turn(true), &evidence).unwrap();
    assert_eq!((held.model, held.source), (1, Source::Session));
    assert_eq!(held.session.unwrap().code(), "not_worth");
    assert_eq!(
        (held.route, held.domain, held.confidence),
        (Some(0), Some(0), None)
    );
    assert_eq!(held.fallbacks, [0]);
}

#[test]
fn without_stated_quality_the_list_of_the_route_decides() {
    let mut policy = sessions();
    policy.routes[0].models = vec![3, 2];
    policy.models[2].tiers.clear();
    let stays = done(&policy, &turn(true), &on("c", None, scores(&[0.8, 0.1]))).unwrap();
    assert_eq!(stays.session.unwrap().code(), "not_worth");
    assert_eq!(stays.model, 2);
    let leaves = done(&policy, &turn(true), &on("b", None, scores(&[0.8, 0.1]))).unwrap();
    let worth = Worth {
        gain_usd: 0.05,
        cost_usd: 0.0,
    };
    assert_eq!(leaves.session, Some(Stay::Switched(Switched::Worth(worth))));
    assert_eq!(leaves.model, 3);
}

#[test]
fn a_model_that_may_not_serve_or_is_gone_is_left_even_in_a_tool_loop() {
    let mut query = turn(false);
    query.attempts.push(Attempt {
        model_id: "a".into(),
        outcome: AttemptOutcome::RateLimited,
        confidence: None,
    });
    for (query, held) in [(query, "a"), (turn(true), "gone"), (turn(false), "c")] {
        let decision = done(&sessions(), &query, &on(held, None, scores(&[0.2, 0.2]))).unwrap();
        assert_eq!(decision.model, 3, "{held}");
        assert_eq!(decision.session, Some(Stay::Switched(Switched::Forced)), "{held}");
        assert!(decision.degraded.is_empty(), "{held}");
    }
}

#[test]
fn what_goes_before_a_conversation_does_not_ask_for_it() {
    let mut query = turn(true);
    query.model = Some("b".into());
    let decision = done(&sessions(), &query, &Evidence::default()).unwrap();
    assert_eq!((decision.source, decision.session), (Source::Direct, None));
}

#[test]
fn a_store_that_cannot_be_asked_weakens_the_decision_and_no_more() {
    let mut evidence = scores(&[0.8, 0.1]);
    evidence.session = Answer::Failed {
        code: "session_unavailable",
        detail: "gone".into(),
    };
    let decision = done(&sessions(), &turn(false), &evidence).unwrap();
    assert_eq!(decision.degraded[0].code, "session_unavailable");
    assert_eq!(decision.model, 0);
}

/// The agent loops: who spoke, and whether a person did last.
#[test]
fn a_persons_turn_is_told_from_the_models_work() {
    use Speaker::{System, Tool, User};
    const SAYS: Speaker = Speaker::Assistant { calls_tools: false };
    const CALLS: Speaker = Speaker::Assistant { calls_tools: true };
    for (speakers, user_turn) in [
        (&[User][..], true),
        (&[System, User], true),
        (&[User, System], true),
        (&[User, SAYS, User], true),
        (&[User, CALLS], false),
        (&[User, CALLS, Tool], false),
        (&[User, CALLS, Tool, Tool], false),
        (&[User, CALLS, Tool, System], false),
        // A result that the client sends in the person's name.
        (&[User, CALLS, User], false),
        (&[User, CALLS, System, User], false),
        // A person who goes on after the result.
        (&[User, CALLS, Tool, User], true),
        (&[User, CALLS, Tool, SAYS, User], true),
        // A beginning of the answer, to be continued.
        (&[User, SAYS], false),
        (&[System], false),
        (&[], false),
    ] {
        let facts = speakers.iter().map(|&speaker| MessageFacts {
            speaker,
            bytes: 40,
            attached_tokens: 0,
        });
        let facts: Vec<_> = facts.collect();
        let mut query = Query::default();
        query.read_messages(None, &facts);
        assert_eq!(query.user_turn, user_turn, "{speakers:?}");
        assert_eq!(query.input_tokens, 14 * facts.len() as u64);
        assert_eq!(query.earlier_tokens, 14 * facts.len().saturating_sub(1) as u64);
    }
}

#[test]
fn a_callers_count_of_tokens_goes_before_the_estimate() {
    let facts = [MessageFacts {
        speaker: Speaker::User,
        bytes: 400,
        attached_tokens: 0,
    }; 2];
    let mut query = Query::default();
    query.read_messages(Some(5000), &facts);
    assert_eq!((query.input_tokens, query.earlier_tokens), (5000, 5000 - 104));
}

#[test]
fn an_explanation_says_what_became_of_the_conversation() {
    let evidence = on("b", None, scores(&[0.8, 0.1]));
    let mut policy = sessions();
    policy.sessions.quality_usd = 0.0;
    let text = explain(&policy, &turn(true), &evidence).unwrap().text(&policy);
    insta::assert_snapshot!(text);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_conversation_keeps_a_model_that_may_not_serve(
        mut query in requests(),
        evidence in answers(),
        model in prop::sample::select(vec!["a", "b", "c", "d", "gone"]),
        user_turn: bool,
    ) {
        query.caller.session_id = "s".into();
        query.user_turn = user_turn;
        let policy = sessions();
        let evidence = on(model, Some("code"), evidence);
        let outcome = done(&policy, &query, &evidence);
        prop_assert_eq!(&explain(&policy, &query, &evidence).unwrap().outcome, &outcome);
        if let Ok(decision) = outcome {
            for index in decision.fallbacks.iter().chain([&decision.model]) {
                let model = &policy.models[*index];
                prop_assert!(!query.attempts.iter().any(|a| a.model_id == model.id));
                prop_assert!(model.tiers.is_empty() || model.tiers.contains(&query.caller.tier));
            }
            prop_assert!(!decision.fallbacks.contains(&decision.model));
            if let Some(stay) = decision.session {
                prop_assert_eq!(stay.is_kept(), policy.models[decision.model].id == model);
            }
        } else {
            // It was refused without the conversation too.
            let alone = Evidence { session: Answer::Got(None), ..evidence };
            prop_assert!(done(&policy, &query, &alone).is_err());
        }
    }
}
