//! A linear map from a text's vector to one number per class, and the two products everything is made of.
//!
//! Sums are written so that their order is fixed and the same in every build: element-wise over classes, and dot
//! products in eight lanes that are added up at the end.

use crate::vocabulary::Features;

const LANES: usize = 8;
/// Classes whose sums are one vector register at the baseline.
const QUAD: usize = 4;

/// The dot product of two slices of one length.
#[must_use]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    let mut rest = 0f32;
    for (x, y) in a_rest.iter().zip(b_rest) {
        rest += x * y;
    }
    let fours = [
        lanes[0] + lanes[4],
        lanes[1] + lanes[5],
        lanes[2] + lanes[6],
        lanes[3] + lanes[7],
    ];
    (fours[0] + fours[2]) + (fours[1] + fours[3]) + rest
}

/// `sum += scale * row`.
#[inline]
pub(crate) fn add_scaled(sum: &mut [f32], row: &[f32], scale: f32) {
    for (s, r) in sum.iter_mut().zip(row) {
        *s += scale * r;
    }
}

/// Weights of a linear classifier, one row of classes per input.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    /// Classes, rounded up so that rows are whole vector registers.
    width: usize,
    bias: Vec<f32>,
    dense: Vec<f32>,
    sparse: Vec<f32>,
}

impl Linear {
    /// All zeros.
    pub(crate) fn new(classes: usize, dims: usize, features: usize) -> Self {
        let width = classes.next_multiple_of(QUAD);
        Self {
            width,
            bias: vec![0.0; width],
            dense: vec![0.0; dims * width],
            sparse: vec![0.0; features * width],
        }
    }

    /// Numbers per row: the classes and some padding that stays zero.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Sets all weights to zero.
    pub(crate) fn clear(&mut self) {
        self.bias.fill(0.0);
        self.dense.fill(0.0);
        self.sparse.fill(0.0);
    }

    pub(crate) fn bias_mut(&mut self) -> &mut [f32] {
        &mut self.bias
    }

    /// `weights += x * rowᵀ`, the outer product of a vector and one number per class.
    pub(crate) fn add_outer(&mut self, x: &Features, row: &[f32]) {
        for (d, &value) in x.dense.iter().enumerate() {
            add_scaled(&mut self.dense[d * self.width..][..self.width], row, value);
        }
        for &(id, value) in &x.sparse {
            add_scaled(
                &mut self.sparse[id as usize * self.width..][..self.width],
                row,
                value,
            );
        }
    }

    /// `out = bias + weightsᵀ x`.
    pub(crate) fn apply(&self, x: &Features, out: &mut [f32]) {
        out.copy_from_slice(&self.bias);
        self.add_product(x, out);
    }

    /// `out += weightsᵀ x`.
    pub(crate) fn add_product(&self, x: &Features, out: &mut [f32]) {
        let dense = self.dense.chunks_exact(self.width).zip(x.dense.iter().copied());
        let sparse = x.sparse.iter().map(|&(id, value)| (self.row(id), value));
        self.add_rows(dense.chain(sparse), 1.0, out);
    }

    /// The bias and the product with an embedding.
    pub(crate) fn apply_dense(&self, dense: &[f32], out: &mut [f32]) {
        out.copy_from_slice(&self.bias);
        let rows = self.dense.chunks_exact(self.width).zip(dense.iter().copied());
        self.add_rows(rows, 1.0, out);
    }

    /// `out += scale * weightsᵀ x`, where `x` is given by its grams.
    pub(crate) fn add_grams(&self, x: impl Iterator<Item = (u32, f32)> + Clone, scale: f32, out: &mut [f32]) {
        self.add_rows(x.map(|(id, value)| (self.row(id), value)), scale, out);
    }

    fn row(&self, gram: u32) -> &[f32] {
        &self.sparse[gram as usize * self.width..]
    }

    /// `out += scale *` the sum of rows times their values.
    fn add_rows<'a>(
        &self,
        rows: impl Iterator<Item = (&'a [f32], f32)> + Clone,
        scale: f32,
        out: &mut [f32],
    ) {
        let mut at = 0;
        while at < self.width {
            let rows = rows.clone().map(|(row, value)| (&row[at..], value));
            let out = &mut out[at..];
            at += match self.width - at {
                16.. => add_columns::<4>(rows, scale, out),
                12.. => add_columns::<3>(rows, scale, out),
                8.. => add_columns::<2>(rows, scale, out),
                _ => add_columns::<1>(rows, scale, out),
            };
        }
    }

    /// Adds to the weight of one gram for one class.
    pub(crate) fn add_sparse(&mut self, gram: u32, class: u32, value: f32) {
        self.sparse[gram as usize * self.width + class as usize] += value;
    }

    /// Adds to the weights of an embedding for one class.
    pub(crate) fn add_dense(&mut self, class: usize, row: &[f32], scale: f32) {
        for (d, value) in row.iter().enumerate() {
            self.dense[d * self.width + class] += scale * value;
        }
    }
}

/// The sum over the first `N` times four columns, which stays in registers meanwhile; how many these are.
fn add_columns<'a, const N: usize>(
    rows: impl Iterator<Item = (&'a [f32], f32)>,
    scale: f32,
    out: &mut [f32],
) -> usize {
    let mut sums = [[0f32; QUAD]; N];
    rows.for_each(|(row, value)| {
        if let Some(row) = row.as_chunks::<QUAD>().0.first_chunk::<N>() {
            for (sums, weights) in sums.iter_mut().zip(row) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += value * weight;
                }
            }
        }
    });
    add_scaled(out, sums.as_flattened(), scale);
    QUAD * N
}

/// What tells one of two classes from the other: the difference of their weights.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) bias: f32,
    pub(crate) dense: Vec<f32>,
    pub(crate) sparse: Vec<f32>,
}

impl Linear {
    /// The second class against the first.
    pub(crate) fn difference(&self) -> Difference {
        let rows = |weights: &[f32]| {
            let rows = weights.chunks_exact(self.width);
            rows.map(|row| row[1] - row[0]).collect()
        };
        Difference {
            bias: self.bias[1] - self.bias[0],
            dense: rows(&self.dense),
            sparse: rows(&self.sparse),
        }
    }
}

/// A matrix of grams by routes that is mostly zero: per gram the routes that have it.
#[derive(Debug)]
pub(crate) struct Postings {
    /// Where each gram's entries start; one more than there are grams.
    starts: Vec<u32>,
    entries: Vec<(u32, f32)>,
}

impl Postings {
    /// From `(gram, route, weight)`, which are sorted here.
    pub(crate) fn new(grams: usize, entries: &mut [(u32, u32, f32)]) -> Self {
        entries.sort_by_key(|&(gram, route, _)| (gram, route));
        let mut starts = vec![0u32; grams + 1];
        for &(gram, ..) in entries.iter() {
            starts[gram as usize + 1] += 1;
        }
        for gram in 0..grams {
            starts[gram + 1] += starts[gram];
        }
        Self {
            starts,
            entries: entries
                .iter()
                .map(|&(_, route, weight)| (route, weight))
                .collect(),
        }
    }

    /// All `(gram, route, weight)`, by gram and route.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, u32, f32)> {
        let grams = 0..self.starts.len() - 1;
        grams.flat_map(|gram| {
            let range = self.starts[gram] as usize..self.starts[gram + 1] as usize;
            self.entries[range]
                .iter()
                .map(move |&(route, weight)| (gram as u32, route, weight))
        })
    }

    /// `out += scale * matrixᵀ x`.
    pub(crate) fn add_product(&self, x: &[(u32, f32)], scale: f32, out: &mut [f32]) {
        for &(gram, value) in x {
            let range = self.starts[gram as usize] as usize..self.starts[gram as usize + 1] as usize;
            let value = scale * value;
            for &(route, weight) in &self.entries[range] {
                out[route as usize] += value * weight;
            }
        }
    }
}
