//! A policy before its names are resolved: what any of the formats says, each name with its place. The three formats
//! are read into this one form, so that `link` checks and resolves all of them alike.

use std::collections::BTreeMap;

use super::place::{Place, Spanned};
use super::{CacheSettings, EvidenceSettings, Latency, Policy, PolicyTest, Price, Profile};
use crate::canary::CanaryKey;
use crate::health::HealthSettings;
use crate::llm::LlmSettings;
use crate::plan::PlanKind;
use crate::query::{Objective, Weights};
use crate::rule::{Condition, Set};
use crate::session::SessionSettings;
use crate::shadow::Shadow;

/// A name where it was written.
pub(super) type Name = Spanned<String>;

#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) version: u64,
    pub(super) models: Vec<DraftModel>,
    /// Each alias with what it stands for.
    pub(super) aliases: Vec<(Name, Vec<Name>)>,
    pub(super) default: Vec<Name>,
    pub(super) profile: Option<Name>,
    /// Each profile with its models, which are still names.
    pub(super) profiles: Vec<DraftProfile>,
    pub(super) domains: Vec<DraftDomain>,
    pub(super) routes: Vec<DraftRoute>,
    pub(super) other_examples: Vec<Name>,
    pub(super) rules: Vec<DraftRule>,
    pub(super) evidence: EvidenceSettings,
    pub(super) llm: LlmSettings,
    pub(super) weights: Option<Weights>,
    pub(super) expected_output_tokens: Option<u64>,
    pub(super) prefer_families: Vec<String>,
    pub(super) difficulty: Option<String>,
    pub(super) cache: CacheSettings,
    pub(super) sessions: SessionSettings,
    pub(super) health: HealthSettings,
    pub(super) canaries: Vec<DraftCanary>,
    pub(super) shadow: Option<Shadow>,
    pub(super) tests: Vec<DraftTest>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct DraftModel {
    pub(super) id: Name,
    pub(super) family: Option<String>,
    pub(super) parameters_b: Option<f64>,
    pub(super) context_window: Option<u64>,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) capabilities: Vec<String>,
    pub(super) modalities: Vec<String>,
    pub(super) price: Option<Price>,
    pub(super) latency: Option<Latency>,
    pub(super) quality: Option<f64>,
    /// By the name of a route.
    pub(super) quality_by_route: Vec<(Name, f64)>,
    pub(super) tiers: Vec<String>,
    pub(super) regions: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
pub(super) struct DraftDomain {
    pub(super) name: Name,
    pub(super) description: Option<Name>,
    pub(super) models: Vec<Name>,
}

#[derive(Debug, Default)]
pub(super) struct DraftRoute {
    pub(super) name: Name,
    pub(super) domain: Option<Name>,
    pub(super) description: Option<Name>,
    pub(super) examples: Vec<Name>,
    pub(super) models: Vec<Name>,
    pub(super) select: Option<Objective>,
    pub(super) expected_output_tokens: Option<u64>,
    pub(super) plan: Option<DraftPlan>,
    pub(super) strong_weak: Option<DraftPair>,
}

#[derive(Debug)]
pub(super) struct DraftPair {
    pub(super) strong: Name,
    pub(super) weak: Name,
    pub(super) threshold: f64,
}

#[derive(Debug)]
pub(super) struct DraftPlan {
    /// Without its judge, which is still a name.
    pub(super) kind: PlanKind,
    pub(super) models: Vec<Name>,
    pub(super) judge: Option<Name>,
    pub(super) at: Place,
}

#[derive(Debug)]
pub(super) struct DraftProfile {
    pub(super) name: Name,
    pub(super) profile: Profile,
    pub(super) models: Vec<Name>,
}

#[derive(Debug)]
pub(super) struct DraftCanary {
    pub(super) name: Name,
    pub(super) model: Name,
    pub(super) share: f64,
    pub(super) route: Option<Name>,
    pub(super) key: CanaryKey,
}

/// What of a rule is absent has been reported.
#[derive(Debug)]
pub(super) struct DraftRule {
    pub(super) name: Name,
    pub(super) when: Option<Condition>,
    /// Where the condition stands.
    pub(super) at: Place,
    pub(super) action: Option<DraftAction>,
}

#[derive(Debug)]
pub(super) enum DraftAction {
    Deny(String),
    Use(DraftUse, Option<DraftPlan>),
    Set(Set),
}

#[derive(Debug)]
pub(super) enum DraftUse {
    /// Models and aliases.
    Models(Vec<Name>),
    Route(Name),
    Profile(Name),
}

#[derive(Debug, Default)]
pub(super) struct DraftTest {
    pub(super) test: PolicyTest,
    /// Names that the test uses.
    pub(super) wanted: Wanted,
}

#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// The route, and those that the language model is said to name.
    pub(super) routes: Vec<Name>,
    pub(super) domain: Option<Name>,
    pub(super) profile: Option<Name>,
    pub(super) canary: Option<Name>,
    pub(super) rule: Option<Name>,
    /// The model, the fallbacks, and those whose health is stated.
    pub(super) models: Vec<Name>,
}

impl DraftRoute {
    /// Where a remark about the description belongs: there, or at the name of a route without one.
    pub(super) fn described_at(&self) -> &Place {
        self.description.as_ref().map_or(&self.name.at, |d| &d.at)
    }
}

impl Policy {
    /// All names that this policy gives, for linking what refers to them from another place.
    pub(super) fn names(&self) -> Draft {
        let name = |value: &String| Name {
            value: value.clone(),
            at: Place::default(),
        };
        let models = self.models.iter().map(|model| DraftModel {
            id: name(&model.id),
            ..DraftModel::default()
        });
        let profiles = self.profiles.iter().map(|profile| DraftProfile {
            name: name(&profile.name),
            profile: Profile::default(),
            models: Vec::new(),
        });
        let domains = self.domains.iter().map(|domain| DraftDomain {
            name: name(&domain.name),
            ..DraftDomain::default()
        });
        let routes = self.routes.iter().map(|route| DraftRoute {
            name: name(&route.name),
            ..DraftRoute::default()
        });
        let rules = self.rules.all().iter().map(|rule| DraftRule {
            name: name(&rule.name),
            when: None,
            at: Place::default(),
            action: None,
        });
        let canaries = self.canaries.iter().map(|canary| DraftCanary {
            name: name(&canary.name),
            model: Name::default(),
            share: 0.0,
            route: None,
            key: CanaryKey::default(),
        });
        let aliases = self.aliases.keys().map(|alias| (name(alias), Vec::new()));
        Draft {
            models: models.collect(),
            aliases: aliases.collect(),
            profiles: profiles.collect(),
            domains: domains.collect(),
            routes: routes.collect(),
            rules: rules.collect(),
            canaries: canaries.collect(),
            ..Draft::default()
        }
    }
}
