//! What can go wrong in a call. Made by `client.rs` from a `tonic::Status`; callers match on it. The standard
//! `google.rpc` details are decoded here, so that nobody else needs to know about trailers.

use std::{collections::BTreeMap, error::Error as _, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Why a call gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The options cannot be used. Nothing was sent.
    #[error("{0}")]
    Options(String),

    /// No connection to the server, or it broke.
    #[error("cannot reach {endpoint}: {detail}")]
    Unreachable {
        /// The endpoint that was tried.
        endpoint: String,
        /// What the network said.
        detail: String,
    },

    /// The deadline passed before there was an answer.
    #[error("no answer from {endpoint} within {deadline:?}")]
    DeadlineExceeded {
        /// The endpoint that was asked.
        endpoint: String,
        /// The deadline of the whole call, retries included.
        deadline: Duration,
    },

    /// The server answered, and said no.
    #[error(transparent)]
    Rejected(Box<Rejection>),
}

/// A refusal by the server, with the details it gave.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// The status code.
    pub code: Code,
    /// One sentence for people.
    pub message: String,
    /// `ErrorInfo.reason`, one of [`crate::codes::reason`] or newer.
    pub reason: Option<String>,
    /// Every field that is wrong.
    pub field_violations: Vec<FieldViolation>,
    /// How long to wait before the same call may succeed.
    pub retry_after: Option<Duration>,
    /// `ErrorInfo.metadata`: for instance the nearest names, or what refused each model.
    pub metadata: BTreeMap<String, String>,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// Its path: `messages[0].role`, or a path into a policy.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

impl Error {
    /// The status code; `Unavailable` when the server was not reached.
    pub fn code(&self) -> Code {
        match self {
            Self::Options(_) => Code::InvalidArgument,
            Self::Unreachable { .. } => Code::Unavailable,
            Self::DeadlineExceeded { .. } => Code::DeadlineExceeded,
            Self::Rejected(rejection) => rejection.code,
        }
    }

    /// What the server said, if it answered.
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            _ => None,
        }
    }

    /// `ErrorInfo.reason`, if the server gave one.
    pub fn reason(&self) -> Option<&str> {
        self.rejection()?.reason.as_deref()
    }

    /// Every field that is wrong. Empty when that was not the trouble.
    pub fn field_violations(&self) -> &[FieldViolation] {
        self.rejection()
            .map_or(&[], |rejection| &rejection.field_violations)
    }

    /// How long to wait before the same call may succeed, if the server said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.rejection()?.retry_after
    }

    pub(crate) fn from_status(status: &Status, endpoint: &str) -> Self {
        // A status with a cause was made on this side, by the connection; one from the server has none.
        if status.source().is_some() {
            return Self::Unreachable {
                endpoint: endpoint.to_owned(),
                detail: root_cause(status),
            };
        }
        let details = status.get_error_details();
        let info = details.error_info();
        let violations = details.bad_request().map_or(&[][..], |bad| &bad.field_violations);
        Self::Rejected(Box::new(Rejection {
            code: status.code(),
            message: status.message().to_owned(),
            reason: info.map(|info| info.reason.clone()),
            field_violations: violations
                .iter()
                .map(|v| FieldViolation {
                    field: v.field.clone(),
                    description: v.description.clone(),
                })
                .collect(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            metadata: info
                .map(|info| info.metadata.clone().into_iter().collect())
                .unwrap_or_default(),
        }))
    }
}

/// The innermost cause says "connection refused"; the outer ones say "transport error".
fn root_cause(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = status.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text.to_lowercase()
}
