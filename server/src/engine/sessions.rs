//! Which model and route every conversation is on, so that the ladder can hold it. Keyed by hash; no text is kept. Written by
//! Route alone. Where replicas share them, what this one knows stands by: of two notes the later one counts.

use std::time::{Duration, Instant};

use signalbox_decide::{Answer, Decision, Held, Policy, Query, Source};

use crate::conversation::{Conversation, Role};
use crate::engine::bounded::{Bounded, Bounds, Key, OnHeap, USUAL, fresh_secret};
use crate::shared::{Noted, Shared};

/// The conversations of this process.
#[derive(Debug)]
pub struct Sessions {
    secret: [u8; 32],
    /// Whether there is room for any; without it none is held through other replicas either.
    holds: bool,
    noted: Bounded<Noted>,
    shared: Option<Shared>,
}

impl OnHeap for Noted {
    fn heap_bytes(&self) -> usize {
        self.held.model.len() + self.held.route.as_ref().map_or(0, String::len)
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
            holds: bounds.max_entries > 0 && bounds.max_bytes > 0,
            noted: Bounded::new(bounds),
            shared: None,
        }
    }

    /// The same, shared with other replicas; the secret is then theirs too.
    #[must_use]
    pub fn with_shared(self, shared: Shared) -> Self {
        Sessions {
            secret: shared.sessions_secret(),
            shared: Some(shared),
            ..self
        }
    }

    /// The key of the conversation that a request belongs to: tenant and session id, or, where the policy derives it, tenant,
    /// first user message and system messages before it. `None` where the policy holds no conversation, there is room for none, or
    /// the request belongs to none.
    pub fn key(&self, policy: &Policy, query: &Query, conversation: &Conversation) -> Option<Key> {
        if !self.holds || !policy.sessions.holds(query) {
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

    /// Where the conversation is, as far as can be known before `deadline`.
    pub async fn find(&self, key: &Key, policy: &Policy, deadline: Option<Instant>) -> Option<Held> {
        let own = self.noted.get(key);
        let others = match &self.shared {
            Some(shared) => shared.session(key, policy, deadline).await,
            None => None,
        };
        let later = own.into_iter().chain(others).max_by_key(|noted| noted.at);
        later.map(|noted| noted.held)
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
        let (noted, ttl) = (Noted::now(held), Duration::from_secs(policy.sessions.ttl_s));
        if let Some(shared) = &self.shared {
            shared.note_session(&key, &noted, ttl);
        }
        self.noted.put(key, noted, ttl);
    }

    /// Conversations held.
    pub fn len(&self) -> usize {
        self.noted.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.noted.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_room_no_conversation_has_a_key() {
        let policy = "schema: 1\ndefault: a\nmodels: [{id: a}]\nsessions: {enabled: true}\n";
        let policy = signalbox_decide::policy::load(policy.as_bytes()).unwrap().policy;
        let mut query = Query::default();
        query.caller.session_id = "s".into();
        let key = |max_entries| {
            let sessions = Sessions::new(Bounds { max_entries, ..USUAL }, [1; 32]);
            sessions.key(&policy, &query, &Conversation::from_prompt("hello"))
        };
        assert!(key(1).is_some());
        assert_eq!(key(0), None);
    }
}
