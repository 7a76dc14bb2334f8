//! How one question uses the semantic tier: looks there first, keeps the answer there, and has a share of what was found asked
//! again. Used by [`Llm::ask`].

use std::sync::Arc;
use std::time::Duration;

use signalbox_decide::Judgement;
use signalbox_decide::policy::SemanticSettings;

use super::near::{Near, Spot};
use super::{Llm, PATIENCE, State, key, lock};
use crate::conversation::Conversation;
use crate::metrics;
use crate::shared::Shared;
use crate::store::Snapshot;

/// How a question uses what was said to others.
#[derive(Clone, Copy, Debug)]
pub struct Reuse<'a> {
    /// What was said.
    pub near: &'a Arc<Near>,
    /// What was said at other replicas.
    pub shared: Option<&'a Shared>,
    /// Whose request it is; nobody else's are looked at.
    pub tenant: &'a str,
    /// Whether to look, and not only to keep.
    pub read: bool,
}

/// A question whose answer can be another's, or another's answer.
pub(super) struct Reusing<'a> {
    reuse: Reuse<'a>,
    settings: &'a SemanticSettings,
    snapshot: &'a Snapshot,
    conversation: &'a Conversation,
    spot: Spot,
}

impl<'a> Reuse<'a> {
    /// `None` where the policy wants nothing reused, or nothing was said that can be compared.
    pub(super) fn of(
        self,
        snapshot: &'a Snapshot,
        conversation: &'a Conversation,
        engine: &str,
    ) -> Option<Reusing<'a>> {
        let settings = snapshot.policy.cache.semantic.as_ref()?;
        let spot = self.near.spot(snapshot, conversation, self.tenant, engine)?;
        Some(Reusing {
            reuse: self,
            settings,
            snapshot,
            conversation,
            spot,
        })
    }
}

impl Reusing<'_> {
    /// What was said to a request that asks for the same.
    pub(super) fn said(&self, llm: &Llm) -> Option<Arc<Judgement>> {
        let near = self.reuse.near;
        let said = self.reuse.read.then(|| near.get(&self.spot)).flatten()?;
        if near.audit.samples(self.settings.audit) {
            self.audit(llm, said.clone());
        }
        Some(said)
    }

    /// Keeps what was said to this one.
    pub(super) fn keep(self, said: &Arc<Judgement>) {
        let ttl = Duration::from_secs(self.snapshot.policy.cache.ttl_s);
        self.reuse.near.put(self.spot, said, self.settings, ttl);
    }

    /// Asks, off the path of requests, to see whether the engine says the same here. It gives way to questions that somebody
    /// waits for.
    fn audit(&self, llm: &Llm, said: Arc<Judgement>) {
        let inner = &llm.inner;
        let busy = lock(&inner.begun).len() * 2 >= inner.bounds.queue;
        let (State::Ready, false, Some(routes)) = (&*inner.state.borrow(), busy, self.snapshot.questioned())
        else {
            return;
        };
        let Ok(asking) = inner.begin(key(self.snapshot, self.conversation), routes, self.conversation) else {
            return;
        };
        let (near, budget) = (self.reuse.near.clone(), self.settings.budget);
        tokio::spawn(async move {
            if let Ok(Ok(now)) = tokio::time::timeout(PATIENCE, asking).await {
                let wrong = now.best() != said.best();
                metrics::semantic_audit(if wrong { "different" } else { "same" });
                near.audit.note(wrong, budget);
            }
        });
    }
}
