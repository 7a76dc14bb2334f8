//! Models and aliases, for our own format and for the built-in catalogue.

use crate::policy::draft::{DraftModel, Name};
use crate::policy::fields::{Fields, number, spanned_list};
use crate::policy::{Latency, Price, shape};

/// One model. A model without an id has been reported.
pub(in crate::policy) fn model(fields: &Fields<'_>) -> DraftModel {
    let mut by_route = Vec::new();
    let mut quality = None;
    for (route, node, _) in fields.named("quality") {
        match number(node) {
            Some(figure) if route.value == "default" => quality = Some(figure),
            Some(figure) => by_route.push((route, figure)),
            None => {}
        }
    }
    let modalities = fields.texts("modalities");
    DraftModel {
        id: fields.spanned("id").unwrap_or_default(),
        family: fields.text("family"),
        parameters_b: fields.number("parameters_b"),
        context_window: fields.integer("context_window"),
        max_output_tokens: fields.integer("max_output_tokens"),
        capabilities: fields.texts("capabilities"),
        modalities: if modalities.is_empty() {
            vec!["text".into()]
        } else {
            modalities
        },
        price: fields
            .object("price", &shape::PRICE)
            .and_then(|fields| price(&fields)),
        latency: fields
            .object("latency", &shape::LATENCY)
            .and_then(|fields| latency(&fields)),
        quality,
        quality_by_route: by_route,
        tiers: fields.texts("tiers"),
        regions: fields.texts("regions"),
        labels: fields.labels("labels"),
    }
}

fn price(fields: &Fields<'_>) -> Option<Price> {
    let (input, output) = (fields.number("input"), fields.number("output"));
    let cached_input = fields.number("cached_input");
    Some(Price {
        input: input?,
        output: output?,
        cached_input,
    })
}

fn latency(fields: &Fields<'_>) -> Option<Latency> {
    let (first_token_ms, tokens_per_second) = (
        fields.number("first_token_ms"),
        fields.number("tokens_per_second"),
    );
    Some(Latency {
        first_token_ms: first_token_ms?,
        tokens_per_second: tokens_per_second?,
    })
}

/// Aliases, each with one model or several.
pub(super) fn aliases(file: &Fields<'_>) -> Vec<(Name, Vec<Name>)> {
    file.named("aliases")
        .into_iter()
        .map(|(name, node, path)| (name, spanned_list(node, &path)))
        .collect()
}
