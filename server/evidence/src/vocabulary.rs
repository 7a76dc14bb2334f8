//! Which grams a policy knows, how rare they are, and a text as a vector over them.
//!
//! Built once when a policy is compiled, read by every request. A text's vector has three blocks, each of length 1
//! before it is scaled: the sentence embedding (0.5), words and word pairs (0.5), characters (0.7071); so a dot
//! product of two vectors is a kernel of weights 1/4, 1/4, 1/2.

use std::cell::RefCell;

use crate::grams::{self, Ends};
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
    tokens: Tokens,
    texts: u32,
}

/// What the builder knows of one gram.
#[derive(Debug)]
struct Seen {
    documents: u32,
    last: u32,
    is_word: bool,
}

/// White-space separated words of the policy's texts with the grams in each, so that a request looks up a word once
/// instead of its forty grams.
#[derive(Debug)]
struct Tokens {
    table: Table,
    known: Vec<Known>,
    grams: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    start: u32,
    end: u32,
    ends: Ends,
}

impl Tokens {
    fn get(&self, token: &str) -> Option<Known> {
        self.table
            .get(grams::token(token))
            .map(|id| self.known[id as usize])
    }

    fn grams(&self, known: Known) -> &[u32] {
        &self.grams[known.start as usize..known.end as usize]
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            table: Table::new(),
            grams: Vec::new(),
            tokens: Tokens {
                table: Table::new(),
                known: Vec::new(),
                grams: Vec::new(),
            },
            texts: 0,
        }
    }

    /// Counts one text, given as its (already cut and lower-cased) parts.
    pub(crate) fn add(&mut self, parts: &[&str]) {
        self.texts += 1;
        let mut before = None;
        for token in parts.iter().flat_map(|part| part.split_whitespace()) {
            let known = self.token(token);
            for at in known.start..known.end {
                self.count(self.tokens.grams[at as usize]);
            }
            if let Some((first, last)) = known.ends {
                if let Some(before) = before {
                    let pair = number(&mut self.table, &mut self.grams, grams::pair(before, first), true);
                    self.count(pair);
                }
                before = Some(last);
            }
        }
    }

    fn token(&mut self, token: &str) -> Known {
        let (id, new) = self.tokens.table.insert(grams::token(token));
        if new {
            let start = self.tokens.grams.len() as u32;
            let ends = grams::within(token, |hash, is_word| {
                let gram = number(&mut self.table, &mut self.grams, hash, is_word);
                self.tokens.grams.push(gram);
            });
            let end = self.tokens.grams.len() as u32;
            self.tokens.known.push(Known { start, end, ends });
        }
        self.tokens.known[id as usize]
    }

    fn count(&mut self, gram: u32) {
        let gram = &mut self.grams[gram as usize];
        if gram.last != self.texts {
            gram.last = self.texts;
            gram.documents += 1;
        }
    }

    pub(crate) fn finish(mut self) -> Vocabulary {
        // Words first, so that a gram's number says which block it is in.
        let mut order: Vec<usize> = (0..self.grams.len()).collect();
        order.sort_by_key(|&old| !self.grams[old].is_word);
        let mut numbers = vec![0u32; order.len()];
        for (new, &old) in order.iter().enumerate() {
            numbers[old] = new as u32;
        }
        self.table.renumber(&numbers);
        for gram in &mut self.tokens.grams {
            *gram = numbers[*gram as usize];
        }
        let n = self.texts as f32;
        let rarity = |&old: &usize| {
            let documents = self.grams[old].documents as f32;
            libm::logf((1.0 + n) / (1.0 + documents)) + 1.0
        };
        let rarity = order.iter().map(rarity).collect();
        let words = self.grams.iter().filter(|seen| seen.is_word).count() as u32;
        let log_counts = (0..64u16)
            .map(|count| 1.0 + libm::logf(f32::from(count.max(1))))
            .collect();
        self.table.freeze();
        self.tokens.table.freeze();
        Vocabulary {
            table: self.table,
            tokens: self.tokens,
            rarity,
            words,
            log_counts,
        }
    }
}

/// The number of a gram, a new one if it was never seen.
fn number(table: &mut Table, grams: &mut Vec<Seen>, hash: u64, is_word: bool) -> u32 {
    let (id, new) = table.insert(hash);
    if new {
        grams.push(Seen {
            documents: 0,
            last: 0,
            is_word,
        });
    }
    id
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

impl Features {
    /// The share of the text's grams that the policy does not know.
    pub(crate) fn unknown_share(&self) -> f32 {
        self.unknown as f32 / self.grams.max(1) as f32
    }
}

/// The grams of a compiled policy.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    table: Table,
    tokens: Tokens,
    /// Inverse document frequency by gram: ln((1 + texts) / (1 + texts with it)) + 1.
    rarity: Vec<f32>,
    /// Grams below this number are words and pairs of words, the others characters.
    words: u32,
    /// 1 + ln(count), by count.
    log_counts: Vec<f32>,
}

/// What a text has of the grams of a policy.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Known grams in the order in which the text first has them, and how often.
    known: Vec<(u32, u16)>,
    /// All grams, known and unknown ones, each as often as it occurs.
    grams: u32,
    unknown: u32,
    /// White-space separated words.
    pub(crate) tokens: u32,
    ends: Ends,
}

/// Counts into a table of all grams, which is all zero between uses and is kept, so that a request allocates none.
struct Tally<'a> {
    scratch: &'a mut [u16],
    counts: &'a mut Counts,
}

thread_local! {
    static SCRATCH: RefCell<Vec<u16>> = const { RefCell::new(Vec::new()) };
}

impl Tally<'_> {
    fn seen(&mut self, gram: Option<u32>) {
        self.counts.grams += 1;
        match gram {
            Some(id) => self.known(id, 1),
            None => self.counts.unknown += 1,
        }
    }

    #[inline]
    fn known(&mut self, id: u32, times: u16) {
        let seen = &mut self.scratch[id as usize];
        if *seen == 0 {
            self.counts.known.push((id, 0));
        }
        *seen = seen.saturating_add(times);
    }
}

impl Vocabulary {
    /// The number of known grams.
    pub(crate) fn len(&self) -> usize {
        self.rarity.len()
    }

    /// Counts the grams of a text that is already lower-cased.
    pub(crate) fn count(&self, text: &str) -> Counts {
        let mut counts = Counts::default();
        // Most texts have about two different known grams a byte.
        counts.known.reserve(2 * text.len());
        self.tallied(&mut counts, |tally| {
            let (mut first, mut before) = (None, None);
            for token in text.split_whitespace() {
                tally.counts.tokens += 1;
                let ends = match self.tokens.get(token) {
                    Some(known) => {
                        let grams = self.tokens.grams(known);
                        tally.counts.grams += grams.len() as u32;
                        for &gram in grams {
                            tally.known(gram, 1);
                        }
                        known.ends
                    }
                    None => grams::within(token, |hash, _| tally.seen(self.table.get(hash))),
                };
                if let Some((one, last)) = ends {
                    if let Some(before) = before {
                        tally.seen(self.table.get(grams::pair(before, one)));
                    }
                    first = first.or(Some(one));
                    before = Some(last);
                }
            }
            tally.counts.ends = first.zip(before);
        });
        counts
    }

    /// The gram blocks of the vector of neighbouring texts.
    pub(crate) fn weigh(&self, parts: &[&Counts]) -> Features {
        let mut joined = Counts::default();
        let counts = match parts {
            [one] => *one,
            parts => {
                self.join(parts, &mut joined);
                &joined
            }
        };
        let weighed = |&(id, seen): &(u32, u16)| (id, self.value(id, seen));
        let mut features = Features {
            dense: Vec::new(),
            sparse: counts.known.iter().map(weighed).collect(),
            grams: counts.grams,
            unknown: counts.unknown,
        };
        self.rescale(&mut features.sparse);
        features
    }

    /// What the gram blocks of a text's vector add up to under `weights`, without making the vector.
    pub(crate) fn project(&self, counts: &Counts, weights: &[f32]) -> f32 {
        let (mut words, mut characters) = ([0f32; 2], [0f32; 2]);
        for &(id, seen) in &counts.known {
            let value = self.value(id, seen);
            let block = if self.is_word(id) {
                &mut words
            } else {
                &mut characters
            };
            block[0] += value * value;
            block[1] += value * weights[id as usize];
        }
        let part = |[squares, sum]: [f32; 2], length: f32| length * sum / squares.sqrt().max(1e-9);
        part(words, HALF) + part(characters, ROOT_HALF)
    }

    fn join(&self, parts: &[&Counts], joined: &mut Counts) {
        joined
            .known
            .reserve(parts.iter().map(|part| part.known.len()).sum());
        self.tallied(joined, |tally| {
            let mut before = None;
            for part in parts {
                for &(id, seen) in &part.known {
                    tally.known(id, seen);
                }
                tally.counts.grams += part.grams;
                tally.counts.unknown += part.unknown;
                if let Some((first, last)) = part.ends {
                    if let Some(before) = before {
                        tally.seen(self.table.get(grams::pair(before, first)));
                    }
                    before = Some(last);
                }
            }
        });
    }

    /// Has `work` tally grams, and leaves their counts in the order in which they were first seen.
    fn tallied(&self, counts: &mut Counts, work: impl FnOnce(&mut Tally<'_>)) {
        SCRATCH.with_borrow_mut(|scratch| {
            if scratch.len() < self.len() {
                scratch.resize(self.len(), 0);
            }
            work(&mut Tally { scratch, counts });
            for (id, seen) in &mut counts.known {
                *seen = std::mem::take(&mut scratch[*id as usize]);
            }
        });
    }

    /// Gives the word block and the character block their lengths.
    pub(crate) fn rescale(&self, sparse: &mut [(u32, f32)]) {
        // Four sums each, so that one addition does not wait for the one before.
        let (mut words, mut characters) = ([0f32; 4], [0f32; 4]);
        for chunk in sparse.chunks(4) {
            for (lane, &(id, value)) in chunk.iter().enumerate() {
                let square = value * value;
                let (word, other) = if self.is_word(id) {
                    (square, 0.0)
                } else {
                    (0.0, square)
                };
                words[lane] += word;
                characters[lane] += other;
            }
        }
        let total = |[a, b, c, d]: [f32; 4]| ((a + c) + (b + d)).sqrt().max(1e-9);
        let (words, characters) = (HALF / total(words), ROOT_HALF / total(characters));
        for (id, value) in sparse.iter_mut() {
            *value *= if self.is_word(*id) { words } else { characters };
        }
    }

    /// Whether a feature is a word or a pair of words, not characters.
    pub(crate) fn is_word(&self, id: u32) -> bool {
        id < self.words
    }

    /// (1 + ln(count)) × rarity.
    #[inline]
    fn value(&self, id: u32, seen: u16) -> f32 {
        let rarity = self.rarity[id as usize];
        match self.log_counts.get(usize::from(seen)) {
            _ if seen == 1 => rarity,
            Some(&log_count) => log_count * rarity,
            None => (1.0 + libm::logf(f32::from(seen))) * rarity,
        }
    }
}

#[cfg(test)]
mod tests;
