//! What replicas tell each other through Redis or Valkey: where conversations are, and what the language model said to an equal
//! question. Used by [`Sessions`](crate::engine::sessions::Sessions) and [`Llm`](crate::llm::Llm), which do without it as soon as it
//! is slow, gone or wrong: a read is one bounded wait and no wait at all while nobody answers, a write never waits. No prompt, no
//! embedding and no name that a caller chose goes there, and what comes back counts only with a seal of ours
//! (`server/notes/0013-shared.md`).

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use signalbox_decide::{Held, Judgement, Policy};
use tokio::task::AbortHandle;

use crate::engine::bounded::Key;
use crate::engine::terms::time_left;
use link::Link;
use queue::Queue;
use seal::{Kind, Seals};

mod link;
mod queue;
mod seal;
mod start;
mod values;

pub use start::{Address, SharedError, start};
pub use values::Noted;

/// How it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The longest that a request waits for an answer.
    pub wait: Duration,
    /// Most values that wait to be written; of one key the last counts.
    pub queue: usize,
}

/// What replicas share. Clones are the same; the last one ends its tasks.
#[derive(Clone, Debug)]
pub struct Shared {
    inner: Arc<Inner>,
    _tasks: Arc<Tasks>,
}

#[derive(Debug)]
struct Inner {
    wait: Duration,
    seals: Seals,
    link: Link,
    queue: Queue,
}

#[derive(Debug)]
struct Tasks(Vec<AbortHandle>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Shared {
    /// Begins to connect; `secret` is that of all replicas. Needs a runtime.
    pub fn new(address: Address, secret: &[u8], bounds: Bounds) -> Self {
        let inner = Arc::new(Inner {
            wait: bounds.wait,
            seals: Seals::new(secret),
            link: Link::new(address),
            queue: Queue::new(bounds.queue),
        });
        let (care, write) = (inner.clone(), inner.clone());
        let tasks = [
            tokio::spawn(async move { care.link.care().await }),
            tokio::spawn(async move { write.queue.write(&write.link).await }),
        ];
        Shared {
            inner,
            _tasks: Arc::new(Tasks(tasks.iter().map(|task| task.abort_handle()).collect())),
        }
    }

    /// Whether it answered last.
    pub fn is_up(&self) -> bool {
        self.inner.link.is_up()
    }

    /// Keys the hashes of conversations, the same for all replicas.
    pub fn sessions_secret(&self) -> [u8; 32] {
        self.inner.seals.sessions
    }

    /// Keys the hashes of questions, the same for all replicas.
    pub(crate) fn questions_secret(&self) -> &[u8; 32] {
        &self.inner.seals.questions
    }

    /// Where a conversation is, as far as can be known before `deadline`; its route only if `policy` has it.
    pub async fn session(&self, key: &Key, policy: &Policy, deadline: Option<Instant>) -> Option<Noted> {
        let seals = &self.inner.seals;
        let ttl = Duration::from_secs(policy.sessions.ttl_s);
        let read = |sealed: &[u8]| {
            let noted = Noted::read(seals.open(Kind::Session, key, sealed)?, policy, seals)?;
            // A replica that restores a backup, or one that lies, brings back what is over.
            (now() < noted.at + ttl).then_some(noted)
        };
        self.read(Kind::Session, key, deadline, read).await
    }

    /// Has it written where a conversation is.
    pub fn note_session(&self, key: &Key, noted: &Noted, ttl: Duration) {
        let value = noted.write(&self.inner.seals);
        self.write(Kind::Session, key, &value, ttl);
    }

    /// What the language model said to this question, of so many `routes`, within the last `ttl`.
    pub async fn said(
        &self,
        key: &Key,
        routes: usize,
        ttl: Duration,
        deadline: Option<Instant>,
    ) -> Option<Judgement> {
        let seals = &self.inner.seals;
        let read = |sealed: &[u8]| values::said(seals.open(Kind::Question, key, sealed)?, routes, ttl);
        self.read(Kind::Question, key, deadline, read).await
    }

    /// Has it written what the language model said.
    pub fn note_said(&self, key: &Key, said: &Judgement, ttl: Duration) {
        self.write(Kind::Question, key, &values::saying(said), ttl);
    }

    /// Waits until everything is written, for `limit` at most, and not at all while nobody answers.
    pub async fn flush(&self, limit: Duration) {
        let end = Instant::now() + limit;
        while self.is_up() && !self.inner.queue.is_empty() && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn read<T>(
        &self,
        kind: Kind,
        key: &Key,
        deadline: Option<Instant>,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let wait = time_left(deadline, self.inner.wait, Instant::now());
        let patient = wait == self.inner.wait;
        let found = self
            .inner
            .link
            .get(kind, &seal::place(kind, key), wait, patient)
            .await?;
        let value = read(&found);
        kind.count_read(if value.is_some() { "hit" } else { "unusable" });
        value
    }

    fn write(&self, kind: Kind, key: &Key, value: &[u8], ttl: Duration) {
        let sealed = self.inner.seals.seal(kind, key, value);
        self.inner.queue.put(kind, seal::place(kind, key), sealed, ttl);
    }
}

/// Unix time, which all replicas have.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Noted {
    /// Noted now.
    pub fn now(held: Held) -> Self {
        Noted { held, at: now() }
    }
}
