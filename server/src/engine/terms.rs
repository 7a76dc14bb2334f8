//! What the engine is asked and what it answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use signalbox_decide::candidates::estimate;
use signalbox_decide::{Answer, Decision, Held, Query};
use uuid::Uuid;

use crate::conversation::Conversation;
use crate::store::Snapshot;
use crate::traces::Call;

/// A request, checked and split into what the ladder reads and the text that only probes read.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The facts.
    pub query: Query,
    /// The text.
    pub conversation: Conversation,
    /// How to use the cache.
    pub cache: CacheMode,
    /// Least policy version that may answer; 0 accepts any.
    pub min_policy_version: u64,
    /// The only policy that may answer; empty accepts any.
    pub policy_checksum: String,
    /// When the caller gives up; a language model is waited for no longer.
    pub deadline: Option<Instant>,
    /// Where probes are told of, where the call is traced.
    pub call: Option<Arc<Call>>,
}

/// Kept of a caller's time for the decision itself and the way back: a fifth, and this much at least.
const RESERVE: Duration = Duration::from_millis(5);

/// How long something may be waited for that is given `limit`, so that a caller who gives up at `deadline` gets its answer.
pub(crate) fn time_left(deadline: Option<Instant>, limit: Duration, now: Instant) -> Duration {
    deadline.map_or(limit, |deadline| {
        let left = deadline.saturating_duration_since(now);
        left.saturating_sub((left / 5).max(RESERVE)).min(limit)
    })
}

/// How a request uses the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// Read and write.
    #[default]
    Use,
    /// Neither.
    Bypass,
    /// Decide anew and write.
    Refresh,
}

/// What the cache did for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// A higher rung decided, or the policy has the cache off.
    NotAsked,
    /// Looked up or refreshed, decided anew.
    Miss,
    /// The stored decision of an equal request.
    ExactHit,
    /// What a language model said to a request that asks for the same.
    SemanticHit,
    /// The request kept the cache out.
    Bypass,
}

impl CacheStatus {
    /// The word for it in metrics and the audit log: the wire's, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            CacheStatus::Miss => "miss",
            CacheStatus::ExactHit => "exact_hit",
            CacheStatus::SemanticHit => "semantic_hit",
            CacheStatus::NotAsked | CacheStatus::Bypass => "bypass",
        }
    }
}

/// A decision with everything needed to answer with it.
#[derive(Clone, Debug)]
pub struct Decided {
    /// UUIDv7.
    pub id: Uuid,
    /// The policy that decided.
    pub snapshot: Arc<Snapshot>,
    /// The decision; its indexes point into the snapshot's policy.
    pub decision: Arc<Decision>,
    /// What the cache did.
    pub cache: CacheStatus,
    /// Where the conversation was that the request belongs to; not asked where that did not matter.
    pub before: Answer<Option<Held>>,
}

impl Decided {
    /// What the chosen model and the policy's first default model would cost for this request, in USD, where both state a
    /// price. Of a plan only the first model counts.
    pub fn costs(&self) -> Option<(f64, f64)> {
        let (policy, chosen) = (&self.snapshot.policy, &self.decision.estimate);
        let usual = &policy.models[*policy.default.first()?];
        let usual = estimate(usual, chosen.input_tokens, chosen.output_tokens);
        Some((chosen.cost_usd?, usual.cost_usd?))
    }
}
