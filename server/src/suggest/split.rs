//! Routes that may be two: their requests fall into two groups which the classifier can tell apart by examples alone. Called by
//! [`suggest`](super::suggest).

use std::collections::BTreeMap;

use signalbox_decide::Policy;
use signalbox_decide::policy::{RequestLine, RouteIndex};

use super::fold::{Cases, Change};
use super::groups::{Groups, distance, groups, mean};
use super::{Label, Seen};
use crate::eval::Share;
use crate::store::Snapshot;

/// Least requests of a group.
const LEAST: usize = 8;
/// Least share of a route's requests that is the smaller group.
const SMALLER: f64 = 0.2;
/// Least silhouette.
const SEPARATED: f32 = 0.12;
/// Least distance of the groups' centres, in distances of the route to the nearest other route. Requests for one thing fall into
/// groups too, by how they are worded: of 30 intents of CLINC150 with 31 requests each one passes all bars, of the 15 pairs of
/// neighbours among them 7 do.
const APART: f32 = 1.1;
/// Least share of requests that land in their own group.
const TOLD: f64 = 0.9;
/// Routes that are compiled as two, those with the best separated groups.
const TRIED: usize = 8;
/// Examples that a group is taught at most.
const TAUGHT: usize = 20;
/// Requests that are shown of a group.
const SHOWN: usize = 3;

/// A route whose requests are of two kinds.
#[derive(Clone, Debug)]
pub struct Split<'a> {
    /// The route.
    pub route: RouteIndex,
    /// Requests of both groups, and those nearest to its centre.
    pub groups: [(usize, Vec<&'a RequestLine>); 2],
    /// How well they are apart, -1 to 1.
    pub silhouette: f32,
    /// Requests that get the half that has their group, by cross-validation.
    pub told: Share,
    /// What two routes do in place of one with the same examples, either of the two being right. Without wanted routes: whether
    /// requests stay with the route that they had.
    pub change: Change,
}

/// A route's requests in two groups.
struct Candidate<'s, 'a> {
    route: RouteIndex,
    members: Vec<&'s Seen<'a>>,
    vectors: Vec<Vec<f32>>,
    groups: Groups,
    /// See [`APART`].
    apart: f32,
}

/// By the requests that want a route, or, where no line says what is wanted, those that evidence gave it.
pub(super) fn splits<'a>(snapshot: &Snapshot, seen: &[Seen<'a>]) -> Vec<Split<'a>> {
    let labelled = seen.iter().any(|seen| seen.wanted.is_some());
    let cases = Cases::of(snapshot, seen, |seen| match labelled {
        true => seen.wanted,
        false => seen.margin.map(|_| seen.got),
    });
    let routes = 0..snapshot.policy.routes.len();
    let centres: Vec<Option<Vec<f32>>> = routes
        .clone()
        .map(|route| centre(snapshot, &cases, route))
        .collect();
    let mut found: Vec<Candidate<'_, 'a>> = routes
        .filter_map(|route| candidate(snapshot, &cases, &centres, route))
        .filter(|candidate| candidate.groups.silhouette >= SEPARATED && candidate.apart >= APART)
        .collect();
    found.sort_by(|a, b| f32::total_cmp(&b.apart, &a.apart));
    found.truncate(TRIED);
    let mut splits: Vec<Split<'a>> = found
        .iter()
        .map(|candidate| candidate.measured(snapshot, &cases))
        .filter(|split| split.told.value().is_some_and(|told| told >= TOLD) && !split.change.is_harm())
        .collect();
    splits.sort_by_key(|split| split.route);
    splits
}

/// The requests of a route that have a text, and their embeddings.
fn members<'s, 'a>(
    snapshot: &Snapshot,
    cases: &Cases<'s, 'a>,
    route: RouteIndex,
) -> (Vec<&'s Seen<'a>>, Vec<Vec<f32>>) {
    let own = cases.all.iter().zip(&cases.labels);
    let own = own.filter(|(_, label)| **label == Some(route));
    own.filter_map(|(seen, _)| Some((*seen, snapshot.models.table.embed(seen.text()?))))
        .unzip()
}

/// Where a route's requests are, if there are enough to tell.
fn centre(snapshot: &Snapshot, cases: &Cases<'_, '_>, route: RouteIndex) -> Option<Vec<f32>> {
    let (_, vectors) = members(snapshot, cases, route);
    (vectors.len() >= LEAST).then(|| mean(vectors.iter()))
}

/// The groups of a route, where both have enough requests.
fn candidate<'s, 'a>(
    snapshot: &Snapshot,
    cases: &Cases<'s, 'a>,
    centres: &[Option<Vec<f32>>],
    route: RouteIndex,
) -> Option<Candidate<'s, 'a>> {
    let (members, vectors) = members(snapshot, cases, route);
    if members.len() < 2 * LEAST {
        return None;
    }
    let own = centres[route].as_ref()?;
    let others = centres.iter().enumerate().filter(|(at, _)| *at != route);
    let others = others.filter_map(|(_, other)| Some(distance(own, other.as_ref()?)));
    // A route without another to compare with is apart as far as anything.
    let nearest = others.fold(f32::INFINITY, f32::min);
    let nearest = if nearest.is_finite() {
        nearest
    } else {
        f32::MIN_POSITIVE
    };
    let groups = groups(&vectors)?;
    let second: usize = groups.side.iter().sum();
    let smaller = second.min(members.len() - second);
    let enough = smaller >= LEAST && smaller as f64 >= SMALLER * members.len() as f64;
    enough.then_some(Candidate {
        apart: groups.distance() / nearest,
        route,
        members,
        vectors,
        groups,
    })
}

impl<'a> Candidate<'_, 'a> {
    fn measured(&self, snapshot: &Snapshot, cases: &Cases<'_, 'a>) -> Split<'a> {
        let (policy, route) = (&snapshot.policy, self.route);
        let second = policy.routes.len();
        let members = self.members.iter().zip(&self.groups.side);
        let side: BTreeMap<u32, usize> = members.map(|(seen, side)| (seen.request.line, *side)).collect();
        // What each group is taught: by the requests of the other parts.
        let taught = |others: &[&Seen<'_>]| -> [Vec<String>; 2] {
            [0, 1].map(|group| {
                let own = others
                    .iter()
                    .filter(|seen| side.get(&seen.request.line) == Some(&group));
                let texts: Vec<&str> = own.filter_map(|seen| seen.text()).collect();
                let stride = texts.len().div_ceil(TAUGHT).max(1);
                texts
                    .iter()
                    .step_by(stride)
                    .map(|text| (*text).to_owned())
                    .collect()
            })
        };
        let as_one = cases.held_out(snapshot, &|others| {
            let mut one: Policy = (**policy).clone();
            one.routes[route].examples.extend(taught(others).concat());
            Some(one)
        });
        let as_two = cases.held_out(snapshot, &|others| Some(self.in_two(snapshot, taught(others))));
        let lands = |label: Label| match label {
            Some(label) if label == second => Some(route),
            other => other,
        };
        let rights = as_one.iter().zip(&as_two).zip(&cases.labels);
        let own = cases.all.iter().zip(&as_two);
        let told = own.filter_map(|(seen, got)| {
            let half = [route, second][*side.get(&seen.request.line)?];
            Some(*got == Some(half))
        });
        let shown = |group: usize| {
            let members = self.groups.by_nearness(&self.vectors, group);
            let nearest = members.iter().take(SHOWN);
            (
                members.len(),
                nearest.map(|at| self.members[*at].request).collect(),
            )
        };
        Split {
            route,
            groups: [shown(0), shown(1)],
            silhouette: self.groups.silhouette,
            told: Share::of(told),
            change: Change::of(rights.map(|((one, two), label)| (one == label, lands(*two) == *label))),
        }
    }

    /// The policy with the route as two of the same description, told apart by examples alone; the second stands last.
    fn in_two(&self, snapshot: &Snapshot, [first, second]: [Vec<String>; 2]) -> Policy {
        let mut policy = (*snapshot.policy).clone();
        let mut other = policy.routes[self.route].clone();
        // Nothing was learned about the difficulty of a route that is not in the policy.
        other.strong_weak = None;
        let examples = std::mem::take(&mut policy.routes[self.route].examples);
        let (two, one): (Vec<String>, Vec<String>) = examples
            .into_iter()
            .partition(|text| self.groups.of(&snapshot.models.table.embed(text)) == 1);
        policy.routes[self.route].examples = [one, first].concat();
        other.examples = [two, second].concat();
        policy.routes.push(other);
        policy
    }
}
