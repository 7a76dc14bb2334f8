//! Which models of a pool may serve a request, and in which order. The ladder calls [`rank`] once a rung.
//!
//! Hard limits come first: a model that breaks one, or does not state what the limit is about, is refused. Among the
//! rest, preferred families go first, then the score, then the order of the pool. Every number needed to explain the
//! order stays in the [`Ranking`].

mod score;

use std::fmt;

use crate::decision::Estimate;
use crate::health::{Circuit, Health, ModelHealth};
use crate::policy::{Model, ModelIndex, Policy, PreferSize, RouteIndex};
use crate::query::{AttemptOutcome, DEFAULT_OUTPUT_TOKENS, Objective, Query};
use score::{score, weights_of};

pub use score::{Score, Term};

/// What a rung asks of its candidates.
#[derive(Clone, Copy, Debug)]
pub struct Contest<'a> {
    /// The route in question: its quality figures and expected answer length apply.
    pub route: Option<RouteIndex>,
    /// How to choose among what is eligible.
    pub objective: Objective,
    /// Families, most wanted first.
    pub families: &'a [String],
    /// Two models that go before the others of their family's rank, the wanted one first.
    pub lead: Option<[ModelIndex; 2]>,
    /// Sizes that go first where nothing before decides; unknown ones go last.
    pub size: Option<PreferSize>,
    /// What reported outcomes say of the models, where that counts.
    pub health: Option<&'a Health>,
}

/// One model of a pool: refused, or with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The model.
    pub model: ModelIndex,
    /// Why it may not serve; empty when it may.
    pub refusals: Vec<Refusal>,
    /// What it would cost and take.
    pub estimate: Estimate,
    /// What reported outcomes say of it, where they say something and it counts.
    pub health: Option<ModelHealth>,
    /// Its quality for the route, where stated.
    pub quality: Option<f64>,
    /// Position of its family among the preferred ones; their number when it is not among them.
    pub family_rank: usize,
    /// The score's terms and sum; `None` for refused models and where the order decides.
    pub score: Option<Score>,
}

/// A pool with its eligible models in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// All of the pool, in its order.
    pub candidates: Vec<Candidate>,
    /// The eligible ones, best first.
    pub order: Vec<ModelIndex>,
}

/// Why a model may not serve a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// Not for the caller's tier.
    Tier(String),
    /// Not served in any of the wanted regions; none are left where two demands exclude each other.
    Region(Vec<String>),
    /// Context window too small, or unknown.
    Context(u64, Option<u64>),
    /// Cannot write that much, or unknown.
    MaxOutput(u64, Option<u64>),
    /// Lacks a capability.
    Capability(String),
    /// Does not accept a modality.
    Modality(String),
    /// Costs more than the limit in USD, or unknown.
    Cost(f64, Option<f64>),
    /// Takes longer than the limit in milliseconds, or unknown; whether that was observed.
    Latency(f64, Option<f64>, bool),
    /// Quality below the limit, or unknown.
    Quality(f64, Option<f64>),
    /// Was already tried.
    Attempted(AttemptOutcome),
    /// Too small or too large for the profile, or of unknown size.
    Size(Option<f64>),
    /// Was rate limited and is left alone for so many more seconds.
    Cooling(f64),
    /// Failed too often.
    Circuit(Circuit),
}

impl Refusal {
    /// Stable, machine-readable kind.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Tier(_) => "tier",
            Refusal::Region(_) => "region",
            Refusal::Context(..) => "context_tokens",
            Refusal::MaxOutput(..) => "output_tokens",
            Refusal::Capability(_) => "capability",
            Refusal::Modality(_) => "modality",
            Refusal::Cost(..) => "cost",
            Refusal::Latency(..) => "latency",
            Refusal::Quality(..) => "quality",
            Refusal::Attempted(_) => "attempted",
            Refusal::Size(_) => "size",
            Refusal::Cooling(_) => "cooling",
            Refusal::Circuit(_) => "circuit_open",
        }
    }

    /// Whether the model was tried already.
    pub fn is_attempted(&self) -> bool {
        matches!(self, Refusal::Attempted(_))
    }

    /// Whether it is about who asks or where, not about what the model can do.
    pub fn is_permission(&self) -> bool {
        matches!(self, Refusal::Tier(_) | Refusal::Region(_))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Tier(tier) if tier.is_empty() => {
                write!(f, "is only for certain tiers, and the caller names none")
            }
            Refusal::Tier(tier) => write!(f, "is not for tier `{tier}`"),
            Refusal::Region(regions) if regions.is_empty() => {
                f.write_str("is refused: the request and a rule demand regions that exclude each other")
            }
            Refusal::Region(regions) => write!(f, "is not served in {}", regions.join(", ")),
            Refusal::Context(need, has) => {
                write!(
                    f,
                    "has a context window of {}, {need} tokens are needed",
                    Known(*has, "tokens")
                )
            }
            Refusal::MaxOutput(need, has) => {
                write!(
                    f,
                    "writes at most {}, {need} tokens are needed",
                    Known(*has, "tokens")
                )
            }
            Refusal::Capability(name) => write!(f, "lacks capability `{name}`"),
            Refusal::Modality(name) => write!(f, "does not accept {name}"),
            Refusal::Cost(limit, cost) => {
                write!(f, "costs {}, the limit is {limit} USD", Known(*cost, "USD"))
            }
            Refusal::Latency(limit, ms, observed) => {
                let how = if *observed { " as observed" } else { "" };
                write!(f, "takes {}{how}, the limit is {limit} ms", Known(*ms, "ms"))
            }
            Refusal::Quality(limit, q) => {
                write!(f, "has quality {}, at least {limit} is needed", Known(*q, ""))
            }
            Refusal::Attempted(outcome) => write!(f, "{} before", outcome.as_str()),
            Refusal::Size(size) => write!(
                f,
                "is of {}, outside the profile",
                Known(*size, "billion parameters")
            ),
            Refusal::Cooling(seconds) => {
                write!(f, "was rate limited and is left alone for {seconds:.1} s")
            }
            Refusal::Circuit(circuit) => write!(f, "is left alone because {circuit}"),
        }
    }
}

/// A value with its unit, or `unknown`.
struct Known<T>(Option<T>, &'static str);

impl<T: fmt::Display> fmt::Display for Known<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("unknown"),
            Some(value) if self.1.is_empty() => write!(f, "{value}"),
            Some(value) => write!(f, "{value} {}", self.1),
        }
    }
}

/// Judges every model of `pool` (no repeats) and orders the eligible ones.
pub fn rank(policy: &Policy, query: &Query, pool: &[ModelIndex], contest: &Contest<'_>) -> Ranking {
    let output_tokens = output_tokens(policy, query, contest.route);
    let mut candidates: Vec<Candidate> = pool
        .iter()
        .map(|&index| {
            let model = &policy.models[index];
            let health = contest
                .health
                .and_then(|health| health.models.get(&model.id).copied());
            let mut estimate = estimate(model, query.input_tokens, output_tokens);
            if let Some(observed) = health.and_then(|health| health.latency) {
                estimate.latency_ms = Some(observed.expect_ms(model, output_tokens));
                estimate.latency_observed = true;
            }
            let quality = model.quality_for(contest.route);
            let mut refusals = refusals(model, query, &estimate, quality);
            refusals.extend(health.iter().flat_map(unhealthy));
            Candidate {
                model: index,
                refusals,
                estimate,
                health,
                quality,
                family_rank: family_rank(model, contest.families),
                score: None,
            }
        })
        .collect();
    if let Some(weights) = weights_of(contest.objective) {
        score(&mut candidates, weights);
    }
    let order = order(policy, &candidates, contest);
    Ranking { candidates, order }
}

/// Why a model is left alone.
fn unhealthy(health: &ModelHealth) -> impl Iterator<Item = Refusal> {
    let open = health.circuit.filter(|circuit| !circuit.trial);
    let cooling = health.cooling_s.map(Refusal::Cooling);
    cooling.into_iter().chain(open.map(Refusal::Circuit))
}

/// The eligible candidates: preferred families first, then the pair, the score, the size, the order of the pool.
fn order(policy: &Policy, candidates: &[Candidate], contest: &Contest<'_>) -> Vec<ModelIndex> {
    let mut eligible: Vec<&Candidate> = candidates.iter().filter(|c| c.refusals.is_empty()).collect();
    // The sort is stable, so ties keep the pool's order.
    let steps = |c: &Candidate| c.score.map_or(0, |s| -s.steps());
    let lead = |c: &Candidate| {
        let lead = contest.lead.as_ref().map_or(&[][..], |lead| lead);
        lead.iter()
            .position(|&model| model == c.model)
            .unwrap_or(lead.len())
    };
    // Thousands of parameters are whole numbers, and a size of either kind fits.
    let size = |c: &Candidate| {
        let size = policy.models[c.model]
            .parameters_b
            .map(|b| (b * 1e6).round() as i64);
        match contest.size {
            None => 0,
            Some(PreferSize::Smallest) => size.unwrap_or(i64::MAX),
            Some(PreferSize::Largest) => size.map_or(i64::MAX, |size| -size),
        }
    };
    eligible.sort_by_key(|c| (c.family_rank, lead(c), steps(c), size(c)));
    eligible.into_iter().map(|c| c.model).collect()
}

/// Tokens to expect back: the request's figure, else the route's, the policy's, 512.
pub fn output_tokens(policy: &Policy, query: &Query, route: Option<RouteIndex>) -> u64 {
    query
        .expected_output_tokens
        .or_else(|| policy.routes[route?].expected_output_tokens)
        .or(policy.expected_output_tokens)
        .unwrap_or(DEFAULT_OUTPUT_TOKENS)
}

/// Cost = tokens × price a million; time = first token + answer tokens / rate.
pub fn estimate(model: &Model, input_tokens: u64, output_tokens: u64) -> Estimate {
    let (input, output) = (input_tokens as f64, output_tokens as f64);
    Estimate {
        cost_usd: model
            .price
            .map(|price| (input * price.input + output * price.output) / 1e6),
        latency_ms: model.latency.map(|stated| stated.answer_ms(output)),
        latency_observed: false,
        input_tokens,
        output_tokens,
    }
}

/// Everything that keeps a model from serving a request.
fn refusals(model: &Model, query: &Query, estimate: &Estimate, quality: Option<f64>) -> Vec<Refusal> {
    let mut found = Vec::new();
    let (caller, need) = (&query.caller, &query.requirements);
    if let Some(attempt) = query.attempts.iter().find(|a| a.model_id == model.id) {
        found.push(Refusal::Attempted(attempt.outcome));
    }
    if !model.tiers.is_empty() && !model.tiers.contains(&caller.tier) {
        found.push(Refusal::Tier(caller.tier.clone()));
    }
    if need.regions_exclude {
        found.push(Refusal::Region(Vec::new()));
    } else if !need.regions.is_empty() && !model.regions.iter().any(|region| need.regions.contains(region)) {
        found.push(Refusal::Region(need.regions.clone()));
    }
    // A stated window must hold the prompt and its answer; only an explicit demand refuses an unknown one.
    let filled = estimate.input_tokens.saturating_add(estimate.output_tokens);
    let window = need.min_context_tokens.map_or(filled, |min| min.max(filled));
    if model
        .context_window
        .map_or(need.min_context_tokens.is_some(), |has| has < window)
    {
        found.push(Refusal::Context(window, model.context_window));
    }
    if let Some(min) = need.max_output_tokens
        && model.max_output_tokens.is_none_or(|has| has < min)
    {
        found.push(Refusal::MaxOutput(min, model.max_output_tokens));
    }
    let lacks = |name: &&String| !model.capabilities.contains(name);
    found.extend(
        need.capabilities
            .iter()
            .filter(lacks)
            .cloned()
            .map(Refusal::Capability),
    );
    let mut modalities: Vec<&String> = need.modalities.iter().chain(&query.modalities).collect();
    modalities.sort();
    modalities.dedup();
    let missing = modalities
        .into_iter()
        .filter(|name| !model.modalities.contains(name));
    found.extend(missing.cloned().map(Refusal::Modality));
    let over =
        |limit: Option<f64>, value: Option<f64>| limit.filter(|&limit| value.is_none_or(|v| v > limit));
    if let Some(limit) = over(need.max_cost_usd, estimate.cost_usd) {
        found.push(Refusal::Cost(limit, estimate.cost_usd));
    }
    if let Some(limit) = over(need.max_latency_ms, estimate.latency_ms) {
        found.push(Refusal::Latency(
            limit,
            estimate.latency_ms,
            estimate.latency_observed,
        ));
    }
    if let Some(min) = need.min_quality
        && quality.is_none_or(|q| q < min)
    {
        found.push(Refusal::Quality(min, quality));
    }
    found
}

fn family_rank(model: &Model, families: &[String]) -> usize {
    let own = model.family.as_deref().unwrap_or("");
    families
        .iter()
        .position(|family| family.eq_ignore_ascii_case(own))
        .unwrap_or(families.len())
}
