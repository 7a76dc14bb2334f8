//! From a file's bytes to a policy that can decide: the one entrance for every format.

use sha2::{Digest, Sha256};

use super::Policy;
use super::import;
use super::link::link;
use super::lint::lint;
use super::place::Report;
use super::tree;
use crate::diagnostic::{Diagnostic, Severity};

/// A usable policy and what is worth knowing about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// Warnings and remarks, in the order of the file. No errors.
    pub diagnostics: Vec<Diagnostic>,
    /// By route, line and column of its description (of its name where it has none), both 1-based: for remarks on what
    /// only a reader of descriptions can tell.
    pub described_at: Vec<(u32, u32)>,
}

/// Reads a policy: our own format, Plano's or oLLM's, told apart by their top-level keys.
///
/// Memory is bounded whatever the bytes are. A thousand routes of twenty examples take about a tenth of a second.
///
/// # Errors
/// Every problem of the file, with line and column, and what was ignored in it. A file that is not YAML has
/// one problem, because nothing after it can be trusted.
pub fn load(bytes: &[u8]) -> Result<Loaded, Vec<Diagnostic>> {
    let root = tree::parse(bytes).map_err(|problem| vec![problem])?;
    let mut report = Report::default();
    tree::repeated_keys(&root, "", &mut report);
    let draft = import::read(&root, &mut report);
    let policy = link(&draft, checksum(bytes), &mut report);
    let failed = report.has_errors();
    if !failed {
        // Of a file that cannot be used, only what keeps it from being used is of interest.
        lint(&draft, &mut report);
    }
    let diagnostics = report.finish();
    if failed {
        return Err(diagnostics);
    }
    debug_assert!(diagnostics.iter().all(|d| d.severity != Severity::Error));
    let places = draft.routes.iter().map(|route| route.described_at());
    Ok(Loaded {
        policy,
        diagnostics,
        described_at: places.map(|at| (at.line, at.column)).collect(),
    })
}

/// SHA-256 of a file's bytes, lower-case hex.
pub fn checksum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests;
