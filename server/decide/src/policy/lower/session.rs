//! Conversations that stay with their model, and what a test says of one.

use crate::policy::draft::Name;
use crate::policy::fields::Fields;
use crate::policy::shape;
use crate::session::{Held, SessionSettings};

/// The section `sessions` of a policy.
pub(super) fn settings(fields: &Fields<'_>) -> SessionSettings {
    let usual = SessionSettings::default();
    SessionSettings {
        enabled: fields.bool("enabled").unwrap_or(usual.enabled),
        ttl_s: fields.integer("ttl_s").unwrap_or(usual.ttl_s),
        derive: fields.bool("derive").unwrap_or(usual.derive),
        quality_usd: fields.number("quality_usd").unwrap_or(usual.quality_usd),
    }
}

/// The key `session` of a test, with the model and the route that it names.
pub(super) fn held(test: &Fields<'_>) -> (Option<Held>, Vec<Name>, Vec<Name>) {
    let Some(fields) = test.object("session", &shape::HELD) else {
        return (None, Vec::new(), Vec::new());
    };
    let (model, route) = (fields.spanned("model"), fields.spanned("route"));
    let held = Held {
        model: model.as_ref().map(|name| name.value.clone()).unwrap_or_default(),
        route: route.as_ref().map(|name| name.value.clone()),
    };
    (
        Some(held),
        model.into_iter().collect(),
        route.into_iter().collect(),
    )
}
