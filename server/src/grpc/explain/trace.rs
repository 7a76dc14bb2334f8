//! An explanation on the wire: steps, routes, candidates, the runner-up and what would win without the winner.

use std::time::Duration;

use signalbox_api::v1;
use signalbox_decide::candidates::{Candidate, Score, Term};
use signalbox_decide::explanation::{RuleSeen, RungSeen};
use signalbox_decide::health::ModelHealth;
use signalbox_decide::{Answer, Evidence, Explanation, Policy, Probe, RouteScores, Signals};

use crate::grpc::to_proto;
use crate::llm::Near;

/// The name of what belongs to no route.
const OTHER: &str = "other";

/// All that an explanation holds, in the order of the deciding.
pub(super) fn trace(policy: &Policy, explanation: &Explanation) -> v1::ExplainResponse {
    let candidates = explanation.rungs.iter().flat_map(|seen| {
        seen.candidates
            .iter()
            .map(|candidate| self::candidate(policy, seen, candidate))
    });
    let without_winner = match &explanation.without_winner {
        Some(Ok(next)) => Some(v1::Counterfactual {
            model_id: policy.models[next.model].id.clone(),
            route: next
                .route
                .map(|route| policy.routes[route].name.clone())
                .unwrap_or_default(),
            source: to_proto::source(next.source).into(),
            reason: next.reason.clone(),
        }),
        Some(Err(_)) | None => None,
    };
    v1::ExplainResponse {
        rules: explanation.rules.iter().map(|seen| rule(policy, seen)).collect(),
        routes: routes(policy, explanation),
        candidates: candidates.collect(),
        threshold: explanation.threshold.map(to_proto::probability),
        rungs: explanation.rungs.iter().map(rung).collect(),
        runner_up: runner_up(policy, explanation),
        without_winner,
        ..v1::ExplainResponse::default()
    }
}

/// A question and its answer in a few words.
pub(super) fn step(probe: Probe, evidence: &Evidence, took: Option<Duration>) -> v1::Step {
    let (answer, failed) = match probe {
        Probe::ExactCache => match &evidence.cache {
            Answer::Got(Some(_)) => ("an equal request was decided before".to_owned(), false),
            Answer::Got(None) | Answer::NotAsked => ("nothing".to_owned(), false),
            Answer::Failed { detail, .. } => (detail.clone(), true),
        },
        Probe::Signals => match &evidence.signals {
            Answer::Got(signals) => (in_words(signals), false),
            Answer::NotAsked => ("nothing".to_owned(), false),
            Answer::Failed { detail, .. } => (detail.clone(), true),
        },
        Probe::Health => match &evidence.health {
            Answer::Got(health) => (health.to_string(), false),
            Answer::NotAsked => ("nothing".to_owned(), false),
            Answer::Failed { detail, .. } => (detail.clone(), true),
        },
        Probe::Session => match &evidence.session {
            Answer::Got(Some(held)) => {
                let route = held.route.as_ref().map(|route| format!(" for route `{route}`"));
                (format!("on `{}`{}", held.model, route.unwrap_or_default()), false)
            }
            Answer::Got(None) | Answer::NotAsked => ("a new conversation".to_owned(), false),
            Answer::Failed { detail, .. } => (detail.clone(), true),
        },
        Probe::Embedding => match &evidence.embedding {
            Answer::Got(scores) => (most_probable(scores), false),
            Answer::NotAsked => ("nothing".to_owned(), false),
            Answer::Failed { detail, .. } => (detail.clone(), true),
        },
        Probe::Encoder => match &evidence.encoder {
            Answer::Got(scores) => (most_probable(scores), false),
            Answer::NotAsked => ("nothing".to_owned(), false),
            Answer::Failed { detail, .. } => (detail.clone(), true),
        },
        Probe::Llm => match &evidence.llm {
            Answer::Got(said) if said.measured => (format!("{}; {said}", most_probable(&said.scores)), false),
            Answer::Got(said) => (format!("a name without probabilities; {said}"), false),
            Answer::NotAsked => ("nothing".to_owned(), false),
            Answer::Failed { detail, .. } => (detail.clone(), true),
        },
        Probe::Difficulty(_) => match &evidence.difficulty {
            Answer::Got(score) => (
                format!("harder than {:.1} % of the labelled prompts", score * 100.0),
                false,
            ),
            Answer::NotAsked => ("nothing".to_owned(), false),
            Answer::Failed { detail, .. } => (detail.clone(), true),
        },
    };
    let answer_duration = took.map(to_proto::duration);
    v1::Step {
        asked: probe.as_str().to_owned(),
        answer,
        answer_duration,
        failed,
    }
}

/// The semantic tier, which an explanation does not use.
pub(super) fn semantic(near: &Near) -> v1::Step {
    v1::Step {
        asked: "semantic_cache".to_owned(),
        answer: format!("not read by Explain; {}", near.audit.audited()),
        answer_duration: None,
        failed: false,
    }
}

/// `code, question, language en, complexity 0.4, sentiment 0`.
fn in_words(signals: &Signals) -> String {
    let mut words: Vec<String> = [
        (signals.has_code, "code"),
        (signals.has_math, "math"),
        (signals.is_question, "question"),
    ]
    .into_iter()
    .filter(|(there, _)| *there)
    .map(|(_, word)| word.to_owned())
    .collect();
    words.push(format!("language {}", signals.language));
    words.push(format!("complexity {}", signals.complexity));
    words.push(format!("sentiment {}", signals.sentiment));
    words.join(", ")
}

fn rule(policy: &Policy, seen: &RuleSeen) -> v1::RuleTrace {
    let rule = &policy.rules.all()[seen.rule];
    let (failing_term, actual_value, failure) = match seen.failing.clone() {
        Some(failing) => (failing.term, failing.actual, failing.failure.unwrap_or_default()),
        None => Default::default(),
    };
    v1::RuleTrace {
        name: rule.name.clone(),
        matched: seen.failing.is_none(),
        action: rule.action.as_str().to_owned(),
        failing_term,
        actual_value,
        failure,
    }
}

fn rung(seen: &RungSeen) -> v1::RungTrace {
    v1::RungTrace {
        name: seen.rung.as_str().to_owned(),
        detail: seen.what.clone(),
        source: to_proto::source(seen.source).into(),
        decided: seen.won,
        candidate_count: to_proto::number(seen.candidates.len() as u64),
    }
}

fn most_probable(scores: &RouteScores) -> String {
    let best = scores.best().map_or(0.0, |(_, p, _)| p);
    let view = match scores.view {
        "" | "whole" => String::new(),
        part => format!(", by the {part} of the text"),
    };
    format!("best route {best:.3}, no route {:.3}{view}", scores.other)
}

/// By the embedding, then by the encoder, then by the language model.
fn routes(policy: &Policy, explanation: &Explanation) -> Vec<v1::RouteTrace> {
    let by = |scores, probe| routes_by(policy, scores, probe, true);
    let embedding = explanation.scores.iter().flat_map(|s| by(s, Probe::Embedding));
    let encoder = explanation.encoder.iter().flat_map(|s| by(s, Probe::Encoder));
    let llm = explanation.llm.iter();
    let llm = llm.flat_map(|llm| routes_by(policy, &llm.scores, Probe::Llm, llm.measured));
    embedding.chain(encoder).chain(llm).collect()
}

fn routes_by(policy: &Policy, scores: &RouteScores, asked: Probe, measured: bool) -> Vec<v1::RouteTrace> {
    let source = match asked {
        Probe::Llm => v1::DecisionSource::Llm,
        _ => v1::DecisionSource::Embedding,
    };
    let trace = |name: &str, domain: Option<usize>, p: f32| v1::RouteTrace {
        name: name.to_owned(),
        // Neither has a figure that means anything before calibration.
        score: None,
        probability: measured.then(|| to_proto::probability(p)),
        source: source.into(),
        domain: domain
            .map(|domain| policy.domains[domain].name.clone())
            .unwrap_or_default(),
        asked: asked.as_str().to_owned(),
    };
    let routes = policy.scored().iter().zip(&scores.routes);
    let routes = routes.map(|(route, &p)| trace(&route.name, route.domain, p));
    routes.chain([trace(OTHER, None, scores.other)]).collect()
}

fn candidate(policy: &Policy, seen: &RungSeen, candidate: &Candidate) -> v1::Candidate {
    let refusals = candidate.refusals.iter().map(|refusal| v1::Refusal {
        code: refusal.code().to_owned(),
        detail: refusal.to_string(),
    });
    v1::Candidate {
        model_id: policy.models[candidate.model].id.clone(),
        eligible: candidate.refusals.is_empty(),
        refusals: refusals.collect(),
        terms: family(seen, candidate)
            .into_iter()
            .chain(candidate.score.iter().flat_map(terms))
            .collect(),
        score: candidate.score.map(|score| score.total),
        rung: to_proto::source(seen.source).into(),
        health: candidate.health.map(|health| self::health(health, candidate)),
    }
}

/// What outcomes say of a candidate, with what follows for this request.
fn health(health: ModelHealth, candidate: &Candidate) -> v1::ModelHealth {
    let observed = health.latency;
    let expected = candidate.estimate.latency_ms.filter(|_| observed.is_some());
    v1::ModelHealth {
        cooling_duration: health.cooling_s.map(|s| to_proto::milliseconds(s * 1e3)),
        failure_share: health.circuit.map(|c| to_proto::rounded(c.failure_share)),
        calls: health.circuit.map(|c| to_proto::rounded(c.calls)),
        trial: health.circuit.is_some_and(|c| c.trial),
        latency_duration: expected.map(to_proto::milliseconds),
        observed_latency_duration: observed.map(|o| to_proto::milliseconds(o.latency_ms)),
        observed_output_tokens: observed.map(|o| to_proto::rounded(o.output_tokens)),
        observed_calls: observed.map(|o| to_proto::rounded(o.calls)),
    }
}

/// Where a candidate's family stands among the preferred ones. It goes before the sum, so it has no weight in it.
fn family(seen: &RungSeen, candidate: &Candidate) -> Option<v1::ScoreTerm> {
    let families = seen.families as f64;
    (seen.families > 0).then(|| v1::ScoreTerm {
        name: "family".to_owned(),
        value: Some(to_proto::rounded(1.0 - candidate.family_rank as f64 / families)),
        ..v1::ScoreTerm::default()
    })
}

/// In the order in which they are summed.
fn terms(score: &Score) -> Vec<v1::ScoreTerm> {
    let term = |name: &str, term: Term| v1::ScoreTerm {
        name: name.to_owned(),
        value: Some(to_proto::rounded(term.value)),
        weight: Some(to_proto::rounded(term.weight)),
        contribution: Some(to_proto::rounded(term.contribution)),
        unknown: term.unknown,
    };
    vec![
        term("quality", score.quality),
        term("latency", score.latency),
        term("cost", score.cost),
    ]
}

/// The second of the rung that decided and the second most probable route, `other` counted among them.
fn runner_up(policy: &Policy, explanation: &Explanation) -> Option<v1::RunnerUp> {
    let model = explanation.rungs.last().filter(|seen| seen.won).and_then(second);
    // A name without probabilities has no second.
    let scores = match &explanation.llm {
        Some(llm) => Some(&llm.scores).filter(|_| llm.measured),
        None => explanation.encoder.as_ref().or(explanation.scores.as_ref()),
    };
    let route = scores.and_then(|scores| {
        let names = policy
            .scored()
            .iter()
            .map(|route| route.name.as_str())
            .chain([OTHER]);
        let chances = scores.routes.iter().copied().chain([scores.other]);
        let mut all: Vec<(&str, f32)> = names.zip(chances).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.get(1).copied()
    });
    if model.is_none() && route.is_none() {
        return None;
    }
    Some(v1::RunnerUp {
        model_id: model
            .map(|candidate| policy.models[candidate.model].id.clone())
            .unwrap_or_default(),
        score: model
            .and_then(|candidate| candidate.score)
            .map(|score| score.total),
        route: route.map(|(name, _)| name.to_owned()).unwrap_or_default(),
        probability: route.map(|(_, p)| to_proto::probability(p)),
    })
}

fn second(seen: &RungSeen) -> Option<&Candidate> {
    let second = seen.order.get(1)?;
    seen.candidates
        .iter()
        .find(|candidate| candidate.model == *second)
}
