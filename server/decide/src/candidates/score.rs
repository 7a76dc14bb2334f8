//! The score of an objective: what the eligible candidates of a pool are compared by.

use super::Candidate;
use crate::decision::Estimate;
use crate::query::{Objective, Weights};

/// Scores closer than this are ties, and ties go to the pool's order.
const TIE: f64 = 1e-6;

/// A score, higher is better: `quality × q − latency × l − cost × c`, the weights divided by their sum, latency and cost
/// by the largest among the eligible candidates. An unknown value counts as the worst candidate's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Latency, divided by the slowest candidate's.
    pub latency: Term,
    /// Cost, divided by the dearest candidate's.
    pub cost: Term,
    /// Quality as it is.
    pub quality: Term,
    /// The sum of the contributions, rounded to 1e-4 for display.
    pub total: f64,
}

/// One term of a [`Score`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Term {
    /// The value that counts, 0..=1.
    pub value: f64,
    /// Its weight, 0..=1.
    pub weight: f64,
    /// What it adds to the score, negative for latency and cost.
    pub contribution: f64,
    /// Whether the model does not state it, so that the worst candidate's value counts.
    pub unknown: bool,
}

/// The weights of an objective, summing to 1; `None` where the pool's order decides.
pub(super) fn weights_of(objective: Objective) -> Option<Weights> {
    let weights = match objective {
        Objective::Order => return None,
        Objective::Cheapest => Weights {
            cost: 1.0,
            ..Weights::default()
        },
        Objective::Fastest => Weights {
            latency: 1.0,
            ..Weights::default()
        },
        Objective::Best => Weights {
            quality: 1.0,
            ..Weights::default()
        },
        Objective::Weights(weights) => weights,
    };
    let sum = weights.latency + weights.cost + weights.quality;
    (sum > 0.0).then(|| Weights {
        latency: weights.latency / sum,
        cost: weights.cost / sum,
        quality: weights.quality / sum,
    })
}

/// Scores the eligible candidates against each other.
pub(super) fn score(candidates: &mut [Candidate], weights: Weights) {
    let eligible = || candidates.iter().filter(|c| c.refusals.is_empty());
    let most = |value: fn(&Candidate) -> Option<f64>| eligible().filter_map(value).fold(0.0, f64::max);
    let slowest = most(|c| c.estimate.latency_ms);
    let dearest = most(|c| c.estimate.cost_usd);
    let worst = eligible()
        .filter_map(|c| c.quality)
        .reduce(f64::min)
        .unwrap_or(0.0);
    // Where nobody states a value, or all are 0, everybody counts as equal.
    let share = |value: Option<f64>, largest: f64| match value {
        Some(value) if largest > 0.0 => value / largest,
        Some(_) => 0.0,
        None => 1.0,
    };
    for candidate in candidates.iter_mut().filter(|c| c.refusals.is_empty()) {
        let Estimate {
            cost_usd, latency_ms, ..
        } = candidate.estimate;
        let latency = term(share(latency_ms, slowest), -weights.latency, latency_ms.is_none());
        let cost = term(share(cost_usd, dearest), -weights.cost, cost_usd.is_none());
        let quality = term(
            candidate.quality.unwrap_or(worst),
            weights.quality,
            candidate.quality.is_none(),
        );
        let mut score = Score {
            latency,
            cost,
            quality,
            total: 0.0,
        };
        score.total = (score.sum() * 1e4).round() / 1e4;
        candidate.score = Some(score);
    }
}

fn term(value: f64, signed_weight: f64, unknown: bool) -> Term {
    Term {
        value,
        weight: signed_weight.abs(),
        contribution: value * signed_weight,
        unknown,
    }
}

impl Score {
    /// The sum in whole numbers of [`TIE`], which keeps comparisons transitive.
    pub(super) fn steps(&self) -> i64 {
        (self.sum() / TIE).round() as i64
    }

    /// The exact sum, in fixed order.
    fn sum(&self) -> f64 {
        self.quality.contribution + self.latency.contribution + self.cost.contribution
    }
}
