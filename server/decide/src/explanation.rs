//! Why a decision came out as it did. [`explain`] takes the very same walk as [`crate::decide()`] with a [`Trace`] that
//! records, so an explanation cannot disagree with the decision it explains.

mod text;
mod wrap;

use std::sync::Arc;

use crate::candidates::Candidate;
use crate::decide::{Step, walk};
use crate::decision::{Decision, Refused, Source};
use crate::evidence::{Answer, Evidence, Probe, RouteScores};
use crate::llm::Judgement;
use crate::policy::{Policy, PreferSize};
use crate::query::{Attempt, AttemptOutcome, Objective, Query};
use crate::rule::{Facts, Failing, RuleIndex};

/// A place on the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// The request names a model id.
    Direct,
    /// The request names an alias.
    Alias,
    /// A rule matches.
    Rule,
    /// The conversation is held.
    Session,
    /// The request names a profile.
    Profile,
    /// Evidence is sure of a route.
    Route,
    /// Evidence is sure of a domain only.
    Domain,
    /// The policy names a profile.
    PolicyProfile,
    /// The policy's `default`.
    Default,
}

impl Rung {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Rung::Direct => "direct",
            Rung::Alias => "alias",
            Rung::Rule => "rule",
            Rung::Session => "session",
            Rung::Profile => "profile",
            Rung::Route => "route",
            Rung::Domain => "domain",
            Rung::PolicyProfile => "policy_profile",
            Rung::Default => "default",
        }
    }
}

/// A prompt's difficulty beside a route's threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The share of the labelled prompts that are easier, 0..=1; `None` when it could not be had.
    pub score: Option<f64>,
    /// From where the strong model is used, 0..=1.
    pub threshold: f64,
    /// Whether the strong one is.
    pub strong: bool,
}

impl std::fmt::Display for Judged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.score {
            Some(score) => write!(f, "difficulty {score:.3}")?,
            None => write!(f, "difficulty unknown")?,
        }
        write!(f, ", from {:.3} the strong one", self.threshold)
    }
}

/// Writes down what a walk sees, or nothing at all.
#[derive(Debug)]
pub(crate) struct Trace {
    on: bool,
    rungs: Vec<RungSeen>,
}

impl Trace {
    pub(crate) fn off() -> Self {
        Trace {
            on: false,
            rungs: Vec::new(),
        }
    }

    pub(crate) fn rung(&mut self, seen: RungSeen) {
        if self.on {
            self.rungs.push(seen);
        }
    }
}

/// A canary as a rung met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanarySeen {
    /// Index into the policy's canaries.
    pub canary: usize,
    /// Where the request lies, in units of 2⁻⁶⁴; `None` when it lacks the key.
    pub point: Option<u64>,
    /// Whether that is in the share.
    pub inside: bool,
    /// Whether the canary's model took the winner's place; one that may not serve the request does not.
    pub won: bool,
}

/// A rung that had candidates.
#[derive(Clone, Debug, PartialEq)]
pub struct RungSeen {
    /// Which.
    pub rung: Rung,
    /// Who decides where it wins.
    pub source: Source,
    /// What it says about the request.
    pub what: String,
    /// How it chooses.
    pub objective: Objective,
    /// How many families are preferred; a candidate's `family_rank` is below it when its family is one of them.
    pub families: usize,
    /// Sizes that go first.
    pub size: Option<PreferSize>,
    /// What difficulty chose, where it did.
    pub judged: Option<Judged>,
    /// Every canary that was looked at, in policy order.
    pub canaries: Vec<CanarySeen>,
    /// Every model considered, with its terms or what refused it.
    pub candidates: Vec<Candidate>,
    /// The eligible ones, best first.
    pub order: Vec<usize>,
    /// Whether the decision was made here.
    pub won: bool,
}

/// A rule and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSeen {
    /// Which.
    pub rule: RuleIndex,
    /// The part of its condition that kept it from matching; `None` when it matched.
    pub failing: Option<Failing>,
}

/// A decision with everything behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The decision, exactly as `Route` gives it.
    pub outcome: Result<Arc<Decision>, Refused>,
    /// Every rule in file order, those too that the ladder had no need to look at.
    pub rules: Vec<RuleSeen>,
    /// The rungs that had candidates, in the order they were tried; the last one decided.
    pub rungs: Vec<RungSeen>,
    /// What the classifier said, if it was asked and answered.
    pub scores: Option<Arc<RouteScores>>,
    /// What the sentence encoder said, if it was asked and answered.
    pub encoder: Option<Arc<RouteScores>>,
    /// What the language model said, if it was asked and answered.
    pub llm: Option<Arc<Judgement>>,
    /// The least probability that would have decided.
    pub threshold: Option<f32>,
    /// What the same walk decides when the winner is taken out.
    pub without_winner: Option<Result<Arc<Decision>, Refused>>,
}

/// Explains what [`crate::decide()`] does with the same three inputs; `Err` names the evidence that is still missing.
/// The cache is not read.
pub fn explain(policy: &Policy, query: &Query, evidence: &Evidence) -> Result<Explanation, Probe> {
    let query = Query {
        read_cache: false,
        ..query.clone()
    };
    let mut trace = Trace {
        on: true,
        rungs: Vec::new(),
    };
    let outcome = match walk(policy, &query, evidence, &mut trace) {
        Step::Ask(probe) => return Err(probe),
        Step::Done(outcome) => outcome,
    };
    let scores = match &evidence.embedding {
        Answer::Got(scores) => Some(scores.clone()),
        _ => None,
    };
    let encoder = match &evidence.encoder {
        Answer::Got(scores) if policy.evidence.encoder.is_some() => Some(scores.clone()),
        _ => None,
    };
    let llm = match &evidence.llm {
        Answer::Got(judgement) if policy.llm.asks() => Some(judgement.clone()),
        _ => None,
    };
    let usual = scores.as_ref().or(llm.as_ref().map(|llm| &llm.scores));
    let threshold = usual.map(|usual| {
        policy
            .evidence
            .threshold
            .map_or(usual.default_threshold, |threshold| threshold as f32)
    });
    let without_winner = match &outcome {
        Ok(decision) => without(policy, query.clone(), evidence, decision),
        Err(_) => None,
    };
    Ok(Explanation {
        outcome,
        rules: rules(policy, &query, evidence),
        rungs: trace.rungs,
        scores,
        encoder,
        llm,
        threshold,
        without_winner,
    })
}

/// Every rule against the request; takes time by the length of all conditions.
fn rules(policy: &Policy, query: &Query, evidence: &Evidence) -> Vec<RuleSeen> {
    let facts = Facts::new(policy, query, evidence);
    let seen = policy
        .rules
        .all()
        .iter()
        .enumerate()
        .map(|(index, rule)| RuleSeen {
            rule: index,
            failing: rule.when.failing(&facts),
        });
    seen.collect()
}

/// The same walk with the winner marked as tried already; `None` when that needs evidence nobody asked for.
fn without(
    policy: &Policy,
    mut query: Query,
    evidence: &Evidence,
    decision: &Decision,
) -> Option<Result<Arc<Decision>, Refused>> {
    let model_id = policy.models[decision.model].id.clone();
    query.attempts.push(Attempt {
        model_id,
        outcome: AttemptOutcome::Unspecified,
        confidence: None,
    });
    match walk(policy, &query, evidence, &mut Trace::off()) {
        Step::Ask(_) => None,
        Step::Done(outcome) => Some(outcome),
    }
}
