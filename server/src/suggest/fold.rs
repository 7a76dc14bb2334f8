//! Cross-validation: labelled requests in parts, each of which is decided by a policy that learned from the others, and
//! what that says of a change. Called by everything beside it that measures.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use signalbox_decide::Policy;

use super::{Label, Seen, look};
use crate::eval::Share;
use crate::store::Snapshot;

/// Parts of a cross-validation.
pub const FOLDS: usize = 5;

/// Probability by chance from which on a change says nothing.
const CHANCE: f64 = 0.05;

/// The same requests before and after a change.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// Right before.
    pub before: Share,
    /// Right after.
    pub after: Share,
    /// Right only after.
    pub gained: usize,
    /// Right only before.
    pub lost: usize,
}

impl Change {
    /// Of (right before, right after).
    pub(super) fn of(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let pairs: Vec<(bool, bool)> = pairs.into_iter().collect();
        Change {
            before: Share::of(pairs.iter().map(|(before, _)| *before)),
            after: Share::of(pairs.iter().map(|(_, after)| *after)),
            gained: pairs.iter().filter(|pair| **pair == (false, true)).count(),
            lost: pairs.iter().filter(|pair| **pair == (true, false)).count(),
        }
    }

    /// How probable so many gains or more are if each of the requests that changed had gone either way by the toss of a coin:
    /// the one-sided sign test, which is McNemar's exact one.
    pub fn chance(&self) -> f64 {
        tail(self.gained, self.gained + self.lost)
    }

    /// Whether more is right than chance explains.
    pub fn is_gain(&self) -> bool {
        self.chance() < CHANCE
    }

    /// Whether more is wrong than chance explains.
    pub fn is_harm(&self) -> bool {
        tail(self.lost, self.gained + self.lost) < CHANCE
    }
}

/// The probability of `least` heads or more in `all` tosses. By logarithms: 2^-all is no number from 1,075 on.
fn tail(least: usize, all: usize) -> f64 {
    let mut log = vec![0.0];
    for n in 1..=all {
        log.push(log[n - 1] + (n as f64).ln());
    }
    let toss = all as f64 * 0.5f64.ln();
    let exactly = |heads: usize| (log[all] - log[heads] - log[all - heads] + toss).exp();
    (least..=all).map(exactly).sum::<f64>().min(1.0)
}

/// Requests that evidence answered, with the routes that they belong to and the part that each is in. A conversation counts
/// once, and not at all where something in it is an example of the policy already, so that nothing that is measured was
/// learned. Those that open alike are in the same part: they may be turns of one dialogue. Each route's are spread evenly.
#[derive(Debug)]
pub(super) struct Cases<'s, 'a> {
    pub(super) all: Vec<&'s Seen<'a>>,
    pub(super) labels: Vec<Label>,
    pub(super) folds: Vec<usize>,
}

impl<'s, 'a> Cases<'s, 'a> {
    /// Those for which `label` says where they belong.
    pub(super) fn of(
        snapshot: &Snapshot,
        seen: &'s [Seen<'a>],
        label: impl Fn(&Seen<'_>) -> Option<Label>,
    ) -> Self {
        let policy = &snapshot.policy;
        let examples = policy.routes.iter().flat_map(|route| &route.examples);
        let known: BTreeSet<&str> = examples
            .chain(&policy.other_examples)
            .map(|text| text.trim())
            .collect();
        let mut met: BTreeSet<Vec<(&str, &str)>> = BTreeSet::new();
        let mut openings: BTreeMap<&str, usize> = BTreeMap::new();
        let mut next: BTreeMap<Label, usize> = BTreeMap::new();
        let (mut all, mut labels, mut folds) = (Vec::new(), Vec::new(), Vec::new());
        for seen in seen {
            let (Some(label), Some(_)) = (label(seen), &seen.scores) else {
                continue;
            };
            let messages = seen.request.messages.iter();
            let messages: Vec<(&str, &str)> = messages
                .map(|(role, text)| (role.as_str(), text.trim()))
                .collect();
            let Some((_, opening)) = messages.first().copied() else {
                continue;
            };
            if messages.iter().any(|(_, text)| known.contains(text)) || !met.insert(messages) {
                continue;
            }
            let fold = *openings.entry(opening).or_insert_with(|| {
                // Each route begins with another part, so that those with few requests are not all in the first.
                let next = next.entry(label).or_insert(label.unwrap_or(policy.routes.len()));
                *next += 1;
                *next % FOLDS
            });
            all.push(seen);
            labels.push(label);
            folds.push(fold);
        }
        Cases { all, labels, folds }
    }

    /// The route of each request by the policy that `learn` makes of the requests in the other parts; as now, where it makes
    /// none. Compiles [`FOLDS`] times, on as many threads.
    pub(super) fn held_out(
        &self,
        snapshot: &Snapshot,
        learn: &(dyn Fn(&[&'s Seen<'a>]) -> Option<Policy> + Sync),
    ) -> Vec<Label> {
        let one = |fold: usize| {
            let any = self.folds.contains(&fold);
            let policy = any.then(|| learn(&self.but(fold))).flatten();
            let with = policy.map(|policy| compiled(snapshot, policy));
            let inside = self.all.iter().zip(&self.folds).enumerate();
            let inside = inside.filter(|(_, (_, part))| **part == fold);
            let decided = inside.map(|(at, (seen, _))| match &with {
                Some(with) => (at, look(with, seen.request).got),
                None => (at, seen.got),
            });
            decided.collect::<Vec<_>>()
        };
        let mut got = vec![None; self.all.len()];
        thread::scope(|scope| {
            let running: Vec<_> = (0..FOLDS).map(|fold| scope.spawn(move || one(fold))).collect();
            for part in running {
                match part.join() {
                    Ok(decided) => decided.into_iter().for_each(|(at, label)| got[at] = label),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        got
    }

    /// The requests outside of a part.
    fn but(&self, fold: usize) -> Vec<&'s Seen<'a>> {
        let outside = self.all.iter().zip(&self.folds);
        outside
            .filter(|(_, part)| **part != fold)
            .map(|(seen, _)| *seen)
            .collect()
    }

    /// For each request, whether `chosen` says yes of those in the other parts.
    pub(super) fn chosen_without(&self, chosen: impl Fn(&[&'s Seen<'a>]) -> bool) -> Vec<bool> {
        let by_fold: Vec<bool> = (0..FOLDS).map(|fold| chosen(&self.but(fold))).collect();
        self.folds.iter().map(|fold| by_fold[*fold]).collect()
    }

    /// What is right before and after, of all requests or of those that want `of`.
    pub(super) fn change(&self, after: &[Label], of: Option<Label>) -> Change {
        let pairs = self.all.iter().zip(&self.labels).zip(after);
        let pairs = pairs.filter(|((_, label), _)| of.is_none_or(|of| of == **label));
        Change::of(pairs.map(|((seen, label), after)| (seen.got == *label, after == label)))
    }
}

/// A policy with other texts, ready to decide. Nothing that it decides is kept, so its identity does not matter.
pub(super) fn compiled(snapshot: &Snapshot, policy: Policy) -> Snapshot {
    snapshot.with_routes(policy, [0; 32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_is_more_than_a_toss_of_coins_explains() {
        let change = |gained, lost| Change {
            gained,
            lost,
            ..Change::default()
        };
        let near = |change: Change, wanted: f64| (change.chance() - wanted).abs() < 1e-9;
        assert!(near(change(0, 0), 1.0) && near(change(5, 0), 1.0 / 32.0) && near(change(3, 1), 5.0 / 16.0));
        assert!(!change(0, 0).is_gain() && !change(4, 0).is_gain() && change(5, 0).is_gain());
        assert!(change(0, 5).is_harm() && !change(5, 0).is_harm() && !change(0, 0).is_harm());
        // Where 2^-n is no number any more.
        assert!(change(1100, 900).is_gain() && !change(1010, 990).is_gain());
    }
}
