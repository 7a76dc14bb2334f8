//! From texts to vectors: a sentence is looked at once, and every view of a prompt is put together from its sentences.
//!
//! Called by everything that trains or classifies. The vector of several sentences has the counts of all their grams
//! (and of the word pairs between them) and the mean of their embeddings, each weighing as many words as it has.

use std::sync::Arc;

use crate::encoder::Encoder;
use crate::lexicon::{self, Touched};
use crate::linear::{Difference, Linear, add_scaled, dot};
use crate::text;
use crate::vocabulary::{Counts, Features, HALF, Vocabulary};

/// The encoder and the grams of one policy.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) encoder: Arc<Encoder>,
    pub(crate) vocabulary: Vocabulary,
    /// The English words of every concept of the lexicon: most prompts touch one.
    concepts: Vec<Lexed>,
}

/// A lower-cased text, looked at once.
#[derive(Debug)]
pub(crate) struct Lexed {
    counts: Counts,
    embedding: Vec<f32>,
    touched: Touched,
}

/// Neighbouring texts as one: all that their vector is made of.
#[derive(Debug)]
pub(crate) struct Joined {
    /// The embedding, scaled.
    pub(crate) dense: Vec<f32>,
    pub(crate) counts: Counts,
}

impl Reader {
    pub(crate) fn new(encoder: Arc<Encoder>, vocabulary: Vocabulary) -> Self {
        let mut reader = Self {
            encoder,
            vocabulary,
            concepts: Vec::new(),
        };
        reader.concepts = lexicon::concepts()
            .iter()
            .map(|words| reader.lex(words))
            .collect();
        reader
    }

    /// Looks at a text that is already lower-cased.
    pub(crate) fn lex(&self, text: &str) -> Lexed {
        Lexed {
            counts: self.vocabulary.count(text),
            embedding: self.encoder.embed(text),
            touched: lexicon::touched(text),
        }
    }

    /// How far a text, as it is, lies on the second side of a difference; 0 is the border.
    pub(crate) fn project(&self, lexed: &Lexed, side: &Difference) -> f32 {
        let dense = HALF * dot(&lexed.embedding, &side.dense);
        side.bias + dense + self.vocabulary.project(&lexed.counts, &side.sparse)
    }

    /// Neighbouring texts as one, with the English words of the concepts that they touch.
    pub(crate) fn join(&self, parts: &[&Lexed]) -> Joined {
        let added = lexicon::added(parts.iter().map(|part| &part.touched));
        let added = added.into_iter().map(|number| &self.concepts[number]);
        let parts: Vec<&Lexed> = parts.iter().copied().chain(added).collect();
        let mut dense = vec![0.0; self.encoder.dims()];
        for part in &parts {
            add_scaled(&mut dense, &part.embedding, part.counts.tokens as f32);
        }
        let length = dot(&dense, &dense).sqrt().max(1e-9);
        for value in &mut dense {
            *value *= HALF / length;
        }
        let counts: Vec<&Counts> = parts.iter().map(|part| &part.counts).collect();
        Joined {
            dense,
            counts: self.vocabulary.join(&counts),
        }
    }

    /// Any text as one: both ends of a long one.
    pub(crate) fn whole(&self, text: &str) -> Joined {
        self.join(&[&self.lex(&text::whole(text))])
    }

    /// The vector of what was joined.
    pub(crate) fn features(&self, joined: &Joined) -> Features {
        Features {
            dense: joined.dense.clone(),
            sparse: self.vocabulary.weigh(&joined.counts),
        }
    }

    /// The vector of any text: both ends of a long one.
    pub(crate) fn vector(&self, text: &str) -> Features {
        self.features(&self.whole(text))
    }

    /// `out = bias + weightsᵀ x`, without making the vector.
    pub(crate) fn apply(&self, weights: &Linear, joined: &Joined, out: &mut [f32]) {
        weights.apply_dense(&joined.dense, out);
        self.vocabulary.add_product(&joined.counts, weights, out);
    }
}
