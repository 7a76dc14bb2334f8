//! Rows of int8 weights with one scale each, and their product with activations of 13 bits: exact integer sums.

use std::borrow::Cow;

use super::lanes::{self, Bytes, Lanes, OUTS, Step, Work};

/// The largest activation. A row of 4,096 products with weights up to 127 then still fits 32 bits.
const LARGEST: f32 = 4095.0;
/// The longest row of weights.
pub(super) const LONGEST: usize = 4096;
/// Pairs of inputs at a time, so that their weights for a few outputs stay in the first cache.
const PAIRS: usize = 192;

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
    /// Two inputs at a time, a zero at a row's end if need be.
    values: Vec<[i16; 2]>,
    scales: Vec<f32>,
    /// Pairs a row.
    pairs: usize,
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
        let pairs = self.columns.div_ceil(2);
        let count = self.rows.len() / self.columns;
        let (mut values, mut scales) = (vec![[0i16; 2]; count * pairs], Vec::with_capacity(count));
        for (row, into) in self
            .rows
            .chunks_exact(self.columns)
            .zip(values.chunks_exact_mut(pairs))
        {
            let largest = largest(row);
            let factor = LARGEST / largest;
            for (into, value) in into.as_flattened_mut().iter_mut().zip(row) {
                *into = whole(value * factor);
            }
            scales.push(largest / LARGEST);
        }
        Quantised {
            values,
            scales,
            pairs,
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
}

/// The weights of a linear map, as they are multiplied: for some outputs at a time, for each two inputs.
#[derive(Debug)]
pub(super) struct Linear {
    weights: Vec<Bytes>,
    scales: Vec<f32>,
    bias: Vec<f32>,
    /// Pairs of inputs.
    pairs: usize,
}

impl Linear {
    /// With a bias for each row of the matrix.
    pub(super) fn new(matrix: &Matrix, bias: Vec<f32>) -> Self {
        let pairs = matrix.columns.div_ceil(2);
        let mut weights = vec![[0u8; 2 * OUTS]; matrix.rows().div_ceil(OUTS) * pairs];
        for (out, row) in matrix.weights.chunks_exact(matrix.columns).enumerate() {
            let block = &mut weights[out / OUTS * pairs..][..pairs];
            for (into, pair) in block.iter_mut().zip(row.chunks(2)) {
                into[2 * (out % OUTS)..][..pair.len()].copy_from_slice(pair);
            }
        }
        Self {
            weights,
            scales: matrix.scales.clone(),
            bias,
            pairs,
        }
    }

    pub(super) fn outs(&self) -> usize {
        self.bias.len()
    }

    /// For each row of `x` all outputs: weights times the row, plus bias.
    pub(super) fn product(&self, x: &Quantised) -> Vec<f32> {
        lanes::best(Product { linear: self, x })
    }
}

#[derive(Clone, Copy)]
struct Product<'a> {
    linear: &'a Linear,
    x: &'a Quantised,
}

impl Work for Product<'_> {
    type Done = Vec<f32>;

    #[inline(always)]
    fn by(self, lanes: impl Lanes) -> Vec<f32> {
        let Self { linear, x } = self;
        let outs = linear.outs();
        let mut out = vec![0f32; x.scales.len() * outs];
        let mut block = [Step::ZERO; PAIRS];
        let mut sums = vec![[0i32; OUTS]; x.scales.len()];
        let blocks = linear.weights.chunks_exact(linear.pairs);
        for (weights, first) in blocks.zip((0..outs).step_by(OUTS)) {
            sums.fill([0; OUTS]);
            for (weights, at) in weights.chunks(PAIRS).zip((0..).step_by(PAIRS)) {
                add_all(lanes, &mut sums, x, at, weights, &mut block[..weights.len()]);
            }
            let last = outs.min(first + OUTS);
            let (scales, bias) = (&linear.scales[first..last], &linear.bias[first..last]);
            for ((out, sums), x_scale) in out.chunks_exact_mut(outs).zip(&sums).zip(&x.scales) {
                let out = out[first..last].iter_mut().zip(sums);
                for (((out, sum), scale), bias) in out.zip(scales).zip(bias) {
                    *out = *sum as f32 * (x_scale * scale) + bias;
                }
            }
        }
        out
    }
}

/// Adds the products of all rows with some weights, which begin at some pair of inputs. `block` is where they become
/// wider: while the first rows are multiplied, so that the next are read from memory meanwhile.
#[inline(always)]
fn add_all<L: Lanes>(
    lanes: L,
    sums: &mut [[i32; OUTS]],
    x: &Quantised,
    at: usize,
    weights: &[Bytes],
    block: &mut [Step],
) {
    let mut done = 0;
    while done < sums.len() {
        // As many rows in the last tile as in the first, or one fewer.
        let left = sums.len() - done;
        let count = left.div_ceil(left.div_ceil(lanes.rows()));
        let rows = &x.values[done * x.pairs..][..count * x.pairs];
        let sums = &mut sums[done..][..count];
        if done == 0 {
            let wider = weights.iter().zip(block.iter_mut()).map(
                #[inline(always)]
                |(weights, into)| {
                    *into = lanes.widen(weights);
                    *into
                },
            );
            add_tile(lanes, sums, rows, at, wider);
        } else {
            add_tile(lanes, sums, rows, at, block.iter().copied());
        }
        done += count;
    }
}

/// Adds the products of a few rows.
#[inline(always)]
fn add_tile(
    lanes: impl Lanes,
    sums: &mut [[i32; OUTS]],
    rows: &[[i16; 2]],
    at: usize,
    weights: impl ExactSizeIterator<Item = Step>,
) {
    match sums.len() {
        1 => add_rows::<_, 1>(lanes, sums, rows, at, weights),
        2 => add_rows::<_, 2>(lanes, sums, rows, at, weights),
        3 => add_rows::<_, 3>(lanes, sums, rows, at, weights),
        4 => add_rows::<_, 4>(lanes, sums, rows, at, weights),
        5 => add_rows::<_, 5>(lanes, sums, rows, at, weights),
        _ => add_rows::<_, 6>(lanes, sums, rows, at, weights),
    }
}

#[inline(always)]
fn add_rows<L: Lanes, const N: usize>(
    lanes: L,
    sums: &mut [[i32; OUTS]],
    rows: &[[i16; 2]],
    at: usize,
    weights: impl ExactSizeIterator<Item = Step>,
) {
    let (pairs, length) = (rows.len() / N, weights.len());
    let rows: [&[[i16; 2]]; N] = std::array::from_fn(
        #[inline(always)]
        |row| &rows[row * pairs + at..][..length],
    );
    let mut totals: [L::Sums; N] = std::array::from_fn(
        #[inline(always)]
        |row| lanes.read_sums(&sums[row]),
    );
    for (pair, weights) in (0..length).zip(weights) {
        for row in 0..N {
            totals[row] = lanes.add_products(totals[row], rows[row][pair], &weights);
        }
    }
    for (sums, totals) in sums.iter_mut().zip(totals) {
        *sums = lanes.write_sums(totals);
    }
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

    const SHAPES: [(usize, usize, usize); 8] = [
        (6, 384, 7),
        (1, 8, 1),
        (3, 13, 6),
        (2, 384, 17),
        (5, 40, 9),
        (4, 64, 16),
        (13, 2 * PAIRS + 1, 33),
        (7, 4 * PAIRS, 48),
    ];

    #[test]
    fn a_product_is_the_sum_of_products_whatever_the_shape() {
        for (rows, columns, outs) in SHAPES {
            let (matrix, x, bias) = example(rows, columns, outs);
            let got = Linear::new(&matrix, bias.clone()).product(&x);
            assert_eq!(got.len(), rows * outs);
            for (at, got) in got.iter().enumerate() {
                let (row, out) = (at / outs, at % outs);
                let weights = &matrix.weights[out * columns..][..columns];
                let values = x.values[row * x.pairs..][..x.pairs].as_flattened();
                let products = weights
                    .iter()
                    .zip(values)
                    .map(|(w, v)| i32::from(*w as i8) * i32::from(*v));
                let sum: i32 = products.sum();
                let wanted = sum as f32 * (x.scales[row] * matrix.scales[out]) + bias[out];
                assert_eq!(got.to_bits(), wanted.to_bits(), "{rows} {columns} {outs}");
            }
        }
    }

    #[test]
    fn every_cpu_gives_the_same_bits() {
        for (rows, columns, outs) in SHAPES {
            let (matrix, x, bias) = example(rows, columns, outs);
            let linear = &Linear::new(&matrix, bias);
            let [first, others @ ..] = &lanes::by_all(Product { linear, x: &x })[..] else {
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
        assert_eq!(
            Linear::new(&matrix, vec![0.0]).product(&x),
            [127.0 * LARGEST * LONGEST as f32]
        );
    }
}
