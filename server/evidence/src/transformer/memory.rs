//! Embeddings of texts that policies are compiled from, so that a reload costs only what is new in it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::Transformer;

/// Texts remembered, the oldest forgotten first: 6 MB at 384 dimensions.
const MOST: usize = 4096;
/// What a core takes at a time, in bytes: 100 to 200 tokens, enough to read each weight for many of them, few enough that
/// the cores end together.
const TAKEN: usize = 640;

type Key = [u8; 32];

#[derive(Debug, Default)]
pub(super) struct Memory {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    vectors: BTreeMap<Key, Arc<[f32]>>,
    order: VecDeque<Key>,
}

impl Transformer {
    /// The embeddings of a policy's texts: what is not remembered is embedded on all cores.
    #[must_use]
    pub fn remembered(&self, texts: &[&str]) -> Vec<Arc<[f32]>> {
        let keys: Vec<Key> = texts
            .iter()
            .map(|text| *blake3::hash(text.as_bytes()).as_bytes())
            .collect();
        let mut vectors: BTreeMap<Key, Arc<[f32]>> = {
            let known = self.memory.known.lock().unwrap_or_else(PoisonError::into_inner);
            let found = |key: &Key| Some((*key, known.vectors.get(key)?.clone()));
            keys.iter().filter_map(found).collect()
        };
        let mut seen = BTreeSet::new();
        let mut new: Vec<(Key, &str)> = keys
            .iter()
            .zip(texts)
            .filter(|(key, _)| !vectors.contains_key(*key) && seen.insert(**key))
            .map(|(key, text)| (*key, *text))
            .collect();
        let embedded = self.on_all_cores(&mut new);
        let mut known = self.memory.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, vector) in &embedded {
            known.keep(*key, vector.clone());
        }
        drop(known);
        vectors.extend(embedded);
        keys.iter().map(|key| vectors[key].clone()).collect()
    }

    /// The longest first, and each core takes the next when it is done.
    fn on_all_cores(&self, texts: &mut [(Key, &str)]) -> Vec<(Key, Arc<[f32]>)> {
        texts.sort_by_key(|(key, text)| (Reverse(text.len()), *key));
        let (mut parts, mut left) = (Vec::new(), &*texts);
        while !left.is_empty() {
            let mut bytes = 0;
            let fits = left.iter().take_while(|(_, text)| {
                bytes += text.len();
                bytes <= TAKEN
            });
            let (part, later) = left.split_at(fits.count().max(1));
            parts.push(part);
            left = later;
        }
        let next = AtomicUsize::new(0);
        let embed = || {
            let mut done = Vec::new();
            while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let texts: Vec<&str> = part.iter().map(|(_, text)| *text).collect();
                let vectors = self.embed_all(&texts).into_iter().map(Arc::from);
                done.extend(part.iter().map(|(key, _)| *key).zip(vectors));
            }
            done
        };
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            let running: Vec<_> = (0..cores.min(parts.len())).map(|_| scope.spawn(embed)).collect();
            let ended = running.into_iter().flat_map(|core| match core.join() {
                Ok(vectors) => vectors,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            ended.collect()
        })
    }
}

impl Known {
    fn keep(&mut self, key: Key, vector: Arc<[f32]>) {
        if self.vectors.insert(key, vector).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.vectors.remove(&oldest);
            }
        }
    }
}
