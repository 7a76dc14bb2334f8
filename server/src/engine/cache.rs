//! The exact decision cache: equal request, equal policy, equal engine, equal decision. Asked by the engine for the
//! `ExactCache` probe.
//!
//! A DashMap bounded by entries, bytes and time. Which entry makes room is decided by second chance (CLOCK): entries
//! used since their last turn go round once more, so one pass of unrepeated requests does not flush the useful ones.
//! A key is 256 bits of a keyed hash over everything a policy can read, so collisions do not happen and
//! short prompts cannot be guessed from a dump.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use signalbox_decide::{Answer, Decision, Evidence, Judgement, Query, RouteScores};

use crate::conversation::Conversation;
use crate::engine::cache::key::request_key;
use crate::store::Snapshot;

mod key;

/// 256 bits of a keyed BLAKE3 hash.
pub type Key = [u8; 32];

/// What the cache holds for a request.
#[derive(Clone, Debug)]
pub struct Cached {
    /// The decision.
    pub decision: Arc<Decision>,
    /// The evidence behind it that a hit would not ask for again, so that it can be explained later.
    pub embedding: Answer<Arc<RouteScores>>,
    /// What the language model said, where it was asked.
    pub llm: Answer<Arc<Judgement>>,
    /// The prompt's difficulty, where it was asked.
    pub difficulty: Answer<f64>,
}

impl Cached {
    /// A decision and what led to it.
    pub fn new(decision: &Arc<Decision>, evidence: &Evidence) -> Self {
        Cached {
            decision: decision.clone(),
            embedding: evidence.embedding.clone(),
            llm: evidence.llm.clone(),
            difficulty: evidence.difficulty.clone(),
        }
    }
}

#[derive(Debug)]
struct Entry {
    cached: Cached,
    bytes: usize,
    expires: Instant,
    used: AtomicBool,
}

/// Bounds of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most entries; 0 turns the cache off.
    pub max_entries: usize,
    /// Most bytes, counted as [`DecisionCache`] documents.
    pub max_bytes: usize,
}

/// The cache. Bytes are counted as the entry, its key twice (map and queue) and the heap behind decision and scores.
#[derive(Debug)]
pub struct DecisionCache {
    bounds: Bounds,
    secret: [u8; 32],
    entries: DashMap<Key, Entry, foldhash::fast::RandomState>,
    bytes: AtomicUsize,
    /// Keys in the order of their next chance. Every key in `entries` is here at least once.
    queue: Mutex<VecDeque<Key>>,
}

impl DecisionCache {
    /// An empty cache. `secret` keys the hash; any 32 bytes, fresh for each process.
    pub fn new(bounds: Bounds, secret: [u8; 32]) -> Self {
        DecisionCache {
            bounds,
            secret,
            entries: DashMap::default(),
            bytes: AtomicUsize::new(0),
            queue: Mutex::default(),
        }
    }

    /// The key of a request under a policy, where `llm` is the identity of the language model that answers.
    pub fn key(&self, query: &Query, conversation: &Conversation, snapshot: &Snapshot, llm: &str) -> Key {
        request_key(&self.secret, query, conversation, snapshot, llm)
    }

    /// The stored decision, unless it is past its time.
    pub fn get(&self, key: &Key) -> Option<Cached> {
        let entry = self.entries.get(key)?;
        if entry.expires <= Instant::now() {
            return None;
        }
        // Written only when it changes, so that hot entries stay shared between cores.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(entry.cached.clone())
    }

    /// Stores a decision and makes room if that takes the cache over a bound.
    pub fn put(&self, key: Key, cached: Cached, ttl: Duration) {
        let bytes = bytes_of(&cached);
        if self.bounds.max_entries == 0 || bytes > self.bounds.max_bytes || ttl.is_zero() {
            return;
        }
        let now = Instant::now();
        let Some(expires) = now.checked_add(ttl) else {
            return;
        };
        let entry = Entry {
            cached,
            bytes,
            expires,
            used: AtomicBool::new(false),
        };
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let replaced = self.entries.insert(key, entry);
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match replaced {
            Some(old) => {
                self.bytes.fetch_sub(old.bytes, Ordering::Relaxed);
            }
            None => queue.push_back(key),
        }
        self.make_room(&mut queue, now);
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(key) = queue.pop_front() {
            self.remove(&key);
        }
    }

    /// Drops expired and unused entries from the front of the queue until the bounds hold. Each used entry goes round
    /// once, so this ends after at most two rounds.
    fn make_room(&self, queue: &mut VecDeque<Key>, now: Instant) {
        while queue.len() > self.bounds.max_entries || self.bytes() > self.bounds.max_bytes {
            let Some(key) = queue.pop_front() else { return };
            let again = self
                .entries
                .get(&key)
                .is_some_and(|entry| entry.expires > now && entry.used.swap(false, Ordering::Relaxed));
            if again {
                queue.push_back(key);
            } else {
                self.remove(&key);
            }
        }
    }

    fn remove(&self, key: &Key) {
        if let Some((_, entry)) = self.entries.remove(key) {
            self.bytes.fetch_sub(entry.bytes, Ordering::Relaxed);
        }
    }
}

/// The entry, its key twice, and the heap behind decision and scores.
fn bytes_of(cached: &Cached) -> usize {
    let Cached {
        decision,
        embedding,
        llm,
        ..
    } = cached;
    let scores = |scores: &RouteScores| size_of::<RouteScores>() + scores.routes.len() * size_of::<f32>();
    let embedding = match embedding {
        Answer::Got(found) => scores(found),
        Answer::NotAsked | Answer::Failed { .. } => 0,
    };
    let llm = match llm {
        Answer::Got(judgement) => size_of::<Judgement>() + scores(&judgement.scores),
        Answer::NotAsked | Answer::Failed { .. } => 0,
    };
    let heap = decision.reason.len()
        // A plan's models and the fallbacks are never more than the models of one rung.
        + (decision.fallbacks.len() + decision.plan.models(decision.model).len()) * size_of::<usize>()
        + embedding
        + llm;
    size_of::<Entry>() + 2 * size_of::<Key>() + size_of::<Decision>() + heap
}

#[cfg(test)]
mod tests;
