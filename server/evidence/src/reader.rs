//! From texts to vectors: a sentence is looked at once, and every view of a prompt is put together from its sentences.
//!
//! Called by everything that trains or classifies. The vector of several sentences has the counts of all their grams
//! (and of the word pairs between them) and the mean of their embeddings, each weighing as many words as it has.

use std::sync::Arc;

use crate::encoder::Encoder;
use crate::lexicon::{self, Touched};
use crate::linear::{Difference, add_scaled, dot};
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

    /// The vector of neighbouring texts, with the English words of the concepts that they touch.
    pub(crate) fn features(&self, parts: &[&Lexed]) -> Features {
        let added = lexicon::added(parts.iter().map(|part| &part.touched));
        if added.is_empty() {
            return self.vector(parts);
        }
        let added = added.into_iter().map(|number| &self.concepts[number]);
        let parts: Vec<&Lexed> = parts.iter().copied().chain(added).collect();
        self.vector(&parts)
    }

    /// The vector of any text: both ends of a long one.
    pub(crate) fn whole(&self, text: &str) -> Features {
        self.features(&[&self.lex(&text::whole(text))])
    }

    fn vector(&self, parts: &[&Lexed]) -> Features {
        let counts: Vec<&Counts> = parts.iter().map(|part| &part.counts).collect();
        let mut features = self.vocabulary.weigh(&counts);
        features.dense = vec![0.0; self.encoder.dims()];
        for part in parts {
            add_scaled(&mut features.dense, &part.embedding, part.counts.tokens as f32);
        }
        let length = dot(&features.dense, &features.dense).sqrt().max(1e-9);
        for value in &mut features.dense {
            *value *= HALF / length;
        }
        features
    }
}
