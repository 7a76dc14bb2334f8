//! What changed between two policies, by name. Shown by `ReloadPolicy` and `signalbox policy diff`. Compares meaning:
//! an index that moved because something was inserted before it is no change.

use std::collections::BTreeMap;

use super::{Model, ModelIndex, Policy, Route, StrongWeak};
use crate::plan::{PlanKind, PlanSpec};
use crate::rule::{Action, Rule, Use};

/// What changed between two policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyDiff {
    /// Routes, by name.
    pub routes: Changes,
    /// Models, by id.
    pub models: Changes,
    /// Rules, by name.
    pub rules: Changes,
}

/// Names in the order of the policy that has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Only in the new policy.
    pub added: Vec<String>,
    /// Only in the old policy.
    pub removed: Vec<String>,
    /// In both, and not the same.
    pub changed: Vec<String>,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl PolicyDiff {
    /// Whether nothing changed that has a name.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.models.is_empty() && self.rules.is_empty()
    }
}

/// Compares two policies.
pub fn diff(old: &Policy, new: &Policy) -> PolicyDiff {
    let models = |policy: &Policy| {
        let models = policy.models.iter();
        models
            .map(|model| (model.id.clone(), named_model(policy, model)))
            .collect::<Vec<_>>()
    };
    let routes = |policy: &Policy| {
        let routes = policy.routes.iter();
        routes
            .map(|route| (route.name.clone(), named_route(policy, route)))
            .collect::<Vec<_>>()
    };
    let rules = |policy: &Policy| {
        let rules = policy.rules.all().iter();
        rules
            .map(|rule| (rule.name.clone(), named_rule(policy, rule)))
            .collect::<Vec<_>>()
    };
    PolicyDiff {
        routes: compare(routes(old), routes(new)),
        models: compare(models(old), models(new)),
        rules: compare(rules(old), rules(new)),
    }
}

/// A model, its figures by the names of routes.
fn named_model(policy: &Policy, model: &Model) -> (Model, BTreeMap<String, f64>) {
    let quality = model
        .quality_by_route
        .iter()
        .map(|(route, q)| (policy.routes[*route].name.clone(), *q))
        .collect();
    (
        Model {
            quality_by_route: Vec::new(),
            ..model.clone()
        },
        quality,
    )
}

/// A plan without its models, those and the judge by name.
type NamedPlan = Option<(PlanKind, Vec<String>, Option<String>)>;

fn named_plan(policy: &Policy, plan: Option<&PlanSpec>) -> NamedPlan {
    let id = |model: &ModelIndex| policy.models[*model].id.clone();
    plan.map(|plan| {
        let mut kind = plan.kind.clone();
        let judge = kind.take_judge();
        (kind, plan.models.iter().map(id).collect(), judge.as_ref().map(id))
    })
}

/// A route; its models, plan and domain by name.
fn named_route(policy: &Policy, route: &Route) -> (Route, [Vec<String>; 2], NamedPlan, Option<String>) {
    let id = |model: &ModelIndex| policy.models[*model].id.clone();
    let pair = route
        .strong_weak
        .map(|pair| vec![id(&pair.strong), id(&pair.weak)]);
    let models = [route.models.iter().map(id).collect(), pair.unwrap_or_default()];
    let domain = route.domain.map(|domain| policy.domains[domain].name.clone());
    (
        Route {
            models: Vec::new(),
            domain: None,
            plan: None,
            strong_weak: route.strong_weak.map(|pair| StrongWeak {
                strong: 0,
                weak: 0,
                ..pair
            }),
            ..route.clone()
        },
        models,
        named_plan(policy, route.plan.as_ref()),
        domain,
    )
}

/// A rule: its condition in canonical spelling, and whom it uses, and how, by name.
fn named_rule(policy: &Policy, rule: &Rule) -> (String, Option<Action>, Vec<String>, NamedPlan) {
    let id = |model: &ModelIndex| format!("model {}", policy.models[*model].id);
    let (action, whom, plan) = match &rule.action {
        Action::Use(whom, plan) => {
            let names = match whom {
                Use::Models(models) => models.iter().map(id).collect(),
                Use::Route(route) => vec![format!("route {}", policy.routes[*route].name)],
                Use::Profile(at) => vec![format!("profile {}", policy.profiles[*at].name)],
            };
            (None, names, named_plan(policy, plan.as_ref()))
        }
        other => (Some(other.clone()), Vec::new(), None),
    };
    (rule.when.to_string(), action, whom, plan)
}

fn compare<T: PartialEq>(old: Vec<(String, T)>, new: Vec<(String, T)>) -> Changes {
    let names = |pairs: &[(String, T)]| pairs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let (old_names, new_names) = (names(&old), names(&new));
    let old: BTreeMap<String, T> = old.into_iter().collect();
    let new: BTreeMap<String, T> = new.into_iter().collect();
    Changes {
        added: new_names
            .iter()
            .filter(|name| !old.contains_key(*name))
            .cloned()
            .collect(),
        removed: old_names
            .into_iter()
            .filter(|name| !new.contains_key(name))
            .collect(),
        changed: new_names
            .into_iter()
            .filter(|name| old.get(name).is_some_and(|before| Some(before) != new.get(name)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load;

    fn policy(models: &str, routes: &str) -> Policy {
        let text = format!("schema: 1\ndefault: a\nmodels: [{models}]\nroutes: [{routes}]\n");
        load(text.as_bytes()).unwrap().policy
    }

    #[test]
    fn a_policy_does_not_differ_from_itself() {
        let one = policy("{id: a}, {id: b, quality: {x: 0.5}}", "{name: x, models: [b]}");
        assert!(diff(&one, &one).is_empty());
    }

    #[test]
    fn added_removed_and_changed_are_told_apart() {
        let old = policy(
            "{id: a}, {id: b}",
            "{name: x, models: [a]}, {name: y, models: [b]}",
        );
        let new = policy(
            "{id: a, family: f}, {id: c}",
            "{name: y, models: [c]}, {name: z, models: [a]}",
        );
        let found = diff(&old, &new);
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            found.models,
            Changes {
                added: list(&["c"]),
                removed: list(&["b"]),
                changed: list(&["a"])
            }
        );
        assert_eq!(
            found.routes,
            Changes {
                added: list(&["z"]),
                removed: list(&["x"]),
                changed: list(&["y"])
            }
        );
        assert_eq!(found.rules, Changes::default());
    }

    #[test]
    fn what_only_moved_did_not_change() {
        let old = policy("{id: a}, {id: b, quality: {y: 0.5}}", "{name: y, models: [b]}");
        let new = policy(
            "{id: c}, {id: b, quality: {y: 0.5}}, {id: a}",
            "{name: x, models: [c]}, {name: y, models: [b]}",
        );
        let found = diff(&old, &new);
        assert_eq!((found.models.changed.len(), found.routes.changed.len()), (0, 0));
    }
}
