//! How one question uses what the language model said to the very same one, at another replica or here before. Used by
//! [`Llm::ask`](super::Llm::ask), right before the model would be asked: beside that, a look there costs nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use signalbox_decide::Judgement;

use super::{Key, Reuse, key_with};
use crate::conversation::Conversation;
use crate::shared::Shared;
use crate::store::Snapshot;

/// A question that replicas may have been asked.
pub(super) struct Earlier<'a> {
    shared: &'a Shared,
    key: Key,
    routes: usize,
    ttl: Duration,
    read: bool,
}

impl<'a> Earlier<'a> {
    /// `None` where replicas share nothing, or the policy has no routes to ask about. `engine` is the identity of the model.
    pub(super) fn of(
        reuse: Reuse<'a>,
        snapshot: &Snapshot,
        conversation: &Conversation,
        engine: &str,
    ) -> Option<Self> {
        let shared = reuse.shared?;
        let routes = snapshot.questioned()?.as_slice().len();
        let mut hash = blake3::Hasher::new_keyed(shared.questions_secret());
        // The prompt is made of the question by a template that a version may change.
        for text in [env!("CARGO_PKG_VERSION"), engine, reuse.tenant] {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        Some(Earlier {
            shared,
            key: key_with(hash, snapshot, conversation),
            routes,
            ttl: Duration::from_secs(snapshot.policy.cache.ttl_s),
            read: reuse.read,
        })
    }

    /// What was said to it.
    pub(super) async fn said(&self, deadline: Option<Instant>) -> Option<Arc<Judgement>> {
        if !self.read {
            return None;
        }
        let said = self.shared.said(&self.key, self.routes, self.ttl, deadline).await;
        said.map(Arc::new)
    }

    /// Keeps what was said now.
    pub(super) fn keep(self, said: &Judgement) {
        self.shared.note_said(&self.key, said, self.ttl);
    }
}
