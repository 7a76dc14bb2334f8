//! How near a prompt is to what each route says about itself.
//!
//! Cosines of embeddings, words and characters to the route's headline (name and description), and the best embedding
//! cosine to its name or a clause of its description. With no (or too few) examples this is the whole classifier; with
//! some it is a prior. Examples may be averaged into the headline.

use crate::linear::{Linear, Postings, add_scaled, dot};
use crate::reader::Reader;
use crate::training::RouteText;
use crate::vocabulary::{Features, HALF, ROOT_HALF};

/// Weight of the headline's embedding cosine, and of the best clause's.
const HEADLINE: f32 = 0.5;
const CLAUSE: f32 = 0.5;
/// Weights of the word and character cosines.
const WORDS: f32 = 0.25;
const CHARACTERS: f32 = 0.5;
/// A prior up to this weight (10 examples a route or more) takes the mean clause for the best one: that costs half a
/// point of accuracy and saves a fifth of a decision. With few examples it would cost up to five points.
const LIGHT: f32 = 1.6;
/// Policies with more routes are compared by headline alone: a clause each would cost milliseconds a request.
const CLAUSES_UP_TO: usize = 256;

/// What the routes of a policy say about themselves, ready to compare.
#[derive(Debug)]
pub(crate) struct Descriptions {
    dims: usize,
    /// What is linear in the prompt's vector; none once a regression has taken it over.
    headlines: Option<Headlines>,
    /// Embeddings of names and clauses, of length 1.
    clauses: Vec<f32>,
    /// Where each route's clauses end.
    ends: Vec<usize>,
}

#[derive(Debug)]
struct Headlines {
    /// Embeddings of length 1, one a route.
    dense: Vec<f32>,
    /// What they weigh: all where a route has no clauses.
    weights: Vec<f32>,
    /// Word and character cosines.
    lexical: Postings,
}

impl Descriptions {
    pub(crate) fn new(routes: &[RouteText], with_examples: bool, reader: &Reader) -> Self {
        let dims = reader.encoder.dims();
        let (mut dense, mut weights) = (Vec::new(), Vec::new());
        let (mut clauses, mut ends) = (Vec::new(), Vec::with_capacity(routes.len()));
        let mut entries: Vec<(u32, u32, f32)> = Vec::new();
        for (number, route) in routes.iter().enumerate() {
            let mut headline = reader.vector(&route.headline());
            if with_examples && !route.examples.is_empty() {
                headline = averaged(headline, &route.examples, reader);
            }
            dense.extend(headline.dense.iter().map(|v| v / HALF));
            if routes.len() <= CLAUSES_UP_TO {
                for clause in std::iter::once(route.title()).chain(route.clauses()) {
                    clauses.extend(reader.whole(&clause).dense.iter().map(|v| v / HALF));
                }
                weights.push(HEADLINE);
            } else {
                weights.push(HEADLINE + CLAUSE);
            }
            ends.push(clauses.len());
            for &(id, value) in &headline.sparse {
                // Blocks are .5 and .7071 long: their products are 1/4 and 1/2 of a cosine.
                let weight = if reader.vocabulary.is_word(id) {
                    WORDS / (HALF * HALF)
                } else {
                    CHARACTERS / (ROOT_HALF * ROOT_HALF)
                };
                entries.push((id, number as u32, weight * value));
            }
        }
        Self {
            dims,
            headlines: Some(Headlines {
                dense,
                weights,
                lexical: Postings::new(reader.vocabulary.len(), &mut entries),
            }),
            clauses,
            ends,
        }
    }

    /// Moves what is linear in a prompt's vector into a regression's weights, times `scale`.
    pub(crate) fn fold_into(&mut self, linear: &mut Linear, scale: f32) {
        let Some(headlines) = self.headlines.take() else {
            return;
        };
        for (gram, route, weight) in headlines.lexical.entries() {
            linear.add_sparse(gram, route, scale * weight);
        }
        for (route, row) in headlines.dense.chunks_exact(self.dims).enumerate() {
            linear.add_dense(route, row, scale * headlines.weights[route] / HALF);
        }
        if scale <= LIGHT {
            self.fold_clauses(linear, scale);
        }
    }

    /// Has the mean of a route's clauses stand for the best one, which is not linear.
    fn fold_clauses(&mut self, linear: &mut Linear, scale: f32) {
        let mut start = 0;
        for (route, &end) in self.ends.iter().enumerate() {
            let clauses = self.clauses[start..end].chunks_exact(self.dims);
            let mut mean = vec![0.0; self.dims];
            clauses.for_each(|clause| add_scaled(&mut mean, clause, 1.0));
            let length = dot(&mean, &mean).sqrt().max(1e-9);
            linear.add_dense(route, &mean, scale * CLAUSE / HALF / length);
            start = end;
        }
        self.clauses = Vec::new();
        self.ends = Vec::new();
    }

    /// Adds `scale` times each route's nearness to `out`, one value per route.
    pub(crate) fn add(&self, x: &Features, scale: f32, out: &mut [f32]) {
        if let Some(headlines) = &self.headlines {
            headlines.lexical.add_product(&x.sparse, scale, out);
            for (route, row) in headlines.dense.chunks_exact(self.dims).enumerate() {
                out[route] += scale * headlines.weights[route] / HALF * dot(&x.dense, row);
            }
        }
        self.add_clauses(&x.dense, scale, out);
    }

    /// The part of that which no regression has taken over: the nearness to the best clause.
    pub(crate) fn add_clauses(&self, dense: &[f32], scale: f32, out: &mut [f32]) {
        let scale = scale * CLAUSE / HALF;
        let mut start = 0;
        for (out, &end) in out.iter_mut().zip(&self.ends) {
            let rows = self.clauses[start..end].chunks_exact(self.dims);
            if let Some(best) = rows.map(|row| dot(dense, row)).reduce(f32::max) {
                *out += scale * best;
            }
            start = end;
        }
    }
}

/// The mean of a headline and its route's examples, each block as long as before.
fn averaged(headline: Features, examples: &[String], reader: &Reader) -> Features {
    let mut sum = headline;
    for example in examples {
        let x = reader.vector(example);
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
    reader.vocabulary.rescale(&mut sum.sparse);
    sum
}
