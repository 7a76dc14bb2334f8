//! What became of decisions, as callers report it: estimates of each model that fade with time. The engine hands reports
//! in and asks what they say now; the answer is evidence for the core, which alone decides what follows from it.
//!
//! Everything is in this replica's memory: one small entry for each model of the policies in force, and the last
//! [`keys::KEPT`] idempotency keys. Time comes from a clock that tests set. Not here: the health of this server
//! (`serve::health`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use signalbox_decide::health::HealthSettings;
#[cfg(doc)]
use signalbox_decide::query::DEFAULT_OUTPUT_TOKENS;
use signalbox_decide::{Health, Policy};

use estimate::Estimate;
use keys::Keys;

pub use estimate::Estimated;

mod estimate;
mod keys;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The time of day at the start, from which on it only runs: whoever sets the machine's clock neither ends a cool-down nor
/// makes it last.
pub fn steady() -> Clock {
    let (day, start) = (SystemTime::now(), Instant::now());
    Arc::new(move || day + start.elapsed())
}

/// What became of one call, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The caller's idempotency key.
    pub key: String,
    /// The model that was called.
    pub model_id: String,
    /// What became of the call.
    pub ended: Ended,
    /// For how long the provider asked to be left alone.
    pub retry_after: Option<Duration>,
    /// Time to the complete answer.
    pub latency: Option<Duration>,
    /// Tokens of the answer; [`DEFAULT_OUTPUT_TOKENS`] where nobody knows.
    pub output_tokens: Option<u64>,
    /// How good the answer was, 0..=1.
    pub quality: Option<f64>,
    /// How long ago the call ended.
    pub age: Duration,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its answer was used.
    Success,
    /// The provider failed.
    Error,
    /// The provider refused for now.
    RateLimited,
    /// No answer in time.
    Timeout,
    /// An answer that was not good enough.
    LowConfidence,
    /// The model declined.
    Refused,
}

impl Ended {
    /// The word used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Ended::Success => "success",
            Ended::Error => "error",
            Ended::RateLimited => "rate_limited",
            Ended::Timeout => "timeout",
            Ended::LowConfidence => "low_confidence",
            Ended::Refused => "refused",
        }
    }

    /// Whether the provider did not do its work. Declining and a weak answer are work.
    pub fn is_failure(self) -> bool {
        matches!(self, Ended::Error | Ended::Timeout)
    }
}

/// What was done with a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It counts.
    Accepted,
    /// Its key was seen before.
    Duplicate,
    /// The policy in force has no such model.
    Unknown,
}

impl Taken {
    /// The word used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Taken::Accepted => "accepted",
            Taken::Duplicate => "duplicate",
            Taken::Unknown => "unknown",
        }
    }
}

/// The estimates of every model, apart for everyone's policy and for each tenant's own, by the name of the tenant.
pub struct Tracker {
    clock: Clock,
    inner: Mutex<Inner>,
    /// The usual answer.
    nothing: Arc<Health>,
}

#[derive(Default)]
struct Inner {
    /// By the tenant whose policy it is, then by model.
    models: BTreeMap<String, BTreeMap<String, Estimate>>,
    keys: Keys,
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").finish_non_exhaustive()
    }
}

impl Tracker {
    /// Knows nothing yet.
    pub fn new(clock: Clock) -> Self {
        Tracker {
            clock,
            inner: Mutex::default(),
            nothing: Arc::default(),
        }
    }

    /// Counts an outcome under the policy in force, which is `whose` own (empty: everyone's), whether or not that lets health change decisions: who turns it on does
    /// not begin blind. Only models of the policy are kept.
    pub fn report(&self, whose: &str, policy: &Policy, outcome: &Outcome) -> Taken {
        let now = (self.clock)();
        let mut inner = self.lock();
        if inner.keys.has(whose, &outcome.key) {
            return Taken::Duplicate;
        }
        if policy.model(&outcome.model_id).is_none() {
            return Taken::Unknown;
        }
        inner.keys.add(whose, &outcome.key);
        let models = inner.models.entry(whose.to_owned()).or_default();
        if !models.contains_key(&outcome.model_id) {
            // Those of replaced policies go when a new one comes, which keeps the map as small as the policy.
            models.retain(|id, _| policy.model(id).is_some());
        }
        models
            .entry(outcome.model_id.clone())
            .or_insert_with(|| Estimate::new(now))
            .add(outcome, &policy.health, now);
        Taken::Accepted
    }

    /// What reports say of the policy's models now. A microsecond or so; the empty answer allocates nothing.
    pub fn ask(&self, whose: &str, policy: &Policy) -> Arc<Health> {
        let now = (self.clock)();
        let inner = self.lock();
        let models = inner.models.get(whose).into_iter().flatten();
        let said = models.filter_map(|(id, estimate)| {
            let said = estimate.said(&policy.health, now)?;
            policy.model(id)?;
            Some((id.clone(), said))
        });
        let models: BTreeMap<_, _> = said.collect();
        if models.is_empty() {
            return self.nothing.clone();
        }
        Arc::new(Health { models })
    }

    /// Remembers that a decision tries these models, so that the next one does not. Two decisions at the very same time may
    /// both; a bound on cores, not on traffic.
    pub fn tried<'a>(&self, whose: &str, ids: impl Iterator<Item = &'a str>) {
        let now = (self.clock)();
        let mut inner = self.lock();
        for id in ids {
            let models = inner.models.get_mut(whose);
            if let Some(estimate) = models.and_then(|models| models.get_mut(id)) {
                estimate.tried(now);
            }
        }
    }

    /// The estimates of the policy's models, for metrics: by id, in alphabetical order.
    pub fn estimates(&self, whose: &str, policy: &Policy) -> Vec<(String, Estimated)> {
        let now = (self.clock)();
        let inner = self.lock();
        let models = inner.models.get(whose).into_iter().flatten();
        let models = models.filter(|(id, _)| policy.model(id).is_some());
        models
            .map(|(id, estimate)| (id.clone(), estimate.now(&policy.health, now)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The factor by which what is so old has faded.
fn faded(age: Duration, settings: &HealthSettings) -> f64 {
    (-age.as_secs_f64() / settings.half_life_s as f64).exp2()
}

#[cfg(test)]
mod tests;
