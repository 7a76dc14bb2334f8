//! When a language model is asked, and what a test says that it answered.

use crate::llm::{LlmMode, LlmSettings};
use crate::policy::draft::Name;
use crate::policy::fields::{Fields, number};
use crate::policy::place::Report;

/// The section `llm` of a policy.
pub(super) fn settings(fields: &Fields<'_>) -> LlmSettings {
    let usual = LlmSettings::default();
    LlmSettings {
        mode: fields
            .text("mode")
            .and_then(|word| LlmMode::parse(&word))
            .unwrap_or(usual.mode),
        ask_below: fields.number("ask_below").unwrap_or(usual.ask_below),
        timeout_ms: fields.integer("timeout_ms").unwrap_or(usual.timeout_ms),
    }
}

/// The key `llm` of a test, and the routes that it names.
pub(super) fn said(test: &Fields<'_>, report: &mut Report) -> (Option<Vec<(String, f64)>>, Vec<Name>) {
    if test.get("llm").is_none() {
        return (None, Vec::new());
    }
    let (mut said, mut names) = (Vec::new(), Vec::new());
    for (name, node, _) in test.named("llm") {
        said.push((name.value.clone(), number(node).unwrap_or(0.0)));
        names.push(name);
    }
    let sum: f64 = said.iter().map(|(_, share)| share).sum();
    if sum > 1.0 + 1e-9 {
        let message = format!("the probabilities sum to {sum:.3}");
        report.error(
            "out-of-range",
            &test.place("llm"),
            message,
            "they are at most 1 together",
        );
    }
    names.retain(|name| name.value != "other");
    (Some(said), names)
}
