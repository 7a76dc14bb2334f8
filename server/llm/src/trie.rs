//! The answers a model may give, as tokens: where they part, the model is asked; between, the tokens are forced.
//!
//! [`Trie`] is built once for a list of routes and a tokenizer. [`Walk`] goes through it for one question: it says where
//! the model's logits are needed next and turns them into an [`Answer`](crate::question::Answer).

mod walk;

use thiserror::Error;

pub use walk::{LogitsError, Walk};

/// Why answers cannot be told apart by their tokens.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrieError {
    /// One label at least is needed besides `other`.
    #[error("there are fewer than two answers")]
    TooFew,
    /// To this tokenizer the answer of one label begins with, or is, that of another.
    #[error("answers {0} and {1} cannot be told apart by their tokens")]
    Ambiguous(usize, usize),
}

/// A point where answers part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Tokens of the answer up to here.
    pub path: Vec<u32>,
    /// What can follow, in the order of the first label beneath.
    pub children: Vec<Child>,
}

/// One token that can follow at a [`Branch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// The token.
    pub token: u32,
    /// Where it leads.
    pub next: Next,
}

/// Where a token leads, after the forced ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// To one answer only: its label.
    Label(usize),
    /// To the branch of this index.
    Branch(usize),
}

/// The answers of a list of routes as tokens. Branch 0 is the first point where they part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trie {
    branches: Vec<Branch>,
    answers: Vec<Vec<u32>>,
}

impl Trie {
    /// A trie over the tokens of every answer, in the order of [`Routes::labels`](crate::question::Routes::labels).
    /// O(tokens × labels).
    ///
    /// # Errors
    /// See [`TrieError`].
    pub fn new(answers: Vec<Vec<u32>>) -> Result<Self, TrieError> {
        if answers.len() < 2 {
            return Err(TrieError::TooFew);
        }
        let mut trie = Self {
            branches: Vec::new(),
            answers,
        };
        let all: Vec<usize> = (0..trie.answers.len()).collect();
        trie.add(&all, 0)?;
        Ok(trie)
    }

    /// The branch of this index; a branch comes before those beneath it.
    ///
    /// # Panics
    /// If there is none of this index.
    #[must_use]
    pub fn branch(&self, index: usize) -> &Branch {
        &self.branches[index]
    }

    /// How many branches there are: one at least.
    #[must_use]
    pub fn branches(&self) -> usize {
        self.branches.len()
    }

    /// The tokens of each answer, in the order of the labels.
    #[must_use]
    pub fn answers(&self) -> &[Vec<u32>] {
        &self.answers
    }

    /// Adds what is beneath the first `depth` tokens, which `labels` share.
    fn add(&mut self, labels: &[usize], mut depth: usize) -> Result<Next, TrieError> {
        let [first, second, ..] = *labels else {
            return Ok(Next::Label(labels[0]));
        };
        let mut groups: Vec<(u32, Vec<usize>)> = Vec::new();
        while groups.len() < 2 {
            groups.clear();
            for &label in labels {
                let Some(&token) = self.answers[label].get(depth) else {
                    let with = if label == first { second } else { first };
                    return Err(TrieError::Ambiguous(with.min(label), with.max(label)));
                };
                match groups.iter_mut().find(|(known, _)| *known == token) {
                    Some((_, group)) => group.push(label),
                    None => groups.push((token, vec![label])),
                }
            }
            depth += 1;
        }
        let index = self.branches.len();
        self.branches.push(Branch {
            path: self.answers[first][..depth - 1].to_vec(),
            children: Vec::new(),
        });
        for (token, group) in groups {
            let next = self.add(&group, depth)?;
            self.branches[index].children.push(Child { token, next });
        }
        Ok(Next::Branch(index))
    }
}

#[cfg(test)]
mod tests;
