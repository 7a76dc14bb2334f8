//! An imported policy in our own format: the same policy, written so that its author can go on from there. Writes what
//! the importers can produce and no more; a test compares what it writes with what they read, for every fixture.

use std::fmt::{Display, Write};

use super::Foreign;
use crate::policy::scalar::{self, Core};
use crate::policy::{Model, ModelIndex, Policy};
use crate::query::Objective;

/// The text of our own format that loads as `policy`, its checksum aside.
pub(super) fn write(policy: &Policy, from: Foreign) -> String {
    let mut text = format!(
        "# Written by `signalbox policy import {}`: it decides what the file decides that it was read from.\n\
         # `signalbox policy check` and `signalbox policy schema` help with what comes next.\n\
         schema: 1\n\n# Where everything ends that nothing else decided.\n",
        from.as_str()
    );
    let id = |model: &ModelIndex| word(&policy.models[*model].id);
    match &policy.default[..] {
        [only] => line(&mut text, 0, "default", id(only)),
        several => line(&mut text, 0, "default", list(several.iter().map(id))),
    }
    text += match from {
        Foreign::Plano => {
            "\n# The catalogue. Plano's files say nothing of prices, speeds and sizes: `select: cheapest` and hard limits need\n\
             # them, as `price`, `latency`, `context_window`, …\n"
        }
        Foreign::Ollm => {
            "\n# The catalogue: oLLM's files name no models, so this is the built-in one. Keep what you serve.\n"
        }
    };
    text += "models:\n";
    for model in &policy.models {
        write_model(&mut text, model);
    }
    if !policy.aliases.is_empty() {
        text += "\n# Other names for models, which requests may ask for.\naliases:\n";
    }
    for (alias, models) in &policy.aliases {
        line(&mut text, 2, &word(alias), list(models.iter().map(id)));
    }
    if let Some(profile) = policy.profile {
        text += "\n# Tried before `default` when no route fits.\n";
        line(&mut text, 0, "profile", word(&policy.profiles[profile].name));
    }
    if !policy.prefer_families.is_empty() {
        text += "\n# Families of models, most wanted first.\n";
        let families = policy.prefer_families.iter().map(|family| word(family));
        line(&mut text, 0, "prefer_families", list(families));
    }
    if !policy.routes.is_empty() {
        text += "\n# Kinds of requests. Ten or more `examples: [...]` a route, and some of no route under `other: {examples: [...]}`,\n\
                 # help more than anything else.\nroutes:\n";
    }
    for route in &policy.routes {
        line(&mut text, 2, "- name", word(&route.name));
        if !route.description.is_empty() {
            line(&mut text, 4, "description", word(&route.description));
        }
        line(&mut text, 4, "models", list(route.models.iter().map(id)));
        let select = match route.select {
            Some(Objective::Order) => "order",
            Some(Objective::Cheapest) => "cheapest",
            Some(Objective::Fastest) => "fastest",
            Some(Objective::Best) => "best",
            // No importer gives weights.
            Some(Objective::Weights(_)) | None => continue,
        };
        line(&mut text, 4, "select", select);
    }
    text
}

fn write_model(text: &mut String, model: &Model) {
    line(text, 2, "- id", word(&model.id));
    if let Some(family) = &model.family {
        line(text, 4, "family", word(family));
    }
    if let Some(size) = model.parameters_b {
        line(text, 4, "parameters_b", size);
    }
    if let Some(window) = model.context_window {
        line(text, 4, "context_window", window);
    }
    if !model.capabilities.is_empty() {
        let capabilities = model.capabilities.iter().map(|capability| word(capability));
        line(text, 4, "capabilities", list(capabilities));
    }
    if model.modalities != ["text"] {
        let modalities = model.modalities.iter().map(|modality| word(modality));
        line(text, 4, "modalities", list(modalities));
    }
}

fn line(text: &mut String, indent: usize, key: &str, value: impl Display) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{:indent$}{key}: {value}", "");
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// A text as a scalar, in quotes wherever it could be taken for something else.
fn word(text: &str) -> String {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':');
    let bare = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(usual)
        && !text.ends_with(':')
        && matches!(scalar::resolve(text), Core::Text(_));
    if bare {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // What is no printable character, or would break the line, in the notation for any 32 bits.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
