//! Rows of int8 weights with one scale each, and their product with activations of 13 bits: exact integer sums.

use std::borrow::Cow;

use lanes::{Lanes, Work};

mod lanes;

/// The largest activation. A row of 4,096 products with weights up to 127 then still fits 32 bits.
const LARGEST: f32 = 4095.0;
/// The longest row of weights.
pub(super) const LONGEST: usize = 4096;
/// Rows are filled up with zeros to a multiple of this.
const WIDTH: usize = 16;
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
    values: Vec<i16>,
    scales: Vec<f32>,
    /// Values a row, zeros at its end among them.
    width: usize,
}

impl Quantised {
    pub(super) fn new(rows: &[f32], columns: usize) -> Self {
        let width = columns.next_multiple_of(WIDTH);
        let count = rows.len() / columns;
        let (mut values, mut scales) = (vec![0i16; count * width], Vec::with_capacity(count));
        for (row, into) in rows.chunks_exact(columns).zip(values.chunks_exact_mut(width)) {
            let largest = row.iter().fold(1e-12f32, |most, value| most.max(value.abs()));
            let factor = LARGEST / largest;
            for (into, value) in into.iter_mut().zip(row) {
                *into = whole(value * factor);
            }
            scales.push(largest / LARGEST);
        }
        Self {
            values,
            scales,
            width,
        }
    }
}

/// The nearest whole number, even of two: adding 1.5 × 2²³ leaves it in the low bits. Any value up to 2²² will do.
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
        let mut block = vec![0i16; OUTS * x.width];
        for first in (0..outs).step_by(OUTS) {
            let count = OUTS.min(outs - first);
            for (wide, at) in block.chunks_exact_mut(x.width).zip(first..first + count) {
                let weights = &matrix.weights[at * matrix.columns..][..matrix.columns];
                for (wide, weight) in wide.iter_mut().zip(weights) {
                    *wide = i16::from(*weight as i8);
                }
            }
            let (scales, bias) = (&matrix.scales[first..][..count], &bias[first..][..count]);
            let pairs = x.values.chunks(INS * x.width).zip(x.scales.chunks(INS));
            for ((values, x_scales), out) in pairs.zip(out.chunks_mut(INS * outs)) {
                let sums = match values.len() / x.width {
                    INS => tile::<_, INS>(lanes, values, &block),
                    _ => {
                        let [sums] = tile::<_, 1>(lanes, values, &block);
                        [sums; INS]
                    }
                };
                for ((out, sums), x_scale) in out.chunks_exact_mut(outs).zip(sums).zip(x_scales) {
                    let out = out[first..][..count].iter_mut().zip(sums);
                    for (((out, sum), scale), bias) in out.zip(scales).zip(bias) {
                        *out = sum as f32 * (x_scale * scale) + bias;
                    }
                }
            }
        }
        out
    }
}

/// The products of a few rows with a block of weights.
#[inline(always)]
fn tile<L: Lanes, const N: usize>(lanes: L, rows: &[i16], block: &[i16]) -> [[i32; OUTS]; N] {
    let width = block.len() / OUTS;
    let rows: [&[L::Values]; N] = std::array::from_fn(
        #[inline(always)]
        |n| lanes.read(&rows[n * width..][..width]),
    );
    let weights: [&[L::Values]; OUTS] = std::array::from_fn(
        #[inline(always)]
        |o| lanes.read(&block[o * width..][..width]),
    );
    let length = weights[0].len();
    let (rows, weights) = (rows.map(|row| &row[..length]), weights.map(|row| &row[..length]));
    let mut sums = [[lanes.none(); OUTS]; N];
    for at in 0..length {
        for o in 0..OUTS {
            let weight = weights[o][at];
            for n in 0..N {
                sums[n][o] = lanes.add(sums[n][o], rows[n][at], weight);
            }
        }
    }
    sums.map(
        #[inline(always)]
        |row| {
            row.map(
                #[inline(always)]
                |sums| lanes.total(sums),
            )
        },
    )
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
                let values = &x.values[row * x.width..][..columns];
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
            let (matrix, x, bias) = &example(rows, columns, outs);
            let work = || Product { matrix, x, bias };
            let best = lanes::best(work());
            assert_eq!(work().by(lanes::Plain), best);
            #[cfg(target_arch = "x86_64")]
            assert_eq!(work().by(pulp::core_arch::x86::Sse2::try_new().unwrap()), best);
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
