//! A policy as the ladder reads it: the catalogue of models and who should serve what. Made by [`load`] from a file's
//! bytes, immutable afterwards. References between parts are indexes, checked once when the policy loads.

pub mod diff;

mod catalogue;
mod draft;
mod fields;
mod hints;
mod import;
mod inline;
mod link;
mod lint;
mod load;
mod lower;
mod place;
mod requests;
mod scalar;
mod settings;
mod shape;
mod suite;
mod tree;

use std::collections::BTreeMap;

use crate::canary::Canary;
use crate::health::{Health, HealthSettings};
use crate::llm::LlmSettings;
use crate::plan::PlanSpec;
use crate::query::{Objective, Weights};
use crate::rule::Rules;
use crate::session::{Held, SessionSettings};
use crate::shadow::Shadow;

pub use import::{Foreign, import};
pub use inline::{InlineRoute, MOST_BYTES, MOST_ROUTES};
pub use load::{Loaded, checksum, load};
pub use requests::{RequestLine, load_requests};
pub use settings::{CacheSettings, EncoderSettings, EvidenceSettings, SemanticSettings};
pub use shape::json_schema;
pub use suite::load_suite;

/// Index of a model in [`Policy::models`].
pub type ModelIndex = usize;
/// Index of a route in [`Policy::routes`].
pub type RouteIndex = usize;

/// A whole policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// The author's revision; `min_policy_version` compares it. 0 when the file has none.
    pub version: u64,
    /// SHA-256 of the file's bytes, lower-case hex.
    pub checksum: String,
    /// The catalogue, in file order.
    pub models: Vec<Model>,
    /// Other names for models, or for lists of them, in preference order. Never empty lists.
    pub aliases: BTreeMap<String, Vec<ModelIndex>>,
    /// Where everything ends that nothing else decided. Never empty.
    pub default: Vec<ModelIndex>,
    /// Index into `profiles` of the profile that rung 7 uses before `default`.
    pub profile: Option<usize>,
    /// The file's profiles, then the built-in ones that it does not redefine.
    pub profiles: Vec<Profile>,
    /// Domains, in file order.
    pub domains: Vec<Domain>,
    /// Routes, in file order.
    pub routes: Vec<Route>,
    /// Index of the first route that evidence compares. 0, except where a request brings routes of its own: they stand
    /// after the policy's, which only rules still use.
    pub scored_from: RouteIndex,
    /// Examples of what belongs to no route.
    pub other_examples: Vec<String>,
    /// Conditions that go before everything else.
    pub rules: Rules,
    /// How sure evidence must be, and where it comes from.
    pub evidence: EvidenceSettings,
    /// When a language model is asked for the route.
    pub llm: LlmSettings,
    /// File of labelled outcomes that difficulty is learned from, relative to the policy's; routes with a `strong_weak`
    /// have one.
    pub difficulty: Option<String>,
    /// Objective where the route, the profile and the request have none.
    pub weights: Option<Weights>,
    /// Answer length where the request and the route say nothing.
    pub expected_output_tokens: Option<u64>,
    /// Families preferred where the request and the profile say nothing.
    pub prefer_families: Vec<String>,
    /// The decision cache.
    pub cache: CacheSettings,
    /// Conversations that stay with their model.
    pub sessions: SessionSettings,
    /// What reported outcomes change.
    pub health: HealthSettings,
    /// Shares of the requests for new models, in file order; the first that applies counts.
    pub canaries: Vec<Canary>,
    /// A policy that is compared with this one.
    pub shadow: Option<Shadow>,
    /// The author's own checks.
    pub tests: Vec<PolicyTest>,
}

/// One model of the catalogue. What is not stated never satisfies a hard requirement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// The id that callers get.
    pub id: String,
    /// Family, for example `claude`; compared ignoring case.
    pub family: Option<String>,
    /// Billions of parameters.
    pub parameters_b: Option<f64>,
    /// Tokens of prompt and answer together.
    pub context_window: Option<u64>,
    /// Most tokens of one answer.
    pub max_output_tokens: Option<u64>,
    /// What it can do, for example `tools`.
    pub capabilities: Vec<String>,
    /// What it accepts; `[text]` when the file does not say.
    pub modalities: Vec<String>,
    /// What it costs.
    pub price: Option<Price>,
    /// How fast it answers.
    pub latency: Option<Latency>,
    /// How good it is where no route has a figure of its own, 0..=1.
    pub quality: Option<f64>,
    /// How good it is by route index, 0..=1, sorted by route.
    pub quality_by_route: Vec<(RouteIndex, f64)>,
    /// Tiers that may use it; empty means everyone.
    pub tiers: Vec<String>,
    /// Regions it is served in; empty satisfies no demand for a region.
    pub regions: Vec<String>,
    /// Returned with the decision.
    pub labels: BTreeMap<String, String>,
}

/// USD per million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Prompt tokens.
    pub input: f64,
    /// Answer tokens.
    pub output: f64,
    /// Prompt tokens that the provider has cached.
    pub cached_input: Option<f64>,
}

/// Expected speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Milliseconds to the first token.
    pub first_token_ms: f64,
    /// Tokens a second after it, above 0.
    pub tokens_per_second: f64,
}

impl Latency {
    /// Milliseconds to a complete answer of so many tokens.
    pub fn answer_ms(&self, output_tokens: f64) -> f64 {
        self.first_token_ms + output_tokens / self.tokens_per_second * 1e3
    }
}

/// A named, described kind of request and the models for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// 1-64 characters, unique ignoring case, never `other`.
    pub name: String,
    /// Index into [`Policy::domains`].
    pub domain: Option<usize>,
    /// What belongs here, in words.
    pub description: String,
    /// Requests that belong here.
    pub examples: Vec<String>,
    /// In order of preference, then fallback. Never empty.
    pub models: Vec<ModelIndex>,
    /// How to choose among `models`; `None` leaves it to the policy's weights, else the order.
    pub select: Option<Objective>,
    /// Tokens to expect back.
    pub expected_output_tokens: Option<u64>,
    /// Choose between two of `models` by difficulty; goes before `select`, which is then `None`.
    pub strong_weak: Option<StrongWeak>,
    /// How its models work together; `None` means that one answers.
    pub plan: Option<PlanSpec>,
}

/// A choice between two models by the difficulty of the prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StrongWeak {
    /// For the difficult.
    pub strong: ModelIndex,
    /// For the rest.
    pub weak: ModelIndex,
    /// Difficulty from which the strong one is used, 0..=1.
    pub threshold: f64,
}

/// A group of routes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Domain {
    /// Unique name.
    pub name: String,
    /// What belongs here, in words.
    pub description: String,
    /// Models for a request that is surely of this domain but of no single route; when the file lists none, those of
    /// its routes in order of first mention.
    pub models: Vec<ModelIndex>,
}

/// A way to choose among all models of the catalogue by size and ability.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Unique name.
    pub name: String,
    /// Smallest size in billions of parameters, inclusive.
    pub min_parameters_b: Option<f64>,
    /// Largest size in billions of parameters.
    pub max_parameters_b: Option<f64>,
    /// Whether a model of exactly `max_parameters_b` is inside.
    pub max_inclusive: bool,
    /// Capabilities that a model must have, all of them.
    pub capabilities: Vec<String>,
    /// Families, most wanted first.
    pub prefer_families: Vec<String>,
    /// How to choose among the models of the band.
    pub select: Option<Objective>,
    /// Sizes wanted first where families and `select` leave a choice.
    pub prefer_size: Option<PreferSize>,
    /// The models to choose among, in order of preference, then of fallback; empty means the whole catalogue.
    pub models: Vec<ModelIndex>,
}

/// Which sizes go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreferSize {
    /// Fewest parameters.
    Smallest,
    /// Most parameters.
    Largest,
}

/// One of the author's own checks: a request and what should come out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyTest {
    /// Shown in reports; the prompt's beginning when the file has none.
    pub name: String,
    /// The conversation as (role, text); roles are `system`, `user`, `assistant`, `tool`.
    pub messages: Vec<(String, String)>,
    /// The request's facts; what follows from `messages` is filled in.
    pub query: crate::query::Query,
    /// What reported outcomes say of the models when the request comes.
    pub health: Health,
    /// The conversation before the request; `None` where it is new.
    pub session: Option<Held>,
    /// What the language model says when it is asked: probabilities by route, `other` for none. `None`: it does not answer.
    pub llm: Option<Vec<(String, f64)>>,
    /// What is wanted; a field that is `None` is not checked.
    pub want: Want,
    /// 1-based line of the test in the file.
    pub line: u32,
}

/// The wanted result of a [`PolicyTest`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Want {
    /// Route name, or `other` for none.
    pub route: Option<String>,
    /// Model id.
    pub model: Option<String>,
    /// Name of the canary whose model was chosen.
    pub canary: Option<String>,
    /// Kind of the plan: `single`, `cascade`, …
    pub plan: Option<String>,
    /// Ids of the plan's models, in order.
    pub plan_models: Option<Vec<String>>,
    /// `direct`, `alias`, `profile`, `embedding`, `default`, …
    pub source: Option<String>,
    /// Domain name.
    pub domain: Option<String>,
    /// Profile name.
    pub profile: Option<String>,
    /// Name of the rule that decides or denies.
    pub rule: Option<String>,
    /// Fallback model ids, in order.
    pub fallbacks: Option<Vec<String>>,
    /// Degradation codes, in order.
    pub degraded: Option<Vec<String>>,
    /// Error reason, for example `NO_ELIGIBLE_MODEL`.
    pub error: Option<String>,
    /// What became of the conversation: `tool_loop`, `same_model`, …
    pub session: Option<String>,
    /// Probes asked, in order: `signals`, `health`, `session`, `exact_cache`, `embedding`, `llm`, `difficulty`.
    pub probes: Option<Vec<String>>,
}

impl Policy {
    /// The model with this id.
    pub fn model(&self, id: &str) -> Option<ModelIndex> {
        self.models.iter().position(|m| m.id == id)
    }

    /// The routes that evidence compares.
    pub fn scored(&self) -> &[Route] {
        &self.routes[self.scored_from..]
    }

    /// The first route with this name.
    pub fn route_named(&self, name: &str) -> Option<RouteIndex> {
        self.routes.iter().position(|route| route.name == name)
    }

    /// The profile with this name.
    pub fn profile_named(&self, name: &str) -> Option<usize> {
        self.profiles.iter().position(|p| p.name == name)
    }
}

impl Model {
    /// Quality for a route, else in general.
    pub fn quality_for(&self, route: Option<RouteIndex>) -> Option<f64> {
        let own = route.and_then(|route| {
            let at = self
                .quality_by_route
                .binary_search_by_key(&route, |(r, _)| *r)
                .ok()?;
            Some(self.quality_by_route[at].1)
        });
        own.or(self.quality)
    }
}

/// The profiles that every policy has unless it redefines them: sizes in billions of parameters, fast `[0, 7)`, general
/// `[7, 13]`, creative `[13, ∞)`; code is the capability `code`.
pub fn builtin_profiles() -> Vec<Profile> {
    let band = |name: &str, min, max, max_inclusive| Profile {
        name: name.into(),
        min_parameters_b: min,
        max_parameters_b: max,
        max_inclusive,
        ..Profile::default()
    };
    vec![
        band("fast", Some(0.0), Some(7.0), false),
        band("general", Some(7.0), Some(13.0), true),
        Profile {
            name: "code".into(),
            capabilities: vec!["code".into()],
            ..Profile::default()
        },
        band("creative", Some(13.0), None, false),
    ]
}
