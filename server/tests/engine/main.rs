//! The engine with a real store, a real classifier and a real cache, without the network.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod cache;
mod reload;

use std::sync::Arc;

use signalbox_decide::Query;
use signalbox_server::conversation::Conversation;
use signalbox_server::engine::cache::{Bounds, DecisionCache};
use signalbox_server::engine::ring::Ring;
use signalbox_server::engine::{Asked, Engine};
use signalbox_server::store::{Compiler, Policies, ReloadOptions};

const POLICY: &str = "\
schema: 1
version: 3
default: small
models: [{id: small}, {id: coder}, {id: writer, tiers: [pro]}]
routes:
  - name: code
    description: writing and fixing source code, functions and programs
    examples: [write a python function, fix this bug, implement quicksort in rust]
    models: [coder, small]
  - name: poems
    description: poems, stories and other creative writing
    examples: [write a poem about autumn, tell me a story, a haiku about rain]
    models: [writer]
";

fn policies(ring: &Arc<Ring>) -> Arc<Policies> {
    Arc::new(Policies::new(Compiler::new().unwrap(), ring.clone()))
}

fn engine_with(policy: &str) -> Engine {
    let ring = Arc::new(Ring::new(100));
    let policies = policies(&ring);
    policies
        .everyone()
        .reload(policy.as_bytes(), "test", &ReloadOptions::default())
        .unwrap();
    let bounds = Bounds {
        max_entries: 1000,
        max_bytes: 1 << 20,
    };
    Engine::new(policies, DecisionCache::new(bounds, [1; 32]), ring)
}

fn asked(prompt: &str) -> Asked {
    let query = Query {
        turns: 1,
        input_tokens: 20,
        ..Query::default()
    };
    Asked {
        query,
        conversation: Conversation::from_prompt(prompt),
        ..Asked::default()
    }
}
