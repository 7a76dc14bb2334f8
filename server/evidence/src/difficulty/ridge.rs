//! Ridge regression on sparse rows, solved in its dual form by conjugate gradients: (X Xᵀ + λ) a = y, w = Xᵀ a. Two passes
//! over the rows an iteration and no matrix; some forty iterations. Every sum goes in one fixed order.

use super::features::{Row, SURFACE};

/// Strength of the penalty.
const LAMBDA: f64 = 10.0;
/// Residual, as a part of the target's length, at which the solution is good enough to rank by.
const TOLERANCE: f64 = 1e-5;
/// Iterations after which it has to be.
const MOST_ITERATIONS: usize = 200;

/// Weights in the space of the rows.
#[derive(Debug)]
pub(super) struct Model {
    grams: Vec<f64>,
    surface: [f64; SURFACE],
    constant: f64,
}

impl Model {
    fn zero(width: usize) -> Self {
        Model {
            grams: vec![0.0; width],
            surface: [0.0; SURFACE],
            constant: 0.0,
        }
    }

    /// The weighted sum of a row, the constant included.
    pub(super) fn predict(&self, row: &Row) -> f64 {
        let mut sum = self.constant;
        for &(id, value) in &row.grams {
            sum += self.grams[id as usize] * f64::from(value);
        }
        for (weight, figure) in self.surface.iter().zip(&row.surface) {
            sum += weight * figure;
        }
        sum
    }

    /// Adds a multiple of a row; its constant is 1.
    fn add(&mut self, factor: f64, row: &Row) {
        self.constant += factor;
        for &(id, value) in &row.grams {
            self.grams[id as usize] += factor * f64::from(value);
        }
        for (weight, figure) in self.surface.iter_mut().zip(&row.surface) {
            *weight += factor * figure;
        }
    }

    /// The model to the dual weights `a`.
    fn of(a: &[f64], rows: &[&Row], width: usize) -> Self {
        let mut model = Model::zero(width);
        for (&factor, row) in a.iter().zip(rows) {
            model.add(factor, row);
        }
        model
    }
}

/// Fits targets, which are taken from their mean.
pub(super) fn fit(rows: &[&Row], targets: &[f64], width: usize) -> Model {
    let mean = targets.iter().sum::<f64>() / targets.len().max(1) as f64;
    let mut residual: Vec<f64> = targets.iter().map(|target| target - mean).collect();
    let mut a = vec![0.0; rows.len()];
    let mut direction = residual.clone();
    let mut square = dot(&residual, &residual);
    let enough = square * TOLERANCE * TOLERANCE;
    for _ in 0..MOST_ITERATIONS {
        if square <= enough {
            break;
        }
        let along = Model::of(&direction, rows, width);
        let product: Vec<f64> = rows
            .iter()
            .zip(&direction)
            .map(|(row, d)| along.predict(row) + LAMBDA * d)
            .collect();
        let step = square / dot(&direction, &product);
        for ((a, r), (d, p)) in a
            .iter_mut()
            .zip(&mut residual)
            .zip(direction.iter().zip(&product))
        {
            *a += step * d;
            *r -= step * p;
        }
        let next = dot(&residual, &residual);
        let turn = next / square;
        for (d, r) in direction.iter_mut().zip(&residual) {
            *d = r + turn * *d;
        }
        square = next;
    }
    let mut model = Model::of(&a, rows, width);
    model.constant += mean;
    model
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
