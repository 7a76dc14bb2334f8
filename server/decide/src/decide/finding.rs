//! What evidence says: one route, one domain, or nothing, by the language model where the policy wants it and it answered,
//! else by the sentence encoder where the embedding is unsure, else by the embedding. Called by the ladder's sixth rung.

use std::sync::Arc;

use super::{Ladder, Stop};
use crate::decision::Source;
use crate::evidence::{Answer, Evidence, Probe, RouteScores};
use crate::llm::LlmMode;
use crate::policy::{Policy, RouteIndex};

/// What evidence says, and which.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) finding: Finding,
    pub(super) source: Source,
    /// Whether its numbers are probabilities.
    pub(super) measured: bool,
}

/// What evidence says about the routes.
#[derive(Clone, Copy)]
pub(super) enum Finding {
    Route { route: RouteIndex, p: f32, margin: f32 },
    Domain { domain: usize, p: f32, margin: f32 },
    Nothing { confidence: f32, margin: Option<f32> },
}

impl Ladder<'_> {
    /// What the strongest evidence says that the policy wants and that can be had; `None` when there is none.
    pub(super) fn weigh(&mut self, evidence: &Evidence) -> Result<Option<Found>, Stop> {
        // A request whose own routes are not at hand must not be decided as if it had none.
        if self.policy.scored().is_empty() && !self.query.inline_routes {
            return Ok(None);
        }
        let llm = self.policy.llm;
        if llm.mode == LlmMode::Always
            && let Some(found) = self.judged(evidence)?
        {
            return Ok(Some(found));
        }
        let scores = match &evidence.embedding {
            Answer::NotAsked => return Err(Stop::Ask(Probe::Embedding)),
            Answer::Failed { code, detail } => {
                self.lose(code, detail.clone());
                None
            }
            Answer::Got(scores) => Some(self.look_again(scores, evidence)?),
        };
        let finding = scores.map(|scores| find(self.policy, scores));
        let unsure = match llm.mode {
            LlmMode::Never | LlmMode::Always => false,
            LlmMode::FallbackOnly => matches!(finding, None | Some(Finding::Nothing { .. })),
            LlmMode::WhenUnsure => scores
                .and_then(|scores| scores.best())
                .is_none_or(|(_, p, _)| f64::from(p) < llm.ask_below),
        };
        if unsure && let Some(found) = self.judged(evidence)? {
            return Ok(Some(found));
        }
        Ok(finding.map(|finding| Found {
            finding,
            source: Source::Embedding,
            measured: true,
        }))
    }

    /// The sentence encoder's scores where the embedding's are so near to each other that the policy wants them; else, or where
    /// they could not be had, the embedding's.
    fn look_again<'e>(
        &mut self,
        first: &'e Arc<RouteScores>,
        evidence: &'e Evidence,
    ) -> Result<&'e Arc<RouteScores>, Stop> {
        let unsure = self.policy.evidence.encoder.as_ref().is_some_and(|encoder| {
            let margin = first.best().map_or(1.0, |(.., margin)| margin.abs());
            f64::from(margin) < encoder.ask_below
        });
        if !unsure || !first.second_look {
            return Ok(first);
        }
        match &evidence.encoder {
            Answer::NotAsked => Err(Stop::Ask(Probe::Encoder)),
            Answer::Failed { code, detail } => {
                self.lose(code, detail.clone());
                Ok(first)
            }
            Answer::Got(scores) => Ok(scores),
        }
    }

    /// What the language model says; `None` when it did not answer.
    fn judged(&mut self, evidence: &Evidence) -> Result<Option<Found>, Stop> {
        match &evidence.llm {
            Answer::NotAsked => Err(Stop::Ask(Probe::Llm)),
            Answer::Failed { code, detail } => {
                self.lose(code, detail.clone());
                Ok(None)
            }
            Answer::Got(judgement) => Ok(Some(Found {
                finding: find(self.policy, &judgement.scores),
                source: Source::Llm,
                measured: judgement.measured,
            })),
        }
    }
}

/// Sure of a route: P ≥ threshold and more probable than `other`. Else sure of a domain: the sum over its routes
/// ≥ threshold, unless `other` is the most probable.
fn find(policy: &Policy, scores: &RouteScores) -> Finding {
    let threshold = policy
        .evidence
        .threshold
        .map_or(scores.default_threshold, |t| t as f32);
    let Some((route, p, margin)) = scores.best() else {
        return Finding::Nothing {
            confidence: 1.0,
            margin: None,
        };
    };
    let other_wins = scores.other >= p;
    if !other_wins && p >= threshold {
        let route = policy.scored_from + route;
        return Finding::Route { route, p, margin };
    }
    if !other_wins
        && let Some((domain, p, margin)) = best_domain(policy, scores)
        && p >= threshold
    {
        return Finding::Domain { domain, p, margin };
    }
    Finding::Nothing {
        confidence: scores.other,
        margin: other_wins.then_some(scores.other - p),
    }
}

/// The most probable domain, its probability, and the distance to the next domain or `other`.
fn best_domain(policy: &Policy, scores: &RouteScores) -> Option<(usize, f32, f32)> {
    let mut sums = vec![0f32; policy.domains.len()];
    for (route, &p) in policy.scored().iter().zip(&scores.routes) {
        if let Some(domain) = route.domain {
            sums[domain] += p;
        }
    }
    let by_domain = RouteScores {
        routes: sums,
        other: scores.other,
        ..RouteScores::default()
    };
    by_domain
        .best()
        .filter(|&(domain, ..)| !policy.domains[domain].models.is_empty())
}
