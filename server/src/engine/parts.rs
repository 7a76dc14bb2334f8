//! What an engine is put together from, and who looks at its parts.

use std::sync::Arc;
use std::time::Instant;

use super::{Asking, Engine};
use crate::audit::Audit;
use crate::engine::admission::Admission;
use crate::engine::cache::{DecisionCache, Key};
use crate::engine::encoder::Turns;
use crate::engine::inline::InlineRoutes;
use crate::engine::ring::Ring;
use crate::engine::sessions::Sessions;
use crate::engine::shadow::Shadows;
use crate::health::{Clock, Tracker, steady};
use crate::llm::{Llm, Near, Reuse};
use crate::shared::Shared;
use crate::store::{Policies, Store};

impl Engine {
    /// An engine on policies, with a cache and a ring of recent decisions.
    pub fn new(policies: Arc<Policies>, cache: DecisionCache, ring: Arc<Ring>) -> Self {
        Engine {
            policies,
            cache,
            ring,
            inline: InlineRoutes::default(),
            health: Tracker::new(steady()),
            sessions: Sessions::default(),
            shared: None,
            shadows: Shadows::default(),
            admission: Admission::default(),
            encoder: Turns::default(),
            llm: None,
            near: Arc::default(),
            audit: None,
        }
    }

    /// The same with another clock for what outcomes say.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Engine {
            health: Tracker::new(clock),
            ..self
        }
    }

    /// The same with a store for conversations.
    #[must_use]
    pub fn with_sessions(self, sessions: Sessions) -> Self {
        Engine { sessions, ..self }
    }

    /// The same with what replicas share: conversations, and what the language model says.
    #[must_use]
    pub fn with_shared(self, shared: Shared) -> Self {
        Engine {
            sessions: self.sessions.with_shared(shared.clone()),
            shared: Some(shared),
            ..self
        }
    }

    /// The same with a bound on decisions in progress.
    #[must_use]
    pub fn with_admission(self, admission: Admission) -> Self {
        Engine { admission, ..self }
    }

    /// The same with a language model to ask.
    #[must_use]
    pub fn with_llm(self, llm: Llm) -> Self {
        Engine {
            llm: Some(llm),
            ..self
        }
    }

    /// The same with a store for what the language model says.
    #[must_use]
    pub fn with_near(self, near: Near) -> Self {
        Engine {
            near: Arc::new(near),
            ..self
        }
    }

    /// The same with a log of decisions.
    #[must_use]
    pub fn with_audit(self, audit: Audit) -> Self {
        Engine {
            audit: Some(audit),
            ..self
        }
    }

    /// The log of decisions, if there is one.
    pub fn audit(&self) -> Option<&Audit> {
        self.audit.as_ref()
    }

    /// What decisions of this engine wait for, until `deadline`; `reuse` is how they use what was said to others, and
    /// `conversation` the key of theirs.
    pub(crate) fn asking<'a>(
        &'a self,
        deadline: Option<Instant>,
        reuse: Option<Reuse<'a>>,
        conversation: Option<&'a Key>,
    ) -> Asking<'a> {
        Asking {
            admission: Some(&self.admission),
            encoder: Some(&self.encoder),
            llm: self.llm(),
            deadline,
            reuse,
            call: None,
            conversation: conversation.map(|key| (&self.sessions, key)),
        }
    }

    /// The language model, if there is one.
    pub fn llm(&self) -> Option<&Llm> {
        self.llm.as_ref()
    }

    /// What the language model said, kept for requests that ask for the same.
    pub fn near(&self) -> &Near {
        &self.near
    }

    /// All policies.
    pub fn policies(&self) -> &Arc<Policies> {
        &self.policies
    }

    /// Everyone's policy.
    pub fn store(&self) -> &Arc<Store> {
        self.policies.everyone()
    }

    /// The decision cache.
    pub fn cache(&self) -> &DecisionCache {
        &self.cache
    }

    /// The recent decisions.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// What reported outcomes say of models.
    pub fn health(&self) -> &Tracker {
        &self.health
    }

    /// Where conversations are.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// What replicas share, if they do.
    pub fn shared(&self) -> Option<&Shared> {
        self.shared.as_ref()
    }

    /// Policies with the routes of single requests.
    pub fn inline(&self) -> &InlineRoutes {
        &self.inline
    }

    /// Who may decide at once.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Comparisons with shadow policies.
    pub fn shadows(&self) -> &Shadows {
        &self.shadows
    }
}
