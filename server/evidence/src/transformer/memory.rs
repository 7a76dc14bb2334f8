//! Embeddings of texts that policies are compiled from, so that a reload costs only what is new in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::Transformer;

/// Texts remembered, the oldest forgotten first: 6 MB at 384 dimensions.
const MOST: usize = 4096;

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
        let new: Vec<(Key, &str)> = keys
            .iter()
            .zip(texts)
            .filter(|(key, _)| !vectors.contains_key(*key) && seen.insert(**key))
            .map(|(key, text)| (*key, *text))
            .collect();
        let embedded = self.on_all_cores(&new);
        let mut known = self.memory.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, vector) in &embedded {
            known.keep(*key, vector.clone());
        }
        drop(known);
        vectors.extend(embedded);
        keys.iter().map(|key| vectors[key].clone()).collect()
    }

    fn on_all_cores(&self, texts: &[(Key, &str)]) -> Vec<(Key, Arc<[f32]>)> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let part = texts.len().div_ceil(cores).max(1);
        let embed = |part: &[(Key, &str)]| {
            let texts: Vec<&str> = part.iter().map(|(_, text)| *text).collect();
            let vectors = self.embed_all(&texts).into_iter().map(Arc::from);
            part.iter().map(|(key, _)| *key).zip(vectors).collect::<Vec<_>>()
        };
        thread::scope(|scope| {
            let parts = texts.chunks(part).map(|part| scope.spawn(move || embed(part)));
            let running: Vec<_> = parts.collect();
            let ended = running.into_iter().flat_map(|part| match part.join() {
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
