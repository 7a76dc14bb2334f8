//! One question's way through the trie: always on from where the most probable answers may be, until one is certain.

use std::sync::Arc;

use thiserror::Error;

use super::{Branch, Next, Trie};
use crate::question::{Answer, Score};

/// Logits that say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LogitsError {
    /// NaN or an infinity: the model is broken, or its number format too small.
    #[error("the model's logits are not finite")]
    NotFinite,
    /// The tokenizer knows tokens that the model does not.
    #[error("the model has {0} logits, which is not enough for the tokens of the answers")]
    TooFew(usize),
}

/// A branch that was not asked about, and its share of all answers.
#[derive(Debug)]
struct Open {
    branch: usize,
    ln: f64,
}

/// Collects what the model says at the branches. Best first: it ends when no branch that was not asked about can hold a
/// more probable answer than the best one found, so the best is the best of all, not that of a greedy reading.
#[derive(Debug)]
pub struct Walk {
    trie: Arc<Trie>,
    /// Natural logarithms of the probabilities of the labels that were reached.
    labels: Vec<Option<f64>>,
    open: Vec<Open>,
    on_script: Option<f64>,
}

impl Walk {
    /// At the first branch.
    #[must_use]
    pub fn new(trie: Arc<Trie>) -> Self {
        Self {
            labels: vec![None; trie.answers().len()],
            open: vec![Open { branch: 0, ln: 0.0 }],
            on_script: None,
            trie,
        }
    }

    /// Where the model is to be asked next; `None` when the best answer is certain.
    #[must_use]
    pub fn next(&self) -> Option<&Branch> {
        self.front().map(|at| self.trie.branch(self.open[at].branch))
    }

    /// Takes the logits that follow the prompt and the path of [`Walk::next`]. O(vocabulary).
    ///
    /// # Errors
    /// See [`LogitsError`]; the walk is then where it was.
    pub fn observe(&mut self, logits: &[f32]) -> Result<(), LogitsError> {
        let Some(front) = self.front() else {
            return Ok(());
        };
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(LogitsError::NotFinite);
        }
        let trie = Arc::clone(&self.trie);
        let children = &trie.branch(self.open[front].branch).children;
        let of = |token: u32| logits.get(token as usize).map(|logit| f64::from(*logit));
        let own: Option<Vec<f64>> = children.iter().map(|child| of(child.token)).collect();
        let own = own.ok_or(LogitsError::TooFew(logits.len()))?;
        let shares = log_softmax(&own);
        if self.on_script.is_none() {
            let all: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
            let all = log_softmax(&all);
            let share: f64 = children.iter().map(|child| all[child.token as usize].exp()).sum();
            self.on_script = Some(share.min(1.0));
        }
        let base = self.open.swap_remove(front).ln;
        for (child, share) in children.iter().zip(shares) {
            let ln = base + share;
            match child.next {
                Next::Label(label) => self.labels[label] = Some(ln),
                Next::Branch(branch) => self.open.push(Open { branch, ln }),
            }
        }
        Ok(())
    }

    /// What is known so far; after the end, the best label's probability is exact. `None` before the first logits.
    #[must_use]
    pub fn answer(&self) -> Option<Answer> {
        let on_script = self.on_script?;
        let mut scores: Vec<Option<Score>> = self
            .labels
            .iter()
            .map(|ln| ln.map(|ln| score(ln, true)))
            .collect();
        for open in &self.open {
            self.bound(Next::Branch(open.branch), open.ln, &mut scores);
        }
        let mut scores: Vec<Score> = scores.into_iter().flatten().collect();
        let other = scores.pop()?;
        Some(Answer {
            routes: scores,
            other,
            on_script,
        })
    }

    /// Every label beneath `next` has at most the share `ln`.
    fn bound(&self, next: Next, ln: f64, scores: &mut [Option<Score>]) {
        match next {
            Next::Label(label) => scores[label] = Some(score(ln, false)),
            Next::Branch(branch) => {
                for child in &self.trie.branch(branch).children {
                    self.bound(child.next, ln, scores);
                }
            }
        }
    }

    /// The open branch with the greatest share, of equals the first in the policy, if a better answer may be there.
    fn front(&self) -> Option<usize> {
        let ahead = |a: &Open, b: &Open| a.ln.total_cmp(&b.ln).then(b.branch.cmp(&a.branch));
        let (at, open) = self
            .open
            .iter()
            .enumerate()
            .max_by(|(_, a), (_, b)| ahead(a, b))?;
        let found = self.labels.iter().flatten().copied().reduce(f64::max);
        found.is_none_or(|best| open.ln > best).then_some(at)
    }
}

fn score(ln: f64, exact: bool) -> Score {
    Score {
        probability: ln.exp(),
        exact,
    }
}

/// Logarithms of the shares of eˣ, without overflow and without losing small differences between great values: the
/// greatest is taken out first. Sums go in the order given, so always to the same bits.
fn log_softmax(values: &[f64]) -> Vec<f64> {
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum = values.iter().map(|value| (value - max).exp()).sum::<f64>().ln();
    values.iter().map(|value| value - max - sum).collect()
}
