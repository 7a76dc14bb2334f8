//! Plano's configuration: providers with inline preferences, or preferences at the root with a pool of models each.
//!
//! A preference becomes a route, an alias stays one, `default: true` or else the first model becomes the default.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::draft::{Draft, DraftModel, DraftRoute, Name};
use crate::policy::fields::Fields;
use crate::policy::hints::quoted;
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
        model(provider, &mut draft, &mut default, report);
    }
    let first = || draft.models.first().map(|model| model.id.clone());
    draft.default = default.or_else(first).into_iter().collect();
    if draft.default.is_empty() && !report.has_errors() {
        let hint = "list at least one model by its full name";
        report.error(
            "missing-key",
            &file.at(),
            "no model is left to choose from".into(),
            hint,
        );
    }
    let models = draft.models.clone();
    let short = Short::new(&models);
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
            .map(|name| short.full_name(name, report))
            .collect();
        draft.routes.extend(route(&preference, models, report));
    }
    for (name, node, path) in file.named("model_aliases") {
        if let Some(target) = Fields::new(node, &PLANO_ALIAS, path).spanned("target") {
            draft.aliases.push((name, vec![short.full_name(target, report)]));
        }
    }
    draft
}

/// One model with its inline preferences.
fn model(provider: &Fields<'_>, draft: &mut Draft, default: &mut Option<Name>, report: &mut Report) {
    let Some(id) = provider.spanned("model") else {
        return;
    };
    if id.value.ends_with("/*") {
        let message = format!(
            "`{}` stands for models that are not named, and is ignored",
            id.value
        );
        report.warning("wildcard", &id.at, message, "list the models that may be chosen");
        return;
    }
    if provider.bool("default") == Some(true) {
        if let Some(first) = default {
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
        draft.routes.extend(route(&preference, vec![id.clone()], report));
    }
    draft.models.push(DraftModel {
        id,
        modalities: vec!["text".into()],
        ..DraftModel::default()
    });
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

/// Full names of models by their names without the provider.
struct Short<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Short<'a> {
    fn new(models: &'a [DraftModel]) -> Self {
        let mut short: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for id in models.iter().map(|model| model.id.value.as_str()) {
            // The full name is a name too, and goes first: then it is the only one.
            short.insert(id, BTreeSet::from([id]));
        }
        for id in models.iter().map(|model| model.id.value.as_str()) {
            if let Some((_, model)) = id.split_once('/')
                && short.get(model).is_none_or(|ids| !ids.contains(model))
            {
                short.entry(model).or_default().insert(id);
            }
        }
        Short(short)
    }

    /// A model may be named without its provider; its full name takes the place of the short one.
    fn full_name(&self, name: Name, report: &mut Report) -> Name {
        let Some(ids) = self.0.get(name.value.as_str()) else {
            return name;
        };
        let ids: Vec<&str> = ids.iter().copied().collect();
        if ids.len() > 1 {
            let message = format!("`{}` may be {}", name.value, quoted(&ids, "or"));
            report.error("ambiguous", &name.at, message, "write the name with its provider");
        }
        // Resolved to something even then, so that it is not reported as unknown too.
        Name {
            value: ids[0].to_owned(),
            at: name.at,
        }
    }
}
