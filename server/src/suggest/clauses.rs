//! What a route's description should say besides, in the words of its requests that went elsewhere. Called by
//! [`suggest`](super::suggest).

use std::collections::{BTreeMap, BTreeSet};

use signalbox_decide::Policy;
use signalbox_decide::policy::{RequestLine, RouteIndex};

use super::Seen;
use super::fold::{Cases, Change};
use super::groups::{dot, mean};
use crate::store::Snapshot;

/// Least requests of a route that go elsewhere.
const MISROUTED: usize = 3;
/// Routes that are tried, those with the most such requests.
const TRIED: usize = 6;
/// Most words of a request that is a clause by itself.
const SHORT: usize = 12;
/// Most words that are a clause because they are characteristic.
const WORDS: usize = 4;
/// So many times as frequent in the route's requests as in others a characteristic word is at least.
const FREQUENT: f64 = 3.0;
/// Least letters of such a word.
const LETTERS: usize = 3;
/// English words that say nothing of what a request is about, however often a route has them.
const EMPTY: [&str; 48] = [
    "about", "and", "any", "are", "but", "can", "could", "did", "does", "for", "from", "get", "had", "has",
    "have", "her", "his", "how", "into", "its", "let", "may", "need", "not", "our", "out", "please",
    "should", "that", "the", "their", "them", "then", "there", "they", "this", "want", "was", "were", "what",
    "when", "where", "which", "who", "why", "with", "would", "you",
];

/// Where a clause comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words that the route's requests have and others have not.
    Words,
    /// The request that is most like the others that went elsewhere.
    Request,
}

/// Something that a description should say besides.
#[derive(Clone, Debug)]
pub struct Clause<'a> {
    /// The route.
    pub route: RouteIndex,
    /// Where it comes from.
    pub kind: Kind,
    /// What to add to the description, after a semicolon.
    pub text: String,
    /// The requests whose words it has.
    pub from: Vec<&'a RequestLine>,
    /// What it brings to all requests, by cross-validation: made of four fifths, measured on the fifth.
    pub change: Change,
}

/// All that help.
#[derive(Clone, Debug, Default)]
pub struct Clauses<'a> {
    /// How many were tried. One in twenty would seem to help by chance.
    pub tried: usize,
    /// Those that help, at most one a route, the most helpful first.
    pub found: Vec<Clause<'a>>,
}

/// A clause, and the requests that it is made of.
type Made<'a> = (String, Vec<&'a RequestLine>);

/// Tries both kinds for each of the routes with the most misrouted requests.
pub(super) fn clauses<'a>(snapshot: &Snapshot, cases: &Cases<'_, 'a>) -> Clauses<'a> {
    let mut wrong: BTreeMap<RouteIndex, usize> = BTreeMap::new();
    for seen in cases.all.iter().filter(|seen| seen.is_wrong()) {
        if let Some(Some(route)) = seen.wanted {
            *wrong.entry(route).or_default() += 1;
        }
    }
    let mut routes: Vec<(RouteIndex, usize)> = wrong
        .into_iter()
        .filter(|(_, count)| *count >= MISROUTED)
        .collect();
    routes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut clauses = Clauses::default();
    for (route, _) in routes.into_iter().take(TRIED) {
        let mut best: Option<Clause<'a>> = None;
        for kind in [Kind::Words, Kind::Request] {
            let Some((text, from)) = make(snapshot, kind, route, &cases.all) else {
                continue;
            };
            clauses.tried += 1;
            let after = cases.held_out(snapshot, &|others| {
                let (text, _) = make(snapshot, kind, route, others)?;
                Some(described(&snapshot.policy, route, &text))
            });
            let change = cases.change(&after, None);
            let better = best
                .as_ref()
                .is_none_or(|best| best.change.after.right < change.after.right);
            if change.is_gain() && better {
                best = Some(Clause {
                    route,
                    kind,
                    text,
                    from,
                    change,
                });
            }
        }
        clauses.found.extend(best);
    }
    clauses
        .found
        .sort_by_key(|clause| std::cmp::Reverse(clause.change.after.right));
    clauses
}

/// The policy with a clause more in a route's description.
fn described(policy: &Policy, route: RouteIndex, clause: &str) -> Policy {
    let mut policy = policy.clone();
    let description = &mut policy.routes[route].description;
    let said = description.trim_end_matches(['.', ';', ' ']);
    *description = format!("{said}; {clause}");
    policy
}

fn make<'a>(snapshot: &Snapshot, kind: Kind, route: RouteIndex, from: &[&Seen<'a>]) -> Option<Made<'a>> {
    match kind {
        Kind::Words => characteristic(&snapshot.policy, route, from),
        Kind::Request => typical(snapshot, route, from),
    }
}

/// The words of misrouted requests that are most characteristic of the route's: frequent in its requests, rare in others, and
/// not in its name and description.
fn characteristic<'a>(policy: &Policy, route: RouteIndex, from: &[&Seen<'a>]) -> Option<Made<'a>> {
    let route_text = &policy.routes[route];
    let known = words(&format!("{} {}", route_text.name, route_text.description));
    // By word: the route's requests that have it, the misrouted among them, and the others.
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let (mut own, mut others) = (0, 0);
    for (seen, text) in texts(from) {
        let is_own = seen.wanted == Some(Some(route));
        own += usize::from(is_own);
        others += usize::from(!is_own);
        for word in words(text) {
            let count = counts.entry(word).or_default();
            count[0] += usize::from(is_own);
            count[1] += usize::from(is_own && seen.is_wrong());
            count[2] += usize::from(!is_own);
        }
    }
    let ratio = |[has, _, others_have]: [usize; 3]| {
        let (has, others_have) = (has as f64 + 0.5, others_have as f64 + 0.5);
        (has / (own as f64 + 1.0)) / (others_have / (others as f64 + 1.0))
    };
    let mut found: Vec<(f64, String)> = counts
        .into_iter()
        .filter(|(word, count)| count[0] >= 2 && count[1] >= 1 && !known.contains(word))
        .filter(|(_, count)| ratio(*count) >= FREQUENT)
        .map(|(word, count)| (count[1] as f64 * ratio(count).ln(), word))
        .collect();
    // Stable: equals stay in the order of the alphabet.
    found.sort_by(|(a, _), (b, _)| f64::total_cmp(b, a));
    let chosen: Vec<String> = found.into_iter().take(WORDS).map(|(_, word)| word).collect();
    let has = |text: &str| words(text).iter().any(|word| chosen.contains(word));
    let from = misrouted(route, from).filter(|(_, text)| has(text));
    let requests: Vec<&RequestLine> = from.map(|(seen, _)| seen.request).collect();
    (chosen.len() >= 2).then(|| (chosen.join(", "), requests))
}

/// The short misrouted request that is most like all misrouted ones.
fn typical<'a>(snapshot: &Snapshot, route: RouteIndex, from: &[&Seen<'a>]) -> Option<Made<'a>> {
    let wrong: Vec<(&Seen<'a>, &str)> = misrouted(route, from).collect();
    let table = &snapshot.models.table;
    let vectors: Vec<Vec<f32>> = wrong.iter().map(|(_, text)| table.embed(text)).collect();
    let middle = mean(vectors.iter());
    let is_short = |text: &str| (2..=SHORT).contains(&text.split_whitespace().count());
    let short = wrong.iter().zip(&vectors).filter(|((_, text), _)| is_short(text));
    let near = |vector: &Vec<f32>| dot(vector, &middle);
    // Of equal ones the first.
    let ((seen, text), _) = short
        .rev()
        .max_by(|(_, a), (_, b)| f32::total_cmp(&near(a), &near(b)))?;
    let text = text.trim().trim_end_matches(['.', '?', '!']);
    Some((
        text.split_whitespace().collect::<Vec<_>>().join(" "),
        vec![seen.request],
    ))
}

fn misrouted<'f, 's: 'f, 'a: 's>(
    route: RouteIndex,
    from: &'f [&'s Seen<'a>],
) -> impl Iterator<Item = (&'s Seen<'a>, &'s str)> + 'f {
    let own = texts(from).filter(move |(seen, _)| seen.wanted == Some(Some(route)));
    own.filter(|(seen, _)| seen.is_wrong())
}

fn texts<'f, 's: 'f, 'a: 's>(from: &'f [&'s Seen<'a>]) -> impl Iterator<Item = (&'s Seen<'a>, &'s str)> + 'f {
    from.iter().filter_map(|seen| Some((*seen, seen.text()?)))
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words
        .map(str::to_lowercase)
        .filter(|word| word.chars().count() >= LETTERS && !EMPTY.contains(&word.as_str()))
        .collect()
}
