//! Self-attention: what each token takes from the others of its text. Called once a layer.
//!
//! Eight tokens are looked at together, each in a lane of its own, so that nothing depends on how wide a CPU's
//! registers are.

use super::lanes::{EIGHT, Eight, Lanes, Work, best};
use super::math::exp;

/// The rows of a batch of texts, one after the other, each as wide as all heads together.
pub(super) struct Attention<'a> {
    pub(super) query: &'a [f32],
    pub(super) key: &'a [f32],
    pub(super) value: &'a [f32],
    pub(super) dims: usize,
    pub(super) heads: usize,
}

impl Attention<'_> {
    /// What the tokens take, for texts of these numbers of tokens.
    pub(super) fn context(&self, lengths: impl Iterator<Item = usize>) -> Vec<f32> {
        let mut context = vec![0f32; self.query.len()];
        let mut start = 0;
        for length in lengths {
            let range = start * self.dims..(start + length) * self.dims;
            best(Text {
                query: &self.query[range.clone()],
                key: &self.key[range.clone()],
                value: &self.value[range.clone()],
                dims: self.dims,
                head: self.dims / self.heads,
                context: &mut context[range],
            });
            start += length;
        }
        context
    }
}

/// The rows of one text.
struct Text<'a> {
    query: &'a [f32],
    key: &'a [f32],
    value: &'a [f32],
    dims: usize,
    head: usize,
    context: &'a mut [f32],
}

impl Work for Text<'_> {
    type Done = ();

    #[inline(always)]
    fn by(self, lanes: impl Lanes) {
        let Self { dims, head, .. } = self;
        let scale = 1.0 / (head as f32).sqrt();
        let mut queries = vec![[0f32; EIGHT]; head];
        let mut weights = vec![[0f32; EIGHT]; self.query.len() / dims];
        let rows = self.query.chunks(EIGHT * dims);
        for (query, context) in rows.zip(self.context.chunks_mut(EIGHT * dims)) {
            for at in (0..dims).step_by(head) {
                for (row, values) in query.chunks_exact(dims).enumerate() {
                    for (query, value) in queries.iter_mut().zip(&values[at..at + head]) {
                        query[row] = *value;
                    }
                }
                for (weights, key) in weights.iter_mut().zip(self.key.chunks_exact(dims)) {
                    *weights = nearness(lanes, &queries, &key[at..at + head], scale);
                }
                softmax(lanes, &mut weights);
                let mut done = 0;
                while done < head {
                    let at = at + done;
                    done += match head - done {
                        EIGHT.. => gather::<_, EIGHT>(lanes, &weights, self.value, context, dims, at),
                        _ => gather::<_, 1>(lanes, &weights, self.value, context, dims, at),
                    };
                }
            }
        }
    }
}

/// The dot products of queries with a key, each as [`crate::linear::dot`] has it.
#[inline(always)]
fn nearness<L: Lanes>(lanes: L, queries: &[Eight], key: &[f32], scale: f32) -> Eight {
    let mut sums = [lanes.all(0.0); EIGHT];
    let (query_eights, query_rest) = queries.as_chunks::<EIGHT>();
    let (key_eights, key_rest) = key.as_chunks::<EIGHT>();
    for (queries, key) in query_eights.iter().zip(key_eights) {
        for at in 0..EIGHT {
            sums[at] = lanes.add_product(sums[at], lanes.read(&queries[at]), lanes.all(key[at]));
        }
    }
    let mut rest = lanes.all(0.0);
    for (queries, key) in query_rest.iter().zip(key_rest) {
        rest = lanes.add_product(rest, lanes.read(queries), lanes.all(*key));
    }
    let [a, b, c, d, e, f, g, h] = sums;
    let even = lanes.add(lanes.add(a, e), lanes.add(c, g));
    let odd = lanes.add(lanes.add(b, f), lanes.add(d, h));
    let dot = lanes.add(lanes.add(even, odd), rest);
    lanes.write(lanes.mul(lanes.all(scale), dot))
}

/// Of each token's nearness to all, as [`crate::regression::softmax`] has it.
#[inline(always)]
fn softmax<L: Lanes>(lanes: L, weights: &mut [Eight]) {
    let mut top = lanes.all(f32::MIN);
    for weights in weights.iter() {
        top = lanes.larger(lanes.read(weights), top);
    }
    let mut sum = lanes.all(0.0);
    for weights in weights.iter_mut() {
        let weight = exp(lanes, lanes.sub(lanes.read(weights), top));
        sum = lanes.add(sum, weight);
        *weights = lanes.write(weight);
    }
    for weights in weights.iter_mut() {
        *weights = lanes.write(lanes.div(lanes.read(weights), sum));
    }
}

/// Sums up `N` columns of all values, by each token's weights; how many these are.
#[inline(always)]
fn gather<L: Lanes, const N: usize>(
    lanes: L,
    weights: &[Eight],
    value: &[f32],
    context: &mut [f32],
    dims: usize,
    at: usize,
) -> usize {
    let mut sums = [lanes.all(0.0); N];
    for (weights, value) in weights.iter().zip(value.chunks_exact(dims)) {
        let weights = lanes.read(weights);
        if let Some(values) = value[at..].first_chunk::<N>() {
            for column in 0..N {
                sums[column] = lanes.add_product(sums[column], weights, lanes.all(values[column]));
            }
        }
    }
    for (column, sums) in sums.into_iter().enumerate() {
        for (context, sum) in context.chunks_exact_mut(dims).zip(lanes.write(sums)) {
            context[at + column] = sum;
        }
    }
    N
}

#[cfg(test)]
mod tests {
    use super::super::lanes::by_all;
    use super::*;
    use crate::linear::{add_scaled, dot};

    /// Texts of these many tokens, heads and dimensions a head.
    #[derive(Clone, Copy)]
    struct Shape(usize, usize, usize);

    const SHAPES: [Shape; 5] = [
        Shape(1, 1, 1),
        Shape(3, 2, 8),
        Shape(8, 12, 32),
        Shape(11, 2, 13),
        Shape(25, 3, 21),
    ];

    impl Shape {
        fn rows(self, seed: usize) -> Vec<f32> {
            let values = 0..self.0 * self.1 * self.2;
            values
                .map(|n| ((n + seed) * 7919 % 8191) as f32 / 2000.0 - 2.0)
                .collect()
        }

        /// One token, one head, one other token at a time.
        fn plainly(self) -> Vec<f32> {
            let Self(tokens, heads, head) = self;
            let (query, key, value) = (self.rows(1), self.rows(2), self.rows(3));
            let mut context = vec![0f32; query.len()];
            for (token, at) in (0..tokens).flat_map(|token| (0..heads).map(move |at| (token, at))) {
                let part = |token: usize| (token * heads + at) * head..(token * heads + at + 1) * head;
                let scale = 1.0 / (head as f32).sqrt();
                let near = (0..tokens).map(|other| scale * dot(&query[part(token)], &key[part(other)]));
                let mut weights: Vec<f32> = near.collect();
                crate::regression::softmax(&mut weights);
                for (other, weight) in weights.iter().enumerate() {
                    add_scaled(&mut context[part(token)], &value[part(other)], *weight);
                }
            }
            context
        }
    }

    impl Work for Shape {
        type Done = Vec<f32>;

        #[inline(always)]
        fn by(self, lanes: impl Lanes) -> Vec<f32> {
            let (query, key, value) = (self.rows(1), self.rows(2), self.rows(3));
            let mut context = vec![0f32; query.len()];
            let text = Text {
                query: &query,
                key: &key,
                value: &value,
                dims: self.1 * self.2,
                head: self.2,
                context: &mut context,
            };
            text.by(lanes);
            context
        }
    }

    #[test]
    fn eight_tokens_together_have_the_bits_of_each_alone_on_every_cpu() {
        for shape in SHAPES {
            for context in by_all(shape) {
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&context), bits(&shape.plainly()));
            }
        }
    }
}
