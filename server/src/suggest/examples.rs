//! Labelled requests that would help as examples: those that went elsewhere or were a near thing. Called by
//! [`suggest`](super::suggest).

use std::collections::BTreeMap;

use signalbox_decide::Policy;
use signalbox_decide::policy::RequestLine;

use super::fold::{Cases, Change};
use super::{Label, MOST, Seen};
use crate::store::Snapshot;

/// Examples worth adding to one route.
#[derive(Clone, Debug)]
pub struct Addition<'a> {
    /// The route; `None` is `other.examples`.
    pub label: Label,
    /// The requests, the most misrouted first.
    pub requests: Vec<&'a RequestLine>,
    /// What it does to the requests that want this route when every route gets its examples.
    pub change: Change,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Examples<'a> {
    /// By route in policy order, `other` last.
    pub additions: Vec<Addition<'a>>,
    /// What they do together.
    pub together: Change,
}

/// Picked from all requests; what they bring is what comes of picking from four fifths, on the fifth.
pub(super) fn examples<'a>(snapshot: &Snapshot, cases: &Cases<'_, 'a>) -> Examples<'a> {
    let picked = pick(&cases.all);
    let after = cases.held_out(snapshot, &|others| {
        let picked = pick(others);
        (!picked.is_empty()).then(|| with(&snapshot.policy, &picked))
    });
    let additions = picked.iter().map(|(label, picked)| Addition {
        label: *label,
        requests: picked.iter().map(|seen| seen.request).collect(),
        change: cases.change(&after, Some(*label)),
    });
    Examples {
        additions: additions.collect(),
        together: cases.change(&after, None),
    }
}

/// For each route those of its requests that went elsewhere or were a near thing, the least probable first.
fn pick<'s, 'a>(from: &[&'s Seen<'a>]) -> Vec<(Label, Vec<&'s Seen<'a>>)> {
    let mut by_label: BTreeMap<Label, Vec<&'s Seen<'a>>> = BTreeMap::new();
    for seen in from.iter().filter(|seen| seen.text().is_some()) {
        if let Some(wanted) = seen.wanted.filter(|_| seen.is_wrong() || seen.is_near()) {
            by_label.entry(wanted).or_default().push(seen);
        }
    }
    for picked in by_label.values_mut() {
        // Stable: equals stay in the order of the file.
        picked
            .sort_by(|a, b| f32::total_cmp(&a.probability().unwrap_or(0.0), &b.probability().unwrap_or(0.0)));
        picked.truncate(MOST);
    }
    let other = by_label.remove_entry(&None);
    by_label.into_iter().chain(other).collect()
}

/// The policy with the examples in it.
fn with(policy: &Policy, picked: &[(Label, Vec<&Seen<'_>>)]) -> Policy {
    let mut policy = policy.clone();
    for (label, picked) in picked {
        let texts = picked.iter().filter_map(|seen| seen.text()).map(str::to_owned);
        match label {
            Some(route) => policy.routes[*route].examples.extend(texts),
            None => policy.other_examples.extend(texts),
        }
    }
    policy
}
