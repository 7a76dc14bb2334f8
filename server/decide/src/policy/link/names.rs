//! Which names a policy may give, and that it gives none of them twice.

use std::collections::BTreeMap;

use crate::policy::draft::{Draft, Name};
use crate::policy::place::{Place, Report};

/// Names and the order in which they were given.
pub(super) type Index = BTreeMap<String, usize>;

/// Words with a meaning of their own in requests and answers.
const RESERVED: [(&str, &str); 2] = [
    ("auto", "as a request's model it means: decide"),
    ("other", "it means: none of the routes"),
];

/// Indexes names and reports those given twice; the first one counts.
pub(super) fn index_names<'a>(
    what: &str,
    names: impl Iterator<Item = &'a Name>,
    report: &mut Report,
) -> Index {
    let mut places: BTreeMap<&String, &Place> = BTreeMap::new();
    let mut index = Index::new();
    // A missing name has been reported as such.
    for (at, name) in names.enumerate().filter(|(_, name)| !name.value.is_empty()) {
        match places.get(&name.value) {
            Some(first) => twice(what, name, first, report),
            None => {
                places.insert(&name.value, &name.at);
                index.insert(name.value.clone(), at);
            }
        }
    }
    index
}

/// Routes must differ in more than case: a language model that is asked for one does not keep case apart.
pub(super) fn same_route(draft: &Draft, report: &mut Report) {
    let mut places: BTreeMap<String, &Place> = BTreeMap::new();
    for name in draft
        .routes
        .iter()
        .map(|route| &route.name)
        .filter(|name| !name.value.is_empty())
    {
        match places.get(&name.value.to_lowercase()) {
            Some(first) => twice("route", name, first, report),
            None => {
                places.insert(name.value.to_lowercase(), &name.at);
            }
        }
    }
}

fn twice(what: &str, name: &Name, first: &Place, report: &mut Report) {
    let message = format!("the {what} `{}` is already {}", name.value, first.spot());
    report.error("duplicate", &name.at, message, "rename one, or make them one");
}

/// Reports names that nobody could ask for.
pub(super) fn unusable(draft: &Draft, report: &mut Report) {
    let models = draft.models.iter().map(|model| ("a model", &model.id));
    let aliases = draft.aliases.iter().map(|(name, _)| ("an alias", name));
    let profiles = draft.profiles.iter().map(|own| ("a profile", &own.name));
    let domains = draft.domains.iter().map(|domain| ("a domain", &domain.name));
    let routes = draft.routes.iter().map(|route| ("a route", &route.name));
    for (what, name) in models.chain(aliases).chain(profiles).chain(domains).chain(routes) {
        let lower = name.value.trim().to_lowercase();
        if let Some((word, why)) = RESERVED.iter().find(|(word, _)| *word == lower) {
            let message = format!("`{word}` is reserved and cannot name {what}");
            report.error("reserved-name", &name.at, message, *why);
        }
    }
    // Keys of a mapping are checked here: the shape of a file speaks of values only.
    for (name, _) in &draft.aliases {
        if name.value.trim().is_empty() || name.value.chars().any(char::is_control) {
            let message = "an alias needs a visible name without control characters".into();
            report.error("bad-name", &name.at, message, "");
        }
    }
}
