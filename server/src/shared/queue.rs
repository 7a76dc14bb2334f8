//! What waits to be written. Nobody waits for it: of one key only the last value is kept, a full queue leaves out and counts, and
//! while nobody answers what is there stays until somebody does or its time is over.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::link::{Link, Sent};
use super::seal::Kind;

/// Values written in one go.
const BATCH: usize = 64;

/// One value.
#[derive(Debug)]
pub(super) struct Write {
    kind: Kind,
    pub(super) value: Vec<u8>,
    expires: Instant,
}

impl Write {
    /// What is left of its time; at least the millisecond that the protocol knows.
    pub(super) fn ttl_ms(&self) -> u64 {
        let left = self.expires.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    most: usize,
    waiting: Mutex<BTreeMap<String, Write>>,
    /// Those that wait and those that are under way.
    count: AtomicUsize,
    more: Notify,
}

impl Queue {
    pub(super) fn new(most: usize) -> Self {
        Queue {
            most,
            waiting: Mutex::default(),
            count: AtomicUsize::new(0),
            more: Notify::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    pub(super) fn put(&self, kind: Kind, place: String, value: Vec<u8>, ttl: Duration) {
        let Some(expires) = Instant::now().checked_add(ttl).filter(|_| !ttl.is_zero()) else {
            return;
        };
        let mut waiting = self.waiting();
        if waiting.len() >= self.most && !waiting.contains_key(&place) {
            return kind.count_written("dropped");
        }
        let write = Write { kind, value, expires };
        if waiting.insert(place, write).is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        drop(waiting);
        self.more.notify_one();
    }

    /// Writes. Never returns.
    pub(super) async fn write(&self, link: &Link) {
        loop {
            self.more.notified().await;
            loop {
                link.wait_until_up().await;
                let batch = self.next();
                if batch.is_empty() {
                    break;
                }
                match link.set_all(&batch).await {
                    Sent::Unknown => self.again(batch),
                    Sent::Answered(written) => {
                        for (write, written) in batch.values().zip(written) {
                            write
                                .kind
                                .count_written(if written { "written" } else { "failed" });
                        }
                        self.count.fetch_sub(batch.len(), Ordering::Relaxed);
                    }
                }
            }
        }
    }

    fn next(&self) -> BTreeMap<String, Write> {
        let mut waiting = self.waiting();
        let rest = waiting.keys().nth(BATCH).cloned();
        let rest = rest.map(|first| waiting.split_off(&first)).unwrap_or_default();
        std::mem::replace(&mut *waiting, rest)
    }

    /// Puts back what may not have been written, unless there is something newer.
    fn again(&self, batch: BTreeMap<String, Write>) {
        let now = Instant::now();
        let mut waiting = self.waiting();
        for (place, write) in batch {
            let old = write.expires <= now || waiting.contains_key(&place);
            if old || waiting.len() >= self.most {
                self.count.fetch_sub(1, Ordering::Relaxed);
                if !old {
                    write.kind.count_written("dropped");
                }
            } else {
                waiting.insert(place, write);
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<String, Write>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
