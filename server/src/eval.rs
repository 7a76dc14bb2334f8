//! The figures of `signalbox eval`: accuracy, macro-F1, what belongs to no route, calibration, latency, confusions,
//! tags, and, for conversations, spans and whole dialogues.
//!
//! Definitions. `other` is a label like any route. Macro-F1 is the mean over the labels that occur in the set. ECE: ten
//! equal bins of the reported confidence, the mean of |confidence − accuracy| weighted by size. A span is a run of turns
//! of one conversation with the same expected route; it is right when all its turns are.

pub mod chart;
pub mod cost_quality;
pub mod curve;
pub mod page;
mod report;
pub mod tune;
mod tuning;

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

use crate::cli::route::{JsonMessage, conversation_of};
use crate::conversation::Conversation;

pub use report::Report;

/// The label of what belongs to no route.
pub const OTHER: &str = "other";

/// One labelled conversation.
#[derive(Clone, Debug)]
pub struct Line {
    /// Unique id.
    pub id: String,
    /// What was said, oldest first.
    pub conversation: Conversation,
    /// The right route, or `other`.
    pub expected: String,
    /// Free labels to report by.
    pub tags: Vec<String>,
    /// The dialogue that it is a turn of, and the turn's number.
    pub turn: Option<(String, u64)>,
}

/// What was decided for a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The route; `None` is `other`.
    pub route: Option<String>,
    /// The decision's confidence.
    pub confidence: Option<f64>,
    /// Milliseconds that it took.
    pub latency_ms: f64,
}

#[derive(Deserialize)]
struct RawLine {
    id: String,
    policy: Option<String>,
    conversation: Vec<JsonMessage>,
    expected_route: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    conversation_id: Option<String>,
    turn: Option<u64>,
}

/// Reads a set, one JSON object a line; with `policy`, only the lines made for it.
///
/// # Errors
/// The number of the first line that is not as described, and what is wrong with it.
pub fn read_set(text: &str, policy: Option<&str>) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let raw: RawLine = serde_json::from_str(line).with_context(|| format!("line {}", number + 1))?;
        if policy.is_some_and(|wanted| raw.policy.as_deref() != Some(wanted)) {
            continue;
        }
        let conversation = conversation_of(raw.conversation)
            .with_context(|| format!("line {}: conversation", number + 1))?;
        let expected = raw
            .expected_route
            .filter(|route| !route.is_empty() && route != "none");
        lines.push(Line {
            id: raw.id,
            conversation,
            expected: expected.unwrap_or_else(|| OTHER.to_owned()),
            tags: raw.tags,
            turn: raw.conversation_id.zip(raw.turn),
        });
    }
    Ok(lines)
}

/// Right and all, of anything counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// How many are right.
    pub right: usize,
    /// How many there are.
    pub all: usize,
}

impl Share {
    fn add(&mut self, right: bool) {
        self.right += usize::from(right);
        self.all += 1;
    }

    pub(crate) fn of(items: impl IntoIterator<Item = bool>) -> Self {
        let mut share = Share::default();
        items.into_iter().for_each(|right| share.add(right));
        share
    }

    /// The share, 0..=1; `None` of nothing.
    pub fn value(self) -> Option<f64> {
        (self.all > 0).then(|| self.right as f64 / self.all as f64)
    }

    /// Wilson's 95 % interval.
    pub fn interval(self) -> (f64, f64) {
        let Some(p) = self.value() else { return (0.0, 0.0) };
        let (n, z) = (self.all as f64, 1.96);
        let denominator = 1.0 + z * z / n;
        let centre = p + z * z / (2.0 * n);
        let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        ((centre - half) / denominator, (centre + half) / denominator)
    }
}

/// Decisions of about the same confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Their mean confidence.
    pub confidence: f64,
    /// How many are right.
    pub right: Share,
}

/// Ten equal bins over (confidence, right).
fn bins(pairs: &[(f64, bool)]) -> [Bin; 10] {
    let mut bins = [Bin::default(); 10];
    for &(confidence, right) in pairs {
        let bin = &mut bins[((confidence * 10.0) as usize).min(9)];
        bin.right.add(right);
        bin.confidence += (confidence - bin.confidence) / bin.right.all as f64;
    }
    bins
}

/// Expected calibration error over those bins.
fn ece(bins: &[Bin]) -> Option<f64> {
    let all: usize = bins.iter().map(|bin| bin.right.all).sum();
    let gaps = bins
        .iter()
        .map(|bin| (bin.confidence * bin.right.all as f64 - bin.right.right as f64).abs());
    (all > 0).then(|| gaps.sum::<f64>() / all as f64)
}

/// Mean F1 over the expected labels.
fn macro_f1(pairs: &[(&str, &str)]) -> f64 {
    let mut counts: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for &(expected, _) in pairs {
        counts.entry(expected).or_default().1 += 1;
    }
    for &(expected, predicted) in pairs {
        if let Some(count) = counts.get_mut(predicted) {
            count.2 += 1;
            count.0 += usize::from(expected == predicted);
        }
    }
    let f1 = counts
        .values()
        .map(|&(right, expected, predicted)| match expected + predicted {
            0 => 0.0,
            sum => 2.0 * right as f64 / sum as f64,
        });
    f1.sum::<f64>() / counts.len() as f64
}

/// Spans and whole dialogues that are right in every turn.
fn dialogues(lines: &[Line], right: &[bool]) -> Option<(Share, Share)> {
    let mut by_id: BTreeMap<&str, Vec<(u64, bool, &str)>> = BTreeMap::new();
    for (line, &right) in lines.iter().zip(right) {
        if let Some((id, turn)) = &line.turn {
            by_id.entry(id).or_default().push((*turn, right, &line.expected));
        }
    }
    if by_id.is_empty() {
        return None;
    }
    let (mut spans, mut whole) = (Share::default(), Share::default());
    for turns in by_id.values_mut() {
        turns.sort_unstable();
        whole.add(turns.iter().all(|turn| turn.1));
        for span in turns.chunk_by(|a, b| a.2 == b.2) {
            spans.add(span.iter().all(|turn| turn.1));
        }
    }
    Some((spans, whole))
}

#[cfg(test)]
mod tests;
