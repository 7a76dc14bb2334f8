//! Which grams a policy knows, how rare they are, and a text as a vector over them.
//!
//! Built once when a policy is compiled, read by every request. A text's vector has three blocks, each of length 1
//! before it is scaled: the sentence embedding (0.5), words and word pairs (0.5), characters (0.7071); so a dot
//! product of two vectors is a kernel of weights 1/4, 1/4, 1/2.

use std::cell::RefCell;

use crate::encoder::Encoder;
use crate::grams;
use crate::table::Table;

/// Scale of the embedding block and of the word block.
pub(crate) const HALF: f32 = 0.5;
/// Scale of the character block.
pub(crate) const ROOT_HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// Collects the grams of all texts of a policy, then becomes its [`Vocabulary`].
#[derive(Debug)]
pub(crate) struct Builder {
    table: Table,
    grams: Vec<Seen>,
    texts: u32,
}

/// What the builder knows of one gram.
#[derive(Debug)]
struct Seen {
    documents: u32,
    last: u32,
    is_word: bool,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            table: Table::new(),
            grams: Vec::new(),
            texts: 0,
        }
    }

    /// Counts one (already cut and lower-cased) text.
    pub(crate) fn add(&mut self, text: &str) {
        self.texts += 1;
        grams::words(text, |hash| self.see(hash, true));
        grams::characters(text, |hash| self.see(hash, false));
    }

    fn see(&mut self, hash: u64, is_word: bool) {
        let (id, new) = self.table.insert(hash);
        if new {
            self.grams.push(Seen {
                documents: 0,
                last: 0,
                is_word,
            });
        }
        let gram = &mut self.grams[id as usize];
        if gram.last != self.texts {
            gram.last = self.texts;
            gram.documents += 1;
        }
    }

    pub(crate) fn finish(mut self) -> Vocabulary {
        let n = self.texts as f32;
        let rarity = self
            .grams
            .iter()
            .map(|gram| libm::logf((1.0 + n) / (1.0 + gram.documents as f32)) + 1.0)
            .collect();
        let log_counts = (0..64u16)
            .map(|count| 1.0 + libm::logf(f32::from(count.max(1))))
            .collect();
        let is_word = self.grams.iter().map(|gram| gram.is_word).collect();
        self.table.freeze();
        Vocabulary {
            table: self.table,
            rarity,
            is_word,
            log_counts,
        }
    }
}

/// A text as a vector.
#[derive(Debug, Clone, Default)]
pub(crate) struct Features {
    /// The embedding, scaled.
    pub(crate) dense: Vec<f32>,
    /// Known grams in the order in which the text first has them, scaled.
    pub(crate) sparse: Vec<(u32, f32)>,
    /// Grams of the text, and how many of them the policy does not know.
    pub(crate) grams: u32,
    /// See `grams`.
    pub(crate) unknown: u32,
}

/// The grams of a compiled policy.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    table: Table,
    rarity: Vec<f32>,
    is_word: Vec<bool>,
    log_counts: Vec<f32>,
}

/// Counts per gram, kept between texts so that a request allocates nothing for them; all zero between uses.
#[derive(Default)]
struct Scratch {
    counts: Vec<u16>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Vocabulary {
    /// The number of known grams.
    pub(crate) fn len(&self) -> usize {
        self.rarity.len()
    }

    /// The vector of a text that is already cut and lower-cased.
    pub(crate) fn features(&self, encoder: &Encoder, text: &str) -> Features {
        let mut features = Features {
            dense: encoder.embed(text),
            ..Features::default()
        };
        for value in &mut features.dense {
            *value *= HALF;
        }
        self.lexical(text, &mut features);
        features
    }

    /// The gram blocks of a text's vector.
    pub(crate) fn lexical(&self, text: &str, features: &mut Features) {
        SCRATCH.with_borrow_mut(|scratch| {
            if scratch.counts.len() < self.len() {
                scratch.counts.resize(self.len(), 0);
            }
            let counts = &mut scratch.counts;
            let Features {
                sparse,
                grams,
                unknown,
                ..
            } = features;
            let mut count = |hash: u64| {
                *grams += 1;
                match self.table.get(hash) {
                    Some(id) => {
                        let seen = &mut counts[id as usize];
                        if *seen == 0 {
                            sparse.push((id, 0.0));
                        }
                        *seen = seen.saturating_add(1);
                    }
                    None => *unknown += 1,
                }
            };
            grams::words(text, &mut count);
            grams::characters(text, &mut count);
            for (id, value) in sparse.iter_mut() {
                let seen = std::mem::take(&mut counts[*id as usize]);
                *value = self.log_count(seen) * self.rarity[*id as usize];
            }
            self.rescale(sparse);
        });
    }

    /// Gives the word block and the character block their lengths.
    pub(crate) fn rescale(&self, sparse: &mut [(u32, f32)]) {
        let mut squares = [0f32; 2];
        for &(id, value) in sparse.iter() {
            squares[usize::from(self.is_word(id))] += value * value;
        }
        let scales = [
            ROOT_HALF / squares[0].sqrt().max(1e-9),
            HALF / squares[1].sqrt().max(1e-9),
        ];
        for (id, value) in sparse.iter_mut() {
            *value *= scales[usize::from(self.is_word(*id))];
        }
    }

    /// Whether a feature is a word or a pair of words, not characters.
    pub(crate) fn is_word(&self, id: u32) -> bool {
        self.is_word[id as usize]
    }

    fn log_count(&self, seen: u16) -> f32 {
        match self.log_counts.get(usize::from(seen)) {
            Some(&value) => value,
            None => 1.0 + libm::logf(f32::from(seen)),
        }
    }
}
