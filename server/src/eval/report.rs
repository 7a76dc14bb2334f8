//! The report of an evaluation, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::{Bin, Line, OTHER, Prediction, Share, bins, dialogues, ece, macro_f1};

/// Confusions shown.
const SHOWN: usize = 15;

/// All figures of one evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Decisions that are right, `other` included.
    pub accuracy: Share,
    /// Mean F1 over the expected labels.
    pub macro_f1: f64,
    /// Right among those that belong to a route.
    pub in_scope: Share,
    /// Right among those that belong to none.
    pub other_recall: Share,
    /// Right among those that were answered with none.
    pub other_precision: Share,
    /// Expected calibration error, where decisions have a confidence.
    pub ece: Option<f64>,
    /// Decisions by confidence, ten equal bins.
    pub bins: [Bin; 10],
    /// Runs of turns, and dialogues, right throughout.
    pub dialogues: Option<(Share, Share)>,
    /// Milliseconds at the 50th, 95th and 99th percentile.
    pub latency_ms: [f64; 3],
    /// (expected, predicted, how often), most frequent first.
    pub confusions: Vec<(String, String, usize)>,
    /// By tag.
    pub by_tag: BTreeMap<String, Share>,
}

impl Report {
    /// Compares predictions with what was expected, line by line.
    pub fn new(lines: &[Line], predictions: &[Prediction]) -> Self {
        let label = |p: &'_ Prediction| p.route.clone().unwrap_or_else(|| OTHER.to_owned());
        let predicted: Vec<String> = predictions.iter().map(label).collect();
        let pairs: Vec<(&str, &str)> = lines
            .iter()
            .zip(&predicted)
            .map(|(line, p)| (line.expected.as_str(), p.as_str()))
            .collect();
        let right: Vec<bool> = pairs
            .iter()
            .map(|(expected, predicted)| expected == predicted)
            .collect();
        let where_ = |keep: fn(&(&str, &str)) -> bool| {
            Share::of(
                pairs
                    .iter()
                    .filter(|pair| keep(pair))
                    .map(|(expected, predicted)| expected == predicted),
            )
        };
        let confident = predictions
            .iter()
            .zip(&right)
            .filter_map(|(p, &right)| Some((p.confidence?, right)));
        let bins = bins(&confident.collect::<Vec<_>>());
        let mut by_tag: BTreeMap<String, Share> = BTreeMap::new();
        for (line, &right) in lines.iter().zip(&right) {
            for tag in &line.tags {
                by_tag.entry(tag.clone()).or_default().add(right);
            }
        }
        let mut latency: Vec<f64> = predictions.iter().map(|p| p.latency_ms).collect();
        latency.sort_by(f64::total_cmp);
        let at = |share: f64| latency.get(((latency.len() as f64 * share) as usize).min(latency.len() - 1));
        Report {
            accuracy: Share::of(right.iter().copied()),
            macro_f1: macro_f1(&pairs),
            in_scope: where_(|pair| pair.0 != OTHER),
            other_recall: where_(|pair| pair.0 == OTHER),
            other_precision: where_(|pair| pair.1 == OTHER),
            ece: ece(&bins),
            bins,
            dialogues: dialogues(lines, &right),
            latency_ms: [0.5, 0.95, 0.99].map(|share| at(share).copied().unwrap_or(0.0)),
            confusions: confusions(&pairs),
            by_tag,
        }
    }

    /// For a terminal, 80 columns.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let (low, high) = self.accuracy.interval();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "accuracy          {}  95% interval {:.1} to {:.1}, {} of {}",
            percent(self.accuracy),
            low * 100.0,
            high * 100.0,
            self.accuracy.right,
            self.accuracy.all
        );
        let _ = writeln!(out, "macro F1          {:5.1} %", self.macro_f1 * 100.0);
        let _ = writeln!(out, "in scope          {}", percent(self.in_scope));
        let _ = writeln!(out, "other recall      {}", percent(self.other_recall));
        let _ = writeln!(out, "other precision   {}", percent(self.other_precision));
        if let Some(ece) = self.ece {
            let _ = writeln!(out, "calibration error {ece:7.3}");
        }
        if let Some((spans, whole)) = self.dialogues {
            let _ = writeln!(out, "spans             {}", percent(spans));
            let _ = writeln!(out, "conversations     {}", percent(whole));
        }
        let [p50, p95, p99] = self.latency_ms;
        let _ = writeln!(
            out,
            "latency           p50 {p50:.3} ms, p95 {p95:.3} ms, p99 {p99:.3} ms"
        );
        if !self.confusions.is_empty() {
            let _ = writeln!(out, "\nconfusions (expected -> decided)");
        }
        for (expected, predicted, count) in self.confusions.iter().take(SHOWN) {
            let _ = writeln!(out, "  {count:4}  {expected} -> {predicted}");
        }
        if !self.by_tag.is_empty() {
            let _ = writeln!(out, "\nby tag");
        }
        for (tag, share) in &self.by_tag {
            let _ = writeln!(out, "  {}  {tag} ({})", percent(*share), share.all);
        }
        out
    }

    /// For programs; shares are 0..=1, `null` of nothing.
    pub fn json(&self) -> Value {
        let (low, high) = self.accuracy.interval();
        json!({
            "n": self.accuracy.all,
            "accuracy": self.accuracy.value(),
            "accuracy_ci95": [low, high],
            "macro_f1": self.macro_f1,
            "in_scope_accuracy": self.in_scope.value(),
            "oos_recall": self.other_recall.value(),
            "oos_precision": self.other_precision.value(),
            "ece": self.ece,
            "span_accuracy": self.dialogues.and_then(|(spans, _)| spans.value()),
            "conversation_accuracy": self.dialogues.and_then(|(_, whole)| whole.value()),
            "latency_ms": {"p50": self.latency_ms[0], "p95": self.latency_ms[1], "p99": self.latency_ms[2]},
            "confusions": self.confusions,
            "by_tag": self.by_tag.iter().map(|(tag, s)| (tag.clone(), json!([s.value(), s.all]))).collect::<serde_json::Map<_, _>>(),
        })
    }
}

fn confusions(pairs: &[(&str, &str)]) -> Vec<(String, String, usize)> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for &pair in pairs.iter().filter(|(expected, predicted)| expected != predicted) {
        *counts.entry(pair).or_default() += 1;
    }
    let mut rows: Vec<_> = counts
        .into_iter()
        .map(|((e, p), count)| (e.to_owned(), p.to_owned(), count))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.2));
    rows
}

pub(super) fn percent(share: Share) -> String {
    share.value().map_or_else(
        || "    –  ".to_owned(),
        |value| format!("{:5.1} %", value * 100.0),
    )
}
