//! The layers, for a batch of texts whose tokens lie one after the other: no padding, and no row knows of another text.

use super::math::{gelu, layer_norm};
use super::matrix::Quantised;
use super::weights::{Layer, Norm, Weights};
use crate::linear::{add_scaled, dot};

impl Weights {
    /// The vectors of all tokens of all texts, in order.
    pub(super) fn forward(&self, batch: &[Vec<u32>]) -> Vec<f32> {
        let mut hidden = self.embedded(batch);
        for layer in &self.layers {
            self.attend(layer, batch, &mut hidden);
            let x = Quantised::new(&hidden, self.dims());
            let mut wide = layer.up.product(&x);
            gelu(&mut wide);
            let out = layer.down.product(&Quantised::new(&wide, layer.up.outs()));
            self.add_and_norm(&mut hidden, &out, &layer.after_feed);
        }
        hidden
    }

    fn embedded(&self, batch: &[Vec<u32>]) -> Vec<f32> {
        let dims = self.dims();
        let mut hidden = Vec::with_capacity(dims * batch.iter().map(Vec::len).sum::<usize>());
        for ids in batch {
            for (&id, position) in ids.iter().zip(self.positions.chunks_exact(dims)) {
                let word = self.words.row(id as usize);
                let placed = word.zip(position).zip(&self.kind);
                hidden.extend(placed.map(|((word, position), kind)| word + position + kind));
            }
        }
        self.norm(&mut hidden, &self.after_words);
        hidden
    }

    /// Self-attention within each text, and what comes of it added.
    fn attend(&self, layer: &Layer, batch: &[Vec<u32>], hidden: &mut [f32]) {
        let dims = self.dims();
        let x = Quantised::new(hidden, dims);
        let [q, k, v] = [&layer.query, &layer.key, &layer.value].map(|linear| linear.product(&x));
        let head = dims / self.heads;
        let scale = 1.0 / (head as f32).sqrt();
        let mut context = vec![0f32; hidden.len()];
        let mut weights = Vec::new();
        let mut start = 0;
        for ids in batch {
            for at in (0..dims).step_by(head) {
                let part =
                    |rows: &'_ [f32], row: usize| row * dims + at..row * dims + at + rows.len().min(head);
                for row in start..start + ids.len() {
                    let query = &q[part(&q, row)];
                    weights.clear();
                    weights.extend((start..start + ids.len()).map(|o| scale * dot(query, &k[part(&k, o)])));
                    crate::regression::softmax(&mut weights);
                    let into = &mut context[row * dims + at..][..head];
                    for (other, weight) in (start..).zip(&weights) {
                        add_scaled(into, &v[part(&v, other)], *weight);
                    }
                }
            }
            start += ids.len();
        }
        let out = layer.out.product(&Quantised::new(&context, dims));
        self.add_and_norm(hidden, &out, &layer.after_attention);
    }

    fn add_and_norm(&self, hidden: &mut [f32], added: &[f32], norm: &Norm) {
        add_scaled(hidden, added, 1.0);
        self.norm(hidden, norm);
    }

    fn norm(&self, hidden: &mut [f32], norm: &Norm) {
        for row in hidden.chunks_exact_mut(self.dims()) {
            layer_norm(row, &norm.scale, &norm.shift, self.epsilon);
        }
    }
}
