//! Rules: conditions over the facts of a request, and what follows from them. Made by `policy` from the file, read by the
//! ladder's rungs 0 (`deny`) and 2 (`use`, `set`), explained by `explanation`.
//!
//! A condition is written in a subset of CEL. The `cel` crate parses it; [`condition`] checks it against the closed list of
//! [`field`]s and lowers it to a small typed tree that [`eval`](condition) walks in linear time: no comprehensions, no
//! calls into anything, patterns compiled when the policy loads. Conditions read the request as it came: what a `set` rule
//! changes is not seen by the rules after it.

pub mod condition;
pub mod field;

mod eval;
mod index;
mod lower;
mod syntax;

use std::sync::Arc;

use crate::plan::PlanSpec;
use crate::policy::{ModelIndex, RouteIndex};
use crate::query::{Requirements, Weights};

pub use condition::Condition;
pub use eval::{Failing, Outcome};
pub use field::Facts;

/// Index of a rule in [`Rules`].
pub type RuleIndex = usize;

/// One rule of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique name.
    pub name: String,
    /// When it matches.
    pub when: Condition,
    /// What follows.
    pub action: Action,
}

/// What a rule does when it matches.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Refuses the request with this message for the caller.
    Deny(String),
    /// Decides, if one of its models may serve the request; how its models work together, where the rule says so, and
    /// else as the route does.
    Use(Use, Option<PlanSpec>),
    /// Tightens requirements, sets weights, and lets the ladder go on.
    Set(Set),
}

impl Action {
    /// The key in the policy file.
    pub fn as_str(&self) -> &'static str {
        match self {
            Action::Deny(_) => "deny",
            Action::Use(..) => "use",
            Action::Set(_) => "set",
        }
    }
}

/// Who serves the request.
#[derive(Clone, Debug, PartialEq)]
pub enum Use {
    /// These models, in order of preference.
    Models(Vec<ModelIndex>),
    /// The models of a route, chosen as that route chooses.
    Route(RouteIndex),
    /// The models of a profile, by its index.
    Profile(usize),
}

/// What a `set` rule changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set {
    /// Hard limits added to those of the request; see [`Requirements::tighten`].
    pub requirements: Requirements,
    /// The objective; goes before that of route, profile and request.
    pub weights: Option<Weights>,
}

/// The rules of a policy in file order, with an index over those that ask for a certain value. Clones share them: each set
/// of inline routes has a policy of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    list: Arc<[Rule]>,
    index: Arc<index::Index>,
    session: bool,
}

impl Rules {
    /// Indexes rules. Linear in the number of conditions' terms, times a logarithm.
    pub fn new(list: Vec<Rule>) -> Self {
        Rules {
            index: Arc::new(index::Index::new(&list)),
            session: list.iter().any(|rule| rule.when.reads(&field::Field::SessionId)),
            list: list.into(),
        }
    }

    /// All rules, in file order.
    pub fn all(&self) -> &[Rule] {
        &self.list
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The rules that can match, in file order: all but those that ask for a value which this request does not have.
    pub fn candidates(&self, facts: &Facts<'_>) -> Vec<RuleIndex> {
        self.index.candidates(facts)
    }

    /// Whether a rule reads the session, so that equal requests of two sessions may be decided differently.
    pub fn read_session(&self) -> bool {
        self.session
    }
}

#[cfg(test)]
mod tests;
