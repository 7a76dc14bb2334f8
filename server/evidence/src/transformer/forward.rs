//! The layers, for a batch of texts whose tokens lie one after the other: no padding, and no row knows of another text.

use super::attention::Attention;
use super::lanes::best;
use super::math::{Gelu, LayerNorm};
use super::matrix::Quantised;
use super::weights::{Layer, Norm, Weights};
use crate::linear::add_scaled;

impl Weights {
    /// The vectors of all tokens of all texts, in order.
    pub(super) fn forward(&self, batch: &[Vec<u32>]) -> Vec<f32> {
        let mut hidden = self.embedded(batch);
        for layer in &self.layers {
            self.attend(layer, batch, &mut hidden);
            let x = Quantised::new(&hidden, self.dims());
            let mut wide = layer.up.product(&x);
            best(Gelu(&mut wide));
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
        let attention = Attention {
            query: &q,
            key: &k,
            value: &v,
            dims,
            heads: self.heads,
        };
        let context = attention.context(batch.iter().map(Vec::len));
        let out = layer.out.product(&Quantised::new(&context, dims));
        self.add_and_norm(hidden, &out, &layer.after_attention);
    }

    fn add_and_norm(&self, hidden: &mut [f32], added: &[f32], norm: &Norm) {
        add_scaled(hidden, added, 1.0);
        self.norm(hidden, norm);
    }

    fn norm(&self, hidden: &mut [f32], norm: &Norm) {
        best(LayerNorm {
            rows: hidden,
            scale: &norm.scale,
            shift: &norm.shift,
            epsilon: self.epsilon,
        });
    }
}
