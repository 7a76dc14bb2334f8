//! What a file of requests says about a policy: routes that never win, prompts that fall through or are a near thing,
//! and, where lines say which route is wanted, which routes are confused and which requests would help as examples.
//!
//! Whether examples help is measured, never assumed: they come from one half of the labelled requests, the accuracy from
//! the other, decided by the policy compiled once more with all of them. Called by `signalbox policy suggest`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signalbox_decide::policy::{RequestLine, RouteIndex};
use signalbox_decide::{RouteScores, Source};

use crate::engine::{Live, settle};
use crate::eval::Share;
use crate::policy_test::conversation_of;
use crate::store::Snapshot;

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

/// Examples worth adding to one route.
#[derive(Clone, Debug)]
pub struct Addition<'a> {
    /// The route; `None` is `other.examples`.
    pub label: Label,
    /// The requests, the most misrouted first.
    pub requests: Vec<&'a RequestLine>,
    /// Held-out requests that want this route and get it, before the addition of all examples.
    pub before: Share,
    /// The same after it.
    pub after: Share,
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
    /// By route in policy order, `other` last.
    pub additions: Vec<Addition<'a>>,
    /// All held-out requests before the addition.
    pub before: Share,
    /// The same after it.
    pub after: Share,
}

/// Looks at requests, whose wanted routes are the policy's. Decides each once, those held out twice, and compiles at most
/// once (0.1 s to some seconds).
pub fn suggest<'a>(snapshot: &Snapshot, requests: &'a [RequestLine]) -> Suggestions<'a> {
    let seen: Vec<Seen<'a>> = requests.iter().map(|request| look(snapshot, request)).collect();
    let won: BTreeSet<RouteIndex> = seen.iter().filter_map(|seen| seen.got).collect();
    let never = (0..snapshot.policy.routes.len())
        .filter(|route| !won.contains(route))
        .collect();
    let right = Share::of(seen.iter().filter_map(|seen| Some(seen.wanted? == seen.got)));
    let confused = confusions(&seen);
    let (pool, held_out) = halves(snapshot, &seen);
    let picked = pick(&pool);
    let after = decide_with(snapshot, &picked, &held_out);
    let share = |got: &[Label], of: Option<Label>| {
        let pairs = held_out.iter().zip(got);
        let pairs = pairs.filter(|(seen, _)| of.is_none() || seen.wanted == of);
        Share::of(pairs.map(|(seen, got)| seen.wanted == Some(*got)))
    };
    let before: Vec<Label> = held_out.iter().map(|seen| seen.got).collect();
    let additions = picked.iter().map(|(label, picked)| Addition {
        label: *label,
        requests: picked.iter().map(|seen| seen.request).collect(),
        before: share(&before, Some(*label)),
        after: share(&after, Some(*label)),
    });
    Suggestions {
        additions: additions.collect(),
        before: share(&before, None),
        after: share(&after, None),
        never,
        right,
        confused,
        seen,
    }
}

fn look<'a>(snapshot: &Snapshot, request: &'a RequestLine) -> Seen<'a> {
    let policy = &snapshot.policy;
    let conversation = conversation_of(&request.messages);
    let settled = settle(snapshot, &request.query, &conversation, Live::default());
    let decision = settled.outcome.ok();
    let source = decision.as_ref().map(|decision| decision.source);
    let label = |name: &String| policy.routes.iter().position(|route| route.name == *name);
    Seen {
        request,
        got: decision.as_ref().and_then(|decision| decision.route),
        wanted: request.route.as_ref().map(label),
        fell: match source {
            Some(Source::Default) => true,
            Some(Source::Profile) => request.query.profile.is_none(),
            _ => false,
        },
        margin: decision
            .filter(|decision| decision.source == Source::Embedding)
            .and_then(|decision| decision.margin),
        scores: settled.evidence.scores().cloned(),
    }
}

impl Seen<'_> {
    /// Whether evidence decided, with little distance to the runner-up.
    pub fn is_near(&self) -> bool {
        self.margin.is_some_and(|margin| margin < NEAR)
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

/// The labelled requests that evidence answered, by turns: one to learn from, one to measure on, for each route. A text
/// counts once, and not at all where it is an example already, so that nothing that is measured was learned.
fn halves<'s, 'a>(snapshot: &Snapshot, seen: &'s [Seen<'a>]) -> (Vec<&'s Seen<'a>>, Vec<&'s Seen<'a>>) {
    let policy = &snapshot.policy;
    let examples = policy.routes.iter().flat_map(|route| &route.examples);
    let mut texts: BTreeSet<&str> = examples
        .chain(&policy.other_examples)
        .map(|text| text.trim())
        .collect();
    let mut counts: BTreeMap<Label, usize> = BTreeMap::new();
    let (mut pool, mut held_out) = (Vec::new(), Vec::new());
    for seen in seen {
        let (Some(wanted), Some(text), Some(_)) = (seen.wanted, seen.text(), seen.probability()) else {
            continue;
        };
        if !texts.insert(text.trim()) {
            continue;
        }
        let count = counts.entry(wanted).or_default();
        *count += 1;
        if count.is_multiple_of(2) {
            held_out.push(seen);
        } else {
            pool.push(seen);
        }
    }
    (pool, held_out)
}

/// For each route those of its requests that went elsewhere or were a near thing, the least probable first.
fn pick<'s, 'a>(pool: &[&'s Seen<'a>]) -> Vec<(Label, Vec<&'s Seen<'a>>)> {
    let mut by_label: BTreeMap<Label, Vec<&'s Seen<'a>>> = BTreeMap::new();
    for seen in pool {
        if let Some(wanted) = seen.wanted.filter(|wanted| *wanted != seen.got || seen.is_near()) {
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

/// The routes of held-out requests once the examples are part of the policy.
fn decide_with(
    snapshot: &Snapshot,
    picked: &[(Label, Vec<&Seen<'_>>)],
    held_out: &[&Seen<'_>],
) -> Vec<Label> {
    if picked.is_empty() || held_out.is_empty() {
        return held_out.iter().map(|seen| seen.got).collect();
    }
    let mut policy = (*snapshot.policy).clone();
    for (label, picked) in picked {
        let texts = picked.iter().filter_map(|seen| seen.text()).map(str::to_owned);
        match label {
            Some(route) => policy.routes[*route].examples.extend(texts),
            None => policy.other_examples.extend(texts),
        }
    }
    // Nothing that is decided here is kept, so its identity does not matter.
    let with = snapshot.with_routes(policy, [0; 32]);
    held_out
        .iter()
        .map(|seen| look(&with, seen.request).got)
        .collect()
}

#[cfg(test)]
mod tests;
