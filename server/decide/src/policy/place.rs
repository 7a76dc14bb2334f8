//! Places in a policy file, and the report that collects what is wrong at them. Every module that reads a policy
//! writes its findings here, so that all problems of a file come back together.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Severity};

/// Most findings of one severity that are kept; a file with more is wrong in kind, and nobody reads on.
const MAX_FINDINGS: usize = 500;

/// Where something stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Place {
    /// Where that is, in a sentence; what is in no file has no lines.
    pub(super) fn spot(&self) -> String {
        match self.line {
            0 => format!("at `{}`", self.path),
            line => format!("on line {line}"),
        }
    }
}

/// A value with its place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) at: Place,
}

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    found: Vec<Diagnostic>,
    counts: [usize; 3],
    /// Keys that were ignored, by the kind of object: one remark for all providers is enough.
    ignored: BTreeSet<(&'static str, String)>,
    /// Whether values of the file are somebody's prompts, which no message may quote.
    private: bool,
}

impl Report {
    /// One whose messages quote no value.
    pub(super) fn without_values() -> Self {
        Self {
            private: true,
            ..Self::default()
        }
    }

    /// Whether messages may quote values.
    pub(super) fn quotes_values(&self) -> bool {
        !self.private
    }

    pub(super) fn error(&mut self, code: &'static str, at: &Place, message: String, hint: impl Into<String>) {
        self.add(Severity::Error, code, at, message, hint.into());
    }

    pub(super) fn warning(
        &mut self,
        code: &'static str,
        at: &Place,
        message: String,
        hint: impl Into<String>,
    ) {
        self.add(Severity::Warning, code, at, message, hint.into());
    }

    pub(super) fn info(&mut self, code: &'static str, at: &Place, message: String) {
        self.add(Severity::Info, code, at, message, String::new());
    }

    /// A key of another product, said once for each kind of object.
    pub(super) fn ignored(&mut self, object: &'static str, key: &str, at: &Place) {
        if self.ignored.insert((object, key.to_owned())) {
            self.info(
                "ignored",
                at,
                format!("`{key}` is not about routing and is ignored"),
            );
        }
    }

    fn add(&mut self, severity: Severity, code: &'static str, at: &Place, message: String, hint: String) {
        let count = &mut self.counts[severity as usize];
        *count += 1;
        if *count <= MAX_FINDINGS {
            let Place { path, line, column } = at.clone();
            let (message, hint) = (one_line(message), one_line(hint));
            self.found.push(Diagnostic {
                severity,
                code,
                path,
                line,
                column,
                message,
                hint,
            });
        }
    }

    /// Errors so far, those not kept among them.
    pub(super) fn errors(&self) -> usize {
        self.counts[Severity::Error as usize]
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// The findings in the order of the file, and how many were left out.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|d| (d.line, d.column));
        for severity in [Severity::Error, Severity::Warning, Severity::Info] {
            let more = self.counts[severity as usize].saturating_sub(MAX_FINDINGS);
            if more > 0 {
                let message = format!("and {more} more of this severity");
                let (code, path, hint) = ("more", String::new(), String::new());
                self.found.push(Diagnostic {
                    severity,
                    code,
                    path,
                    line: 0,
                    column: 0,
                    message,
                    hint,
                });
            }
        }
        self.found
    }
}

/// A message is one line in a log, whatever the file puts into it.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    text.chars()
        .map(|c| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.into()
            }
        })
        .collect()
}

/// The path of a key inside `path`; unusual keys are quoted: `aliases["fast model"]`.
pub(super) fn child(path: &str, key: &str) -> String {
    let usual = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    match (path.is_empty(), !key.is_empty() && key.chars().all(usual)) {
        (true, true) => key.into(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}

/// The path of an item of the list at `path`, counted from 0.
pub(super) fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_like_code() {
        assert_eq!(
            item(&child(&item("routes", 3), "models"), 0),
            "routes[3].models[0]"
        );
        assert_eq!(child("aliases", "fast model"), "aliases[\"fast model\"]");
        assert_eq!(child("", "schema"), "schema");
    }

    #[test]
    fn findings_past_the_limit_are_counted_and_not_kept() {
        let mut report = Report::default();
        for line in 0..(MAX_FINDINGS as u32 + 7) {
            report.error(
                "x",
                &Place {
                    line,
                    ..Place::default()
                },
                String::new(),
                "",
            );
        }
        let found = report.finish();
        assert_eq!(found.len(), MAX_FINDINGS + 1);
        assert_eq!(found[MAX_FINDINGS].message, "and 7 more of this severity");
    }
}
