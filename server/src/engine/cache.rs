//! The exact decision cache: equal request, equal policy, equal engine, equal decision. Asked by the engine for the
//! `ExactCache` probe.
//!
//! A key is 256 bits of a keyed hash over everything a policy can read, so collisions do not happen and
//! short prompts cannot be guessed from a dump.

use std::mem::size_of;
use std::sync::Arc;
use std::time::Duration;

use signalbox_decide::{Answer, Decision, Evidence, Judgement, Query, RouteScores};

use crate::conversation::Conversation;
use crate::engine::bounded::{Bounded, OnHeap};
use crate::engine::cache::key::request_key;
use crate::store::Snapshot;

mod key;

pub use crate::engine::bounded::{Bounds, Key};

/// What the cache holds for a request.
#[derive(Clone, Debug)]
pub struct Cached {
    /// The decision.
    pub decision: Arc<Decision>,
    /// The evidence behind it that a hit would not ask for again, so that it can be explained later.
    pub embedding: Answer<Arc<RouteScores>>,
    /// What the sentence encoder said, where it was asked.
    pub encoder: Answer<Arc<RouteScores>>,
    /// What the language model said, where it was asked.
    pub llm: Answer<Arc<Judgement>>,
    /// The prompt's difficulty, where it was asked.
    pub difficulty: Answer<f64>,
}

impl Cached {
    /// A decision and what led to it.
    pub fn new(decision: &Arc<Decision>, evidence: &Evidence) -> Self {
        Cached {
            decision: decision.clone(),
            embedding: evidence.embedding.clone(),
            encoder: evidence.encoder.clone(),
            llm: evidence.llm.clone(),
            difficulty: evidence.difficulty.clone(),
        }
    }
}

/// The cache.
#[derive(Debug)]
pub struct DecisionCache {
    secret: [u8; 32],
    decisions: Bounded<Cached>,
}

impl DecisionCache {
    /// An empty cache. `secret` keys the hash; any 32 bytes, fresh for each process.
    pub fn new(bounds: Bounds, secret: [u8; 32]) -> Self {
        DecisionCache {
            secret,
            decisions: Bounded::new(bounds),
        }
    }

    /// The key of a request under a policy, where `llm` is the identity of the language model that answers.
    pub fn key(&self, query: &Query, conversation: &Conversation, snapshot: &Snapshot, llm: &str) -> Key {
        request_key(&self.secret, query, conversation, snapshot, llm)
    }

    /// The stored decision, unless it is past its time.
    pub fn get(&self, key: &Key) -> Option<Cached> {
        self.decisions.get(key)
    }

    /// Stores a decision and makes room if that takes the cache over a bound.
    pub fn put(&self, key: Key, cached: Cached, ttl: Duration) {
        self.decisions.put(key, cached, ttl);
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.decisions.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.decisions.is_empty()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.decisions.bytes()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.decisions.clear();
    }
}

impl OnHeap for Cached {
    /// Behind decision and scores.
    fn heap_bytes(&self) -> usize {
        let Cached {
            decision,
            embedding,
            encoder,
            llm,
            ..
        } = self;
        let scores = |scores: &RouteScores| size_of::<RouteScores>() + scores.routes.len() * size_of::<f32>();
        let found = |answer: &Answer<Arc<RouteScores>>| match answer {
            Answer::Got(found) => scores(found),
            Answer::NotAsked | Answer::Failed { .. } => 0,
        };
        let llm = match llm {
            Answer::Got(judgement) => size_of::<Judgement>() + scores(&judgement.scores),
            Answer::NotAsked | Answer::Failed { .. } => 0,
        };
        size_of::<Decision>() + decision.reason.len()
            // A plan's models and the fallbacks are never more than the models of one rung.
            + (decision.fallbacks.len() + decision.plan.models(decision.model).len()) * size_of::<usize>()
            + found(embedding)
            + found(encoder)
            + llm
    }
}
