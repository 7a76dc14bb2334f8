//! How near a prompt is to what each route says about itself.

use crate::encoder::Encoder;
use crate::linear::{Linear, dot};
use crate::text;
use crate::training::RouteText;
use crate::vocabulary::{Features, HALF, Vocabulary};

#[derive(Debug)]
pub(crate) struct Descriptions {
    dims: usize,
    /// Unit embeddings: per route the headline, then name and clauses.
    rows: Vec<f32>,
    ends: Vec<usize>,
    lexical: Linear,
}

impl Descriptions {
    pub(crate) fn new(routes: &[RouteText], encoder: &Encoder, vocabulary: &Vocabulary) -> Self {
        let dims = encoder.dims();
        let mut rows = Vec::new();
        let mut ends = Vec::new();
        let mut lexical = Linear::new(routes.len(), dims, vocabulary.len());
        let (kt, kc) = (crate::knob("dt", 0.25), crate::knob("dc", 0.5));
        for (r, route) in routes.iter().enumerate() {
            let x = vocabulary.features(encoder, &text::whole(&route.headline()));
            rows.extend(x.dense.iter().map(|v| v / HALF));
            for clause in [route.title()].iter().chain(&route.clauses()) {
                rows.extend(encoder.embed(&text::whole(clause)));
            }
            ends.push(rows.len() / dims);
            for &(id, value) in &x.sparse {
                // x has block lengths .5 and .7071: the products of two are 1/4 and 1/2 of a cosine.
                let weight = if vocabulary.is_word(id) { kt / 0.25 } else { kc / 0.5 };
                lexical.add_sparse(id, r, weight * value);
            }
        }
        Self { dims, rows, ends, lexical }
    }

    /// One number per route.
    pub(crate) fn score(&self, x: &Features) -> Vec<f32> {
        let mut out = vec![0.0; self.lexical.width()];
        self.lexical.add_product(x, &mut out);
        out.truncate(self.ends.len());
        let kd = crate::knob("dd", 0.5);
        let km = crate::knob("dm", 0.5);
        let mut start = 0;
        for (r, &end) in self.ends.iter().enumerate() {
            let row = |i: usize| dot(&x.dense, &self.rows[i * self.dims..][..self.dims]) / HALF;
            let headline = row(start);
            let best = (start + 1..end).map(row).fold(f32::MIN, f32::max);
            out[r] += kd * headline + km * best;
            start = end;
        }
        out
    }
}
