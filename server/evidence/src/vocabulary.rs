//! Which grams a policy knows, how rare they are, and a text as a vector over them.
//!
//! Built once when a policy is compiled, read by every request. A text's vector has three blocks, each of length 1
//! before it is scaled: the sentence embedding (0.5), words and word pairs (0.5), characters (0.7071); so a dot
//! product of two vectors is a kernel of weights 1/4, 1/4, 1/2.

use crate::grams::{self, Ends};
use crate::linear::Linear;
use crate::table::Table;

mod tally;

pub(crate) use tally::Counts;

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
    /// Where its words and pairs of words start, and behind them its characters.
    start: u32,
    characters: u32,
    end: u32,
    ends: Ends,
}

impl Tokens {
    fn get(&self, token: &str) -> Option<Known> {
        self.table
            .get(grams::token(token))
            .map(|id| self.known[id as usize])
    }

    /// Its words and pairs of words, and its characters.
    fn grams(&self, known: Known) -> (&[u32], &[u32]) {
        let grams = &self.grams[known.start as usize..known.end as usize];
        grams.split_at((known.characters - known.start) as usize)
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
            let mut characters = start;
            let ends = grams::within(token, |hash, is_word| {
                let gram = number(&mut self.table, &mut self.grams, hash, is_word);
                self.tokens.grams.push(gram);
                characters += u32::from(is_word);
            });
            self.tokens.known.push(Known {
                start,
                characters,
                end: self.tokens.grams.len() as u32,
                ends,
            });
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
    /// Known grams, scaled: words and pairs of words, then characters, each in the order in which the text first has them.
    pub(crate) sparse: Vec<(u32, f32)>,
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

impl Vocabulary {
    /// The number of known grams.
    pub(crate) fn len(&self) -> usize {
        self.rarity.len()
    }

    /// Counts the grams of a text that is already lower-cased.
    pub(crate) fn count(&self, text: &str) -> Counts {
        Counts::of_bytes(text.len()).tally(self.len(), |tally| {
            let (mut first, mut before) = (None, None);
            for token in text.split_whitespace() {
                tally.counts.tokens += 1;
                let ends = match self.tokens.get(token) {
                    Some(known) => {
                        let (words, characters) = self.tokens.grams(known);
                        tally.counts.grams += known.end - known.start;
                        tally.words(words.iter().map(|&gram| (gram, 1)));
                        tally.characters(characters.iter().map(|&gram| (gram, 1)));
                        known.ends
                    }
                    None => grams::within(token, |hash, is_word| tally.seen(self.table.get(hash), is_word)),
                };
                if let Some((one, last)) = ends {
                    if let Some(before) = before {
                        tally.seen(self.table.get(grams::pair(before, one)), true);
                    }
                    first = first.or(Some(one));
                    before = Some(last);
                }
            }
            tally.counts.ends = first.zip(before);
        })
    }

    /// What neighbouring texts have together.
    pub(crate) fn join(&self, parts: &[&Counts]) -> Counts {
        let [first, further @ ..] = parts else {
            return Counts::default();
        };
        if further.is_empty() {
            return (*first).clone();
        }
        Counts::of_parts(parts).tally(self.len(), |tally| {
            tally.first(first);
            let mut before = first.ends.map(|(_, last)| last);
            for part in further {
                tally.further(part);
                if let Some((first, last)) = part.ends {
                    if let Some(before) = before {
                        tally.seen(self.table.get(grams::pair(before, first)), true);
                    }
                    before = Some(last);
                }
            }
        })
    }

    /// The gram blocks of a text's vector.
    pub(crate) fn weigh(&self, counts: &Counts) -> Vec<(u32, f32)> {
        let mut sparse = Vec::with_capacity(counts.words.len() + counts.characters.len());
        for (block, scale) in self.blocks(counts) {
            sparse.extend(self.values(block).map(|(id, value)| (id, scale * value)));
        }
        sparse
    }

    /// Adds the product of a text's gram blocks with weights, without making the vector.
    pub(crate) fn add_product(&self, counts: &Counts, weights: &Linear, out: &mut [f32]) {
        for (block, scale) in self.blocks(counts) {
            weights.add_grams(self.values(block), scale, out);
        }
    }

    /// The same with one weight a gram.
    pub(crate) fn project(&self, counts: &Counts, weights: &[f32]) -> f32 {
        let projected = |(block, scale): (&[(u32, u16)], f32)| {
            let mut sums = Lanes::default();
            sums.add(block, |id, seen| self.value(id, seen) * weights[id as usize]);
            scale * sums.total()
        };
        let [words, characters] = self.blocks(counts);
        projected(words) + projected(characters)
    }

    /// Words and characters, each with what gives its values their length.
    fn blocks<'a>(&self, counts: &'a Counts) -> [(&'a [(u32, u16)], f32); 2] {
        [(&counts.words[..], HALF), (&counts.characters[..], ROOT_HALF)].map(|(block, length)| {
            let mut squares = Lanes::default();
            squares.add(block, |id, seen| {
                let value = self.value(id, seen);
                value * value
            });
            (block, length / squares.total().sqrt().max(1e-9))
        })
    }

    fn values(&self, block: &[(u32, u16)]) -> impl Iterator<Item = (u32, f32)> + Clone {
        block.iter().map(|&(id, seen)| (id, self.value(id, seen)))
    }

    /// Gives the word block and the character block of grams in order of their numbers their lengths.
    pub(crate) fn rescale(&self, sparse: &mut [(u32, f32)]) {
        let words = sparse.partition_point(|&(id, _)| self.is_word(id));
        let (words, characters) = sparse.split_at_mut(words);
        for (block, length) in [(words, HALF), (characters, ROOT_HALF)] {
            let mut squares = Lanes::default();
            squares.add(block, |_, value| value * value);
            let scale = length / squares.total().sqrt().max(1e-9);
            block.iter_mut().for_each(|(_, value)| *value *= scale);
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
        if seen == 1 {
            return rarity;
        }
        let log_count = self.log_counts.get(usize::from(seen)).copied();
        log_count.unwrap_or_else(|| 1.0 + libm::logf(f32::from(seen))) * rarity
    }
}

/// Four sums, so that one addition does not wait for the one before.
#[derive(Default)]
struct Lanes([f32; 4]);

impl Lanes {
    #[inline]
    fn add<T: Copy>(&mut self, block: &[(u32, T)], value: impl Fn(u32, T) -> f32) {
        let (fours, rest) = block.as_chunks::<4>();
        for four in fours {
            for (sum, &(id, of)) in self.0.iter_mut().zip(four) {
                *sum += value(id, of);
            }
        }
        for (sum, &(id, of)) in self.0.iter_mut().zip(rest) {
            *sum += value(id, of);
        }
    }

    fn total(&self) -> f32 {
        let [a, b, c, d] = self.0;
        (a + c) + (b + d)
    }
}

#[cfg(test)]
mod tests;
