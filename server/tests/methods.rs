//! Methods of deciding that reach past the core: canaries and difficulty with the cache on, and explained later.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::Path;
use std::sync::Arc;

use signalbox_decide::{Answer, Query, explain};
use signalbox_server::conversation::Conversation;
use signalbox_server::engine::cache::{Bounds, DecisionCache};
use signalbox_server::engine::ring::Ring;
use signalbox_server::engine::{Asked, CacheStatus, Decided, Engine};
use signalbox_server::store::{Compiler, ReloadOptions, Store};

/// An engine on a policy of the examples' folder.
fn engine(name: &str) -> Engine {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/policies")
        .join(name);
    let ring = Arc::new(Ring::new(1000));
    let store = Arc::new(Store::new(Compiler::new().unwrap(), ring.clone()));
    let source = file.display().to_string();
    store
        .reload(&std::fs::read(&file).unwrap(), &source, &ReloadOptions::default())
        .unwrap();
    let bounds = Bounds {
        max_entries: 1000,
        max_bytes: 1 << 20,
    };
    Engine::new(store, DecisionCache::new(bounds, [1; 32]), ring)
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
