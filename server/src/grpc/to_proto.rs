//! From the engine's terms to the wire. Indexes into the policy become names here. Called by `route`, `explain` and
//! `admin`.

use std::time::{Duration, SystemTime};

use signalbox_api::v1;
use signalbox_decide::decision::Estimate;
use signalbox_decide::plan::{Combine, Prefer};
use signalbox_decide::{Answer, Decision, Held, Plan, Policy, Source, Stay};
use uuid::Uuid;

use crate::engine::CacheStatus;

/// What a decision is answered with beside itself.
pub(crate) struct Frame {
    pub(crate) decision_id: Uuid,
    pub(crate) request_id: String,
    pub(crate) cache: CacheStatus,
    /// Where the conversation was.
    pub(crate) before: Answer<Option<Held>>,
    pub(crate) took: Duration,
}

/// A decision under `policy`, which must be the one that made it.
pub(crate) fn response(policy: &Policy, decision: &Decision, frame: Frame) -> v1::RouteResponse {
    let id = |model: usize| policy.models[model].id.clone();
    let degraded = decision.degraded.iter().map(|lost| v1::Degradation {
        code: lost.code.to_owned(),
        detail: lost.detail.clone(),
    });
    v1::RouteResponse {
        decision_id: frame.decision_id.to_string(),
        model_id: id(decision.model),
        fallback_model_ids: decision.fallbacks.iter().map(|&model| id(model)).collect(),
        route: decision
            .route
            .map(|route| policy.routes[route].name.clone())
            .unwrap_or_default(),
        confidence: decision.confidence.map(probability),
        request_id: frame.request_id,
        source: source(decision.source).into(),
        cache_status: cache_status(frame.cache).into(),
        policy: Some(v1::PolicyRef {
            version: policy.version,
            checksum: policy.checksum.clone(),
        }),
        reason: decision.reason.clone(),
        processing_duration: Some(duration(frame.took)),
        plan: Some(plan(policy, decision)),
        estimate: Some(estimate(&decision.estimate)),
        margin: decision.margin.map(probability),
        domain: decision
            .domain
            .map(|domain| policy.domains[domain].name.clone())
            .unwrap_or_default(),
        profile: decision
            .profile
            .map(|profile| policy.profiles[profile].name.clone())
            .unwrap_or_default(),
        rule: decision
            .rule
            .map(|rule| policy.rules.all()[rule].name.clone())
            .unwrap_or_default(),
        model_labels: policy.models[decision.model].labels.clone(),
        degraded: degraded.collect(),
        canary: decision
            .canary
            .map(|canary| policy.canaries[canary].name.clone())
            .unwrap_or_default(),
        session: session(decision, frame.before),
    }
}

fn plan(policy: &Policy, decision: &Decision) -> v1::Plan {
    use v1::plan::Kind;
    let id = |model: usize| policy.models[model].id.clone();
    let ids = |models: &[usize]| models.iter().map(|&model| id(model)).collect();
    let model_id = id(decision.model);
    let kind = match &decision.plan {
        Plan::Single => Kind::Single(v1::SinglePlan { model_id }),
        Plan::Cascade { models, accept_at } => Kind::Cascade(v1::CascadePlan {
            model_ids: ids(models),
            accept_at: Some(*accept_at),
        }),
        Plan::Ensemble {
            models,
            combine,
            judge,
        } => Kind::Ensemble(v1::EnsemblePlan {
            model_ids: ids(models),
            strategy: match combine {
                Combine::Majority => v1::CombineStrategy::MajorityVote.into(),
                Combine::BestOf => v1::CombineStrategy::BestOf.into(),
                Combine::Merge => v1::CombineStrategy::Merge.into(),
            },
            judge_model_id: judge.map(id).unwrap_or_default(),
        }),
        Plan::Speculative {
            fast,
            slow,
            prefer,
            wait_ms,
        } => Kind::Speculative(v1::SpeculativePlan {
            fast_model_id: id(*fast),
            slow_model_id: id(*slow),
            prefer: match prefer {
                Prefer::Fast => v1::SpeculativePreference::Fast.into(),
                Prefer::Slow => v1::SpeculativePreference::Slow.into(),
            },
            wait_duration: Some(duration(Duration::from_millis(*wait_ms))),
        }),
        Plan::ToolThenModel { tool } => Kind::ToolThenModel(v1::ToolThenModelPlan {
            tool_name: tool.clone(),
            model_id,
        }),
    };
    v1::Plan { kind: Some(kind) }
}

fn session(decision: &Decision, before: Answer<Option<Held>>) -> Option<v1::Session> {
    let Answer::Got(before) = before else { return None };
    let status = match decision.session {
        None => v1::SessionStatus::Started,
        Some(Stay::Kept(_)) => v1::SessionStatus::Kept,
        Some(Stay::Switched(_)) => v1::SessionStatus::Switched,
    };
    Some(v1::Session {
        status: status.into(),
        previous_model_id: before.map(|held| held.model).unwrap_or_default(),
        reason: decision.session.map_or("", |stay| stay.code()).to_owned(),
    })
}

/// The rung on the wire.
pub(crate) fn source(source: Source) -> v1::DecisionSource {
    match source {
        Source::Direct => v1::DecisionSource::Direct,
        Source::Alias => v1::DecisionSource::Alias,
        Source::Rule => v1::DecisionSource::Rule,
        Source::Session => v1::DecisionSource::Session,
        Source::Profile => v1::DecisionSource::Profile,
        Source::Embedding => v1::DecisionSource::Embedding,
        Source::Llm => v1::DecisionSource::Llm,
        Source::Default => v1::DecisionSource::Default,
    }
}

fn cache_status(cache: CacheStatus) -> v1::CacheStatus {
    match cache {
        CacheStatus::Miss => v1::CacheStatus::Miss,
        CacheStatus::ExactHit => v1::CacheStatus::ExactHit,
        CacheStatus::SemanticHit => v1::CacheStatus::SemanticHit,
        CacheStatus::NotAsked | CacheStatus::Bypass => v1::CacheStatus::Bypass,
    }
}

/// Six decimals: what a 32-bit float holds, without the noise that its conversion adds.
pub(crate) fn probability(p: f32) -> f64 {
    (f64::from(p) * 1e6).round() / 1e6
}

/// Four decimals, as scores are published.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn estimate(estimate: &Estimate) -> v1::Estimate {
    // A billionth of a dollar; below it is only the noise of the arithmetic.
    let cost = |usd: f64| (usd * 1e9).round() / 1e9;
    v1::Estimate {
        cost_usd: estimate.cost_usd.map(cost),
        latency_duration: estimate.latency_ms.map(milliseconds),
        input_tokens: Some(number(estimate.input_tokens)),
        output_tokens: Some(number(estimate.output_tokens)),
        latency_observed: estimate.latency_observed,
    }
}

/// Milliseconds to the microsecond. Figures of a policy are finite and at least 0; what is too large saturates.
pub(crate) fn milliseconds(ms: f64) -> prost_types::Duration {
    duration(Duration::from_micros((ms * 1e3).round() as u64))
}

pub(crate) fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: duration.subsec_nanos().cast_signed(),
    }
}

pub(crate) fn timestamp(time: SystemTime) -> prost_types::Timestamp {
    prost_types::Timestamp::from(time)
}

pub(crate) fn number(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
