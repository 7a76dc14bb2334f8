//! Plano's configuration: providers with inline preferences, or preferences at the root with a pool of models each.
//!
//! A preference becomes a route, an alias stays one, `default: true` or else the first model becomes the default.

use crate::policy::draft::{Draft, DraftModel, DraftRoute, Name};
use crate::policy::fields::Fields;
use crate::policy::lower::objective_word;
use crate::policy::place::Report;
use crate::policy::shape::check::check;
use crate::policy::shape::{Kind, PLANO, PLANO_ALIAS, PLANO_PREFERENCE, PLANO_PROVIDER, PLANO_SELECTION};
use crate::policy::tree::Node;
use crate::query::Objective;

/// Reads Plano's configuration. Access keys are never looked at.
pub(super) fn read(root: &Node, report: &mut Report) -> Draft {
    check(root, &Kind::Object(&PLANO), "", report);
    let file = Fields::new(root, &PLANO, "");
    let mut providers = file.objects("llm_providers", &PLANO_PROVIDER);
    providers.extend(file.objects("model_providers", &PLANO_PROVIDER));

    let mut draft = Draft::default();
    let mut default: Option<Name> = None;
    for provider in &providers {
        let Some(id) = provider.spanned("model") else {
            continue;
        };
        if id.value.ends_with("/*") {
            let message = format!(
                "`{}` stands for models that are not named, and is ignored",
                id.value
            );
            report.warning("wildcard", &id.at, message, "list the models that may be chosen");
            continue;
        }
        if provider.bool("default") == Some(true) {
            if let Some(first) = &default {
                let message = format!(
                    "`{}` on line {} is the default already",
                    first.value, first.at.line
                );
                report.error(
                    "duplicate",
                    &provider.place("default"),
                    message,
                    "keep one `default: true`",
                );
            }
            default.get_or_insert_with(|| id.clone());
        }
        for preference in provider.objects("routing_preferences", &PLANO_PREFERENCE) {
            let models = vec![id.clone()];
            draft.routes.extend(route(&preference, models, report));
        }
        draft.models.push(DraftModel {
            id,
            modalities: vec!["text".into()],
            ..DraftModel::default()
        });
    }
    draft.default = default
        .or_else(|| draft.models.first().map(|model| model.id.clone()))
        .into_iter()
        .collect();
    if draft.default.is_empty() && !report.has_errors() {
        let hint = "list at least one model by its full name";
        report.error(
            "missing-key",
            &file.at(),
            "no model is left to choose from".into(),
            hint,
        );
    }
    for preference in file.objects("routing_preferences", &PLANO_PREFERENCE) {
        let listed = preference.spanned_list("models");
        if listed.is_empty() && preference.get("models").is_none() {
            let message = "a preference outside a provider needs `models`".into();
            report.error(
                "missing-key",
                &preference.at(),
                message,
                "list them in order of preference",
            );
        }
        let models = listed
            .into_iter()
            .map(|name| full_name(name, &draft.models, report))
            .collect();
        draft.routes.extend(route(&preference, models, report));
    }
    for (name, node, path) in file.named("model_aliases") {
        if let Some(target) = Fields::new(node, &PLANO_ALIAS, path).spanned("target") {
            draft
                .aliases
                .push((name, vec![full_name(target, &draft.models, report)]));
        }
    }
    draft
}

fn route(preference: &Fields<'_>, models: Vec<Name>, report: &mut Report) -> Option<DraftRoute> {
    Some(DraftRoute {
        name: preference.spanned("name")?,
        description: preference.spanned("description"),
        models,
        select: selection(preference, report),
        ..DraftRoute::default()
    })
}

/// `selection_policy: {prefer: …}`. A word that we do not know leaves the order as it is.
fn selection(preference: &Fields<'_>, report: &mut Report) -> Option<Objective> {
    let policy = preference.object("selection_policy", &PLANO_SELECTION)?;
    let word = policy.spanned("prefer")?;
    if word.value == "none" {
        return Some(Objective::Order);
    }
    let known = objective_word(&word.value);
    if known.is_none() {
        let message = format!(
            "`{}` is not a way to choose; the order of the list is used",
            word.value
        );
        report.warning(
            "unknown-word",
            &word.at,
            message,
            "write `cheapest`, `fastest`, `best` or `none`",
        );
    }
    known
}

/// A model may be named without its provider; the model's full name takes the place of the short one.
fn full_name(name: Name, models: &[DraftModel], report: &mut Report) -> Name {
    let ids = || models.iter().map(|model| model.id.value.as_str());
    if ids().any(|id| id == name.value) {
        return name;
    }
    let named: Vec<&str> = ids()
        .filter(|id| id.split_once('/').is_some_and(|(_, model)| model == name.value))
        .collect();
    match named.as_slice() {
        [id] => Name {
            value: (*id).to_owned(),
            at: name.at,
        },
        [first, second, ..] if first != second => {
            let message = format!("`{}` may be `{first}` or `{second}`", name.value);
            report.error("ambiguous", &name.at, message, "write the name with its provider");
            // Resolved to something, so that it is not reported as unknown too.
            Name {
                value: (*first).to_owned(),
                at: name.at,
            }
        }
        [first, ..] => Name {
            value: (*first).to_owned(),
            at: name.at,
        },
        [] => name,
    }
}
