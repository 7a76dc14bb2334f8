//! One problem or remark about a policy file, with the place it was found. Written by `policy`, printed by the
//! command line and returned by `ReloadPolicy`.

use std::fmt;

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy cannot be used.
    Error,
    /// The policy works, but probably not as its author meant.
    Warning,
    /// Something worth knowing, for example a section of another product's file that was skipped.
    Info,
}

impl Severity {
    /// The lower-case word printed for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// One finding about a policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// Stable, machine-readable kind, for example `unknown-key` or `overlapping-descriptions`.
    pub code: &'static str,
    /// Where in the document, for example `routes[3].models[0]`; empty for the document as a whole.
    pub path: String,
    /// 1-based line; 0 when there is no place in the text.
    pub line: u32,
    /// 1-based column, in characters; 0 when there is no place in the text.
    pub column: u32,
    /// What is wrong, lower case, without the path.
    pub message: String,
    /// What to do about it; empty when the message says it all.
    pub hint: String,
}

impl fmt::Display for Diagnostic {
    /// `line:column: severity: path: message (hint)`, as compilers print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: ", self.line, self.column, self.severity.as_str())?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if !self.hint.is_empty() {
            write!(f, " ({})", self.hint)?;
        }
        Ok(())
    }
}
