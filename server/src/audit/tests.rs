//! What is written of facts and evidence is read back as it was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use signalbox_api::codes::degraded;
use signalbox_decide::health::{Circuit, ModelHealth, Observed};
use signalbox_decide::query::{
    Attempt, AttemptOutcome, Caller, Objective, Preferences, Requirements, Weights,
};
use signalbox_decide::{Answer, Evidence, Health, Held, Judgement, Query, RouteScores, Signals};

use super::evidence::Learned;
use super::query::Asked;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn query(optimize_for: Objective, outcome: AttemptOutcome) -> Query {
    Query {
        request_id: "r-1".into(),
        input_tokens: 10,
        expected_output_tokens: Some(20),
        turns: 3,
        modalities: words(&["image"]),
        model: Some("best".into()),
        profile: Some("fast".into()),
        requirements: Requirements {
            min_context_tokens: Some(1),
            max_output_tokens: Some(2),
            capabilities: words(&["tools", "json"]),
            modalities: words(&["audio"]),
            max_cost_usd: Some(0.1),
            max_latency_ms: Some(1.0 / 3.0),
            min_quality: Some(0.7),
            regions: words(&["eu"]),
            regions_exclude: false,
        },
        preferences: Preferences {
            families: words(&["llama", "mistral"]),
            weights: Some(Weights {
                latency: 0.2,
                cost: 0.3,
                quality: 0.5,
            }),
            optimize_for: Some(optimize_for),
        },
        caller: Caller {
            tenant: "acme".into(),
            tier: "gold".into(),
            session_id: "s".into(),
            labels: BTreeMap::from([("batch".to_owned(), "true".to_owned())]),
        },
        attempts: vec![Attempt {
            model_id: "acme/small".into(),
            outcome,
            confidence: Some(0.4),
        }],
        user_turn: true,
        earlier_tokens: 7,
        inline_routes: true,
        read_cache: false,
    }
}

fn scores(view: &'static str) -> RouteScores {
    RouteScores {
        routes: vec![0.1, f32::MIN_POSITIVE, 0.6],
        other: 0.299_999_98,
        default_threshold: 0.2,
        held: Some(2),
        closing: true,
        view,
        second_look: true,
    }
}

fn evidence(view: &'static str, language: &'static str) -> Evidence {
    let health = ModelHealth {
        cooling_s: Some(1.5),
        circuit: Some(Circuit {
            failure_share: 0.5,
            calls: 20.25,
            trial: true,
        }),
        latency: Some(Observed {
            latency_ms: 120.5,
            output_tokens: 30.0,
            calls: 4.0,
        }),
    };
    let models = [
        ("acme/small".into(), health),
        ("b".into(), ModelHealth::default()),
    ];
    Evidence {
        cache: Answer::NotAsked,
        embedding: Answer::Got(Arc::new(scores(view))),
        encoder: Answer::Failed {
            code: degraded::ENCODER_OVERLOADED,
            detail: "it had failed when the decision was made".into(),
        },
        llm: Answer::Got(Arc::new(Judgement {
            scores: Arc::new(scores(view)),
            measured: true,
            computed: Duration::from_millis(125),
            ..Judgement::default()
        })),
        difficulty: Answer::Got(0.123_456_789),
        signals: Answer::Got(Signals {
            has_code: true,
            has_math: false,
            is_question: true,
            language,
            complexity: 0.25,
            sentiment: -0.5,
        }),
        session: Answer::Got(Some(Held {
            model: "acme/small".into(),
            route: Some("code".into()),
        })),
        health: Answer::Got(Arc::new(Health {
            models: models.into_iter().collect(),
        })),
    }
}

fn again(query: &Query, evidence: &Evidence) -> (Query, Evidence) {
    let query = serde_json::to_string(&Asked::from(query)).unwrap();
    let evidence = serde_json::to_string(&Learned::from(evidence)).unwrap();
    let query: Asked = serde_json::from_str(&query).unwrap();
    let evidence: Learned = serde_json::from_str(&evidence).unwrap();
    (query.into(), evidence.into())
}

#[test]
fn facts_and_evidence_are_read_back_as_they_were() {
    let aims = [
        Objective::Order,
        Objective::Cheapest,
        Objective::Fastest,
        Objective::Best,
        Objective::Weights(Weights::default()),
        Objective::Order,
    ];
    let outcomes = [
        AttemptOutcome::Unspecified,
        AttemptOutcome::Error,
        AttemptOutcome::RateLimited,
        AttemptOutcome::Timeout,
        AttemptOutcome::LowConfidence,
        AttemptOutcome::Refused,
    ];
    let views = ["whole", "head", "tail", "middle"].into_iter().cycle();
    let languages = ["en", "ja", "und"].into_iter().cycle();
    for (((aim, outcome), view), language) in aims.into_iter().zip(outcomes).zip(views).zip(languages) {
        let (query, evidence) = (query(aim, outcome), evidence(view, language));
        assert_eq!(again(&query, &evidence), (query, evidence));
    }
    let nothing = (Query::default(), Evidence::default());
    assert_eq!(again(&nothing.0, &nothing.1), nothing);
}

#[test]
fn a_new_conversation_and_a_failure_are_read_back_too() {
    let evidence = Evidence {
        session: Answer::Got(None),
        llm: Answer::Failed {
            code: degraded::LLM_DEADLINE,
            detail: "a secret of the prompt".into(),
        },
        ..Evidence::default()
    };
    let (_, read) = again(&Query::default(), &evidence);
    assert_eq!(read.session, Answer::Got(None));
    let Answer::Failed { code, detail } = read.llm else {
        panic!("{read:?}");
    };
    assert_eq!(code, degraded::LLM_DEADLINE);
    assert!(!detail.contains("secret"), "{detail}");
}
