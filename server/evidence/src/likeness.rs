//! Whether two requests ask for the same, so that the answer to one may stand for the other: what the server's semantic
//! cache is keyed by and verified with.
//!
//! Embeddings alone cannot tell: `turn it on` and `turn it off`, two target languages or two names swapped are nearer to each
//! other than many a pair of honest paraphrases. So a request is first written down canonically (`canonical`): politeness,
//! articles and inflection go, every word with a meaning stays in its place. [`Likeness::signature`] is a locality-sensitive
//! hash of that text's embedding, by the signs of its products with fixed random hyperplanes (Charikar, STOC 2002); it finds
//! a candidate. [`Likeness::same`] decides: equal canonical texts, and embeddings of the texts as they were written that are
//! near, which keeps out what is mostly politeness.

mod canonical;

use std::sync::LazyLock;

use crate::encoder::Encoder;

/// Hyperplanes of the signature.
const PLANES: usize = 64;

/// Least cosine of two texts as they were written.
const NEAR: f32 = 0.5;

/// What is kept of a request to compare it with others: some 300 bytes, from which the words could be guessed. It is prompt
/// data: it stays in memory.
#[derive(Clone, PartialEq)]
pub struct Likeness {
    signature: u64,
    /// A keyed hash of the canonical text.
    canonical: [u8; 16],
    /// The embedding of the text as it was written, each value in 1/127 of the largest.
    written: Box<[i8]>,
}

// Prompts are private: a `{:?}` that slips into a log shows nothing.
impl std::fmt::Debug for Likeness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Likeness").finish_non_exhaustive()
    }
}

impl Likeness {
    /// Reads a text; `None` where nothing of it is left to compare. `secret` keys the hash of what the text says. About
    /// 7 µs for a short prompt, half of them its two embeddings, and twice the embedding of a long one.
    #[must_use]
    pub fn of(encoder: &Encoder, text: &str, secret: &[u8; 32]) -> Option<Self> {
        let canonical = canonical::canonical(text);
        if canonical.is_empty() {
            return None;
        }
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::keyed_hash(secret, canonical.as_bytes()).as_bytes()[..16]);
        Some(Likeness {
            signature: signature(&encoder.embed(&canonical)),
            canonical: hash,
            written: quantised(&encoder.embed(text)),
        })
    }

    /// The locality-sensitive hash: equal for equal canonical texts, and differing in few bits for near ones.
    #[must_use]
    pub fn signature(&self) -> u64 {
        self.signature
    }

    /// The keyed hash of the canonical text.
    #[must_use]
    pub fn canonical(&self) -> &[u8; 16] {
        &self.canonical
    }

    /// Whether two requests ask for the same.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.canonical == other.canonical && self.cosine(other) >= NEAR
    }

    /// The cosine of both texts as they were written, -1 to 1.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> f32 {
        let product =
            |a: &[i8], b: &[i8]| -> i32 { a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum() };
        let (own, theirs) = (&self.written, &other.written);
        let lengths = f64::from(product(own, own)) * f64::from(product(theirs, theirs));
        if lengths == 0.0 {
            return 0.0;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a cosine")]
        let cosine = (f64::from(product(own, theirs)) / lengths.sqrt()) as f32;
        cosine
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.written.len()
    }
}

/// Values of a vector that are turned together; a longer one is folded onto them.
const TURNED: usize = 256;

/// Signs of two random diagonal matrices, from a fixed sequence of bits.
static SIGNS: LazyLock<[[f32; TURNED]; 2]> = LazyLock::new(|| {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bits = || {
        // xorshift64 (Marsaglia, 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    std::array::from_fn(|_| {
        let mut signs = [1.0; TURNED];
        for part in signs.chunks_mut(64) {
            let bits = bits();
            for (at, sign) in part.iter_mut().enumerate() {
                *sign = if bits >> at & 1 == 1 { 1.0 } else { -1.0 };
            }
        }
        signs
    })
});

/// The signs of the first values after a random turn: two rounds of random signs and a Walsh-Hadamard transform stand for
/// independent hyperplanes at a tenth of their cost (Andoni et al., Practical and Optimal LSH for Angular Distance, NIPS 2015).
fn signature(vector: &[f32]) -> u64 {
    let mut turned = [0.0_f32; TURNED];
    for part in vector.chunks(TURNED) {
        turned.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    for signs in SIGNS.iter() {
        turned
            .iter_mut()
            .zip(signs)
            .for_each(|(value, sign)| *value *= sign);
        hadamard(&mut turned);
    }
    let bits = turned.iter().take(PLANES).enumerate();
    bits.fold(0, |bits, (at, value)| bits | u64::from(*value > 0.0) << at)
}

/// The Walsh-Hadamard transform, not scaled. Each sum has one order, so every processor has the same bits.
fn hadamard(values: &mut [f32; TURNED]) {
    let mut half = TURNED / 2;
    while half > 0 {
        for block in values.chunks_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half /= 2;
    }
}

/// Each value in 1/127 of the largest, rounded.
fn quantised(vector: &[f32]) -> Box<[i8]> {
    // What is added puts the rounded value into the last bits of the sum; `round` is a call on older processors.
    const LAST_BITS: f32 = 12_582_912.0;
    let mut largest = [0.0_f32; 8];
    for part in vector.chunks(largest.len()) {
        for (largest, value) in largest.iter_mut().zip(part) {
            *largest = if value.abs() > *largest {
                value.abs()
            } else {
                *largest
            };
        }
    }
    let largest = largest.into_iter().fold(0.0, f32::max);
    let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, reason = "at most 127, in two's complement")]
    let small = |value: &f32| (value * scale + LAST_BITS).to_bits() as u8 as i8;
    vector.iter().map(small).collect()
}

#[cfg(test)]
mod tests;
