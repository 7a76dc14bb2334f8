//! The one table from everything that can go wrong to a gRPC status with its `google.rpc` details. Every handler and
//! the edge layer build their errors here, so codes, reasons and bounds are kept in one place.
//!
//! Bounds: gRPC stacks cap all trailers together at 8 KiB, and details travel in base64. The details stay within
//! [`MAX_DETAILS_BYTES`], the message within [`MAX_MESSAGE_BYTES`]. What did not fit is counted: `ErrorInfo.metadata` then
//! has `omitted`, the number of entries left out, and the message ends in `omitted=N`. No error holds prompt text.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use signalbox_api::codes::{ERROR_DOMAIN, reason};
use signalbox_decide::Refused;
use signalbox_decide::candidates::Refusal;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt as _};
use uuid::Uuid;

use crate::engine::EngineError;
use crate::grpc::clip;
use crate::grpc::violations::Violations;

/// Most bytes of the encoded `google.rpc.Status`: 4 KiB of base64 hold 3 KiB.
pub const MAX_DETAILS_BYTES: usize = 3072;

/// Most bytes of the message, which stands in the details a second time.
pub const MAX_MESSAGE_BYTES: usize = 512;

/// Bytes for the entries of a list: what the message, the fixed parts (about 250) and other metadata leave.
const LIST_BYTES: usize = 1900;

/// Most bytes of one metadata value or one entry of a list.
const ENTRY_BYTES: usize = 400;

/// What an entry of a list costs beside its texts: tags, lengths and separators.
const ENTRY_OVERHEAD: usize = 8;

/// How long to wait before a replica that lags or has no policy is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A status in the making.
pub(crate) struct Failure {
    code: Code,
    reason: &'static str,
    message: String,
    metadata: HashMap<String, String>,
    details: ErrorDetails,
    omitted: usize,
}

impl Failure {
    pub(crate) fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        let (message, details) = (message.into(), ErrorDetails::new());
        Failure {
            code,
            reason,
            message,
            metadata: HashMap::new(),
            details,
            omitted: 0,
        }
    }

    /// Adds one value to `ErrorInfo.metadata`.
    pub(crate) fn with(mut self, key: &str, value: impl Display) -> Self {
        self.metadata
            .insert(key.to_owned(), clip(&value.to_string(), ENTRY_BYTES));
        self
    }

    fn retry(mut self) -> Self {
        self.details.set_retry_info(Some(RETRY_AFTER));
        self
    }

    /// Adds as many violations as fit; `omitted` were left out before.
    pub(crate) fn violations(mut self, list: Vec<FieldViolation>, omitted: usize) -> Self {
        let (mut kept, mut left) = (Vec::with_capacity(list.len()), LIST_BYTES);
        let all = list.len() + omitted;
        for FieldViolation {
            field, description, ..
        } in list
        {
            let (field, description) = (clip(&field, ENTRY_BYTES), clip(&description, ENTRY_BYTES));
            let Some(rest) = left.checked_sub(field.len() + description.len() + ENTRY_OVERHEAD) else {
                break;
            };
            left = rest;
            kept.push(FieldViolation::new(field, description));
        }
        self.omitted = all - kept.len();
        self.details.set_bad_request(kept);
        self
    }

    /// Adds as many entries as fit as one metadata value.
    fn listed(mut self, key: &str, entries: impl ExactSizeIterator<Item = String>) -> Self {
        let all = entries.len();
        let (mut text, mut kept) = (String::new(), 0);
        for entry in entries {
            let entry = clip(&entry, ENTRY_BYTES);
            if text.len() + entry.len() + ENTRY_OVERHEAD > LIST_BYTES {
                break;
            }
            if kept > 0 {
                text.push_str("; ");
            }
            text.push_str(&entry);
            kept += 1;
        }
        self.omitted = all - kept;
        self.metadata.insert(key.to_owned(), text);
        self
    }

    pub(crate) fn status(mut self) -> Status {
        let end = match self.omitted {
            0 => String::new(),
            omitted => format!(" (omitted={omitted})"),
        };
        let mut message = clip(&self.message, MAX_MESSAGE_BYTES - end.len());
        message.push_str(&end);
        if self.omitted > 0 {
            self.metadata
                .insert("omitted".to_owned(), self.omitted.to_string());
        }
        self.details
            .set_error_info(self.reason, ERROR_DOMAIN, self.metadata);
        Status::with_error_details(self.code, message, self.details)
    }
}

/// Bad fields, all together.
pub(crate) fn invalid(violations: Violations) -> Status {
    let Violations { list, omitted } = violations;
    let message = match list.first() {
        Some(first) if list.len() == 1 => format!("{}: {}", first.field, first.description),
        Some(first) => {
            let others = list.len() - 1 + omitted;
            format!("{}: {} (and {others} more)", first.field, first.description)
        }
        None => "the request is not valid".to_owned(),
    };
    Failure::new(Code::InvalidArgument, reason::INVALID_REQUEST, message)
        .violations(list, omitted)
        .status()
}

/// One bad field.
pub(crate) fn invalid_field(field: &str, description: impl Into<String>) -> Status {
    let mut violations = Violations::default();
    violations.add(field, description);
    invalid(violations)
}

/// The bytes are no message of the expected type. `detail` comes from the decoder, which names fields only.
pub(crate) fn malformed(detail: &str) -> Status {
    let message = format!("the message cannot be decoded; send valid protobuf: {detail}");
    Failure::new(Code::InvalidArgument, reason::INVALID_REQUEST, message).status()
}

/// The text is no JSON of the expected message. `detail` goes to who sent it and nowhere else: it may quote a value.
pub(crate) fn malformed_json(detail: &str) -> Status {
    let message = format!("the body is not the JSON of this message; see the API's proto files: {detail}");
    Failure::new(Code::InvalidArgument, reason::INVALID_REQUEST, message).status()
}

/// Why the engine has no decision.
pub(crate) fn engine(error: EngineError) -> Status {
    let message = error.to_string();
    match error {
        EngineError::NoPolicy => Failure::new(Code::Unavailable, reason::POLICY_NOT_LOADED, message)
            .retry()
            .status(),
        EngineError::NoTenantPolicy { tenant } => {
            Failure::new(Code::Unavailable, reason::POLICY_NOT_LOADED, message)
                .with("tenant", tenant)
                .retry()
                .status()
        }
        EngineError::Behind { have, want } => Failure::new(Code::Unavailable, reason::POLICY_BEHIND, message)
            .with("version", have)
            .with("wanted", want)
            .retry()
            .status(),
        EngineError::OtherPolicy { have, want } => {
            Failure::new(Code::Unavailable, reason::POLICY_BEHIND, message)
                .with("checksum", have)
                .with("wanted", want)
                .retry()
                .status()
        }
        EngineError::InlineOverload | EngineError::Overloaded(_) => {
            Failure::new(Code::ResourceExhausted, reason::OVERLOADED, message)
                .retry()
                .status()
        }
        EngineError::InlineFailed => internal(&message),
        EngineError::Refused(why) => refused(why),
    }
}

/// Why the ladder refused.
pub(crate) fn refused(refused: Refused) -> Status {
    let message = refused.to_string();
    match refused {
        Refused::Denied { rule, .. } => Failure::new(Code::PermissionDenied, reason::DENIED_BY_RULE, message)
            .with("rule", rule)
            .status(),
        Refused::UnknownModel { name, nearest } => {
            let nearest = nearest.join(", ");
            Failure::new(Code::NotFound, reason::UNKNOWN_MODEL, message)
                .with("name", name)
                .with("nearest", nearest)
                .status()
        }
        // A profile is a value of the request, not a resource: contracts list models and decisions as such.
        Refused::UnknownProfile { name, nearest } => {
            let description = message.strip_prefix("profile: ").unwrap_or(&message).to_owned();
            let violation = FieldViolation::new("profile", description);
            Failure::new(Code::InvalidArgument, reason::INVALID_REQUEST, message)
                .with("name", name)
                .with("nearest", nearest.join(", "))
                .violations(vec![violation], 0)
                .status()
        }
        Refused::ModelNotAllowed { name, refusals } => {
            Failure::new(Code::PermissionDenied, reason::MODEL_NOT_ALLOWED, message)
                .with("name", name)
                .listed("refused", refusals.iter().map(refusal))
                .status()
        }
        Refused::NoEligibleModel { refusals } => {
            Failure::new(Code::FailedPrecondition, reason::NO_ELIGIBLE_MODEL, message)
                .listed("refused", refusals.iter().map(refusal))
                .status()
        }
    }
}

/// `openai/gpt-5: tier (is not for tier `free`), capability (lacks capability `tools`)`.
fn refusal((model, refusals): &(String, Vec<Refusal>)) -> String {
    let why: Vec<String> = refusals.iter().map(|r| format!("{} ({r})", r.code())).collect();
    format!("{model}: {}", why.join(", "))
}

/// A decision that is not in the ring, or whose policy is gone.
pub(crate) fn unknown_decision(id: Uuid, why: &str) -> Status {
    let message = format!("decision_id: {id} {why}; explain the request itself instead");
    Failure::new(Code::NotFound, reason::UNKNOWN_DECISION, message)
        .with("decision_id", id)
        .status()
}

/// Compare-and-swap failed.
pub(crate) fn conflict(expected: &str, current: &str) -> Status {
    let message = format!(
        "expected_checksum: the policy in force is {current}, not {expected}; read it again and retry"
    );
    let mut failure =
        Failure::new(Code::Aborted, reason::CHECKSUM_MISMATCH, message).with("current", current);
    let violation = PreconditionViolation::new(
        "CHECKSUM",
        "expected_checksum",
        format!("the policy in force is {current}"),
    );
    failure.details.set_precondition_failure(vec![violation]);
    failure.status()
}

/// The message is above the limit.
pub(crate) fn too_large(limit: usize) -> Status {
    let message =
        format!("the message is above the limit of {limit} bytes; send an excerpt and `input_tokens`");
    Failure::new(Code::ResourceExhausted, reason::MESSAGE_TOO_LARGE, message)
        .with("limit_bytes", limit)
        .status()
}

/// The caller's deadline passed.
pub(crate) fn deadline(limit: Duration) -> Status {
    let message = format!("the caller's deadline of {limit:?} passed");
    Failure::new(Code::DeadlineExceeded, reason::DEADLINE_PASSED, message).status()
}

/// A body did not come in. HTTP alone has this.
pub(crate) fn slow_body(limit: Duration) -> Status {
    let message = format!("the body did not come in within {limit:?}; send it whole");
    Failure::new(Code::DeadlineExceeded, reason::DEADLINE_PASSED, message).status()
}

/// The server is going down and takes up nothing new.
pub(crate) fn draining() -> Status {
    let message = "this replica is shutting down; send the call again";
    Failure::new(Code::Unavailable, reason::DRAINING, message)
        .retry()
        .status()
}

/// A defect: fixed text and an id that also stands in the log. `what` is logged and must hold no prompt text.
pub(crate) fn internal(what: &str) -> Status {
    let id = Uuid::now_v7();
    tracing::error!(%id, what, "internal error");
    let message = format!("internal error {id}; the server's log has the details");
    Failure::new(Code::Internal, reason::INTERNAL, message)
        .with("id", id)
        .status()
}

#[cfg(test)]
mod tests;
