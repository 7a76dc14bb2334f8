//! What the language model said, kept for requests that ask for the same in other words: the semantic tier of the cache.
//!
//! What is shared is the model's probabilities, not a decision: the rest of the ladder runs again, so rules, tiers and
//! requirements need not be equal. A place is found by the locality-sensitive hash of the last user turn's embedding, together
//! with all that keeps requests apart: the tenant, the policy and its routes, the engine, and the rest of the conversation. What is
//! found there is taken only if [`Likeness::same`] holds; how well that tells requests apart was measured
//! (`server/notes/0010-semantic-cache.md`). [`Audit`] watches whether it stays true in use.

mod audit;

use std::sync::Arc;
use std::time::Duration;

use signalbox_decide::policy::SemanticSettings;
use signalbox_decide::{Judgement, SaidTo};
use signalbox_evidence::Likeness;

use crate::conversation::{Conversation, Message, Role};
use crate::engine::bounded::{Bounded, Bounds, Key, OnHeap, USUAL, fresh_secret};
use crate::store::Snapshot;

pub use audit::{Audit, Audited};

/// Kept answers.
#[derive(Debug)]
pub struct Near {
    secret: [u8; 32],
    kept: Bounded<Kept>,
    /// Whether they are right.
    pub audit: Audit,
}

#[derive(Clone, Debug)]
struct Kept {
    likeness: Arc<Likeness>,
    judgement: Arc<Judgement>,
}

impl OnHeap for Kept {
    fn heap_bytes(&self) -> usize {
        let routes = self.judgement.scores.routes.len() * size_of::<f32>();
        let behind = size_of::<Judgement>() + size_of_val(&*self.judgement.scores) + routes;
        size_of::<Likeness>() + self.likeness.heap_bytes() + behind
    }
}

/// Where the answer to a question is kept.
#[derive(Debug)]
pub struct Spot {
    key: Key,
    likeness: Arc<Likeness>,
}

impl Default for Near {
    fn default() -> Self {
        Near::new(USUAL, fresh_secret())
    }
}

impl Near {
    /// Nothing yet. `secret` keys hashes of prompts; any 32 bytes, fresh for each process.
    pub fn new(bounds: Bounds, secret: [u8; 32]) -> Self {
        Near {
            secret,
            kept: Bounded::new(bounds),
            audit: Audit::default(),
        }
    }

    /// Answers held.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.kept.bytes()
    }

    /// Where the answer of the engine called `identity` is kept; `None` where no user said anything that can be compared.
    /// About 8 µs for a short prompt.
    pub fn spot(
        &self,
        snapshot: &Snapshot,
        conversation: &Conversation,
        tenant: &str,
        identity: &str,
    ) -> Option<Spot> {
        let messages = &conversation.messages;
        let said = |message: &Message| message.role == Role::User && !message.content.trim().is_empty();
        let asked = messages.iter().rposition(said)?;
        let likeness = Likeness::of(&snapshot.models.table, &messages[asked].content, &self.secret)?;
        let mut hash = blake3::Hasher::new_keyed(&self.secret);
        hash.update(&snapshot.evidence_fingerprint);
        hash.update(&likeness.signature().to_le_bytes());
        // Near misses often have one signature; they are not to push each other out.
        hash.update(likeness.canonical());
        let mut text = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        text(&snapshot.policy.checksum);
        text(identity);
        text(tenant);
        for (at, message) in messages.iter().enumerate() {
            // A place that no role has stands for the turn that is compared by its likeness.
            let role = if at == asked { "?" } else { role(message.role) };
            text(role);
            if at != asked {
                text(&message.content);
            }
        }
        Some(Spot {
            key: *hash.finalize().as_bytes(),
            likeness: Arc::new(likeness),
        })
    }

    /// What was said to a request that asks for the same, marked as reused; `None` once audits have closed the tier. Below 1 µs.
    pub fn get(&self, spot: &Spot) -> Option<Arc<Judgement>> {
        if !self.audit.is_open() {
            return None;
        }
        let kept = self.kept.get(&spot.key)?;
        kept.likeness.same(&spot.likeness).then_some(kept.judgement)
    }

    /// Keeps an answer for `ttl`, if its probabilities were measured and its best two routes are far enough apart.
    pub fn put(&self, spot: Spot, said: &Arc<Judgement>, settings: &SemanticSettings, ttl: Duration) {
        if !said.measured || said.margin() < settings.margin {
            return;
        }
        let judgement = Judgement {
            said_to: SaidTo::Alike,
            ..Judgement::clone(said)
        };
        let kept = Kept {
            likeness: spot.likeness,
            judgement: Arc::new(judgement),
        };
        self.kept.put(spot.key, kept, ttl);
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

#[cfg(test)]
mod tests;
