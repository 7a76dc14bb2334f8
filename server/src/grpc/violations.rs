//! The fields of a request that are wrong, collected so that they can be reported all together. Used by `from_proto`
//! and by the checks of the other calls.

use std::fmt::Display;

use signalbox_decide::Diagnostic;
use tonic_types::FieldViolation;

/// Violations kept; more are only counted. Far more than fit into an error's details.
const KEPT: usize = 64;

/// The longest duration that protobuf defines, in seconds: 10,000 years.
const MAX_SECONDS: u64 = 315_576_000_000;
const NANOS_IN_A_SECOND: u32 = 1_000_000_000;

/// What is wrong with a request.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    /// The first ones, in the order of the request.
    pub(crate) list: Vec<FieldViolation>,
    /// How many more there were.
    pub(crate) omitted: usize,
}

impl Violations {
    /// Adds one. `description` says what to do.
    pub(crate) fn add(&mut self, field: impl Display, description: impl Into<String>) {
        if self.list.len() < KEPT {
            self.list
                .push(FieldViolation::new(field.to_string(), description));
        } else {
            self.omitted += 1;
        }
    }

    /// Adds what was found about parts of the request by the code that checks policies.
    pub(crate) fn diagnostics(&mut self, found: Vec<Diagnostic>) {
        for Diagnostic {
            path, message, hint, ..
        } in found
        {
            let description = if hint.is_empty() {
                message
            } else {
                format!("{message}; {hint}")
            };
            self.add(path, description);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A text of at most `max` bytes without control characters.
    pub(crate) fn text(&mut self, field: impl Display, text: &str, max: usize) {
        if text.len() > max {
            self.add(field, format!("is {} bytes long; give at most {max}", text.len()));
        } else if text.chars().any(char::is_control) {
            self.add(field, "holds a control character; give printable text");
        }
    }

    /// A list of at most `max_entries` texts, each within `max_bytes` and not empty.
    pub(crate) fn texts(&mut self, field: &str, list: &[String], max_entries: usize, max_bytes: usize) {
        if !self.count(field, list.len(), max_entries) {
            return;
        }
        for (index, text) in list.iter().enumerate() {
            if text.is_empty() {
                self.add(
                    format_args!("{field}[{index}]"),
                    "is empty; give a name or leave it out",
                );
            } else {
                self.text(format_args!("{field}[{index}]"), text, max_bytes);
            }
        }
    }

    /// Whether a list is short enough to be looked at entry by entry.
    pub(crate) fn count(&mut self, field: impl Display, count: usize, max: usize) -> bool {
        if count > max {
            self.add(field, format!("has {count} entries; give at most {max}"));
        }
        count <= max
    }

    /// Whether a duration keeps the rules of protobuf.
    pub(crate) fn well_formed(&mut self, field: impl Display, given: &prost_types::Duration) -> bool {
        let prost_types::Duration { seconds, nanos } = *given;
        let formed = seconds.unsigned_abs() <= MAX_SECONDS
            && nanos.unsigned_abs() < NANOS_IN_A_SECOND
            && (seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0));
        if !formed {
            self.add(
                field,
                "is not a valid duration; nanos go from 0 to 999,999,999 with the sign of seconds",
            );
        }
        formed
    }

    /// A number that is finite and at least 0.
    pub(crate) fn amount(&mut self, field: &str, value: Option<f64>) -> Option<f64> {
        if let Some(wrong) = value.filter(|value| !value.is_finite() || *value < 0.0) {
            self.add(field, format!("is {wrong}; give a finite number of at least 0"));
        }
        value
    }

    /// A number from 0 to 1.
    pub(crate) fn fraction(&mut self, field: impl Display, value: Option<f64>) -> Option<f64> {
        if let Some(wrong) = value.filter(|value| !(0.0..=1.0).contains(value)) {
            self.add(field, format!("is {wrong}; give a number from 0 to 1"));
        }
        value
    }

    /// A SHA-256 in hex, lower-cased; empty stays empty.
    pub(crate) fn checksum(&mut self, field: &str, mut text: String) -> String {
        let hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !text.is_empty() && !hex {
            self.add(
                field,
                "is not a SHA-256; give 64 hex digits, as `GetPolicy` reports them",
            );
        }
        text.make_ascii_lowercase();
        text
    }
}
