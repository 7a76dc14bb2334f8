//! The labels of the metrics, each with all its values.

use signalbox_api::codes::degraded;

use super::table::Label;
use crate::engine::shadow;

pub(super) const SOURCE: Label = Label {
    name: "source",
    values: &[
        "direct",
        "alias",
        "rule",
        "session",
        "profile",
        "embedding",
        "llm",
        "default",
    ],
};
pub(super) const CACHE: Label = Label {
    name: "cache",
    values: &["miss", "exact_hit", "semantic_hit", "bypass"],
};
pub(super) const CODE: Label = Label {
    name: "code",
    values: &degraded::ALL,
};
pub(super) const STAY: Label = Label {
    name: "reason",
    values: &[
        "started",
        "tool_loop",
        "same_model",
        "no_route",
        "not_worth",
        "forced",
        "worth",
    ],
};
pub(super) const METHOD: Label = Label {
    name: "method",
    values: &[
        "Route",
        "Explain",
        "ReloadPolicy",
        "GetPolicy",
        "ReportOutcome",
        "other",
    ],
};
pub(super) const STATUS: Label = Label {
    name: "code",
    values: &[
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ],
};
pub(super) const RESULT: Label = Label {
    name: "result",
    values: &["applied", "invalid", "tests_failed", "unreadable", "conflict"],
};
pub(super) const OUTCOME: Label = Label {
    name: "outcome",
    values: &[
        "success",
        "error",
        "rate_limited",
        "timeout",
        "low_confidence",
        "refused",
    ],
};
pub(super) const TAKEN: Label = Label {
    name: "result",
    values: &["accepted", "duplicate", "unknown"],
};
pub(super) const MODEL: Label = Label {
    name: "model",
    values: &[],
};
pub(super) const STATE: Label = Label {
    name: "state",
    values: &["cooling", "open"],
};
pub(super) const LOADED: Label = Label {
    name: "state",
    values: &["good", "stale", "unusable"],
};
pub(super) const ROUTE: Label = Label {
    name: "route",
    values: &[],
};
pub(super) const COMPARED: Label = Label {
    name: "result",
    values: &shadow::RESULTS,
};
pub(super) const AUDITED: Label = Label {
    name: "result",
    values: &["same", "different"],
};
pub(super) const WHOSE: Label = Label {
    name: "whose",
    values: &["all", "tenant"],
};
pub(super) const BOUND: Label = Label {
    name: "bound",
    values: &["estimate", "lower", "upper"],
};
pub(super) const READ: Label = Label {
    name: "result",
    values: &["answered", "deadline", "overloaded", "failed"],
};
pub(super) const ASKED: Label = Label {
    name: "result",
    values: &[
        "answered",
        "reused",
        "shared",
        "deadline",
        "overloaded",
        "failed",
        "unavailable",
    ],
};
pub(super) const CONNECTION: Label = Label {
    name: "result",
    values: &["accepted", "over_limit", "timeout", "handshake_failed", "failed"],
};
pub(super) const WHAT: Label = Label {
    name: "what",
    values: &["certificate", "tokens"],
};
pub(super) const RELOADED: Label = Label {
    name: "result",
    values: &["applied", "invalid"],
};
pub(super) const WRITTEN: Label = Label {
    name: "result",
    values: &["written", "dropped", "failed"],
};
pub(super) const SENT: Label = Label {
    name: "result",
    values: &["exported", "failed", "dropped"],
};
pub(super) const SHARED: Label = Label {
    name: "what",
    values: &["session", "llm"],
};
pub(super) const LOOKED: Label = Label {
    name: "result",
    values: &["hit", "miss", "late", "failed", "unusable", "skipped"],
};
pub(super) const VERSION: Label = Label {
    name: "version",
    values: &[],
};
pub(super) const CHECKSUM: Label = Label {
    name: "checksum",
    values: &[],
};
