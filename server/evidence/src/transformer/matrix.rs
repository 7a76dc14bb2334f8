//! Rows of int8 weights with one scale each, and their product with activations of 13 bits: exact integer sums.

use std::borrow::Cow;

use super::lanes::{self, Lanes, Step, Work};

/// The largest activation. A row of 4,096 products with weights up to 127 then still fits 32 bits.
const LARGEST: f32 = 4095.0;
/// The longest row of weights.
pub(super) const LONGEST: usize = 4096;
/// Weight rows at a time, and activation rows: eight sums stay in registers.
const OUTS: usize = 4;
const INS: usize = 2;

/// Weights of int8, a row for each output.
#[derive(Debug)]
pub(super) struct Matrix {
    /// Two's complement.
    pub(super) weights: Cow<'static, [u8]>,
    /// What a weight of 1 stands for, by row.
    pub(super) scales: Vec<f32>,
    /// Weights a row.
    pub(super) columns: usize,
}

/// Rows of activations as whole numbers, with what 1 stands for.
pub(super) struct Quantised {
    values: Vec<Step>,
    scales: Vec<f32>,
    /// Steps a row, zeros at its end among them.
    steps: usize,
}

impl Quantised {
    pub(super) fn new(rows: &[f32], columns: usize) -> Self {
        lanes::best(Quantise { rows, columns })
    }
}

struct Quantise<'a> {
    rows: &'a [f32],
    columns: usize,
}

impl Work for Quantise<'_> {
    type Done = Quantised;

    #[inline(always)]
    fn by(self, _: impl Lanes) -> Quantised {
        let steps = self.columns.div_ceil(Step::VALUES);
        let count = self.rows.len() / self.columns;
        let (mut values, mut scales) = (vec![Step::ZERO; count * steps], Vec::with_capacity(count));
        let mut flat = vec![0i16; steps * Step::VALUES];
        for (row, into) in self
            .rows
            .chunks_exact(self.columns)
            .zip(values.chunks_exact_mut(steps))
        {
            let largest = largest(row);
            let factor = LARGEST / largest;
            for (flat, value) in flat.iter_mut().zip(row) {
                *flat = whole(value * factor);
            }
            for (into, flat) in into.iter_mut().zip(flat.as_chunks().0) {
                into.0 = *flat;
            }
            scales.push(largest / LARGEST);
        }
        Quantised {
            values,
            scales,
            steps,
        }
    }
}

/// The largest magnitude, in any order the same.
#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    const LANES: usize = 16;
    let larger = |most: f32, value: f32| if value > most { value } else { most };
    let mut lanes = [1e-12f32; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, value.abs());
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = larger(*lane, value.abs());
    }
    lanes.into_iter().fold(0.0, larger)
}

/// The nearest whole number, even of two: adding 1.5 × 2²³ leaves it in the low bits. Any value up to 2²² will do.
#[inline(always)]
fn whole(value: f32) -> i16 {
    ((value + 12_582_912.0).to_bits() & 0xffff) as u16 as i16
}

impl Matrix {
    /// Outputs.
    pub(super) fn rows(&self) -> usize {
        self.scales.len()
    }

    /// One row, as it was before it was made int8.
    pub(super) fn row(&self, at: usize) -> impl Iterator<Item = f32> {
        let scale = self.scales[at];
        let row = &self.weights[at * self.columns..][..self.columns];
        row.iter().map(move |&weight| f32::from(weight as i8) * scale)
    }

    /// For each row of `x` all outputs: weights times the row, plus `bias`.
    pub(super) fn product(&self, x: &Quantised, bias: &[f32]) -> Vec<f32> {
        let matrix = self;
        lanes::best(Product { matrix, x, bias })
    }
}

#[derive(Clone, Copy)]
struct Product<'a> {
    matrix: &'a Matrix,
    x: &'a Quantised,
    bias: &'a [f32],
}

impl Work for Product<'_> {
    type Done = Vec<f32>;

    #[inline(always)]
    fn by(self, lanes: impl Lanes) -> Vec<f32> {
        let Self { matrix, x, bias } = self;
        let (outs, rows) = (matrix.rows(), x.scales.len());
        let mut out = vec![0f32; rows * outs];
        let mut block = vec![[Step::ZERO; OUTS]; x.steps];
        for first in (0..outs).step_by(OUTS) {
            let count = OUTS.min(outs - first);
            for (at, weights) in (first..first + count).enumerate() {
                let weights = &matrix.weights[weights * matrix.columns..][..matrix.columns];
                widen(lanes, weights, at, &mut block);
            }
            let scales = padded(&matrix.scales[first..first + count]);
            let shifts = padded(&bias[first..first + count]);
            let mut outs_of = out.chunks_exact_mut(outs).map(|row| &mut row[first..][..count]);
            let mut put = |sums: [i32; OUTS], scale: f32| {
                if let Some(out) = outs_of.next() {
                    put(out, sums, scale, &scales, &shifts);
                }
            };
            let (pairs, pair_scales) = (x.values.chunks_exact(INS * x.steps), x.scales.chunks_exact(INS));
            let last = (pairs.remainder(), pair_scales.remainder());
            for (pair, pair_scales) in pairs.zip(pair_scales) {
                for (sums, scale) in tile(lanes, pair, &block).into_iter().zip(pair_scales) {
                    put(sums, *scale);
                }
            }
            if let (values, [scale]) = last {
                put(row(lanes, values, &block), *scale);
            }
        }
        out
    }
}

#[inline(always)]
fn padded(values: &[f32]) -> [f32; OUTS] {
    values
        .first_chunk()
        .copied()
        .unwrap_or_else(|| std::array::from_fn(|at| values.get(at).copied().unwrap_or(0.0)))
}

#[inline(always)]
fn put(out: &mut [f32], sums: [i32; OUTS], x_scale: f32, scales: &[f32; OUTS], shifts: &[f32; OUTS]) {
    let mut values = [0f32; OUTS];
    for at in 0..OUTS {
        values[at] = sums[at] as f32 * (x_scale * scales[at]) + shifts[at];
    }
    match out.as_mut_array() {
        Some(out) => *out = values,
        None => out.iter_mut().zip(values).for_each(|(out, value)| *out = value),
    }
}

/// Puts a row of weights into a block of several.
#[inline(always)]
fn widen(lanes: impl Lanes, weights: &[u8], at: usize, block: &mut [[Step; OUTS]]) {
    let (steps, rest) = weights.as_chunks();
    for (into, weights) in block.iter_mut().zip(steps) {
        into[at] = lanes.widen(weights);
    }
    if let Some(last) = block.last_mut().filter(|_| !rest.is_empty()) {
        let mut weights = [0; Step::VALUES];
        weights[..rest.len()].copy_from_slice(rest);
        last[at] = lanes.widen(&weights);
    }
}

/// The products of two rows with a block of weights.
#[inline(always)]
fn tile<L: Lanes>(lanes: L, rows: &[Step], block: &[[Step; OUTS]]) -> [[i32; OUTS]; INS] {
    let (a, b) = rows.split_at(block.len());
    let mut sums = [[lanes.none(); OUTS]; INS];
    for ((a, b), weights) in a.iter().zip(b).zip(block) {
        for o in 0..OUTS {
            sums[0][o] = lanes.add_products(sums[0][o], a, &weights[o]);
            sums[1][o] = lanes.add_products(sums[1][o], b, &weights[o]);
        }
    }
    [lanes.totals(sums[0]), lanes.totals(sums[1])]
}

#[inline(always)]
fn row<L: Lanes>(lanes: L, row: &[Step], block: &[[Step; OUTS]]) -> [i32; OUTS] {
    let mut sums = [lanes.none(); OUTS];
    for (values, weights) in row.iter().zip(block) {
        for o in 0..OUTS {
            sums[o] = lanes.add_products(sums[o], values, &weights[o]);
        }
    }
    lanes.totals(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights, activations and a bias of a shape.
    fn example(rows: usize, columns: usize, outs: usize) -> (Matrix, Quantised, Vec<f32>) {
        let weights = (0..outs * columns).map(|n| (n * 37 % 255) as u8);
        let matrix = Matrix {
            weights: weights.collect(),
            scales: (0..outs).map(|n| 0.01 + n as f32 / 1000.0).collect(),
            columns,
        };
        let x: Vec<f32> = (0..rows * columns)
            .map(|n| (n * 7919 % 8191) as f32 / 4095.0 - 1.0)
            .collect();
        let bias = (0..outs).map(|n| n as f32 - 3.0).collect();
        (matrix, Quantised::new(&x, columns), bias)
    }

    const SHAPES: [(usize, usize, usize); 5] = [(1, 8, 1), (3, 13, 6), (2, 384, 5), (5, 40, 9), (4, 64, 8)];

    #[test]
    fn a_product_is_the_sum_of_products_whatever_the_shape() {
        for (rows, columns, outs) in SHAPES {
            let (matrix, x, bias) = example(rows, columns, outs);
            let got = matrix.product(&x, &bias);
            for (at, got) in got.iter().enumerate() {
                let (row, out) = (at / outs, at % outs);
                let weights = &matrix.weights[out * columns..][..columns];
                let values = x.values[row * x.steps..]
                    .iter()
                    .flat_map(|step| step.0)
                    .take(columns);
                let products = weights
                    .iter()
                    .zip(values)
                    .map(|(w, v)| i32::from(*w as i8) * i32::from(v));
                let sum: i32 = products.sum();
                let wanted = sum as f32 * (x.scales[row] * matrix.scales[out]) + bias[out];
                assert_eq!(got.to_bits(), wanted.to_bits(), "{rows} {columns} {outs}");
            }
        }
    }

    #[test]
    fn every_cpu_gives_the_same_bits() {
        for (rows, columns, outs) in SHAPES {
            let (matrix, x, bias) = &example(rows, columns, outs);
            let [first, others @ ..] = &lanes::by_all(Product { matrix, x, bias })[..] else {
                panic!("none");
            };
            assert!(
                others.iter().all(|other| other == first),
                "{rows} {columns} {outs}"
            );
        }
    }

    #[test]
    fn whole_numbers_are_the_nearest() {
        for (value, wanted) in [(0.0, 0), (0.4, 0), (-0.6, -1), (4094.6, 4095), (-4095.0, -4095)] {
            assert_eq!(whole(value), wanted, "{value}");
        }
    }

    #[test]
    fn the_longest_row_of_the_largest_values_does_not_overflow() {
        let matrix = Matrix {
            weights: vec![127; LONGEST].into(),
            scales: vec![1.0],
            columns: LONGEST,
        };
        let x = Quantised::new(&vec![LARGEST; LONGEST], LONGEST);
        assert_eq!(matrix.product(&x, &[0.0]), [127.0 * LARGEST * LONGEST as f32]);
    }
}
