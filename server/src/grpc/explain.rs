//! `Explain`: the same decision with everything behind it. A request is decided anew, beside cache and ring; an earlier
//! decision is explained from its recorded evidence. What evidence cannot tell is reported as undecidable, never
//! guessed. `explain/trace.rs` puts the explanation on the wire.

use std::sync::Arc;
use std::time::Instant;

use signalbox_api::v1;
use signalbox_api::v1::explain_request::Target;
use signalbox_decide::{Answer, Evidence, Explanation, Policy, Probe, Query};
use tonic::Status;
use uuid::Uuid;

use crate::conversation::{Conversation, Role};
use crate::engine::ring::Record;
use crate::engine::{Asking, CacheStatus, EngineError, Live, Outcomes, Settled, settle_asking};
use crate::grpc::to_proto::{self, Frame};
use crate::grpc::violations::Violations;
use crate::grpc::{Grpc, Noted, admin, blocking, status, tenant_of};
use crate::store::{PUSHED, Snapshot};

mod trace;

/// Whether the call needs credentials.
pub(super) fn is_administrative(request: &v1::ExplainRequest) -> bool {
    request.policy_yaml.is_some()
        || request.include_prompt
        || matches!(request.target, Some(Target::DecisionId(_)))
}

/// Explains a request or an earlier decision.
pub(super) async fn explain(
    grpc: &Grpc,
    request: v1::ExplainRequest,
    noted: &Noted,
) -> Result<v1::ExplainResponse, Status> {
    let start = Instant::now();
    let v1::ExplainRequest {
        target,
        policy_yaml,
        include_prompt,
    } = request;
    match target {
        None => Err(status::invalid_field(
            "target",
            "is not set; give a `request` or a `decision_id`",
        )),
        Some(Target::Request(asked)) => {
            let call = (start, noted);
            request_now(grpc, asked, policy_yaml, include_prompt, call).await
        }
        Some(Target::DecisionId(id)) => earlier(grpc, &id, policy_yaml, include_prompt, start).await,
    }
}

/// Decides a request now, without cache and ring.
async fn request_now(
    grpc: &Grpc,
    request: v1::RouteRequest,
    policy_yaml: Option<String>,
    include_prompt: bool,
    (start, noted): (Instant, &Noted),
) -> Result<v1::ExplainResponse, Status> {
    let base = match policy_yaml {
        Some(yaml) => Ok(Arc::new(compile(grpc, tenant_of(&request), yaml).await?)),
        None => grpc.accepted(&request),
    };
    let (request_id, mut asked, snapshot) = grpc.read(request, base).await?;
    noted.add_to(&mut asked);
    asked.query.read_cache = false;
    let sessions = grpc.engine.sessions();
    let conversation = sessions.key(&snapshot.policy, &asked.query, &asked.conversation);
    let live = Live {
        outcomes: Outcomes::Reported(grpc.engine.health()),
        ..Live::default()
    };
    let Settled {
        outcome,
        evidence,
        probes,
    } = settle_asking(
        &snapshot,
        &asked.query,
        &asked.conversation,
        live,
        Asking {
            call: asked.call.as_deref(),
            ..grpc.engine.asking(asked.deadline, None, conversation.as_ref())
        },
    )
    .await
    .map_err(|overloaded| status::engine(overloaded.into()))?;
    outcome.map_err(|refused| status::engine(EngineError::Refused(refused)))?;
    let explained = signalbox_decide::explain(&snapshot.policy, &asked.query, &evidence);
    let explanation =
        explained.map_err(|probe| status::internal(&format!("`{}` is missing", probe.as_str())))?;
    let frame = Frame {
        decision_id: Uuid::now_v7(),
        request_id,
        cache: CacheStatus::Bypass,
        before: evidence.session.clone(),
        took: start.elapsed(),
    };
    let steps = probes
        .iter()
        .map(|run| trace::step(run.probe, &evidence, Some(run.duration)));
    let semantic = snapshot
        .policy
        .cache
        .semantic
        .map(|_| trace::semantic(grpc.engine.near()));
    let prompt = if include_prompt {
        prompt(&asked.conversation)
    } else {
        String::new()
    };
    Ok(v1::ExplainResponse {
        steps: steps.chain(semantic).collect(),
        prompt,
        ..answer(&snapshot.policy, &explanation, frame)?
    })
}

/// A policy for this call only, in the place of the one that `tenant` goes by.
async fn compile(grpc: &Grpc, tenant: &str, yaml: String) -> Result<Snapshot, Status> {
    let store = grpc.engine.policies().of(tenant);
    let compiled = blocking(move || {
        let before = store.current();
        store
            .compiler()
            .compile(yaml.as_bytes(), PUSHED, before.as_deref())
    });
    let (snapshot, _) = compiled
        .await?
        .map_err(|diagnostics| admin::invalid_policy(&diagnostics))?;
    Ok(snapshot)
}

/// Explains a recorded decision, under its own policy or another one.
async fn earlier(
    grpc: &Grpc,
    id: &str,
    policy_yaml: Option<String>,
    include_prompt: bool,
    start: Instant,
) -> Result<v1::ExplainResponse, Status> {
    let id = checked(id, include_prompt).map_err(status::invalid)?;
    let unknown = |why| status::unknown_decision(id, why);
    let record = grpc
        .engine
        .ring()
        .find(id)
        .ok_or_else(|| unknown("is none of the recent decisions of this replica"))?;
    let (policy, evidence) = match policy_yaml {
        Some(yaml) => {
            let snapshot = compile(grpc, &record.tenant, yaml).await?;
            let evidence = evidence_under(&record, &snapshot);
            (snapshot.policy, evidence)
        }
        None => own(grpc, &record)
            .ok_or_else(|| unknown("was made by a policy that has been replaced and is no longer held"))?,
    };
    let query = Query {
        read_cache: false,
        ..record.query.clone()
    };
    let explanation = match signalbox_decide::explain(&policy, &query, &evidence) {
        Ok(explanation) => explanation,
        Err(probe) => return Ok(undecidable(probe, record.query.inline_routes)),
    };
    let frame = Frame {
        decision_id: id,
        request_id: String::new(),
        cache: CacheStatus::Bypass,
        before: evidence.session.clone(),
        took: start.elapsed(),
    };
    let judged = !matches!(evidence.llm, Answer::NotAsked) && policy.llm.asks();
    let scored = !matches!(evidence.embedding, Answer::NotAsked) && explanation.scores.is_some();
    let looked_again = !matches!(evidence.encoder, Answer::NotAsked) && policy.evidence.encoder.is_some();
    let read = !matches!(evidence.signals, Answer::NotAsked);
    let well = !matches!(evidence.health, Answer::NotAsked) && policy.health.enabled;
    let held = !matches!(evidence.session, Answer::NotAsked) && policy.sessions.holds(&query);
    let asked = [
        (read, Probe::Signals),
        (well, Probe::Health),
        (held, Probe::Session),
        (scored, Probe::Embedding),
        (looked_again, Probe::Encoder),
        (judged, Probe::Llm),
    ];
    let asked = asked.into_iter().filter(|(asked, _)| *asked);
    let mut steps: Vec<_> = asked
        .map(|(_, probe)| trace::step(probe, &evidence, None))
        .collect();
    if explanation.rungs.iter().any(|seen| seen.judged.is_some()) {
        let route = explanation
            .outcome
            .as_ref()
            .ok()
            .and_then(|decision| decision.route);
        steps.push(trace::step(
            Probe::Difficulty(route.unwrap_or_default()),
            &evidence,
            None,
        ));
    }
    Ok(v1::ExplainResponse {
        steps,
        ..answer(&policy, &explanation, frame)?
    })
}

fn checked(id: &str, include_prompt: bool) -> Result<Uuid, Violations> {
    let mut wrong = Violations::default();
    if include_prompt {
        wrong.add(
            "include_prompt",
            "only works with a `request`: recorded evidence holds no text",
        );
    }
    match Uuid::try_parse(id) {
        Ok(id) if wrong.is_empty() => Ok(id),
        Ok(_) => Err(wrong),
        Err(_) => {
            wrong.add(
                "decision_id",
                "is not a UUID; give `decision_id` as Route returned it",
            );
            Err(wrong)
        }
    }
}

/// The policy that made a decision, with the evidence. Where the request's own routes are no longer held, the policy that
/// they were added to, without the scores that were about them.
fn own(grpc: &Grpc, record: &Record) -> Option<(Arc<Policy>, Evidence)> {
    if let Some(policy) = record.policy.upgrade() {
        return Some((policy, record.evidence.clone()));
    }
    let current = grpc.engine.policies().own(&record.tenant)?.current()?;
    let added_to = record.query.inline_routes && record.checksum == current.policy.checksum;
    added_to.then(|| (current.policy.clone(), evidence_under(record, &current)))
}

/// Scores mean nothing for other routes than those they were made for.
fn evidence_under(record: &Record, snapshot: &Snapshot) -> Evidence {
    let mut evidence = record.evidence.clone();
    if record.scored_by != snapshot.evidence_fingerprint {
        evidence.forget_routes();
    }
    evidence
}

/// No decision, and what is missing for one.
fn undecidable(probe: Probe, inline: bool) -> v1::ExplainResponse {
    let (path, whose) = match probe {
        Probe::Health => return not_kept("health", "what had been reported of the models then"),
        Probe::Session => return not_kept("sessions", "where the conversation was then"),
        Probe::Signals => ("rules", "this policy's rules"),
        Probe::ExactCache | Probe::Embedding | Probe::Encoder | Probe::Llm | Probe::Difficulty(_) => {
            if inline {
                (
                    "route_preferences",
                    "the request's own routes, which are not kept,",
                )
            } else {
                ("routes", "this policy's routes")
            }
        }
    };
    let detail = format!(
        "{whose} need `{}` of the prompt, whose text is not kept; explain the request itself instead",
        probe.as_str()
    );
    missing(path, detail)
}

/// The policy that decided did not ask for something of that moment.
fn not_kept(path: &str, what: &str) -> v1::ExplainResponse {
    let detail = format!("this policy needs {what}, which the policy that decided did not ask for");
    missing(path, detail)
}

fn missing(path: &str, detail: String) -> v1::ExplainResponse {
    let text = format!("undecidable: {path}: {detail}\n");
    let undecidable = vec![v1::Undecidable {
        path: path.to_owned(),
        detail,
    }];
    v1::ExplainResponse {
        undecidable,
        text,
        ..v1::ExplainResponse::default()
    }
}

/// Everything but the steps.
fn answer(policy: &Policy, explanation: &Explanation, frame: Frame) -> Result<v1::ExplainResponse, Status> {
    let refused = |refused: &signalbox_decide::Refused| status::refused(refused.clone());
    let decision = explanation.outcome.as_ref().map_err(refused)?;
    Ok(v1::ExplainResponse {
        decision: Some(to_proto::response(policy, decision, frame)),
        text: explanation.text(policy),
        varying_evidence: policy.varying_evidence().into_iter().map(str::to_owned).collect(),
        ..trace::trace(policy, explanation)
    })
}

/// The messages with who says them.
fn prompt(conversation: &Conversation) -> String {
    let word = |role| match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let lines = conversation
        .messages
        .iter()
        .map(|m| format!("{}: {}", word(m.role), m.content));
    lines.collect::<Vec<_>>().join("\n")
}
