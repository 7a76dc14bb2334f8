//! From a [`Draft`] to a [`Policy`]: every name is checked and becomes an index. Called for all formats, so that an
//! imported policy is held to the same rules as our own. Reports everything that does not hold; the policy that it
//! returns is only meant to be used when nothing was reported as an error.

mod canaries;
mod names;
mod pairs;
mod plans;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, DraftModel, DraftTest, Name};
use super::hints::{did_you_mean, quoted};
use super::place::Report;
use super::{Domain, Model, ModelIndex, Policy, PolicyTest, Profile, Route, builtin_profiles};
use names::{Index, index_names};

/// Names that fit into a hint.
const FEW: usize = 6;

/// Errors after which hints are no longer looked for: each takes time by the number of names.
const HINTED: usize = 100;

/// Resolves a draft.
pub(super) fn link(draft: &Draft, checksum: String, report: &mut Report) -> Policy {
    let mut linker = Linker::new(draft, report);
    let domains = linker.domains(draft);
    let aliases = linker.aliases(draft);
    let default = linker.models_of(&draft.default);
    let profile = draft.profile.as_ref().and_then(|name| linker.profile(name));
    let routes: Vec<Route> = draft.routes.iter().map(|route| linker.route(route)).collect();
    let canaries = linker.canaries(draft);
    let rules = linker.rules(draft);
    let tests = draft.tests.iter().map(|test| linker.test(test)).collect();
    let own = draft.profiles.iter().map(|own| Profile {
        models: linker.models_of(&own.models),
        ..own.profile.clone()
    });
    let profiles = all_profiles(own.collect());
    let models = draft
        .models
        .iter()
        .map(|model| linker.model(model.clone()))
        .collect();
    Policy {
        version: draft.version,
        checksum,
        models,
        aliases,
        default,
        profile,
        profiles,
        domains: with_models_of_routes(domains, &routes),
        routes,
        scored_from: 0,
        other_examples: draft
            .other_examples
            .iter()
            .map(|example| example.value.clone())
            .collect(),
        rules,
        evidence: draft.evidence.clone(),
        llm: draft.llm,
        difficulty: draft.difficulty.clone(),
        weights: draft.weights,
        expected_output_tokens: draft.expected_output_tokens,
        prefer_families: draft.prefer_families.clone(),
        cache: draft.cache.clone(),
        sessions: draft.sessions,
        health: draft.health.clone(),
        canaries,
        shadow: draft.shadow.clone(),
        tests,
    }
}

/// Resolves the routes of a draft alone.
pub(super) fn link_routes(draft: &Draft, report: &mut Report) -> Vec<Route> {
    let mut linker = Linker::new(draft, report);
    draft.routes.iter().map(|route| linker.route(route)).collect()
}

/// Resolves tests from a file beside the policy that `names` has the names of.
pub(super) fn link_tests(names: &Draft, tests: &[DraftTest], report: &mut Report) -> Vec<PolicyTest> {
    let mut linker = Linker::new(names, report);
    tests.iter().map(|test| linker.test(test)).collect()
}

/// Reports routes that are not among `names`.
pub(super) fn link_routes_named(names: &Draft, routes: &[Name], report: &mut Report) {
    let mut linker = Linker::new(names, report);
    for route in routes {
        linker.route_index(route);
    }
}

/// The file's profiles, then the built-in ones that it does not redefine.
pub(super) fn all_profiles(mut own: Vec<Profile>) -> Vec<Profile> {
    for builtin in builtin_profiles() {
        if own.iter().all(|profile| profile.name != builtin.name) {
            own.push(builtin);
        }
    }
    own
}

/// The names of a policy, by kind.
struct Linker<'a> {
    report: &'a mut Report,
    models: Index,
    aliases: BTreeSet<String>,
    domains: Index,
    routes: Index,
    profiles: Index,
    canaries: Index,
    /// Whether the policy has outcomes to learn difficulty from.
    has_outcomes: bool,
    rules: Index,
}

impl<'a> Linker<'a> {
    fn new(draft: &Draft, report: &'a mut Report) -> Self {
        names::unusable(draft, report);
        let models = index_names("model", draft.models.iter().map(|model| &model.id), report);
        names::same_route(draft, report);
        let mut profiles = index_names(
            "profile",
            draft.profiles.iter().map(|profile| &profile.name),
            report,
        );
        for profile in builtin_profiles() {
            let next = profiles.len();
            profiles.entry(profile.name).or_insert(next);
        }
        Linker {
            models,
            aliases: draft.aliases.iter().map(|(name, _)| name.value.clone()).collect(),
            domains: index_names("domain", draft.domains.iter().map(|domain| &domain.name), report),
            routes: draft
                .routes
                .iter()
                .enumerate()
                .map(|(at, r)| (r.name.value.clone(), at))
                .collect(),
            profiles,
            canaries: index_names("canary", draft.canaries.iter().map(|canary| &canary.name), report),
            has_outcomes: draft.difficulty.is_some(),
            rules: index_names("rule", draft.rules.iter().map(|rule| &rule.name), report),
            report,
        }
    }

    fn model_index(&mut self, name: &Name) -> Option<ModelIndex> {
        if let Some(index) = self.models.get(&name.value) {
            return Some(*index);
        }
        if self.aliases.contains(&name.value) {
            let message = format!("`{}` is an alias, not a model", name.value);
            self.report.error(
                "alias-not-model",
                &name.at,
                message,
                "write the ids that the alias stands for",
            );
            return None;
        }
        self.unknown("unknown-model", "model", name, |linker| &linker.models)
    }

    /// Models in order, each at most once.
    fn models_of(&mut self, names: &[Name]) -> Vec<ModelIndex> {
        let mut models = Vec::with_capacity(names.len());
        let mut seen = BTreeSet::new();
        for name in names {
            let Some(model) = self.model_index(name) else {
                continue;
            };
            if seen.insert(model) {
                models.push(model);
            } else {
                let message = format!("`{}` is in this list already", name.value);
                self.report
                    .error("duplicate", &name.at, message, "name each model once");
            }
        }
        models
    }

    fn aliases(&mut self, draft: &Draft) -> BTreeMap<String, Vec<ModelIndex>> {
        let mut aliases = BTreeMap::new();
        for (name, targets) in &draft.aliases {
            if self.models.contains_key(&name.value) {
                let message = format!(
                    "`{}` is the id of a model and cannot also be an alias",
                    name.value
                );
                self.report
                    .error("alias-is-model", &name.at, message, "rename the alias");
            }
            let targets: Vec<Name> = targets
                .iter()
                .filter(|target| !self.is_alias(target))
                .cloned()
                .collect();
            aliases.insert(name.value.clone(), self.models_of(&targets));
        }
        aliases
    }

    /// An alias of an alias is refused: what it stands for would change without anybody touching it.
    fn is_alias(&mut self, target: &Name) -> bool {
        let alias = self.aliases.contains(&target.value) && !self.models.contains_key(&target.value);
        if alias {
            let message = format!("`{}` is an alias itself", target.value);
            self.report.error(
                "alias-to-alias",
                &target.at,
                message,
                "write the ids that it stands for",
            );
        }
        alias
    }

    fn profile(&mut self, name: &Name) -> Option<usize> {
        match self.profiles.get(&name.value) {
            Some(index) => Some(*index),
            None => self.unknown("unknown-profile", "profile", name, |linker| &linker.profiles),
        }
    }

    fn domain(&mut self, name: &Name) -> Option<usize> {
        match self.domains.get(&name.value) {
            Some(index) => Some(*index),
            None => self.unknown("unknown-domain", "domain", name, |linker| &linker.domains),
        }
    }

    fn route_index(&mut self, name: &Name) -> Option<usize> {
        match self.routes.get(&name.value) {
            Some(index) => Some(*index),
            None => self.unknown("unknown-route", "route", name, |linker| &linker.routes),
        }
    }

    fn unknown(
        &mut self,
        code: &'static str,
        what: &str,
        name: &Name,
        names: impl Fn(&Self) -> &Index,
    ) -> Option<usize> {
        // A name that is missing or not text has been reported as such.
        if !name.value.is_empty() {
            let hint = if self.report.errors() < HINTED {
                hint(what, &name.value, names(self))
            } else {
                String::new()
            };
            self.report
                .error(code, &name.at, format!("unknown {what} `{}`", name.value), hint);
        }
        None
    }

    fn domains(&mut self, draft: &Draft) -> Vec<Domain> {
        let domain = |domain: &super::draft::DraftDomain| Domain {
            name: domain.name.value.clone(),
            description: domain.description.clone().map(|d| d.value).unwrap_or_default(),
            models: self.models_of(&domain.models),
        };
        draft.domains.iter().map(domain).collect()
    }

    fn route(&mut self, route: &super::draft::DraftRoute) -> Route {
        let models = self.models_of(&route.models);
        Route {
            name: route.name.value.clone(),
            domain: route.domain.as_ref().and_then(|name| self.domain(name)),
            description: route.description.clone().map(|d| d.value).unwrap_or_default(),
            examples: route
                .examples
                .iter()
                .map(|example| example.value.clone())
                .collect(),
            select: route.select,
            expected_output_tokens: route.expected_output_tokens,
            plan: route.plan.as_ref().map(|plan| self.plan(plan, &models)),
            strong_weak: route
                .strong_weak
                .as_ref()
                .and_then(|pair| self.pair(pair, &models)),
            models,
        }
    }

    fn model(&mut self, model: DraftModel) -> Model {
        let mut quality_by_route: Vec<_> = model
            .quality_by_route
            .iter()
            .filter_map(|(name, q)| Some((self.route_index(name)?, *q)))
            .collect();
        quality_by_route.sort_by_key(|(route, _)| *route);
        Model {
            id: model.id.value,
            family: model.family,
            parameters_b: model.parameters_b,
            context_window: model.context_window,
            max_output_tokens: model.max_output_tokens,
            capabilities: model.capabilities,
            modalities: model.modalities,
            price: model.price,
            latency: model.latency,
            quality: model.quality,
            quality_by_route,
            tiers: model.tiers,
            regions: model.regions,
            labels: model.labels,
        }
    }

    /// A test may ask for what does not exist; it cannot want it.
    fn test(&mut self, test: &DraftTest) -> PolicyTest {
        let wanted = &test.wanted;
        for route in &wanted.routes {
            self.route_index(route);
        }
        wanted.domain.as_ref().map(|name| self.domain(name));
        wanted.profile.as_ref().map(|name| self.profile(name));
        wanted.canary.as_ref().map(|name| self.canary(name));
        wanted.rule.as_ref().map(|name| self.rule_index(name));
        for name in &wanted.models {
            self.model_index(name);
        }
        test.test.clone()
    }
}

/// What an unknown name may have been meant to be.
fn hint(what: &str, wanted: &str, names: &Index) -> String {
    let known = || names.keys().map(String::as_str);
    did_you_mean(wanted, known(), || match names.len() {
        0 => format!("the policy has no {what}s"),
        1..=FEW => format!("known are {}", quoted(&known().collect::<Vec<_>>(), "and")),
        _ => format!("the policy has no such {what}"),
    })
}

/// A domain that lists no models has those of its routes, in order of first mention.
fn with_models_of_routes(mut domains: Vec<Domain>, routes: &[Route]) -> Vec<Domain> {
    let empty: Vec<bool> = domains.iter().map(|domain| domain.models.is_empty()).collect();
    let mut seen = BTreeSet::new();
    for route in routes {
        let Some(domain) = route.domain.filter(|domain| empty[*domain]) else {
            continue;
        };
        let new = route.models.iter().filter(|model| seen.insert((domain, **model)));
        domains[domain].models.extend(new);
    }
    domains
}
