//! What reported outcomes change, and what a test says that they were.

use std::collections::BTreeMap;

use crate::health::{Circuit, Health, HealthSettings, ModelHealth, Observed};
use crate::policy::draft::Name;
use crate::policy::fields::Fields;
use crate::policy::shape;
use crate::query::DEFAULT_OUTPUT_TOKENS;

/// Calls behind a test's figures where it does not say.
const CALLS: f64 = 10.0;

/// The section `health` of a policy.
pub(super) fn settings(fields: &Fields<'_>) -> HealthSettings {
    let usual = HealthSettings::default();
    HealthSettings {
        enabled: fields.bool("enabled").unwrap_or(usual.enabled),
        half_life_s: fields.integer("half_life_s").unwrap_or(usual.half_life_s),
        cooldown_s: fields.integer("cooldown_s").unwrap_or(usual.cooldown_s),
        failure_share: fields.number("failure_share").unwrap_or(usual.failure_share),
        min_calls: fields.integer("min_calls").unwrap_or(usual.min_calls),
        open_s: fields.integer("open_s").unwrap_or(usual.open_s),
        latency: fields.bool("latency").unwrap_or(usual.latency),
    }
}

/// The key `health` of a test, and the models that it names.
pub(super) fn health(test: &Fields<'_>) -> (Health, Vec<Name>) {
    let (mut models, mut names) = (BTreeMap::new(), Vec::new());
    for (name, node, path) in test.named("health") {
        models.insert(
            name.value.clone(),
            model(&Fields::new(node, &shape::MODEL_HEALTH, path)),
        );
        names.push(name);
    }
    (Health { models }, names)
}

fn model(fields: &Fields<'_>) -> ModelHealth {
    let calls = fields.number("calls").unwrap_or(CALLS);
    let trial = fields.bool("trial").unwrap_or(false);
    let output_tokens = fields
        .number("output_tokens")
        .unwrap_or(DEFAULT_OUTPUT_TOKENS as f64);
    ModelHealth {
        cooling_s: fields.number("cooling_s"),
        circuit: fields.number("failure_share").map(|failure_share| Circuit {
            failure_share,
            calls,
            trial,
        }),
        latency: fields.number("latency_ms").map(|latency_ms| Observed {
            latency_ms,
            output_tokens,
            calls,
        }),
    }
}
