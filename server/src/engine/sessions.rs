//! Which model and route every conversation is on, so that the ladder can hold it. Keyed by hash; no text is kept. Written by
//! Route alone.

use std::time::Duration;

use signalbox_decide::{Answer, Decision, Held, Policy, Query, Source};

use crate::conversation::{Conversation, Role};
use crate::engine::bounded::{Bounded, Bounds, Key, OnHeap, USUAL, fresh_secret};

/// The conversations of this process.
#[derive(Debug)]
pub struct Sessions {
    secret: [u8; 32],
    held: Bounded<Held>,
}

impl OnHeap for Held {
    fn heap_bytes(&self) -> usize {
        self.model.len() + self.route.as_ref().map_or(0, String::len)
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Sessions::new(USUAL, fresh_secret())
    }
}

impl Sessions {
    /// None yet. `secret` keys the hash.
    pub fn new(bounds: Bounds, secret: [u8; 32]) -> Self {
        Sessions {
            secret,
            held: Bounded::new(bounds),
        }
    }

    /// The key of the conversation that a request belongs to: tenant and session id, or, where the policy derives it, tenant,
    /// first user message and system messages before it. `None` where the policy holds no conversation or the request belongs to
    /// none.
    pub fn key(&self, policy: &Policy, query: &Query, conversation: &Conversation) -> Option<Key> {
        if !policy.sessions.holds(query) {
            return None;
        }
        let mut hash = blake3::Hasher::new_keyed(&self.secret);
        let mut text = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        text(&query.caller.tenant);
        text(&query.caller.session_id);
        if query.caller.session_id.is_empty() {
            let opening = conversation
                .messages
                .iter()
                .position(|message| message.role == Role::User)?;
            let said = conversation.messages[..=opening].iter();
            for message in said.filter(|message| matches!(message.role, Role::System | Role::User)) {
                text(&message.content);
            }
        }
        Some(*hash.finalize().as_bytes())
    }

    /// Where the conversation is.
    pub fn get(&self, key: &Key) -> Option<Held> {
        self.held.get(key)
    }

    /// Notes where a decision puts the conversation. What the caller named for one request moves nothing, and a turn of no
    /// route leaves the conversation on the one it was on.
    pub fn note(&self, key: Key, policy: &Policy, decision: &Decision, before: &Answer<Option<Held>>) {
        if matches!(decision.source, Source::Direct | Source::Alias) {
            return;
        }
        let route = decision.route.map(|route| policy.routes[route].name.clone());
        let held = Held {
            model: policy.models[decision.model].id.clone(),
            route: route.or_else(|| match before {
                Answer::Got(Some(held)) => held.route.clone(),
                _ => None,
            }),
        };
        self.held
            .put(key, held, Duration::from_secs(policy.sessions.ttl_s));
    }

    /// Conversations held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
