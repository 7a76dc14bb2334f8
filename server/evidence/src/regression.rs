//! Multinomial logistic regression by L-BFGS, in the span of the training rows.
//!
//! Minimises `½|W|² + Σ cost_i · cross-entropy_i` with an unpenalised bias. Every iterate and every gradient is a
//! combination of training rows (`W = Xᵀα`), so the optimiser keeps only `α` (rows × classes) and the product
//! `XXᵀα`; a step along a line costs no further product. Starts at zero and takes a fixed number of steps: the same
//! rows give the same weights.

use std::collections::VecDeque;

use crate::linear::{Linear, add_scaled};
use crate::vocabulary::Features;

/// Pairs of steps and gradient changes that L-BFGS remembers.
const MEMORY: usize = 8;

/// One training text.
pub(crate) struct Row<'a> {
    pub(crate) x: &'a Features,
    pub(crate) class: usize,
    /// How much its cross-entropy counts.
    pub(crate) cost: f32,
}

/// A point or direction: coefficients of the rows, their logits without bias, the bias.
#[derive(Clone)]
struct Vector {
    alpha: Vec<f32>,
    image: Vec<f32>,
    bias: Vec<f32>,
}

impl Vector {
    fn zero(size: usize, width: usize) -> Self {
        Self {
            alpha: vec![0.0; size],
            image: vec![0.0; size],
            bias: vec![0.0; width],
        }
    }

    fn inner(&self, other: &Self) -> f64 {
        sum_products(&self.alpha, &other.image) + sum_products(&self.bias, &other.bias)
    }

    fn add(&mut self, other: &Self, scale: f64) {
        let scale = scale as f32;
        add_scaled(&mut self.alpha, &other.alpha, scale);
        add_scaled(&mut self.image, &other.image, scale);
        add_scaled(&mut self.bias, &other.bias, scale);
    }
}

fn sum_products(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0f64; 4];
    let (a_chunks, a_rest) = a.as_chunks::<4>();
    let (b_chunks, b_rest) = b.as_chunks::<4>();
    for (x, y) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..4 {
            lanes[lane] += f64::from(x[lane]) * f64::from(y[lane]);
        }
    }
    let rest: f64 = a_rest
        .iter()
        .zip(b_rest)
        .map(|(x, y)| f64::from(*x) * f64::from(*y))
        .sum();
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest
}

struct Problem<'a> {
    rows: &'a [Row<'a>],
    classes: usize,
    width: usize,
    weights: Linear,
}

impl Problem<'_> {
    /// `image = X Xᵀ alpha`.
    fn product(&mut self, vector: &mut Vector) {
        self.weights.clear();
        for (i, row) in self.rows.iter().enumerate() {
            self.weights
                .add_outer(row.x, &vector.alpha[i * self.width..][..self.width]);
        }
        for (i, row) in self.rows.iter().enumerate() {
            let out = &mut vector.image[i * self.width..][..self.width];
            out.fill(0.0);
            self.weights.add_product(row.x, out);
        }
    }

    /// The loss at `point + t * direction`.
    fn loss(&self, point: &Vector, direction: &Vector, t: f64) -> f64 {
        let mut total = 0.0;
        let mut z = vec![0f32; self.classes];
        for (i, row) in self.rows.iter().enumerate() {
            let at = i * self.width;
            for (c, z) in z.iter_mut().enumerate() {
                *z = point.image[at + c]
                    + point.bias[c]
                    + t as f32 * (direction.image[at + c] + direction.bias[c]);
            }
            let top = z.iter().fold(f32::MIN, |m, &v| m.max(v));
            let sum: f32 = z.iter().map(|&v| libm::expf(v - top)).sum();
            total += f64::from(row.cost) * f64::from(top + libm::logf(sum) - z[row.class]);
        }
        let (aa, ad, dd) = (
            sum_products(&point.alpha, &point.image),
            sum_products(&point.alpha, &direction.image),
            sum_products(&direction.alpha, &direction.image),
        );
        total + 0.5 * (aa + 2.0 * t * ad + t * t * dd)
    }

    /// The gradient at a point, as coefficients of the rows.
    fn gradient(&mut self, point: &Vector) -> Vector {
        let mut gradient = Vector::zero(point.alpha.len(), self.width);
        gradient.alpha.copy_from_slice(&point.alpha);
        let mut p = vec![0f32; self.classes];
        for (i, row) in self.rows.iter().enumerate() {
            let at = i * self.width;
            for (c, p) in p.iter_mut().enumerate() {
                *p = point.image[at + c] + point.bias[c];
            }
            softmax(&mut p);
            p[row.class] -= 1.0;
            add_scaled(&mut gradient.alpha[at..at + self.classes], &p, row.cost);
            add_scaled(&mut gradient.bias[..self.classes], &p, row.cost);
        }
        self.product(&mut gradient);
        gradient
    }
}

/// Turns logits into probabilities in place.
pub(crate) fn softmax(z: &mut [f32]) {
    let top = z.iter().fold(f32::MIN, |m, &v| m.max(v));
    let mut sum = 0.0;
    for v in z.iter_mut() {
        *v = libm::expf(*v - top);
        sum += *v;
    }
    for v in z.iter_mut() {
        *v /= sum;
    }
}

/// Fits the weights of `classes` classes over `dims` embedding values and `features` grams.
pub(crate) fn fit(rows: &[Row<'_>], classes: usize, dims: usize, features: usize, steps: usize) -> Linear {
    let weights = Linear::new(classes, dims, features);
    let width = weights.width();
    let mut problem = Problem {
        rows,
        classes,
        width,
        weights,
    };
    let mut point = Vector::zero(rows.len() * width, width);
    let mut gradient = problem.gradient(&point);
    let start = gradient.inner(&gradient);
    let mut history: VecDeque<(Vector, Vector, f64)> = VecDeque::new();
    let mut loss = problem.loss(&point, &point, 0.0);
    for _ in 0..steps {
        let mut direction = descent(&gradient, &history);
        let mut slope = direction.inner(&gradient);
        if slope >= 0.0 {
            history.clear();
            direction = descent(&gradient, &history);
            slope = direction.inner(&gradient);
        }
        let mut t = if history.is_empty() {
            1.0 / (-slope).sqrt().max(1.0)
        } else {
            1.0
        };
        let mut reached = problem.loss(&point, &direction, t);
        let mut tries = 0;
        while reached > loss + 1e-4 * t * slope && tries < 20 {
            t *= 0.5;
            reached = problem.loss(&point, &direction, t);
            tries += 1;
        }
        if reached >= loss {
            break;
        }
        point.add(&direction, t);
        let next = problem.gradient(&point);
        let mut change = next.clone();
        change.add(&gradient, -1.0);
        let mut step = direction;
        scale(&mut step, t);
        let curvature = step.inner(&change);
        if curvature > 1e-10 {
            if history.len() == MEMORY {
                history.pop_front();
            }
            history.push_back((step, change, curvature));
        }
        gradient = next;
        loss = reached;
        if gradient.inner(&gradient) < 1e-8 * start {
            break;
        }
    }
    problem.weights.clear();
    for (i, row) in rows.iter().enumerate() {
        problem
            .weights
            .add_outer(row.x, &point.alpha[i * width..][..width]);
    }
    problem.weights.bias_mut().copy_from_slice(&point.bias);
    problem.weights
}

fn scale(vector: &mut Vector, by: f64) {
    let by = by as f32;
    for part in [&mut vector.alpha, &mut vector.image, &mut vector.bias] {
        for value in part.iter_mut() {
            *value *= by;
        }
    }
}

/// The two-loop recursion: the direction of descent from a gradient and the remembered steps.
fn descent(gradient: &Vector, history: &VecDeque<(Vector, Vector, f64)>) -> Vector {
    let mut direction = gradient.clone();
    let mut factors = Vec::with_capacity(history.len());
    for (step, change, curvature) in history.iter().rev() {
        let factor = step.inner(&direction) / curvature;
        direction.add(change, -factor);
        factors.push(factor);
    }
    if let Some((_, change, curvature)) = history.back() {
        scale(&mut direction, curvature / change.inner(change));
    }
    for ((step, change, curvature), factor) in history.iter().zip(factors.iter().rev()) {
        let back = change.inner(&direction) / curvature;
        direction.add(step, factor - back);
    }
    scale(&mut direction, -1.0);
    direction
}
