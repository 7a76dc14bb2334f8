//! How near a prompt is to what each route says about itself.
//!
//! Cosines of embeddings, words and characters to the route's headline (name and description), and the best embedding
//! cosine to its name or a clause of its description. With no (or too few) examples this is the whole classifier; with
//! some it is a prior. In a policy too large for regression the examples are averaged into the headline.

use crate::encoder::Encoder;
use crate::linear::{Postings, dot};
use crate::text;
use crate::training::RouteText;
use crate::vocabulary::{Features, HALF, ROOT_HALF, Vocabulary};

/// Weight of the headline's embedding cosine, and of the best clause's.
const HEADLINE: f32 = 0.5;
const CLAUSE: f32 = 0.5;
/// Weights of the word and character cosines.
const WORDS: f32 = 0.25;
const CHARACTERS: f32 = 0.5;
/// Policies with more routes are compared by headline alone: a clause each would cost milliseconds a request.
const CLAUSES_UP_TO: usize = 256;

/// What the routes of a policy say about themselves, ready to compare.
#[derive(Debug)]
pub(crate) struct Descriptions {
    dims: usize,
    /// Embeddings of length 1: per route the headline, then name and clauses.
    rows: Vec<f32>,
    /// Where each route's rows end.
    ends: Vec<usize>,
    /// Word and character cosines.
    lexical: Postings,
}

impl Descriptions {
    pub(crate) fn new(
        routes: &[RouteText],
        with_examples: bool,
        encoder: &Encoder,
        vocabulary: &Vocabulary,
    ) -> Self {
        let dims = encoder.dims();
        let mut rows = Vec::new();
        let mut ends = Vec::with_capacity(routes.len());
        let mut entries: Vec<(u32, u32, f32)> = Vec::new();
        for (number, route) in routes.iter().enumerate() {
            let mut headline = vocabulary.features(encoder, &text::whole(&route.headline()));
            if with_examples && !route.examples.is_empty() {
                headline = averaged(headline, &route.examples, encoder, vocabulary);
            }
            rows.extend(headline.dense.iter().map(|v| v / HALF));
            if routes.len() <= CLAUSES_UP_TO {
                for clause in std::iter::once(route.title()).chain(route.clauses()) {
                    rows.extend(encoder.embed(&text::whole(&clause)));
                }
            }
            ends.push(rows.len() / dims);
            for &(id, value) in &headline.sparse {
                // Blocks are .5 and .7071 long: their products are 1/4 and 1/2 of a cosine.
                let weight = if vocabulary.is_word(id) {
                    WORDS / (HALF * HALF)
                } else {
                    CHARACTERS / (ROOT_HALF * ROOT_HALF)
                };
                entries.push((id, number as u32, weight * value));
            }
        }
        Self {
            dims,
            rows,
            ends,
            lexical: Postings::new(vocabulary.len(), &mut entries),
        }
    }

    /// Adds `scale` times each route's nearness to `out`, one value per route.
    pub(crate) fn add(&self, x: &Features, scale: f32, out: &mut [f32]) {
        self.lexical.add_product(&x.sparse, scale, out);
        let scale = scale / HALF;
        let row = |i: usize| dot(&x.dense, &self.rows[i * self.dims..][..self.dims]);
        let mut start = 0;
        for (out, &end) in out.iter_mut().zip(&self.ends) {
            let headline = row(start);
            let best = (start + 1..end).map(row).fold(f32::MIN, f32::max);
            let best = if end > start + 1 { best } else { headline };
            *out += scale * (HEADLINE * headline + CLAUSE * best);
            start = end;
        }
    }
}

/// The mean of a headline and its route's examples, each block as long as before.
fn averaged(headline: Features, examples: &[String], encoder: &Encoder, vocabulary: &Vocabulary) -> Features {
    let mut sum = headline;
    for example in examples {
        let x = vocabulary.features(encoder, &text::whole(example));
        for (total, value) in sum.dense.iter_mut().zip(&x.dense) {
            *total += value;
        }
        sum.sparse.extend(x.sparse);
    }
    sum.sparse.sort_by_key(|&(id, _)| id);
    sum.sparse.dedup_by(|from, into| {
        let same = from.0 == into.0;
        if same {
            into.1 += from.1;
        }
        same
    });
    let length = dot(&sum.dense, &sum.dense).sqrt().max(1e-9);
    for value in &mut sum.dense {
        *value *= HALF / length;
    }
    vocabulary.rescale(&mut sum.sparse);
    sum
}
