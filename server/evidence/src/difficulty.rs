//! How much a prompt needs the stronger of two models, learned from an author's own labelled outcomes.
//!
//! Ridge regression of (score of the strong model − score of the weak one) on words, pairs of words, runs of characters
//! and five figures of a text's surface: it was the best of what was measured, ahead of embeddings and of
//! nearest neighbours. The prediction becomes a share: the part of the labelled prompts that are predicted to be
//! easier. So a threshold of 0.6 means: the harder 40 % to the strong model, wherever the traffic is like the labels.
//!
//! A [`Lesson`] holds the prompts; [`Lesson::learn`] makes one [`Difficulty`] for each pair of models. Deterministic:
//! sums go in the order of the prompts, logarithms come from `libm`.

mod features;
mod ridge;

use std::sync::Arc;

use features::{Builder, Row, Space};

/// Labels below which nothing can be learned.
pub const LEAST_LABELS: usize = 20;

/// Parts that the labels are cut into, so that every prompt is ranked by a model that has not seen it.
const FOLDS: usize = 4;

/// Labelled prompts, read once for all pairs of models.
#[derive(Debug)]
pub struct Lesson {
    space: Arc<Space>,
    rows: Vec<Row>,
}

/// Predicts how much a prompt needs the stronger of two models.
#[derive(Debug)]
pub struct Difficulty {
    space: Arc<Space>,
    model: ridge::Model,
    /// Predictions for the labelled prompts, each by a model that was fitted without it; ascending.
    ranks: Vec<f64>,
}

impl Lesson {
    /// Reads prompts. About 0.3 ms each.
    pub fn new<'a>(prompts: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut builder = Builder::default();
        prompts.clone().for_each(|prompt| builder.add(prompt));
        let space = builder.finish();
        let rows = prompts.map(|prompt| space.row(prompt)).collect();
        Lesson {
            space: Arc::new(space),
            rows,
        }
    }

    /// Learns from (index of a prompt, score of the strong model − score of the weak one), in −1..=1. `None` with fewer
    /// than [`LEAST_LABELS`]. About 2 s for 4,500 prompts on one core, growing with their number.
    pub fn learn(&self, gains: &[(usize, f64)]) -> Option<Difficulty> {
        if gains.len() < LEAST_LABELS {
            return None;
        }
        let width = self.space.len();
        let fit = |keep: &dyn Fn(usize) -> bool| {
            let kept = gains.iter().enumerate().filter(|(at, _)| keep(*at));
            let (rows, targets): (Vec<&Row>, Vec<f64>) = kept
                .map(|(_, &(prompt, gain))| (&self.rows[prompt], gain))
                .unzip();
            ridge::fit(&rows, &targets, width)
        };
        let mut ranks = vec![0.0; gains.len()];
        for fold in 0..FOLDS {
            let model = fit(&|at| at % FOLDS != fold);
            for (at, rank) in ranks.iter_mut().enumerate().skip(fold).step_by(FOLDS) {
                *rank = model.predict(&self.rows[gains[at].0]);
            }
        }
        ranks.sort_by(f64::total_cmp);
        Some(Difficulty {
            space: self.space.clone(),
            model: fit(&|_| true),
            ranks,
        })
    }
}

impl Difficulty {
    /// The share of the labelled prompts that are predicted to be easier, 0..=1; between two of them in proportion.
    /// About 30 µs for a short prompt; no more than the first 8,000 bytes are read.
    pub fn score(&self, prompt: &str) -> f64 {
        let predicted = self.model.predict(&self.space.row(prompt));
        let above = self.ranks.partition_point(|&rank| rank < predicted);
        let last = self.ranks.len() - 1;
        let place = match above {
            0 => 0.0,
            above if above > last => last as f64,
            above => {
                let (low, high) = (self.ranks[above - 1], self.ranks[above]);
                (above - 1) as f64 + (predicted - low) / (high - low)
            }
        };
        place / last as f64
    }
}

#[cfg(test)]
mod tests;
