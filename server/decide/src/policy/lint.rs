//! Remarks about policies that load but probably do not do what their author meant. Only what the file itself shows;
//! descriptions that mean the same in other words are for whoever has an embedding.

mod rules;
mod texts;

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, DraftAction, DraftModel, DraftRoute, DraftUse, Name};
use super::link::all_profiles;
use super::place::Report;
use crate::query::Objective;

/// Most pairs of a model and a profile that are looked at.
const COMPARED: usize = 1_000_000;

/// Reports every remark as a warning.
pub(super) fn lint(draft: &Draft, report: &mut Report) {
    domains(draft, report);
    unreachable(draft, report);
    contradictions(draft, report);
    unstated(draft, report);
    restricted_default(draft, report);
    alike(draft, report);
    rules::rules(draft, report);
    texts::descriptions(draft, report);
    texts::examples(draft, report);
}

/// Routes outside all domains where there are domains, and domains without anything in them.
fn domains(draft: &Draft, report: &mut Report) {
    if draft.domains.is_empty() {
        return;
    }
    for route in draft.routes.iter().filter(|route| route.domain.is_none()) {
        let message = format!("`{}` belongs to no domain, though others do", route.name.value);
        let hint = "give it a `domain`: an unsure request then still gets that domain's models";
        report.warning("missing-domain", &route.name.at, message, hint);
    }
    let used: BTreeSet<_> = draft
        .routes
        .iter()
        .filter_map(|route| Some(route.domain.as_ref()?.value.as_str()))
        .collect();
    for domain in draft
        .domains
        .iter()
        .filter(|domain| !used.contains(domain.name.value.as_str()))
    {
        let message = format!(
            "no route belongs to `{}`, so nothing decides for it",
            domain.name.value
        );
        report.warning(
            "unused-domain",
            &domain.name.at,
            message,
            "name it in the `domain` of its routes, or remove it",
        );
    }
}

/// Models that only a caller who names them can get. Without routes that is the way the policy is meant to be used.
fn unreachable(draft: &Draft, report: &mut Report) {
    if draft.routes.is_empty() || draft.models.len() * draft.profiles.len() > COMPARED {
        return;
    }
    let mut used: BTreeSet<&str> = draft.default.iter().map(|name| name.value.as_str()).collect();
    let listed = draft.aliases.iter().map(|(_, names)| names);
    let listed = listed.chain(draft.routes.iter().map(|route| &route.models));
    let listed = listed.chain(draft.profiles.iter().map(|own| &own.models));
    for names in listed.chain(draft.domains.iter().map(|domain| &domain.models)) {
        used.extend(names.iter().map(|name| name.value.as_str()));
    }
    let named = draft.rules.iter().filter_map(|rule| match &rule.action {
        Some(DraftAction::Use(DraftUse::Models(names), _)) => Some(names),
        _ => None,
    });
    used.extend(named.flatten().map(|name| name.value.as_str()));
    used.extend(draft.canaries.iter().map(|canary| canary.model.value.as_str()));
    let profiles = all_profiles(draft.profiles.iter().map(|own| own.profile.clone()).collect());
    // A profile with a list of its own takes nothing else.
    let closed: BTreeSet<&str> = draft
        .profiles
        .iter()
        .filter(|own| !own.models.is_empty())
        .map(|own| own.name.value.as_str())
        .collect();
    // Any size is near some band, and callers may ask for any profile.
    let in_profile = |model: &DraftModel| {
        profiles.iter().any(|profile| {
            let able = profile
                .capabilities
                .iter()
                .all(|wanted| model.capabilities.contains(wanted));
            let banded = profile.min_parameters_b.is_some() || profile.max_parameters_b.is_some();
            able && !closed.contains(profile.name.as_str()) && (model.parameters_b.is_some() || !banded)
        })
    };
    for model in written(draft).filter(|model| !used.contains(model.id.value.as_str()) && !in_profile(model))
    {
        let message = format!(
            "only a request that names `{}` gets it: nothing else in the policy does",
            model.id.value
        );
        let hint =
            "list it in a route, a rule, an alias or `default`, or give its `parameters_b` for the profiles";
        report.warning("unreachable-model", &model.id.at, message, hint);
    }
}

fn contradictions(draft: &Draft, report: &mut Report) {
    for model in written(draft) {
        if let (Some(output), Some(window)) = (model.max_output_tokens, model.context_window)
            && output > window
        {
            let message = format!("`max_output_tokens` {output} is more than `context_window` {window}");
            report.warning(
                "contradiction",
                &model.id.at,
                message,
                "prompt and answer share the window",
            );
        }
    }
}

/// Routes that compare what some of their models do not state; such a model counts as the worst.
fn unstated(draft: &Draft, report: &mut Report) {
    let models = by_id(draft);
    for route in &draft.routes {
        let Some((figure, states)) = compared(route) else {
            continue;
        };
        let without: Vec<&Name> = route
            .models
            .iter()
            .filter(|name| models.get(name.value.as_str()).is_some_and(|m| !states(m)))
            .collect();
        if let Some(first) = without.first() {
            let message = format!(
                "`{}` chooses by {figure}, which `{}` does not state",
                route.name.value, first.value
            );
            report.warning(
                "unstated",
                &first.at,
                message,
                "a model that does not state it counts as the worst",
            );
        }
    }
}

type States = fn(&DraftModel) -> bool;

/// What a route compares, and who states it.
fn compared(route: &DraftRoute) -> Option<(&'static str, States)> {
    match route.select? {
        Objective::Cheapest => Some(("price", |model| model.price.is_some())),
        Objective::Fastest => Some(("latency", |model| model.latency.is_some())),
        Objective::Best => Some(("quality", |m| {
            m.quality.is_some() || !m.quality_by_route.is_empty()
        })),
        Objective::Order | Objective::Weights(_) => None,
    }
}

/// A default that some callers may not use leaves them without any model.
fn restricted_default(draft: &Draft, report: &mut Report) {
    let by_id = by_id(draft);
    let models: Vec<_> = draft
        .default
        .iter()
        .filter_map(|name| by_id.get(name.value.as_str()))
        .collect();
    if let Some(first) = draft.default.first()
        && !models.is_empty()
        && models.iter().all(|model| !model.tiers.is_empty())
    {
        let message =
            "every default model is limited to certain tiers: other callers may get no model at all".into();
        report.warning(
            "restricted-default",
            &first.at,
            message,
            "end the list with a model that everyone may use",
        );
    }
}

/// Names that people, and language models, would take for one another.
fn alike(draft: &Draft, report: &mut Report) {
    let models = written(draft)
        .map(|model| &model.id)
        .chain(draft.aliases.iter().map(|(name, _)| name));
    names_alike(models, report);
    names_alike(draft.profiles.iter().map(|own| &own.name), report);
    names_alike(draft.domains.iter().map(|domain| &domain.name), report);
    names_alike(draft.routes.iter().map(|route| &route.name), report);
}

fn names_alike<'a>(names: impl Iterator<Item = &'a Name>, report: &mut Report) {
    let mut seen: BTreeMap<String, &Name> = BTreeMap::new();
    for name in names {
        let bare: String = name
            .value
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || "./:".contains(*c))
            .collect();
        match seen.get(&bare) {
            // Names that are equal, or differ in case only where that is not allowed, are errors already.
            Some(first) if first.value.to_lowercase() != name.value.to_lowercase() => {
                let message = format!(
                    "`{}` is easily taken for `{}` on line {}",
                    name.value, first.value, first.at.line
                );
                report.warning(
                    "similar-name",
                    &name.at,
                    message,
                    "choose names that differ in letters or digits",
                );
            }
            Some(_) => {}
            None => {
                seen.insert(bare, name);
            }
        }
    }
}

fn by_id(draft: &Draft) -> BTreeMap<&str, &DraftModel> {
    draft
        .models
        .iter()
        .map(|model| (model.id.value.as_str(), model))
        .collect()
}

/// The models that the author wrote; the built-in catalogue is not to be remarked upon.
fn written(draft: &Draft) -> impl Iterator<Item = &DraftModel> {
    draft.models.iter().filter(|model| model.id.at.line > 0)
}
