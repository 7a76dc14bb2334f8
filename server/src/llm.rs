//! A language model as second opinion: the engine asks it for the core's `Llm` probe, within bounds that no request can be
//! hurt by.
//!
//! [`Engine`] is what answers: [`remote`], or a model in this process (`hosted`, with the feature `mistralrs`). [`Llm`] stands before it. It asks identical
//! questions once, refuses more than its queue holds, gives every asker up at its own deadline, and does not ask at all
//! where the time that answers take lately says that there is none left. What it could not get is evidence with a reason.
//!
//! A task of its own brings it up and looks after it: it is ready once a real question was answered, and where questions
//! came to nothing since, a question every few seconds tells whether that is still so. An idle engine is left in peace.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use signalbox_decide::{Answer, Judgement, RouteScores, SaidTo};
use signalbox_evidence::DEFAULT_THRESHOLD;
use signalbox_llm::question::Routes;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::conversation::Conversation;
use crate::engine::terms::time_left;
use crate::llm::earlier::Earlier;
use crate::llm::pace::Pace;
use crate::metrics;
use crate::store::Snapshot;

mod care;
mod earlier;
mod engine;
#[cfg(feature = "mistralrs")]
pub mod hosted;
pub mod near;
mod pace;
pub mod remote;
mod reuse;
mod start;

pub(crate) use engine::routes_of;
pub use engine::{Engine, Failure, Question, Reply};
pub use near::Near;
pub use reuse::Reuse;
pub use start::{StartError, start};

/// Bounds of an [`Llm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Different questions at once; one more is refused.
    pub queue: usize,
    /// Between two questions that tell whether an engine in doubt can be asked again.
    pub probe: Duration,
}

/// Time between two such questions.
pub const PROBE: Duration = Duration::from_secs(10);

/// The longest that the engine may think where nobody waits. Far longer than any decision does: a slow engine is to be known as
/// slow, not as broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Identity of a question.
type Key = [u8; 32];

/// The same question for everybody who waits for it; nobody left ends it.
type Asking = Shared<BoxFuture<'static, Result<Arc<Judgement>, Failure>>>;

/// An engine within bounds. Dropping it ends its task.
#[derive(Debug)]
pub struct Llm {
    inner: Arc<Inner>,
    care: AbortHandle,
}

/// Whether questions are put to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being loaded, or its first question is.
    Starting,
    /// It answered.
    Ready,
    /// It did not, for this reason.
    Unusable(String),
}

#[derive(Debug)]
struct Inner {
    engine: Arc<dyn Engine>,
    bounds: Bounds,
    pace: Pace,
    state: watch::Sender<State>,
    /// Whether a question came to nothing since the last answer.
    doubt: AtomicBool,
    begun: Mutex<Begun>,
    tickets: AtomicU64,
    /// Routes of the last question; the probe is about them.
    routes: Mutex<Option<Arc<Routes>>>,
}

type Begun = BTreeMap<
    Key,
    (
        u64,
        WeakShared<BoxFuture<'static, Result<Arc<Judgement>, Failure>>>,
    ),
>;

impl Llm {
    /// Starts to bring an engine up. Needs a runtime.
    pub fn start(engine: Arc<dyn Engine>, bounds: Bounds) -> Self {
        let inner = Arc::new(Inner {
            engine,
            bounds,
            pace: Pace::default(),
            state: watch::Sender::new(State::Starting),
            doubt: AtomicBool::new(false),
            begun: Mutex::default(),
            tickets: AtomicU64::new(0),
            routes: Mutex::default(),
        });
        let care = tokio::spawn(care::take(inner.clone())).abort_handle();
        Llm { inner, care }
    }

    /// Whether questions are put to the engine, now and from now on.
    pub fn state(&self) -> watch::Receiver<State> {
        self.inner.state.subscribe()
    }

    /// Waits until the engine is ready.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn usable(&self) -> Result<(), String> {
        let mut state = self.state();
        // The sender lives as long as `self`.
        let known = state.wait_for(|state| *state != State::Starting).await;
        match known.as_deref() {
            Ok(State::Unusable(why)) => Err(why.clone()),
            _ => Ok(()),
        }
    }

    /// What answers; decisions by another one are not these.
    pub fn identity(&self) -> String {
        self.inner.engine.identity()
    }

    /// Asks about the routes of `snapshot`, for as long as its policy and the caller's `deadline` allow; not at all where
    /// `reuse` finds what it said to a request that asks for the same, here or at another replica.
    pub async fn ask(
        &self,
        snapshot: &Snapshot,
        conversation: &Conversation,
        deadline: Option<Instant>,
        reuse: Option<Reuse<'_>>,
    ) -> Answer<Arc<Judgement>> {
        let identity = self.identity();
        let reusing = reuse.and_then(|reuse| reuse.of(snapshot, conversation, &identity));
        if let Some(said) = reusing.as_ref().and_then(|reusing| reusing.said(self)) {
            metrics::llm_question("reused");
            return Answer::Got(said);
        }
        let asked_before = reuse.and_then(|reuse| Earlier::of(reuse, snapshot, conversation, &identity));
        if let Some(earlier) = &asked_before
            && let Some(said) = earlier.said(deadline).await
        {
            metrics::llm_question("shared");
            return Answer::Got(said);
        }
        let limit = Duration::from_millis(snapshot.policy.llm.timeout_ms);
        let now = Instant::now();
        let left = time_left(deadline, limit, now);
        match self.inner.within(left, now, snapshot, conversation).await {
            Ok(judgement) => {
                metrics::llm_question("answered");
                if let Some(reusing) = reusing {
                    reusing.keep(&judgement);
                }
                if let Some(earlier) = asked_before {
                    earlier.keep(&judgement);
                }
                Answer::Got(judgement)
            }
            Err(failure) => missed(&failure),
        }
    }
}

/// What a policy gets that wants a language model where there is none.
pub(crate) fn absent() -> Answer<Arc<Judgement>> {
    let failure = Failure::Unavailable("there is none here".to_owned());
    failed(&failure)
}

fn missed(failure: &Failure) -> Answer<Arc<Judgement>> {
    metrics::llm_question(failure.word());
    failed(failure)
}

fn failed(failure: &Failure) -> Answer<Arc<Judgement>> {
    Answer::Failed {
        code: failure.code(),
        detail: failure.to_string(),
    }
}

impl Drop for Llm {
    fn drop(&mut self) {
        self.care.abort();
    }
}

impl Inner {
    async fn within(
        self: &Arc<Self>,
        left: Duration,
        now: Instant,
        snapshot: &Snapshot,
        conversation: &Conversation,
    ) -> Result<Arc<Judgement>, Failure> {
        match &*self.state.borrow() {
            State::Ready => {}
            State::Starting => return Err(Failure::Unavailable("it is not ready yet".to_owned())),
            State::Unusable(why) => return Err(Failure::Unavailable(why.clone())),
        }
        let expected = self.pace.expected();
        if expected > left {
            self.doubt();
            return Err(Failure::Deadline(format!(
                "it was not asked: it takes about {} ms lately, and {} ms are left",
                expected.as_millis(),
                left.as_millis()
            )));
        }
        let Some(routes) = snapshot.questioned() else {
            return Err(Failure::Failed(
                "the policy has no routes to ask about".to_owned(),
            ));
        };
        let asking = self.begin(key(snapshot, conversation), routes, conversation)?;
        match tokio::time::timeout_at((now + left).into(), asking).await {
            Ok(answer) => answer,
            Err(_) => {
                self.pace.gave_up(left);
                self.doubt();
                Err(Failure::Deadline(format!(
                    "it gave no answer within {} ms",
                    left.as_millis()
                )))
            }
        }
    }

    /// The question, which others may have begun to ask.
    fn begin(
        self: &Arc<Self>,
        key: Key,
        routes: &Arc<Routes>,
        conversation: &Conversation,
    ) -> Result<Asking, Failure> {
        let mut begun = lock(&self.begun);
        if let Some(asking) = begun.get(&key).and_then(|(_, asking)| asking.upgrade()) {
            return Ok(asking);
        }
        if begun.len() >= self.bounds.queue {
            return Err(Failure::Overloaded);
        }
        *lock(&self.routes) = Some(routes.clone());
        let question = Question::new(routes.clone(), conversation);
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            inner: self.clone(),
            key,
            ticket,
        };
        let asking = async move { place.inner.put(question).await }.boxed().shared();
        // A future that was not polled to its end is there.
        if let Some(weak) = asking.downgrade() {
            begun.insert(key, (ticket, weak));
        }
        Ok(asking)
    }

    /// Puts a question to the engine and learns how long it takes.
    async fn put(&self, question: Question) -> Result<Arc<Judgement>, Failure> {
        let start = Instant::now();
        // The engine's future starts inside, so that a panic on the way to it is caught too.
        let asked = AssertUnwindSafe(async { self.engine.ask(question).await });
        let answer = asked.catch_unwind().await;
        // What a panic says may quote a prompt.
        let answer = answer.unwrap_or_else(|_| Err(Failure::Failed("the engine panicked".to_owned())));
        match answer {
            Ok(reply) => {
                self.pace.observe(start.elapsed());
                metrics::llm_times(reply.queued, reply.computed);
                Ok(Arc::new(judgement(reply)))
            }
            Err(failure) => {
                self.doubt();
                Err(failure)
            }
        }
    }

    fn doubt(&self) {
        self.doubt.store(true, Ordering::Relaxed);
    }
}

/// A question's place in the queue, free again when it is answered or nobody waits for it any more.
struct Place {
    inner: Arc<Inner>,
    key: Key,
    ticket: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut begun = lock(&self.inner.begun);
        // The same question may have been begun anew.
        if begun
            .get(&self.key)
            .is_some_and(|(ticket, _)| *ticket == self.ticket)
        {
            begun.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A hash of what is asked: the routes, by the evidence that they give, and the conversation.
fn key(snapshot: &Snapshot, conversation: &Conversation) -> Key {
    key_with(blake3::Hasher::new(), snapshot, conversation)
}

/// The same by a hash that has been begun.
fn key_with(mut hash: blake3::Hasher, snapshot: &Snapshot, conversation: &Conversation) -> Key {
    hash.update(&snapshot.evidence_fingerprint);
    for message in &conversation.messages {
        hash.update(&[message.role as u8]);
        hash.update(&(message.content.len() as u64).to_le_bytes());
        hash.update(message.content.as_bytes());
    }
    *hash.finalize().as_bytes()
}

fn judgement(reply: Reply) -> Judgement {
    let Reply {
        routes,
        other,
        measured,
        prompt_tokens,
        cached_tokens,
        queued,
        computed,
    } = reply;
    let scores = RouteScores {
        routes,
        other,
        default_threshold: DEFAULT_THRESHOLD,
        ..RouteScores::default()
    };
    Judgement {
        scores: Arc::new(scores),
        measured,
        prompt_tokens,
        cached_tokens,
        queued,
        computed,
        said_to: SaidTo::This,
    }
}
