//! The facts of a request as the audit log has them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use signalbox_decide::Query;
use signalbox_decide::query::{
    Attempt, AttemptOutcome, Caller, Objective, Preferences, Requirements, Weights,
};

/// The facts of a request that a policy may read. What is missing was not said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Asked {
    /// The caller's id of the request, or a generated one.
    pub request_id: String,
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the prompt without its last message.
    #[serde(skip_serializing_if = "is_default")]
    pub earlier_tokens: u64,
    /// Tokens that the caller expects back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_output_tokens: Option<u64>,
    /// Messages of the conversation.
    pub turns: u32,
    /// Whether a person spoke last.
    pub user_turn: bool,
    /// Modalities of what is attached.
    #[serde(skip_serializing_if = "is_default")]
    pub modalities: Vec<String>,
    /// A model or alias asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// A profile asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Whether the request brought routes of its own, which are not written.
    #[serde(skip_serializing_if = "is_default")]
    pub inline_routes: bool,
    /// Hard limits.
    #[serde(skip_serializing_if = "is_default")]
    pub requirements: Limits,
    /// Wishes.
    #[serde(skip_serializing_if = "is_default")]
    pub preferences: Wishes,
    /// The caller's tier.
    #[serde(skip_serializing_if = "is_default")]
    pub tier: String,
    /// The caller's tenant.
    #[serde(skip_serializing_if = "is_default")]
    pub tenant: String,
    /// The caller's conversation.
    #[serde(skip_serializing_if = "is_default")]
    pub session_id: String,
    /// The caller's labels.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// What was already tried.
    #[serde(skip_serializing_if = "is_default")]
    pub attempts: Vec<Tried>,
}

/// Hard limits of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    min_context_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "is_default")]
    capabilities: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    modalities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_cost_usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_latency_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_quality: Option<f64>,
    #[serde(skip_serializing_if = "is_default")]
    regions: Vec<String>,
}

/// Wishes of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Wishes {
    #[serde(skip_serializing_if = "is_default")]
    families: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<Weighed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    optimize_for: Option<Aim>,
}

/// One objective.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Aim {
    Order,
    Cheapest,
    Fastest,
    Best,
    Weights(Weighed),
}

/// Weights of latency, cost and quality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Weighed {
    latency: f64,
    cost: f64,
    quality: f64,
}

/// A model already tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tried {
    model: String,
    outcome: Became,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Became {
    Unspecified,
    Error,
    RateLimited,
    Timeout,
    LowConfidence,
    Refused,
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

// Taken apart without `..`, so that a new field cannot be forgotten.
impl From<&Query> for Asked {
    fn from(query: &Query) -> Self {
        let Query {
            request_id,
            input_tokens,
            expected_output_tokens,
            turns,
            modalities,
            model,
            profile,
            requirements,
            preferences,
            caller,
            attempts,
            user_turn,
            earlier_tokens,
            inline_routes,
            read_cache: _, // how to use the cache, not what to decide
        } = query;
        let Caller {
            tenant,
            tier,
            session_id,
            labels,
        } = caller.clone();
        Asked {
            request_id: request_id.clone(),
            input_tokens: *input_tokens,
            earlier_tokens: *earlier_tokens,
            expected_output_tokens: *expected_output_tokens,
            turns: *turns,
            user_turn: *user_turn,
            modalities: modalities.clone(),
            model: model.clone(),
            profile: profile.clone(),
            inline_routes: *inline_routes,
            requirements: requirements.clone().into(),
            preferences: preferences.clone().into(),
            tier,
            tenant,
            session_id,
            labels,
            attempts: attempts.iter().map(Tried::from).collect(),
        }
    }
}

// Says all of its fields, so that a new one cannot be forgotten here either.
impl From<Asked> for Query {
    fn from(asked: Asked) -> Self {
        let (limits, wishes) = (asked.requirements, asked.preferences);
        Query {
            request_id: asked.request_id,
            input_tokens: asked.input_tokens,
            expected_output_tokens: asked.expected_output_tokens,
            turns: asked.turns,
            modalities: asked.modalities,
            model: asked.model,
            profile: asked.profile,
            requirements: Requirements {
                min_context_tokens: limits.min_context_tokens,
                max_output_tokens: limits.max_output_tokens,
                capabilities: limits.capabilities,
                modalities: limits.modalities,
                max_cost_usd: limits.max_cost_usd,
                max_latency_ms: limits.max_latency_ms,
                min_quality: limits.min_quality,
                regions: limits.regions,
                regions_exclude: false,
            },
            preferences: Preferences {
                families: wishes.families,
                weights: wishes.weights.map(Weights::from),
                optimize_for: wishes.optimize_for.map(Objective::from),
            },
            caller: Caller {
                tenant: asked.tenant,
                tier: asked.tier,
                session_id: asked.session_id,
                labels: asked.labels,
            },
            attempts: asked.attempts.into_iter().map(Attempt::from).collect(),
            user_turn: asked.user_turn,
            earlier_tokens: asked.earlier_tokens,
            inline_routes: asked.inline_routes,
            read_cache: false,
        }
    }
}

impl From<Requirements> for Limits {
    fn from(requirements: Requirements) -> Self {
        let Requirements {
            min_context_tokens,
            max_output_tokens,
            capabilities,
            modalities,
            max_cost_usd,
            max_latency_ms,
            min_quality,
            regions,
            regions_exclude: _, // only rules set it
        } = requirements;
        Limits {
            min_context_tokens,
            max_output_tokens,
            capabilities,
            modalities,
            max_cost_usd,
            max_latency_ms,
            min_quality,
            regions,
        }
    }
}

impl From<Preferences> for Wishes {
    fn from(preferences: Preferences) -> Self {
        let Preferences {
            families,
            weights,
            optimize_for,
        } = preferences;
        Wishes {
            families,
            weights: weights.map(Weighed::from),
            optimize_for: optimize_for.map(Aim::from),
        }
    }
}

impl From<Weights> for Weighed {
    fn from(
        Weights {
            latency,
            cost,
            quality,
        }: Weights,
    ) -> Self {
        Weighed {
            latency,
            cost,
            quality,
        }
    }
}

impl From<Weighed> for Weights {
    fn from(
        Weighed {
            latency,
            cost,
            quality,
        }: Weighed,
    ) -> Self {
        Weights {
            latency,
            cost,
            quality,
        }
    }
}

impl From<Objective> for Aim {
    fn from(objective: Objective) -> Self {
        match objective {
            Objective::Order => Aim::Order,
            Objective::Cheapest => Aim::Cheapest,
            Objective::Fastest => Aim::Fastest,
            Objective::Best => Aim::Best,
            Objective::Weights(weights) => Aim::Weights(weights.into()),
        }
    }
}

impl From<Aim> for Objective {
    fn from(aim: Aim) -> Self {
        match aim {
            Aim::Order => Objective::Order,
            Aim::Cheapest => Objective::Cheapest,
            Aim::Fastest => Objective::Fastest,
            Aim::Best => Objective::Best,
            Aim::Weights(weights) => Objective::Weights(weights.into()),
        }
    }
}

impl From<&Attempt> for Tried {
    fn from(attempt: &Attempt) -> Self {
        Tried {
            model: attempt.model_id.clone(),
            outcome: match attempt.outcome {
                AttemptOutcome::Unspecified => Became::Unspecified,
                AttemptOutcome::Error => Became::Error,
                AttemptOutcome::RateLimited => Became::RateLimited,
                AttemptOutcome::Timeout => Became::Timeout,
                AttemptOutcome::LowConfidence => Became::LowConfidence,
                AttemptOutcome::Refused => Became::Refused,
            },
            confidence: attempt.confidence,
        }
    }
}

impl From<Tried> for Attempt {
    fn from(tried: Tried) -> Self {
        Attempt {
            model_id: tried.model,
            outcome: match tried.outcome {
                Became::Unspecified => AttemptOutcome::Unspecified,
                Became::Error => AttemptOutcome::Error,
                Became::RateLimited => AttemptOutcome::RateLimited,
                Became::Timeout => AttemptOutcome::Timeout,
                Became::LowConfidence => AttemptOutcome::LowConfidence,
                Became::Refused => AttemptOutcome::Refused,
            },
            confidence: tried.confidence,
        }
    }
}
