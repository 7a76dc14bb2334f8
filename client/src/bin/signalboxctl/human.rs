//! Answers for people: plain text, 80 columns, the most wanted first. Called by `run`. The layout may change;
//! scripts use `--json`, or the first line of `route`.

use std::fmt::Display;

use signalbox_client::v1;
use textwrap::{Options, WordSplitter};

mod policy;

pub(crate) use policy::{policy, reload};

/// The terminal that everything must fit.
const COLUMNS: usize = 80;
/// Where the values stand.
const INDENT: usize = 14;

/// The model, then what the decision rests on.
pub(crate) fn route(answer: &v1::RouteResponse) -> String {
    let mut out = format!("{}\n", answer.model_id);
    let with_domain = match (answer.route.as_str(), answer.domain.as_str()) {
        (route, "") => route.to_owned(),
        ("", domain) => format!("(any in the domain {domain})"),
        (route, domain) => format!("{route} (domain {domain})"),
    };
    line(&mut out, "route", &with_domain);
    line(&mut out, "rule", &answer.rule);
    line(&mut out, "profile", &answer.profile);
    if let Some(confidence) = answer.confidence {
        let margin = answer
            .margin
            .map_or_else(String::new, |margin| format!(" (margin {margin:.3})"));
        line(&mut out, "confidence", &format!("{confidence:.3}{margin}"));
    }
    line(&mut out, "source", &source(answer));
    line(&mut out, "fallbacks", &answer.fallback_model_ids.join(", "));
    line(
        &mut out,
        "plan",
        &answer.plan.as_ref().map(plan).unwrap_or_default(),
    );
    line(
        &mut out,
        "estimate",
        &answer.estimate.as_ref().map(estimate).unwrap_or_default(),
    );
    for lost in &answer.degraded {
        line(&mut out, "degraded", &format!("{}: {}", lost.code, lost.detail));
    }
    line(&mut out, "reason", &answer.reason);
    if let Some(policy) = &answer.policy {
        line(
            &mut out,
            "policy",
            &format!("version {}, {}", policy.version, short(&policy.checksum)),
        );
    }
    line(&mut out, "decision", &answer.decision_id);
    out
}

/// The server writes this text; what only the prompt could tell is added.
pub(crate) fn explain(answer: &v1::ExplainResponse) -> String {
    let mut out = format!("{}\n", answer.text.trim_end());
    for missing in &answer.undecidable {
        line(
            &mut out,
            "undecidable",
            &format!("{}: {}", missing.path, missing.detail),
        );
    }
    line(&mut out, "prompt", &answer.prompt);
    out
}

/// What was done with the outcome.
pub(crate) fn outcome(answer: &v1::ReportOutcomeResponse) -> String {
    match (answer.accepted, answer.duplicate) {
        (1.., _) => "accepted\n",
        (_, 1..) => "taken before\n",
        _ => "unknown: the policy has no such model, or the server does not know the decision; name both\n",
    }
    .to_owned()
}

fn source(answer: &v1::RouteResponse) -> String {
    let word = |name: &str, prefix: &str| {
        name.strip_prefix(prefix)
            .unwrap_or(name)
            .to_lowercase()
            .replace('_', " ")
    };
    let source = word(answer.source().as_str_name(), "DECISION_SOURCE_");
    let cache = word(answer.cache_status().as_str_name(), "CACHE_STATUS_");
    let took = match answer.processing_duration {
        Some(took) => format!(
            ", {} µs",
            took.seconds * 1_000_000 + i64::from(took.nanos) / 1_000
        ),
        None => String::new(),
    };
    format!("{source} (cache {cache}{took})")
}

fn plan(plan: &v1::Plan) -> String {
    use v1::plan::Kind;
    match &plan.kind {
        // Nothing that the first line does not say.
        None | Some(Kind::Single(_)) => String::new(),
        Some(Kind::Cascade(plan)) => format!(
            "cascade {}; accept at {}",
            plan.model_ids.join(", then "),
            plan.accept_at.unwrap_or_default()
        ),
        Some(Kind::Ensemble(plan)) => {
            let strategy = plan.strategy().as_str_name();
            let strategy = strategy.strip_prefix("COMBINE_STRATEGY_").unwrap_or(strategy);
            let strategy = strategy.to_lowercase().replace('_', " ");
            format!("ensemble of {}; {strategy}", plan.model_ids.join(", "))
        }
        Some(Kind::Speculative(plan)) => {
            let wait = plan
                .wait_duration
                .map_or_else(String::new, |wait| format!("; wait {wait}"));
            format!("race {} against {}{wait}", plan.fast_model_id, plan.slow_model_id)
        }
        Some(Kind::ToolThenModel(plan)) => format!("tool {}, then {}", plan.tool_name, plan.model_id),
    }
}

fn estimate(estimate: &v1::Estimate) -> String {
    let mut parts = Vec::new();
    if let Some(cost) = estimate.cost_usd {
        parts.push(format!("{cost:.6} USD"));
    }
    if let Some(latency) = estimate.latency_duration {
        parts.push(latency.to_string());
    }
    if let (Some(input), Some(output)) = (estimate.input_tokens, estimate.output_tokens) {
        parts.push(format!("{input} + {output} tokens"));
    }
    parts.join(", ")
}

/// `  name        value`, wrapped under the value; nothing at all for an empty value.
fn line(out: &mut String, name: &str, value: &impl Display) {
    let value = value.to_string();
    if value.is_empty() {
        return;
    }
    let first = format!("  {name:<width$}", width = INDENT - 2);
    let rest = " ".repeat(INDENT);
    // Names are not broken, at a hyphen neither: a model id that was cut in two cannot be copied.
    let options = Options::new(COLUMNS)
        .initial_indent(&first)
        .subsequent_indent(&rest)
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation);
    out.push_str(&textwrap::fill(&value, options));
    out.push('\n');
}

/// Enough of a checksum to compare by eye.
fn short(checksum: &str) -> &str {
    checksum.get(..12).unwrap_or(checksum)
}

#[cfg(test)]
mod tests;
