//! Routes that may be one: taken for one another in both directions, or near ties most of the time. Called by
//! [`suggest`](super::suggest) and of an audit log.

use std::collections::BTreeMap;

use signalbox_decide::Policy;
use signalbox_decide::policy::{RequestLine, Route, RouteIndex};

use super::fold::{Cases, Change, compiled};
use super::{Label, Seen, look};
use crate::store::Snapshot;

/// Least mistakes in each direction.
const EACH_WAY: usize = 2;
/// One in so many requests of the two is taken for the other, or more.
const ONE_IN: usize = 10;
/// Pairs that are compiled as one, those with the most mistakes.
const TRIED: usize = 5;
/// Least near ties of a pair.
const TIES: usize = 5;

/// Two routes that are right more often as one.
#[derive(Clone, Debug)]
pub struct Merge<'a> {
    /// The routes, in policy order.
    pub pair: (RouteIndex, RouteIndex),
    /// The requests of one that got the other.
    pub mistakes: Vec<&'a RequestLine>,
    /// Requests that want one of them.
    pub of: usize,
    /// Whether they have the same models in the same order, so that nothing else changes.
    pub same_models: bool,
    /// What it does when both names are right of the one, by cross-validation: the pair is chosen by the other parts.
    pub change: Change,
    /// The same when either of the two was right before, too: what it does beside forgiving those mistakes.
    pub elsewhere: Change,
}

/// Two routes that are near ties more often than not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The routes, in policy order.
    pub pair: (RouteIndex, RouteIndex),
    /// Decisions in which they were nearly as probable.
    pub near: usize,
    /// Decisions by evidence that one of them won.
    pub of: usize,
}

/// The pairs that bring more than chance as one, and do no harm elsewhere.
pub(super) fn merges<'a>(snapshot: &Snapshot, cases: &Cases<'_, 'a>) -> Vec<Merge<'a>> {
    let mut pairs: BTreeMap<(RouteIndex, RouteIndex), Vec<&'a RequestLine>> = BTreeMap::new();
    for seen in &cases.all {
        if let (Some(Some(wanted)), Some(got)) = (seen.wanted, seen.got)
            && wanted != got
        {
            let pair = (wanted.min(got), wanted.max(got));
            pairs.entry(pair).or_default().push(seen.request);
        }
    }
    let mut pairs: Vec<_> = pairs
        .into_iter()
        .filter(|(pair, _)| are_confused(*pair, &cases.all))
        .collect();
    pairs.sort_by_key(|(_, mistakes)| std::cmp::Reverse(mistakes.len()));
    pairs
        .into_iter()
        .take(TRIED)
        .map(|(pair, mistakes)| measured(snapshot, cases, pair, mistakes))
        .filter(|merge| merge.change.is_gain() && !merge.elsewhere.is_harm())
        .collect()
}

/// Whether routes are taken for one another in both directions, and not rarely.
fn are_confused((a, b): (RouteIndex, RouteIndex), seen: &[&Seen<'_>]) -> bool {
    let count = |wanted: RouteIndex, got: RouteIndex| {
        seen.iter()
            .filter(|seen| seen.wanted == Some(Some(wanted)) && seen.got == Some(got))
            .count()
    };
    let of = wanting((a, b), seen);
    let (there, back) = (count(a, b), count(b, a));
    there.min(back) >= EACH_WAY && (there + back) * ONE_IN >= of
}

fn wanting((a, b): (RouteIndex, RouteIndex), seen: &[&Seen<'_>]) -> usize {
    let wants = |seen: &&&Seen<'_>| matches!(seen.wanted, Some(Some(route)) if route == a || route == b);
    seen.iter().filter(wants).count()
}

fn measured<'a>(
    snapshot: &Snapshot,
    cases: &Cases<'_, 'a>,
    (a, b): (RouteIndex, RouteIndex),
    mistakes: Vec<&'a RequestLine>,
) -> Merge<'a> {
    let policy = &snapshot.policy;
    let (merged, was) = as_one(policy, (a, b));
    let with = compiled(snapshot, merged);
    let own = policy.routes.len();
    let label = |route: RouteIndex| route.checked_sub(own).map_or(route, |at| was[at]);
    let one = |label: Label| label.map(|route| if route == b { a } else { route });
    let chosen = cases.chosen_without(|others| are_confused((a, b), others));
    // (right before, right before with the two as one, right after)
    let rights: Vec<(bool, bool, bool)> = cases
        .all
        .iter()
        .zip(&cases.labels)
        .zip(chosen)
        .map(|((seen, wanted), chosen)| {
            let before = seen.got == *wanted;
            let either = one(seen.got) == one(*wanted);
            if !chosen {
                return (before, before, before);
            }
            let after = look(&with, seen.request).got.map(label);
            (before, either, one(after) == one(*wanted))
        })
        .collect();
    Merge {
        pair: (a, b),
        mistakes,
        of: wanting((a, b), &cases.all),
        same_models: policy.routes[a].models == policy.routes[b].models,
        change: Change::of(rights.iter().map(|(before, _, after)| (*before, *after))),
        elsewhere: Change::of(rights.iter().map(|(_, either, after)| (*either, *after))),
    }
}

/// The policy with the two as one where evidence compares routes, and for each of its compared routes the one that it was.
/// Rules go on using the routes as they were.
fn as_one(policy: &Policy, (a, b): (RouteIndex, RouteIndex)) -> (Policy, Vec<RouteIndex>) {
    let was: Vec<RouteIndex> = (0..policy.routes.len()).filter(|route| *route != b).collect();
    let mut merged = policy.clone();
    merged.scored_from = policy.routes.len();
    for &route in &was {
        let compared = match route == a {
            true => both(&policy.routes[a], &policy.routes[b]),
            false => policy.routes[route].clone(),
        };
        merged.routes.push(Route {
            // Its models do not matter here, and nothing was learned about their difficulty.
            strong_weak: None,
            ..compared
        });
    }
    (merged, was)
}

fn both(a: &Route, b: &Route) -> Route {
    Route {
        name: format!("{} {}", a.name, b.name),
        description: format!("{}; {}", a.description, b.description),
        examples: a.examples.iter().chain(&b.examples).cloned().collect(),
        ..a.clone()
    }
}

/// Pairs whose near ties are more than half of what one of them wins: `near` are the pairs of near decisions, `won` the winners of
/// all that evidence decided. Those with the most first.
pub(super) fn ties(
    near: impl Iterator<Item = (RouteIndex, RouteIndex)>,
    won: impl Iterator<Item = RouteIndex>,
) -> Vec<Tie> {
    let mut wins: BTreeMap<RouteIndex, usize> = BTreeMap::new();
    won.for_each(|route| *wins.entry(route).or_default() += 1);
    let mut pairs: BTreeMap<(RouteIndex, RouteIndex), usize> = BTreeMap::new();
    near.for_each(|pair| *pairs.entry(pair).or_default() += 1);
    let mut ties: Vec<Tie> = pairs
        .into_iter()
        .map(|(pair, near)| {
            let of = [pair.0, pair.1].map(|route| wins.get(&route).copied().unwrap_or_default());
            let of = of.iter().sum();
            Tie { pair, near, of }
        })
        .filter(|tie| tie.near >= TIES && 2 * tie.near > tie.of)
        .collect();
    ties.sort_by_key(|tie| std::cmp::Reverse(tie.near));
    ties
}
