//! What the ladder ends in: a [`Decision`] or a [`Refused`]. Indexes point into the policy that decided.

use std::fmt;

use thiserror::Error;

use crate::candidates::Refusal;
use crate::plan::Plan;
use crate::policy::{ModelIndex, RouteIndex};
use crate::rule::RuleIndex;
use crate::session::Stay;

/// The rung of the ladder that decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The request named the model.
    Direct,
    /// The request named an alias.
    Alias,
    /// A rule of the policy.
    Rule,
    /// The conversation is held on its model.
    Session,
    /// A profile, asked for or the policy's own.
    Profile,
    /// The embedded classifier was sure of a route or a domain.
    Embedding,
    /// A language model was sure of a route or a domain.
    Llm,
    /// Nothing else decided.
    #[default]
    Default,
}

impl Source {
    /// The word used in policy tests, explanations and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Direct => "direct",
            Source::Alias => "alias",
            Source::Rule => "rule",
            Source::Session => "session",
            Source::Profile => "profile",
            Source::Embedding => "embedding",
            Source::Llm => "llm",
            Source::Default => "default",
        }
    }

    /// Every source, for what must list them all.
    pub const ALL: [Source; 8] = [
        Source::Direct,
        Source::Alias,
        Source::Rule,
        Source::Session,
        Source::Profile,
        Source::Embedding,
        Source::Llm,
        Source::Default,
    ];
}

/// Which model should serve the request, and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The model.
    pub model: ModelIndex,
    /// What to try next, best first; never a model of the plan, no repeats.
    pub fallbacks: Vec<ModelIndex>,
    /// How to execute it; its first model is `model`.
    pub plan: Plan,
    /// The rung that decided.
    pub source: Source,
    /// The route that matched.
    pub route: Option<RouteIndex>,
    /// The domain of the route, or the one that matched by itself.
    pub domain: Option<usize>,
    /// The profile that matched.
    pub profile: Option<usize>,
    /// Index into the policy's canaries of the one that put its model in the winner's place.
    pub canary: Option<usize>,
    /// The rule that chose.
    pub rule: Option<RuleIndex>,
    /// What became of the conversation that the request belongs to; `None` where there is none or it is new.
    pub session: Option<Stay>,
    /// Calibrated probability of the route or domain; for `Default`, of no route. 0..=1.
    pub confidence: Option<f32>,
    /// Distance to the runner-up, 0..=1.
    pub margin: Option<f32>,
    /// What could not be had on the way.
    pub degraded: Vec<Degradation>,
    /// One plain sentence.
    pub reason: String,
    /// What the chosen model is expected to cost and take.
    pub estimate: Estimate,
}

/// Something that could not be had, so that the decision is weaker than it could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degradation {
    /// A published code.
    pub code: &'static str,
    /// What happened, for people.
    pub detail: String,
}

/// Expected cost and time of one request on one model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// USD, where the model states a price.
    pub cost_usd: Option<f64>,
    /// Milliseconds to the complete answer, where the model states its speed or was observed.
    pub latency_ms: Option<f64>,
    /// Whether `latency_ms` comes from reported outcomes.
    pub latency_observed: bool,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Answer tokens.
    pub output_tokens: u64,
}

/// Why there is no decision. None of these is a fault of the service.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refused {
    /// A rule of the policy denies it.
    #[error("{message} (rule `{rule}`)")]
    Denied {
        /// The rule's name.
        rule: String,
        /// What its author has to say to the caller.
        message: String,
    },
    /// `model` is neither an id nor an alias.
    #[error("model: `{name}` is neither a model id nor an alias{}", did_you_mean(nearest))]
    UnknownModel {
        /// What the request named.
        name: String,
        /// The nearest names, best first.
        nearest: Vec<String>,
    },
    /// `profile` names nothing.
    #[error("profile: there is no profile `{name}`{}", did_you_mean(nearest))]
    UnknownProfile {
        /// What the request named.
        name: String,
        /// The nearest names, best first.
        nearest: Vec<String>,
    },
    /// The model asked for exists, but not for this caller's tier or region.
    #[error("model: `{name}` is not allowed for this caller: {}", Listed(refusals))]
    ModelNotAllowed {
        /// What the request named.
        name: String,
        /// Why each model behind the name was refused.
        refusals: Vec<(String, Vec<Refusal>)>,
    },
    /// Nothing is left that may serve the request.
    #[error("no eligible model: {}", Listed(refusals))]
    NoEligibleModel {
        /// Why each model of the last rung was refused.
        refusals: Vec<(String, Vec<Refusal>)>,
    },
}

impl Refused {
    /// The machine-readable reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Refused::Denied { .. } => "DENIED_BY_RULE",
            Refused::UnknownModel { .. } => "UNKNOWN_MODEL",
            Refused::UnknownProfile { .. } => "UNKNOWN_PROFILE",
            Refused::ModelNotAllowed { .. } => "MODEL_NOT_ALLOWED",
            Refused::NoEligibleModel { .. } => "NO_ELIGIBLE_MODEL",
        }
    }
}

fn did_you_mean(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        names => format!("; did you mean `{}`?", names.join("` or `")),
    }
}

/// The first few refusals in words; a message names five models at most.
struct Listed<'a>(&'a [(String, Vec<Refusal>)]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        for (position, (model, refusals)) in self.0.iter().take(SHOWN).enumerate() {
            if position > 0 {
                f.write_str("; ")?;
            }
            write!(f, "`{model}` ")?;
            for (position, refusal) in refusals.iter().enumerate() {
                if position > 0 {
                    f.write_str(" and ")?;
                }
                write!(f, "{refusal}")?;
            }
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// Up to three of `names` that are within a third of their length of `name` in edits, nearest first.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let mut close: Vec<(usize, &str)> = names
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            let distance = strsim::osa_distance(&wanted, &lower);
            let contained = wanted.len() >= 3 && lower.contains(&wanted);
            (contained || distance * 3 <= wanted.chars().count().max(3)).then_some((distance, candidate))
        })
        .collect();
    close.sort();
    close.dedup();
    close
        .into_iter()
        .take(3)
        .map(|(_, candidate)| candidate.to_owned())
        .collect()
}
