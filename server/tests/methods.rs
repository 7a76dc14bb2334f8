//! Methods of deciding that reach past the core: canaries and difficulty with the cache on, and explained later.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use signalbox_decide::{Answer, Query, explain};
use signalbox_server::conversation::Conversation;
use signalbox_server::engine::cache::{Bounds, DecisionCache};
use signalbox_server::engine::outcomes::Report;
use signalbox_server::engine::ring::Ring;
use signalbox_server::engine::{Asked, CacheStatus, Decided, Engine};
use signalbox_server::health::{Ended, Outcome};
use signalbox_server::store::{Compiler, Policies, ReloadOptions};

/// An engine on a policy of the examples' folder.
fn engine(name: &str) -> Engine {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/policies")
        .join(name);
    let ring = Arc::new(Ring::new(1000));
    let policies = Arc::new(Policies::new(Compiler::new().unwrap(), ring.clone()));
    let source = file.display().to_string();
    policies
        .everyone()
        .reload(&std::fs::read(&file).unwrap(), &source, &ReloadOptions::default())
        .unwrap();
    let bounds = Bounds {
        max_entries: 1000,
        max_bytes: 1 << 20,
    };
    Engine::new(policies, DecisionCache::new(bounds, [1; 32]), ring)
}

fn ask(engine: &Engine, prompt: &str, set: impl Fn(&mut Query)) -> Decided {
    let mut query = Query {
        turns: 1,
        input_tokens: 20,
        ..Query::default()
    };
    set(&mut query);
    let conversation = Conversation::from_prompt(prompt);
    engine
        .route(Asked {
            query,
            conversation,
            ..Asked::default()
        })
        .now_or_never()
        .unwrap()
        .unwrap()
}

#[test]
fn a_canary_decides_the_same_from_the_cache_and_shares_it_between_conversations() {
    let prompt = "summarise this article in three sentences";
    let (cold, warm) = (engine("canary.yaml"), engine("canary.yaml"));
    let mut hits = 0;
    let mut inside = 0;
    for number in 0..200 {
        let session = |query: &mut Query| query.caller.session_id = format!("session {number}");
        let found = ask(&warm, prompt, session);
        hits += usize::from(found.cache == CacheStatus::ExactHit);
        cold.cache().clear();
        let fresh = ask(&cold, prompt, session);
        assert_eq!(fresh.cache, CacheStatus::Miss);
        assert_eq!(found.decision, fresh.decision, "session {number}");
        inside += usize::from(found.decision.canary.is_some());
    }
    assert_eq!(hits, 198, "one entry inside the canary and one outside");
    assert!((20..=60).contains(&inside), "{inside} of 200");
}

#[test]
fn a_hit_of_a_decision_by_difficulty_can_be_explained_later() {
    let engine = engine("difficulty.yaml");
    let prompt = "Prove that the square root of 19 is irrational and say where the proof would fail for 16.";
    let pro = |query: &mut Query| query.caller.tier = "pro".into();
    let first = ask(&engine, prompt, pro);
    let second = ask(&engine, prompt, pro);
    assert_eq!(
        (first.cache, second.cache),
        (CacheStatus::Miss, CacheStatus::ExactHit)
    );
    let record = engine.ring().find(second.id).unwrap();
    assert!(matches!(record.evidence.difficulty, Answer::Got(_)));
    let policy = record.policy.upgrade().unwrap();
    let explanation = explain(&policy, &record.query, &record.evidence).unwrap();
    assert_eq!(explanation.outcome.unwrap(), first.decision);
}

const HEALTH: &str = "\
schema: 1
default: spare
models:
  - {id: first, latency: {first_token_ms: 100, tokens_per_second: 100}}
  - {id: second, latency: {first_token_ms: 300, tokens_per_second: 100}}
  - {id: spare}
health: {enabled: true, half_life_s: 60, cooldown_s: 10, min_calls: 3, open_s: 15, latency: true}
routes:
  - {name: poems, description: poems and songs, models: [first, second], select: fastest, examples: [write a poem, a song about rain]}
  - {name: code, description: source code, models: [second, first], examples: [write a python function, fix this bug]}
";

/// An engine with health whose clock for outcomes is `seconds`.
fn with_health(seconds: &Arc<AtomicU64>) -> Engine {
    let ring = Arc::new(Ring::new(10));
    let policies = Arc::new(Policies::new(Compiler::new().unwrap(), ring.clone()));
    policies
        .everyone()
        .reload(HEALTH.as_bytes(), "test", &ReloadOptions::default())
        .unwrap();
    let bounds = Bounds {
        max_entries: 1000,
        max_bytes: 1 << 20,
    };
    let seconds = seconds.clone();
    let clock =
        move || SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds.load(Ordering::Relaxed));
    Engine::new(policies, DecisionCache::new(bounds, [1; 32]), ring).with_clock(Arc::new(clock))
}

/// What happens between two requests.
#[derive(Clone, Debug)]
enum Event {
    Ask(&'static str),
    Tell(&'static str, Ended, Option<u64>),
    Wait(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let ended = prop::sample::select(vec![
        Ended::Success,
        Ended::Error,
        Ended::Error,
        Ended::RateLimited,
        Ended::Timeout,
    ]);
    let model = prop::sample::select(vec!["first", "second", "spare"]);
    let event = prop_oneof![
        5 => prop::sample::select(vec!["write a poem about rain", "fix this python bug", "what is the time"]).prop_map(Event::Ask),
        3 => (model, ended, prop::option::of(1u64..20)).prop_map(|(model, ended, took)| Event::Tell(model, ended, took)),
        1 => (1u64..40).prop_map(Event::Wait),
        1 => Just(Event::Wait(2000)),
    ];
    prop::collection::vec(event, 1..60)
}

#[test]
fn with_health_in_play_the_cache_decides_as_a_fresh_look_does() {
    let seconds = Arc::new(AtomicU64::new(0));
    let (hits, refusing, keys) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let config = ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let (cached, fresh) = (with_health(&seconds), with_health(&seconds));
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        .run(&events(), |events| {
            for event in events {
                match event {
                    Event::Wait(more) => {
                        seconds.fetch_add(more, Ordering::Relaxed);
                    }
                    Event::Tell(model, ended, took) => {
                        keys.set(keys.get() + 1);
                        let outcome = Outcome {
                            key: keys.get().to_string(),
                            model_id: model.into(),
                            ended,
                            retry_after: None,
                            latency: took.map(Duration::from_secs),
                            output_tokens: None,
                            quality: None,
                            age: Duration::ZERO,
                        };
                        for engine in [&cached, &fresh] {
                            let outcome = outcome.clone();
                            let report = Report {
                                decision: None,
                                outcome,
                            };
                            engine.report("", vec![report]).unwrap();
                        }
                    }
                    Event::Ask(prompt) => {
                        fresh.cache().clear();
                        let (one, two) = (ask(&cached, prompt, usual), ask(&fresh, prompt, usual));
                        prop_assert_eq!(&one.decision, &two.decision);
                        hits.set(hits.get() + usize::from(one.cache == CacheStatus::ExactHit));
                        let record = cached.ring().find(one.id).unwrap();
                        refusing.set(refusing.get() + usize::from(record.evidence.health_counts()));
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    let (hits, refusing) = (hits.get(), refusing.get());
    assert!(
        hits > 100 && refusing > 100,
        "{hits} hits, {refusing} with health"
    );
}

fn usual(query: &mut Query) {
    query.read_cache = true;
}
