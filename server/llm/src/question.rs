//! A question to the router model and its answer, in the terms of a policy. Nothing here knows a prompt or an engine.

use std::fmt;

use thiserror::Error;

/// The answer that means *no route fits*, and therefore no route's name.
pub const OTHER: &str = "other";

/// A route as the model is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The name the model answers with.
    pub name: String,
    /// When the route is right, in plain words.
    pub description: String,
}

/// Why a list of routes cannot be asked about.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RoutesError {
    /// There is nothing to choose from.
    #[error("there is no route to choose")]
    Empty,
    /// A route has no name to answer with.
    #[error("routes[{0}] has no name")]
    Nameless(usize),
    /// `other` is the answer that no route fits.
    #[error("routes[{0}] is named `other`, which is the answer that no route fits")]
    Other(usize),
    /// Two routes would be one answer.
    #[error("routes[{1}] has the name of routes[{0}]")]
    Twice(usize, usize),
}

/// The routes of a policy in its order: at least one, each with a name of its own, none named `other`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// Accepts the routes of a policy, in its order.
    ///
    /// # Errors
    /// The first thing wrong with the list; a validated policy has none.
    pub fn new(routes: Vec<Route>) -> Result<Self, RoutesError> {
        if routes.is_empty() {
            return Err(RoutesError::Empty);
        }
        for (at, route) in routes.iter().enumerate() {
            match route.name.as_str() {
                "" => return Err(RoutesError::Nameless(at)),
                OTHER => return Err(RoutesError::Other(at)),
                name => {
                    if let Some(first) = routes[..at].iter().position(|earlier| earlier.name == name) {
                        return Err(RoutesError::Twice(first, at));
                    }
                }
            }
        }
        Ok(Self(routes))
    }

    /// The routes, in the policy's order.
    #[must_use]
    pub fn as_slice(&self) -> &[Route] {
        &self.0
    }

    /// The names that can be answered: the routes' in the policy's order, then `other`.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|route| route.name.as_str()).chain([OTHER])
    }
}

/// Who speaks in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person, or what acts as one.
    User,
    /// The model being routed.
    Assistant,
    /// System, developer, tool and whatever else: the router model never sees these.
    Other,
}

/// One turn of a conversation; attachments are not part of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
}

// Prompts are private: a `{:?}` that slips into a log shows sizes only.
impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.role, self.text.len())
    }
}

/// How probable one answer is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// In 0..=1. The scores of one answer that are all exact sum to 1.
    pub probability: f64,
    /// Whether this is the probability itself; otherwise it is what the answer has at most, because the model was not
    /// asked to tell it from its neighbours: all of them together are less probable than the chosen one.
    pub exact: bool,
}

/// What the model says: a probability for every route and for `other`.
///
/// The probability of a name is that with which decoding constrained to the names would give it: at every point where
/// names part, the model's probabilities of the tokens that lead to a name, renormalised.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Of the routes, in the policy's order.
    pub routes: Vec<Score>,
    /// Of `other`: no route fits.
    pub other: Score,
    /// The share of the model's free choice that the names had where they first part, in 0..=1. Near 1 for a model that
    /// knows the protocol; a low value means that the probabilities are those of a model that was not answering.
    pub on_script: f64,
}

impl Answer {
    /// The most probable answer (`None`: `other`) and its score, which is exact. Of equals the first in the policy.
    #[must_use]
    pub fn best(&self) -> (Option<usize>, Score) {
        self.ranked()[0]
    }

    /// The second most probable answer and its score.
    #[must_use]
    pub fn runner_up(&self) -> (Option<usize>, Score) {
        self.ranked()[1]
    }

    /// How far the best is ahead of the runner-up, in 0..=1; at least this far where the runner-up is not exact.
    #[must_use]
    pub fn margin(&self) -> f64 {
        let ranked = self.ranked();
        ranked[0].1.probability - ranked[1].1.probability
    }

    /// All answers, most probable first; of equals the exact one, then the first in the policy; `other` is last there.
    fn ranked(&self) -> Vec<(Option<usize>, Score)> {
        let routes = self
            .routes
            .iter()
            .enumerate()
            .map(|(at, score)| (Some(at), *score));
        let mut all: Vec<_> = routes.chain([(None, self.other)]).collect();
        all.sort_by(|(_, a), (_, b)| {
            b.probability
                .total_cmp(&a.probability)
                .then(b.exact.cmp(&a.exact))
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(names: &[&str]) -> Result<Routes, RoutesError> {
        let route = |name: &&str| Route {
            name: (*name).to_owned(),
            description: String::new(),
        };
        Routes::new(names.iter().map(route).collect())
    }

    #[test]
    fn routes_that_could_not_be_told_apart_are_refused() {
        assert_eq!(routes(&[]), Err(RoutesError::Empty));
        assert_eq!(routes(&["a", ""]), Err(RoutesError::Nameless(1)));
        assert_eq!(routes(&["a", "other"]), Err(RoutesError::Other(1)));
        assert_eq!(routes(&["a", "b", "a"]), Err(RoutesError::Twice(0, 2)));
        let good = routes(&["b", "a"]).unwrap();
        assert_eq!(good.labels().collect::<Vec<_>>(), ["b", "a", "other"]);
    }

    #[test]
    fn of_equal_answers_the_first_of_the_policy_is_the_best() {
        let score = |probability| Score {
            probability,
            exact: true,
        };
        let answer = Answer {
            routes: vec![score(0.1), score(0.3), score(0.3)],
            other: score(0.3),
            on_script: 1.0,
        };
        assert_eq!(answer.best(), (Some(1), score(0.3)));
        assert_eq!(answer.runner_up(), (Some(2), score(0.3)));
        assert_eq!(answer.margin(), 0.0);
    }
}
