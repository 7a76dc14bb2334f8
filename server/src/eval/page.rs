//! An evaluation as one page of HTML that needs nothing else: figures, pictures, the confusion matrix, and the mistakes that were
//! made with most confidence. It quotes the set's own prompts.

use std::collections::{BTreeMap, BTreeSet};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{self, Series};
use super::report::percent;
use super::tune::Tuning;
use super::{Bin, Line, OTHER, Prediction, Report, Share};
use crate::conversation::Role;

/// Labels of the confusion matrix; past that those with most mistakes.
const LABELS: usize = 40;
/// Mistakes shown.
const MISTAKES: usize = 25;
/// Characters of a prompt shown.
const QUOTED: usize = 300;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}\
h2{margin-top:2.5rem}table{border-collapse:collapse}td,th{padding:.25rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid #ddd}\
td.n{text-align:right;font-variant-numeric:tabular-nums}pre{background:#f4f4f4;padding:.8rem;overflow:auto}\
svg{max-width:40rem;width:100%;height:auto}.wide{overflow:auto}.matrix td{text-align:center;min-width:1.6rem}\
.matrix th.up span{writing-mode:vertical-rl;transform:rotate(180deg)}.note{color:#666}";

/// The page. `name` is what was judged, in words.
pub fn html(
    name: &str,
    lines: &[Line],
    predictions: &[Prediction],
    report: &Report,
    tuning: Option<&Tuning>,
) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Evaluation of " (name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Evaluation of " (name) }
                (figures(report))
                @if let Some(tuning) = tuning { (tuned(tuning)) }
                (calibration(report))
                (matrix(lines, predictions))
                (mistakes(lines, predictions))
                @if !report.by_tag.is_empty() { (tags(&report.by_tag)) }
            }
        }
    };
    page.into_string()
}

fn figures(report: &Report) -> Markup {
    let (low, high) = report.accuracy.interval();
    let [p50, _, p99] = report.latency_ms;
    html! {
        table {
            tr { th { "right" } td.n { (percent(report.accuracy)) }
                td { (report.accuracy.right) " of " (report.accuracy.all) ", 95 % interval "
                    (format!("{:.1} to {:.1}", low * 100.0, high * 100.0)) } }
            tr { th { "right of what belongs to a route" } td.n { (percent(report.in_scope)) } td {} }
            tr { th { "right of what belongs to none" } td.n { (percent(report.other_recall)) } td {} }
            tr { th { "macro F1" } td.n { (format!("{:.1} %", report.macro_f1 * 100.0)) } td {} }
            @if let Some(ece) = report.ece {
                tr { th { "calibration error" } td.n { (format!("{ece:.3}")) }
                    td { "how far confidence and share of right ones are apart" } }
            }
            @if let Some((spans, whole)) = report.dialogues {
                tr { th { "runs of turns on a route, right throughout" } td.n { (percent(spans)) } td {} }
                tr { th { "dialogues right throughout" } td.n { (percent(whole)) } td {} }
            }
            tr { th { "time of a decision" } td.n { (format!("{p50:.3} ms")) } td { "half of them; 99 % within " (format!("{p99:.3} ms")) } }
        }
    }
}

fn tuned(tuning: &Tuning) -> Markup {
    let share = |share: &Share| share.value().unwrap_or_default();
    let threshold = Series {
        points: tuning
            .threshold
            .points
            .iter()
            .map(|(at, right)| (*at, share(right)))
            .collect(),
        ..Series::default()
    };
    let encoder = tuning.encoder.iter().map(|encoder| Series {
        points: encoder
            .points
            .iter()
            .map(|(_, asked, right)| (share(asked), share(right)))
            .collect(),
        dots: true,
        ..Series::default()
    });
    let encoder: Vec<Series> = encoder.collect();
    let points = |of: fn(&super::tune::AskPoint) -> Share| {
        let points = tuning.llm.points.iter();
        let points = points.filter_map(|point| Some((point.asked.value()?, of(point).value()?)));
        points.collect::<Vec<_>>()
    };
    let kept = Series {
        label: "right of what it is not asked about".to_owned(),
        points: points(|point| point.kept),
        dots: true,
        ..Series::default()
    };
    let unsure = Series {
        label: "right of what it is asked about, without it".to_owned(),
        colour: 1,
        points: points(|point| point.unsure),
        dots: true,
        ..Series::default()
    };
    html! {
        h2 { "Settings" }
        pre { (tuning.advice().join("\n")) }
        h3 { "Threshold" }
        p.note { "A route decides from this probability on (" code { "evidence.threshold" } ")." }
        (PreEscaped(chart::svg("threshold", "right", &[threshold])))
        @if !encoder.is_empty() {
            h3 { "Sentence encoder" }
            p.note { "From left to right " code { "evidence.encoder_below" } " rises from 0 to 1." }
            (PreEscaped(chart::svg("requests that the encoder is asked about", "right", &encoder)))
        }
        h3 { "Language model" }
        p.note { "From left to right " code { "llm.ask_below" } " rises from 0 to 1. What it is asked about it must decide better than the lower line." }
        (PreEscaped(chart::svg("requests that it is asked about", "right", &[kept, unsure])))
    }
}

fn calibration(report: &Report) -> Markup {
    let held: Vec<&Bin> = report.bins.iter().filter(|bin| bin.right.all > 0).collect();
    let said = Series {
        label: "decisions".to_owned(),
        points: held
            .iter()
            .map(|bin| (bin.confidence, bin.right.value().unwrap_or_default()))
            .collect(),
        dots: true,
        ..Series::default()
    };
    let ideal = Series {
        label: "confidence that says what it means".to_owned(),
        colour: 2,
        points: vec![(0.0, 0.0), (1.0, 1.0)],
        dashed: true,
        ..Series::default()
    };
    html! {
        @if !held.is_empty() {
            h2 { "Calibration" }
            (PreEscaped(chart::svg("confidence", "right", &[said, ideal])))
            table {
                tr { th { "confidence" } th { "decisions" } th { "right" } }
                @for bin in held {
                    tr { td.n { (format!("{:.2}", bin.confidence)) } td.n { (bin.right.all) } td.n { (percent(bin.right)) } }
                }
            }
        }
    }
}

fn matrix(lines: &[Line], predictions: &[Prediction]) -> Markup {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut mistakes: BTreeMap<&str, usize> = BTreeMap::new();
    for (line, prediction) in lines.iter().zip(predictions) {
        let pair = (line.expected.as_str(), label(prediction));
        *counts.entry(pair).or_default() += 1;
        for one in [pair.0, pair.1] {
            *mistakes.entry(one).or_default() += usize::from(pair.0 != pair.1);
        }
    }
    let all = mistakes.len();
    let mut by_mistakes: Vec<(&str, usize)> = mistakes.into_iter().collect();
    by_mistakes.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let shown: BTreeSet<&str> = by_mistakes.iter().take(LABELS).map(|(label, _)| *label).collect();
    html! {
        h2 { "Expected and decided" }
        p.note { "A row for each expected route, a column for each decided one."
            @if all > LABELS { " Of " (all) " the " (LABELS) " with most mistakes." } }
        div.wide { table.matrix {
            tr { th {} @for column in &shown { th.up { span { (column) } } } }
            @for row in &shown {
                @let sum: usize = shown.iter().filter_map(|column| counts.get(&(*row, *column))).sum();
                tr { th { (row) }
                    @for column in &shown {
                        @match counts.get(&(*row, *column)) {
                            Some(count) => td style=(shade(*count as f64 / sum as f64, row == column)) { (count) },
                            None => td {},
                        }
                    }
                }
            }
        } }
    }
}

fn mistakes(lines: &[Line], predictions: &[Prediction]) -> Markup {
    let mut wrong: Vec<(&Line, &Prediction)> = lines
        .iter()
        .zip(predictions)
        .filter(|(line, prediction)| line.expected != label(prediction))
        .collect();
    let confidence = |prediction: &Prediction| prediction.confidence.unwrap_or(0.0);
    wrong.sort_by(|a, b| confidence(b.1).total_cmp(&confidence(a.1)));
    html! {
        h2 { "Surest mistakes" }
        @if wrong.is_empty() { p { "None." } } @else {
            table {
                tr { th { "line" } th { "said last" } th { "expected" } th { "decided" } th { "confidence" } }
                @for (line, prediction) in wrong.iter().take(MISTAKES) {
                    tr { td { (line.id) } td { (quoted(line)) } td { (line.expected) } td { (label(prediction)) }
                        td.n { @if let Some(confidence) = prediction.confidence { (format!("{confidence:.2}")) } } }
                }
            }
        }
    }
}

fn tags(by_tag: &BTreeMap<String, Share>) -> Markup {
    html! {
        h2 { "By tag" }
        table {
            tr { th { "tag" } th { "lines" } th { "right" } }
            @for (tag, share) in by_tag {
                tr { td { (tag) } td.n { (share.all) } td.n { (percent(*share)) } }
            }
        }
    }
}

fn label(prediction: &Prediction) -> &str {
    prediction.route.as_deref().unwrap_or(OTHER)
}

/// Green for what is right, red for what is not, the more the darker.
fn shade(share: f64, right: bool) -> String {
    let hue = if right { "0,158,115" } else { "213,94,0" };
    format!("background:rgba({hue},{:.2})", 0.1 + 0.6 * share)
}

/// The last thing that a person said, shortened.
fn quoted(line: &Line) -> String {
    let messages = &line.conversation.messages;
    let said = messages.iter().rev().find(|message| message.role == Role::User);
    let text = said.map_or("", |message| message.content.as_str());
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}
