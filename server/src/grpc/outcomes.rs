//! `ReportOutcome`: checks the whole batch before any of it counts, and tells how many did.

use std::time::{Duration, SystemTime};

use signalbox_api::v1;
use tonic::Status;
use uuid::Uuid;

use crate::engine::outcomes::Report;
use crate::grpc::violations::Violations;
use crate::grpc::{Grpc, status};
use crate::health::{Ended, Outcome, Taken};
use crate::metrics;

/// Most outcomes of one call.
const MAX_OUTCOMES: usize = 1000;
/// Most characters of an idempotency key.
const MAX_KEY_CHARS: usize = 128;
/// Most bytes of a tenant's name and of a model's id.
const MAX_NAME_BYTES: usize = 256;
/// The longest call and the longest wait that are believed.
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);
/// How far the clocks of callers may be ahead.
const MAX_AHEAD: Duration = Duration::from_secs(60);

/// Counts a batch, or nothing of it.
pub(super) fn report(
    grpc: &Grpc,
    request: v1::ReportOutcomeRequest,
) -> Result<v1::ReportOutcomeResponse, Status> {
    let tenant = request.tenant.clone();
    let reports = checked(request, SystemTime::now()).map_err(status::invalid)?;
    let taken = grpc.engine.report(&tenant, reports).map_err(status::engine)?;
    let mut response = v1::ReportOutcomeResponse::default();
    for (ended, taken) in taken {
        metrics::outcome(ended.as_str(), taken.as_str());
        match taken {
            Taken::Accepted => response.accepted += 1,
            Taken::Duplicate => response.duplicate += 1,
            Taken::Unknown => response.unknown += 1,
        }
    }
    Ok(response)
}

/// The outcomes in the engine's terms.
///
/// # Errors
/// Every field that is wrong.
fn checked(request: v1::ReportOutcomeRequest, now: SystemTime) -> Result<Vec<Report>, Violations> {
    let mut wrong = Violations::default();
    wrong.text("tenant", &request.tenant, MAX_NAME_BYTES);
    let mut reports = Vec::new();
    if wrong.count("outcomes", request.outcomes.len(), MAX_OUTCOMES) {
        for (index, outcome) in request.outcomes.into_iter().enumerate() {
            reports.extend(one(outcome, &format!("outcomes[{index}]"), now, &mut wrong));
        }
    }
    if wrong.is_empty() { Ok(reports) } else { Err(wrong) }
}

fn one(given: v1::Outcome, path: &str, now: SystemTime, wrong: &mut Violations) -> Option<Report> {
    let at = |name: &str| format!("{path}.{name}");
    let length = given.idempotency_key.chars().count();
    if length == 0 || length > MAX_KEY_CHARS {
        wrong.add(
            at("idempotency_key"),
            format!("is {length} characters long; give 1 to {MAX_KEY_CHARS} that are unique to this outcome"),
        );
    }
    let decision = Uuid::try_parse(&given.decision_id).ok();
    match (given.decision_id.is_empty(), given.model_id.is_empty()) {
        (true, true) => wrong.add(at("decision_id"), "is empty; give it, or a `model_id`, or both"),
        (false, _) if decision.is_none() => wrong.add(
            at("decision_id"),
            "is not a UUID; give `decision_id` as Route returned it",
        ),
        _ => {}
    }
    wrong.text(at("model_id"), &given.model_id, MAX_NAME_BYTES);
    let ended = ended(given.outcome());
    if ended.is_none() {
        wrong.add(
            at("outcome"),
            "is not set, or unknown to this server; give what became of the call",
        );
    }
    wrong.amount(&at("cost_usd"), given.cost_usd);
    let outcome = Outcome {
        model_id: given.model_id,
        retry_after: duration(at("retry_after_duration"), given.retry_after_duration, wrong),
        latency: duration(at("latency_duration"), given.latency_duration, wrong),
        output_tokens: given.output_tokens.map(u64::from),
        quality: wrong.fraction(at("quality"), given.quality),
        age: age(at("end_time"), given.end_time, now, wrong),
        key: given.idempotency_key,
        ended: ended?,
    };
    Some(Report { decision, outcome })
}

fn ended(outcome: v1::AttemptOutcome) -> Option<Ended> {
    match outcome {
        v1::AttemptOutcome::Unspecified => None,
        v1::AttemptOutcome::Error => Some(Ended::Error),
        v1::AttemptOutcome::RateLimited => Some(Ended::RateLimited),
        v1::AttemptOutcome::Timeout => Some(Ended::Timeout),
        v1::AttemptOutcome::LowConfidence => Some(Ended::LowConfidence),
        v1::AttemptOutcome::Refused => Some(Ended::Refused),
        v1::AttemptOutcome::Success => Some(Ended::Success),
    }
}

fn duration(field: String, given: Option<prost_types::Duration>, wrong: &mut Violations) -> Option<Duration> {
    let given = given?;
    if !wrong.well_formed(&field, &given) {
        return None;
    }
    let read = Duration::try_from(given)
        .ok()
        .filter(|read| *read <= MAX_DURATION);
    if read.is_none() {
        wrong.add(field, "is not from 0 to 24 hours");
    }
    read
}

/// How long ago a time was; nothing where it is not given.
fn age(
    field: String,
    given: Option<prost_types::Timestamp>,
    now: SystemTime,
    wrong: &mut Violations,
) -> Duration {
    let Some(given) = given else {
        return Duration::ZERO;
    };
    let formed = (0..1_000_000_000).contains(&given.nanos);
    match SystemTime::try_from(given) {
        Ok(end) if formed && end <= now + MAX_AHEAD => return now.duration_since(end).unwrap_or_default(),
        Ok(_) if formed => wrong.add(
            field,
            "lies more than a minute in the future; compare the clocks, or leave it out",
        ),
        _ => wrong.add(field, "is not a valid time; nanos go from 0 to 999,999,999"),
    }
    Duration::ZERO
}

#[cfg(test)]
mod tests;
