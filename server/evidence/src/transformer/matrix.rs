//! Rows of int8 weights with one scale each, and their product with activations of 13 bits: exact integer sums.

use std::borrow::Cow;

use wide::{i16x8, i32x4};

/// The largest activation. A row of 4,096 products with weights up to 127 then still fits 32 bits.
const LARGEST: f32 = 4095.0;
/// The longest row of weights.
pub(super) const LONGEST: usize = 4096;
/// Lanes of a vector; rows are filled up with zeros.
const LANES: usize = 8;
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
        let width = columns.next_multiple_of(LANES);
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

    fn row(&self, at: usize) -> &[[i16; LANES]] {
        vectors(&self.values[at * self.width..][..self.width])
    }
}

fn vectors(values: &[i16]) -> &[[i16; LANES]] {
    values.as_chunks().0
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
        let (outs, rows) = (self.rows(), x.scales.len());
        let mut out = vec![0f32; rows * outs];
        let mut block = vec![0i16; OUTS * x.width];
        for first in (0..outs).step_by(OUTS) {
            let count = OUTS.min(outs - first);
            for (wide, at) in block.chunks_exact_mut(x.width).zip(first..first + count) {
                let weights = &self.weights[at * self.columns..][..self.columns];
                for (wide, weight) in wide.iter_mut().zip(weights) {
                    *wide = i16::from(*weight as i8);
                }
            }
            let mut put = |row: usize, sums: [i32; OUTS]| {
                let out = &mut out[row * outs + first..][..count];
                for (o, (out, sum)) in out.iter_mut().zip(sums).enumerate() {
                    *out = sum as f32 * (x.scales[row] * self.scales[first + o]) + bias[first + o];
                }
            };
            let mut row = 0;
            while row + INS <= rows {
                let sums = tile::<INS>([x.row(row), x.row(row + 1)], &block);
                put(row, sums[0]);
                put(row + 1, sums[1]);
                row += INS;
            }
            if row < rows {
                put(row, tile::<1>([x.row(row)], &block)[0]);
            }
        }
        out
    }
}

/// The products of a few rows with a block of weights.
#[inline]
fn tile<const N: usize>(rows: [&[[i16; LANES]]; N], block: &[i16]) -> [[i32; OUTS]; N] {
    let block = vectors(block);
    let width = block.len() / OUTS;
    let rows = rows.map(|row| &row[..width]);
    let weights: [_; OUTS] = std::array::from_fn(|o| &block[o * width..][..width]);
    let mut sums = [[i32x4::ZERO; OUTS]; N];
    for at in 0..width {
        for o in 0..OUTS {
            let weight = i16x8::from(weights[o][at]);
            for n in 0..N {
                sums[n][o] += i16x8::from(rows[n][at]).dot(weight);
            }
        }
    }
    sums.map(|row| {
        row.map(|sum| {
            sum.to_array()
                .iter()
                .fold(0, |sum: i32, lane| sum.wrapping_add(*lane))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_the_sum_of_products_whatever_the_shape() {
        for (rows, columns, outs) in [(1, 8, 1), (3, 13, 6), (2, 384, 5), (5, 40, 9)] {
            let weights: Vec<i8> = (0..outs * columns).map(|n| (n * 37 % 255) as u8 as i8).collect();
            let x: Vec<f32> = (0..rows * columns)
                .map(|n| (n * 7919 % 8191) as f32 - 4095.0)
                .collect();
            let matrix = Matrix {
                weights: weights.iter().map(|w| *w as u8).collect(),
                scales: vec![1.0; outs],
                columns,
            };
            let quantised = Quantised::new(&x, columns);
            let got = matrix.product(&quantised, &vec![0.5; outs]);
            for row in 0..rows {
                let scale = quantised.scales[row];
                for out in 0..outs {
                    let wanted: i64 = (0..columns)
                        .map(|c| {
                            let value = whole(x[row * columns + c] / scale);
                            i64::from(value) * i64::from(weights[out * columns + c])
                        })
                        .sum();
                    let got = (got[row * outs + out] - 0.5) / scale;
                    assert!((got - wanted as f32).abs() <= 1e-5 * wanted.abs() as f32 + 1.0);
                }
            }
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
