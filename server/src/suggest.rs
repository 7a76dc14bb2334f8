//! What the use of a policy says about it: routes that never win, requests that fall through or are a near thing, routes
//! that are near ties; and, where lines say which route is wanted, which routes are confused, which requests would help as
//! examples, which routes should be one or two, and what their descriptions should say.
//!
//! Whether a change helps is measured, never assumed: by cross-validation, where each request is decided by a policy that
//! learned from the others alone ([`Change`]). Called by `signalbox policy suggest`.

mod clauses;
mod examples;
mod fold;
mod groups;
mod logged;
mod merge;
mod split;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signalbox_decide::policy::{RequestLine, RouteIndex};
use signalbox_decide::{Decision, Policy, Query, RouteScores, Source};

use crate::engine::{Live, settle};
use crate::eval::Share;
use crate::policy_test::conversation_of;
use crate::store::Snapshot;

pub use clauses::{Clause, Clauses, Kind};
pub use examples::{Addition, Examples};
pub use fold::{Change, FOLDS};
pub use logged::Logged;
pub use merge::{Merge, Tie};
pub use split::Split;

use fold::Cases;

/// Distance to the runner-up below which a decision is a near thing.
pub const NEAR: f32 = 0.1;

/// Most examples that are proposed for one route.
pub const MOST: usize = 10;

/// A route, or `None` for what belongs to none.
pub type Label = Option<RouteIndex>;

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// The request.
    pub request: &'a RequestLine,
    /// The route that won.
    pub got: Label,
    /// The route that its author wants, where the line says so.
    pub wanted: Option<Label>,
    /// Whether nothing matched, so that the policy's profile or its default decided.
    pub fell: bool,
    /// By evidence: the distance to the runner-up.
    pub margin: Option<f32>,
    scores: Option<Arc<RouteScores>>,
}

/// All that was found. Lists are in the order of the file where nothing else is said.
#[derive(Clone, Debug)]
pub struct Suggestions<'a> {
    /// Every request.
    pub seen: Vec<Seen<'a>>,
    /// Routes that won no request.
    pub never: Vec<RouteIndex>,
    /// Requests with a wanted route, and those that get it.
    pub right: Share,
    /// (wanted, got) with the requests; the most frequent first.
    pub confused: Vec<(Label, Label, Vec<&'a RequestLine>)>,
    /// Examples worth adding.
    pub examples: Examples<'a>,
    /// Routes that are right more often as one.
    pub merges: Vec<Merge<'a>>,
    /// Routes that are near ties most of the time.
    pub ties: Vec<Tie>,
    /// Routes that are two.
    pub splits: Vec<Split<'a>>,
    /// What descriptions should say besides.
    pub clauses: Clauses<'a>,
}

/// Looks at requests, whose wanted routes are the policy's. Decides each once, and compiles the policy again for what it
/// measures: [`FOLDS`] times for the examples and for each clause that is tried, twice that for each route that may be two, once
/// for two that may be one. A compile is 0.05 s to some seconds; a sentence encoder remembers the texts that it has read.
pub fn suggest<'a>(snapshot: &Snapshot, requests: &'a [RequestLine]) -> Suggestions<'a> {
    let seen: Vec<Seen<'a>> = requests.iter().map(|request| look(snapshot, request)).collect();
    let cases = Cases::of(snapshot, &seen, |seen| seen.wanted);
    let examples = examples::examples(snapshot, &cases);
    let merges = merge::merges(snapshot, &cases);
    let splits = split::splits(snapshot, &seen);
    let clauses = clauses::clauses(snapshot, &cases);
    let near = seen.iter().filter(|seen| seen.is_near());
    Suggestions {
        never: never(&snapshot.policy, seen.iter().map(|seen| seen.got)),
        right: Share::of(seen.iter().filter_map(|seen| Some(seen.wanted? == seen.got))),
        confused: confusions(&seen),
        ties: merge::ties(
            near.filter_map(|seen| rivals(seen.scores.as_deref()?)),
            seen.iter()
                .filter(|seen| seen.margin.is_some())
                .filter_map(|seen| seen.got),
        ),
        examples,
        merges,
        splits,
        clauses,
        seen,
    }
}

fn look<'a>(snapshot: &Snapshot, request: &'a RequestLine) -> Seen<'a> {
    let policy = &snapshot.policy;
    let conversation = conversation_of(&request.messages);
    let settled = settle(snapshot, &request.query, &conversation, Live::default());
    let decision = settled.outcome.ok();
    let decision = decision.as_deref();
    let label = |name: &String| policy.routes.iter().position(|route| route.name == *name);
    Seen {
        request,
        got: decision.and_then(|decision| decision.route),
        wanted: request.route.as_ref().map(label),
        fell: decision.is_some_and(|decision| falls(decision, &request.query)),
        margin: decision.and_then(margin),
        scores: settled.evidence.scores().cloned(),
    }
}

/// Whether nothing matched that the request did not ask for itself.
fn falls(decision: &Decision, query: &Query) -> bool {
    match decision.source {
        Source::Default => true,
        Source::Profile => query.profile.is_none(),
        _ => false,
    }
}

/// The distance to the runner-up, where the classifier decided.
fn margin(decision: &Decision) -> Option<f32> {
    decision.margin.filter(|_| decision.source == Source::Embedding)
}

fn never(policy: &Policy, won: impl Iterator<Item = Label>) -> Vec<RouteIndex> {
    let won: BTreeSet<RouteIndex> = won.flatten().collect();
    (0..policy.routes.len())
        .filter(|route| !won.contains(route))
        .collect()
}

/// The two most probable, the smaller index first, if both are routes.
fn rivals(scores: &RouteScores) -> Option<(RouteIndex, RouteIndex)> {
    let mut order: Vec<RouteIndex> = (0..scores.routes.len()).collect();
    // Stable: ties go to the first.
    order.sort_by(|&a, &b| f32::total_cmp(&scores.routes[b], &scores.routes[a]));
    let (&first, &second) = (order.first()?, order.get(1)?);
    (scores.routes[second] > scores.other).then(|| (first.min(second), first.max(second)))
}

impl Seen<'_> {
    /// Whether evidence decided, with little distance to the runner-up.
    pub fn is_near(&self) -> bool {
        self.margin.is_some_and(|margin| margin < NEAR)
    }

    /// Whether the wanted route is known and another came.
    fn is_wrong(&self) -> bool {
        self.wanted.is_some_and(|wanted| wanted != self.got)
    }

    /// The probability of the wanted route, where evidence was asked.
    fn probability(&self) -> Option<f32> {
        let scores = self.scores.as_ref()?;
        match self.wanted? {
            Some(route) => scores.routes.get(route).copied(),
            None => Some(scores.other),
        }
    }

    /// The text, if it is all of the conversation: only then is it an example by itself.
    fn text(&self) -> Option<&str> {
        match &self.request.messages[..] {
            [(role, text)] if role == "user" => Some(text),
            _ => None,
        }
    }
}

fn confusions<'a>(seen: &[Seen<'a>]) -> Vec<(Label, Label, Vec<&'a RequestLine>)> {
    let mut pairs: BTreeMap<(Label, Label), Vec<&'a RequestLine>> = BTreeMap::new();
    for seen in seen {
        if let Some(wanted) = seen.wanted.filter(|wanted| *wanted != seen.got) {
            pairs.entry((wanted, seen.got)).or_default().push(seen.request);
        }
    }
    let mut pairs: Vec<_> = pairs
        .into_iter()
        .map(|((wanted, got), requests)| (wanted, got, requests))
        .collect();
    pairs.sort_by_key(|(_, _, requests)| std::cmp::Reverse(requests.len()));
    pairs
}

#[cfg(test)]
mod tests;
