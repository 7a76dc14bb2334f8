//! A map that stays within entries and bytes. Values expire; what is used survives a scan of what is not, because every entry
//! that was used since the last round gets another one (the clock, or second chance, algorithm). Reads lock one shard of
//! the map, writes a queue of keys too. Used by `cache` and `sessions`.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::mem::size_of;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;

/// 256 bits of a keyed BLAKE3 hash.
pub type Key = [u8; 32];

/// What a map may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most entries; 0 holds nothing.
    pub max_entries: usize,
    /// Most bytes.
    pub max_bytes: usize,
}

/// What is held where nobody says: 100,000 entries, 64 MiB.
pub const USUAL: Bounds = Bounds {
    max_entries: 100_000,
    max_bytes: 64 << 20,
};

/// A value that knows what it holds.
pub trait OnHeap {
    /// Bytes of it on the heap.
    fn heap_bytes(&self) -> usize;
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    expires: Instant,
    used: AtomicBool,
}

/// The map. Bytes are counted as the entry, its key twice (map and queue) and the heap behind the value.
#[derive(Debug)]
pub struct Bounded<V> {
    bounds: Bounds,
    entries: DashMap<Key, Entry<V>, foldhash::fast::RandomState>,
    bytes: AtomicUsize,
    /// Keys in the order of their next chance. Every key in `entries` is here at least once.
    queue: Mutex<VecDeque<Key>>,
}

impl<V: Clone + OnHeap> Bounded<V> {
    /// An empty map.
    pub fn new(bounds: Bounds) -> Self {
        Bounded {
            bounds,
            entries: DashMap::default(),
            bytes: AtomicUsize::new(0),
            queue: Mutex::default(),
        }
    }

    /// The value, unless it is past its time.
    pub fn get(&self, key: &Key) -> Option<V> {
        let entry = self.entries.get(key)?;
        if entry.expires <= Instant::now() {
            return None;
        }
        // Written only when it changes, so that hot entries stay shared between cores.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(entry.value.clone())
    }

    /// Stores a value and makes room if that takes the map over a bound.
    pub fn put(&self, key: Key, value: V, ttl: Duration) {
        let bytes = entry_bytes(&value);
        if self.bounds.max_entries == 0 || bytes > self.bounds.max_bytes || ttl.is_zero() {
            return;
        }
        let now = Instant::now();
        let Some(expires) = now.checked_add(ttl) else {
            return;
        };
        let entry = Entry {
            value,
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

/// 32 bytes that differ from process to process, from the seeds that the standard library takes from the system.
pub fn fresh_secret() -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    for part in 0..4_u64 {
        hash.update(&RandomState::new().hash_one(part).to_le_bytes());
    }
    hash.update(uuid::Uuid::now_v7().as_bytes());
    *hash.finalize().as_bytes()
}

fn entry_bytes<V: OnHeap>(value: &V) -> usize {
    size_of::<Entry<V>>() + 2 * size_of::<Key>() + value.heap_bytes()
}

#[cfg(test)]
mod tests;
