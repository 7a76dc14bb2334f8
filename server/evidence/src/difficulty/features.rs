//! A prompt as a sparse vector: words and pairs of words, runs of 2 to 4 characters, five figures of its surface. Each
//! block of grams is weighted by rarity and has length 1 before it is scaled, so a dot product is a kernel of weights
//! 1/2, 1/2 and 0.3.

use crate::grams;
use crate::table::Table;
use crate::text;

/// Bytes of a prompt that are read.
const MOST_BYTES: usize = 8_000;
/// Characters whose runs are read: the beginning says what is asked, and a long tail would drown it.
const RUN_CHARACTERS: usize = 400;
/// Prompts that a word, and a run of characters, must be in to count.
const LEAST_PROMPTS: [u32; 2] = [2, 3];
/// Scale of the surface figures, the square root of their weight in the kernel.
const SURFACE_SCALE: f64 = 0.547_722_557_505_166_1;
/// Number of surface figures.
pub(super) const SURFACE: usize = 5;

/// A prompt's grams, each with its value, in the order in which the prompt first has them; then its surface.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) grams: Vec<(u32, f32)>,
    pub(super) surface: [f64; SURFACE],
}

/// Counts in how many prompts each gram is.
#[derive(Debug)]
pub(super) struct Builder {
    table: Table,
    /// Prompts with the gram, the last of them, the block.
    seen: Vec<(u32, u32, usize)>,
    prompts: u32,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            table: Table::new(),
            seen: Vec::new(),
            prompts: 0,
        }
    }
}

/// The grams that count, and how rare they are.
#[derive(Debug)]
pub(super) struct Space {
    table: Table,
    /// Rarity and block; a gram in too few prompts has rarity 0.
    grams: Vec<(f32, usize)>,
}

/// Calls `sink` with every gram of a prompt and its block: 0 for words, 1 for characters.
fn grams_of(prompt: &str, mut sink: impl FnMut(u64, usize)) {
    let lower = text::lower(prompt);
    let mut before = None;
    grams::words(&lower, |word| {
        sink(grams::finish(word), 0);
        if let Some(before) = before {
            sink(grams::pair(before, word), 0);
        }
        before = Some(word);
    });
    for token in text::first(&lower, RUN_CHARACTERS).split_whitespace() {
        grams::characters(token, 2, |gram| sink(gram, 1));
    }
}

fn bounded(prompt: &str) -> &str {
    &prompt[..prompt.floor_char_boundary(MOST_BYTES)]
}

impl Builder {
    pub(super) fn add(&mut self, prompt: &str) {
        self.prompts += 1;
        grams_of(bounded(prompt), |hash, block| {
            let (id, new) = self.table.insert(hash);
            if new {
                self.seen.push((0, 0, block));
            }
            let (prompts, last, _) = &mut self.seen[id as usize];
            if *last != self.prompts {
                (*prompts, *last) = (*prompts + 1, self.prompts);
            }
        });
    }

    pub(super) fn finish(mut self) -> Space {
        let all = self.prompts as f32;
        let rarity = |&(prompts, _, block): &(u32, u32, usize)| {
            let counts = prompts >= LEAST_PROMPTS[block];
            let rarity = libm::logf((1.0 + all) / (1.0 + prompts as f32)) + 1.0;
            (if counts { rarity } else { 0.0 }, block)
        };
        let grams = self.seen.iter().map(rarity).collect();
        self.table.freeze();
        Space {
            table: self.table,
            grams,
        }
    }
}

impl Space {
    /// Number of grams, those that do not count among them.
    pub(super) fn len(&self) -> usize {
        self.grams.len()
    }

    /// A prompt's vector.
    pub(super) fn row(&self, prompt: &str) -> Row {
        let prompt = bounded(prompt);
        let mut ids: Vec<u32> = Vec::with_capacity(prompt.len() * 2);
        grams_of(prompt, |hash, _| {
            if let Some(id) = self.table.get(hash).filter(|&id| self.grams[id as usize].0 > 0.0) {
                ids.push(id);
            }
        });
        ids.sort_unstable();
        let mut grams: Vec<(u32, f32)> = Vec::with_capacity(ids.len());
        let mut squares = [0f32; 2];
        for same in ids.chunk_by(|a, b| a == b) {
            let (rarity, block) = self.grams[same[0] as usize];
            let value = (1.0 + libm::logf(same.len() as f32)) * rarity;
            squares[block] += value * value;
            grams.push((same[0], value));
        }
        let scales = squares.map(|square| std::f32::consts::FRAC_1_SQRT_2 / square.sqrt().max(1e-9));
        for (id, value) in &mut grams {
            *value *= scales[self.grams[*id as usize].1];
        }
        Row {
            grams,
            surface: surface(prompt),
        }
    }
}

/// Length, words, digits, lines and signs of mathematics, each about 0 to 1.
fn surface(prompt: &str) -> [f64; SURFACE] {
    let (mut length, mut digits, mut lines, mut signs) = (0u32, 0u32, 0u32, 0u32);
    for c in prompt.chars() {
        length += 1;
        digits += u32::from(c.is_ascii_digit());
        lines += u32::from(c == '\n');
        signs += u32::from("=+*/^\\$".contains(c));
    }
    let words = prompt.split_whitespace().count() as f64;
    let share = |count: u32| f64::from(count) / f64::from(length.max(1));
    [
        libm::log1p(f64::from(length)) / 8.0,
        libm::log1p(words) / 6.0,
        share(digits) * 5.0,
        (f64::from(lines) / 10.0).min(1.0),
        share(signs) * 10.0,
    ]
    .map(|figure| figure * SURFACE_SCALE)
}
