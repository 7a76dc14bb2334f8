//! Decides by the shadow of a policy what the policy has decided, and counts how the two differ. One thread of its own, behind
//! a bounded queue: what finds no place is dropped and counted, so a slow shadow costs a request nothing. The text of a
//! request is kept until it is compared and no longer.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use signalbox_decide::{Answer, Decision, Health, Held, Judgement, Query};

use crate::conversation::Conversation;
use crate::engine::{Live, Outcomes, settle};
use crate::store::{Snapshot, churn};

/// Decisions that wait to be compared.
pub const QUEUE: usize = 256;
/// Bytes of their text: the longest requests are 4 MiB each.
pub const MOST_BYTES: usize = 16 << 20;
/// Routes that are counted by name.
pub const MOST_ROUTES: usize = 100;

/// What a comparison can come to; the first that holds, in the order failed, refused, route, model, plan.
pub const RESULTS: [&str; 6] = ["same", "route", "model", "plan", "refused", "failed"];
/// The route of a decision without one, and of a refusal. No route has this name.
pub const NO_ROUTE: &str = "other";
/// Stands for all routes after the first [`MOST_ROUTES`].
pub const MORE_ROUTES: &str = "(more)";

/// A decision to compare.
#[derive(Debug)]
pub(super) struct Job {
    /// What decided.
    pub(super) real: Arc<Snapshot>,
    /// What would have.
    pub(super) shadow: Arc<Snapshot>,
    /// The decision; `None` for a refusal.
    pub(super) decision: Option<Arc<Decision>>,
    /// What outcomes say of the shadow's models: those of the real policy's own callers.
    pub(super) health: Arc<Health>,
    /// Where the conversation was.
    pub(super) session: Answer<Option<Held>>,
    /// What the language model said for the decision. It is not asked for the shadow's sake.
    pub(super) llm: Answer<Arc<Judgement>>,
    pub(super) query: Query,
    pub(super) conversation: Conversation,
}

/// How often each result was had, by the route of the real decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// In the order of [`RESULTS`]; [`NO_ROUTE`] is there from the start.
    pub routes: BTreeMap<String, [u64; RESULTS.len()]>,
}

impl Default for Tally {
    fn default() -> Self {
        Tally {
            routes: BTreeMap::from([(NO_ROUTE.to_owned(), Default::default())]),
        }
    }
}

impl Tally {
    fn add(&mut self, route: &str, result: &str) {
        let full = self.routes.len() >= MOST_ROUTES && !self.routes.contains_key(route);
        let route = if full { MORE_ROUTES } else { route };
        let counts = self.routes.entry(route.to_owned()).or_default();
        if let Some(at) = RESULTS.iter().position(|known| *known == result) {
            counts[at] += 1;
        }
    }
}

/// The comparisons of an engine. The thread starts with the first and ends with the engine.
#[derive(Debug, Default)]
pub struct Shadows {
    queue: OnceLock<Option<SyncSender<Job>>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    tally: Mutex<Tally>,
    dropped: AtomicU64,
    waiting_bytes: AtomicUsize,
}

impl Shadows {
    /// What has been compared. While the guard is held nothing further is counted, so that the queue fills; requests do not
    /// notice.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.counts.tally()
    }

    /// Decisions that were to be compared and found no place in the queue.
    pub fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    /// Has a decision compared when its turn comes, or drops it. Never waits.
    pub(super) fn offer(&self, job: Job) {
        let bytes = job.bytes();
        let waiting = self.counts.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let queue = self.queue.get_or_init(|| start(self.counts.clone()));
        let taken =
            waiting + bytes <= MOST_BYTES && queue.as_ref().is_some_and(|queue| queue.try_send(job).is_ok());
        if !taken {
            self.counts.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Counts {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` where the system has no thread to give: then everything is dropped.
fn start(counts: Arc<Counts>) -> Option<SyncSender<Job>> {
    let (sender, jobs) = sync_channel(QUEUE);
    let thread = std::thread::Builder::new().name("shadow".to_owned());
    let started = thread.spawn(move || work(&jobs, &counts));
    if let Err(error) = &started {
        tracing::error!("shadow: no thread to compare with: {error}");
    }
    started.is_ok().then_some(sender)
}

fn work(jobs: &Receiver<Job>, counts: &Counts) {
    while let Ok(job) = jobs.recv() {
        let bytes = job.bytes();
        // A panic is a defect of the shadow's decision and none of the request's, which was answered long ago.
        let result = catch_unwind(AssertUnwindSafe(|| job.compare())).unwrap_or("failed");
        let route = job.route().to_owned();
        drop(job);
        counts.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        counts.tally().add(&route, result);
    }
}

impl Job {
    fn bytes(&self) -> usize {
        let messages = self.conversation.messages.iter();
        messages.map(|message| message.content.len()).sum()
    }

    fn route(&self) -> &str {
        let route = self.decision.as_ref().and_then(|decision| decision.route);
        route.map_or(NO_ROUTE, |route| &self.real.policy.routes[route].name)
    }

    fn compare(&self) -> &'static str {
        let query = Query {
            read_cache: false,
            ..self.query.clone()
        };
        let live = Live {
            cache: None,
            outcomes: Outcomes::Stated(&self.health),
            session: Some(&self.session),
            llm: Some(&self.llm),
        };
        let settled = settle(&self.shadow, &query, &self.conversation, live);
        match (&self.decision, &settled.outcome) {
            (None, Err(_)) => "same",
            (None, Ok(_)) | (Some(_), Err(_)) => "refused",
            (Some(real), Ok(shadow)) => {
                churn::difference(&self.real.policy, real, &self.shadow.policy, shadow).unwrap_or("same")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_past_the_limit_are_counted_together() {
        let mut tally = Tally::default();
        for route in 0..2 * MOST_ROUTES {
            tally.add(&format!("route {route}"), "same");
            tally.add(&format!("route {route}"), "model");
        }
        assert_eq!(tally.routes.len(), MOST_ROUTES + 1);
        assert_eq!(tally.routes[MORE_ROUTES], [101, 0, 101, 0, 0, 0]);
        assert_eq!(tally.routes["route 0"], [1, 0, 1, 0, 0, 0]);
    }
}
