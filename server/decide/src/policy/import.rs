//! Formats of others, told apart by their top-level keys, read into the same [`Draft`] as our own. What in them is not
//! about routing is named and ignored: such a file also configures another product.

mod ollm;
mod plano;
mod write;

use super::draft::Draft;
use super::load::{Loaded, load};
use super::lower::lower;
use super::place::Report;
use super::tree::{self, Node};
use crate::diagnostic::Diagnostic;

/// A format of another product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Plano's configuration.
    Plano,
    /// oLLM's configuration.
    Ollm,
}

impl Foreign {
    /// The word for it on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Foreign::Plano => "plano",
            Foreign::Ollm => "ollm",
        }
    }

    /// The format of a file; `None` is our own.
    fn of(root: &Node) -> Option<Self> {
        let has = |key| root.get(key).is_some();
        if has("schema") {
            None
        } else if has("llm_providers") || has("model_providers") {
            Some(Foreign::Plano)
        } else if !has("models") && has("routing") {
            Some(Foreign::Ollm)
        } else {
            None
        }
    }
}

/// Reads a policy in whichever format it has.
pub(super) fn read(root: &Node, report: &mut Report) -> Draft {
    match Foreign::of(root) {
        None => lower(root, report),
        Some(Foreign::Plano) => plano::read(root, report),
        Some(Foreign::Ollm) => ollm::read(root, report),
    }
}

/// A file of another product in our own format, with comments, and what was ignored or is doubtful in it. The text loads
/// as the same policy, its checksum aside. Access keys are never read.
///
/// # Errors
/// Every problem of the file, or one when it is not in the format `from`.
pub fn import(bytes: &[u8], from: Foreign) -> Result<(String, Vec<Diagnostic>), Vec<Diagnostic>> {
    let root = tree::parse(bytes).map_err(|problem| vec![problem])?;
    if Foreign::of(&root) != Some(from) {
        let mut report = Report::default();
        let (message, hint) = match from {
            Foreign::Plano => (
                "this is not a configuration of Plano",
                "it has `llm_providers` or `model_providers`, and no `schema`",
            ),
            Foreign::Ollm => (
                "this is not a configuration of oLLM",
                "it has `routing`, and no `schema` and no `models`",
            ),
        };
        report.error("wrong-format", &root.place(""), message.into(), hint);
        return Err(report.finish());
    }
    let Loaded {
        policy, diagnostics, ..
    } = load(bytes)?;
    Ok((write::write(&policy, from), diagnostics))
}

#[cfg(test)]
mod tests;
