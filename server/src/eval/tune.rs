//! Which thresholds a policy would do best with, by its author's own labelled requests: every request is decided again and
//! again from the same evidence, with one setting moved at a time. Called by `signalbox eval --tune`.
//!
//! A threshold is judged by cross-validation: chosen on four fifths of the requests and scored on the fifth that it has not seen,
//! a dialogue being in one of them. A gain counts as one where it is larger than its standard error,
//! `√(b + c) / n` for b requests that only the new setting decides rightly and c that only the old one does.

use std::collections::BTreeMap;
use std::sync::Arc;

use signalbox_decide::llm::LlmMode;
use signalbox_decide::policy::EncoderSettings;
use signalbox_decide::{Answer, Evidence, Policy, Probe, Query, RouteScores, Step, decide};

use super::{Line, OTHER, Share};
use crate::cli::route::query_of;
use crate::engine::{Live, answer};
use crate::store::Snapshot;

/// Parts of a cross-validation.
const FOLDS: usize = 5;
/// Above every distance of two probabilities: the encoder is always asked.
const ALWAYS: f64 = 2.0;
/// Share of the encoder's gain that is wanted.
const ENOUGH: f64 = 0.75;

/// What came of moving the settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    /// `evidence.threshold`.
    pub threshold: Threshold,
    /// `evidence.encoder_below`, where the policy has an encoder.
    pub encoder: Option<Encoder>,
    /// `llm.ask_below`.
    pub llm: Asking,
}

/// The least probability of a route that decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The policy's; `None` is the classifier's own.
    pub now: Option<f64>,
    /// Right with that.
    pub right_now: Share,
    /// Every value that was tried, and what is right with it.
    pub points: Vec<(f64, Share)>,
    /// The value with which most is right; of equal ones the first.
    pub best: f64,
    /// Right by cross-validation: what the best can be expected to give.
    pub expected: Share,
    /// Whether that is a gain.
    pub advised: bool,
}

/// The distance of the best two below which the encoder is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    /// The policy's.
    pub now: f64,
    /// Every value that was tried, the share of requests asked, and what is right.
    pub points: Vec<(f64, Share, Share)>,
    /// The least value that brings three quarters of what always asking brings; `None` where that is no gain.
    pub advised: Option<f64>,
}

/// The probability below which a language model is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Asking {
    /// The policy's, if it asks one so.
    pub now: Option<f64>,
    /// Every value that was tried.
    pub points: Vec<AskPoint>,
    /// The share of what it is not asked about that is to be right.
    pub aim: f64,
    /// The least value that reaches the aim; `None` where none does that asks about fewer than all.
    pub advised: Option<f64>,
}

/// One value of `llm.ask_below`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AskPoint {
    /// The value.
    pub below: f64,
    /// Requests that it would be asked about.
    pub asked: Share,
    /// Of the others: right without it.
    pub kept: Share,
    /// Of those asked about: right without it, which it would have to beat.
    pub unsure: Share,
}

/// A labelled request with what is known of it.
struct Case<'a> {
    line: &'a Line,
    query: Query,
    evidence: Evidence,
    encoder: Answer<Arc<RouteScores>>,
}

/// How a request is decided by one setting.
#[derive(Clone, Copy, Default)]
struct Decided {
    right: bool,
    encoder: bool,
    llm: bool,
}

impl Case<'_> {
    fn decide(&mut self, policy: &Policy, snapshot: &Snapshot) -> Decided {
        let mut decided = Decided::default();
        let evidence = &mut self.evidence;
        evidence.encoder = Answer::NotAsked;
        evidence.llm = Answer::NotAsked;
        evidence.difficulty = Answer::NotAsked;
        loop {
            let probe = match decide(policy, &self.query, evidence) {
                Step::Done(outcome) => {
                    let route = outcome.ok().and_then(|decision| decision.route);
                    let route = route.map_or(OTHER, |route| policy.routes[route].name.as_str());
                    decided.right = route == self.line.expected;
                    return decided;
                }
                Step::Ask(probe) => probe,
            };
            decided.encoder |= probe == Probe::Encoder;
            decided.llm |= probe == Probe::Llm;
            if probe == Probe::Encoder && self.encoder != Answer::NotAsked {
                evidence.encoder = self.encoder.clone();
                continue;
            }
            answer(
                probe,
                evidence,
                snapshot,
                &self.line.conversation,
                Live::default(),
            );
            if probe == Probe::Encoder {
                self.encoder = evidence.encoder.clone();
            }
        }
    }
}

impl Tuning {
    /// Decides `lines` by `snapshot`'s policy with other settings; `aim` is the share of what a language model is not asked about
    /// that is to be right, 0..=1. Some 10 µs for each line and setting; milliseconds for each line where an encoder is asked.
    pub fn new(snapshot: &Snapshot, lines: &[Line], aim: f64) -> Self {
        let mut usual = (*snapshot.policy).clone();
        let asks = (usual.llm.mode == LlmMode::WhenUnsure).then_some(usual.llm.ask_below);
        usual.llm.mode = LlmMode::Never;
        let mut cases: Vec<Case<'_>> = lines
            .iter()
            .map(|line| Case {
                line,
                query: query_of(&line.conversation),
                evidence: Evidence::default(),
                encoder: Answer::NotAsked,
            })
            .collect();
        let mut by = |change: &dyn Fn(&mut Policy)| -> Vec<Decided> {
            let mut policy = usual.clone();
            change(&mut policy);
            cases
                .iter_mut()
                .map(|case| case.decide(&policy, snapshot))
                .collect()
        };
        let now = by(&|_| {});
        let thresholds: Vec<(f64, Vec<bool>)> = steps(40)
            .map(|value| {
                (
                    value,
                    rights(&by(&|policy| policy.evidence.threshold = Some(value))),
                )
            })
            .collect();
        let encoder = usual.evidence.encoder.as_ref().map(|settings| {
            let below = |value| {
                by(&|policy: &mut Policy| {
                    if let Some(encoder) = &mut policy.evidence.encoder {
                        encoder.ask_below = value;
                    }
                })
            };
            Encoder::new(settings, below)
        });
        let llm = steps(20).map(|value| {
            let decided = by(&|policy| {
                policy.llm.mode = LlmMode::WhenUnsure;
                policy.llm.ask_below = value;
            });
            AskPoint::new(value, &decided)
        });
        let llm = llm.collect();
        Tuning {
            threshold: Threshold::new(
                usual.evidence.threshold,
                &rights(&now),
                &thresholds,
                &folds(lines),
            ),
            encoder,
            llm: Asking::new(asks, llm, aim),
        }
    }
}

impl Threshold {
    fn new(now: Option<f64>, right_now: &[bool], tried: &[(f64, Vec<bool>)], folds: &[usize]) -> Self {
        let best = |keep: &dyn Fn(usize) -> bool| {
            let right = |rights: &[bool]| (0..rights.len()).filter(|&at| keep(at) && rights[at]).count();
            // Of equal ones the first.
            let best = tried.iter().rev().max_by_key(|(_, rights)| right(rights));
            best.map_or(&tried[0], |best| best)
        };
        let unseen: Vec<&Vec<bool>> = (0..FOLDS).map(|fold| &best(&|at| folds[at] != fold).1).collect();
        let expected: Vec<bool> = folds
            .iter()
            .enumerate()
            .map(|(at, &fold)| unseen[fold][at])
            .collect();
        Threshold {
            now,
            right_now: Share::of(right_now.iter().copied()),
            points: tried
                .iter()
                .map(|(value, rights)| (*value, Share::of(rights.iter().copied())))
                .collect(),
            best: best(&|_| true).0,
            expected: Share::of(expected.iter().copied()),
            advised: gains(right_now, &expected),
        }
    }
}

impl Encoder {
    fn new(settings: &EncoderSettings, mut below: impl FnMut(f64) -> Vec<Decided>) -> Self {
        let always = rights(&below(ALWAYS));
        let tried: Vec<(f64, Vec<Decided>)> = steps(20).map(|value| (value, below(value))).collect();
        let right = |decided: &[Decided]| decided.iter().filter(|one| one.right).count() as f64;
        let never = &tried[0].1;
        let all = always.iter().filter(|right| **right).count() as f64;
        let wanted = right(never) + ENOUGH * (all - right(never));
        let enough = tried.iter().find(|(_, decided)| right(decided) >= wanted);
        Encoder {
            now: settings.ask_below,
            advised: enough
                .filter(|_| gains(&rights(never), &always))
                .map(|(value, _)| *value),
            points: tried
                .iter()
                .map(|(value, decided)| {
                    let asked = Share::of(decided.iter().map(|one| one.encoder));
                    (*value, asked, Share::of(rights(decided)))
                })
                .collect(),
        }
    }
}

impl AskPoint {
    fn new(below: f64, decided: &[Decided]) -> Self {
        let of = |asked: bool| Share::of(decided.iter().filter(|one| one.llm == asked).map(|one| one.right));
        AskPoint {
            below,
            asked: Share::of(decided.iter().map(|one| one.llm)),
            kept: of(false),
            unsure: of(true),
        }
    }
}

impl Asking {
    fn new(now: Option<f64>, points: Vec<AskPoint>, aim: f64) -> Self {
        let reached = points
            .iter()
            .find(|point| point.kept.value().is_some_and(|right| right >= aim));
        Asking {
            now,
            aim,
            advised: reached.map(|point| point.below),
            points,
        }
    }
}

/// 0 to 1 in so many steps.
fn steps(count: u32) -> impl Iterator<Item = f64> {
    (0..=count).map(move |step| f64::from(step) / f64::from(count))
}

fn rights(decided: &[Decided]) -> Vec<bool> {
    decided.iter().map(|one| one.right).collect()
}

/// Whether more is right after than before, and by more than chance does.
fn gains(before: &[bool], after: &[bool]) -> bool {
    let only = |one: &[bool], other: &[bool]| {
        one.iter()
            .zip(other)
            .filter(|(one, other)| **one && !**other)
            .count() as f64
    };
    let (gained, lost) = (only(after, before), only(before, after));
    gained - lost > (gained + lost).sqrt()
}

/// The part that each line is in; lines of a dialogue are in the same.
fn folds(lines: &[Line]) -> Vec<usize> {
    let mut dialogues: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups = 0..;
    let mut next = || groups.next().unwrap_or_default() % FOLDS;
    lines
        .iter()
        .map(|line| match &line.turn {
            Some((dialogue, _)) => *dialogues.entry(dialogue).or_insert_with(&mut next),
            None => next(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
