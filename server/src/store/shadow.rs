//! The shadow of a policy, which its file names: read, checked and compiled with it, so that both are in force together or
//! neither is. `engine/shadow.rs` decides by it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use signalbox_decide::{Diagnostic, Policy, Severity};

pub(crate) use super::difficulty::read;
use super::{BUILTIN_NAME, Compiler, PUSHED, Snapshot};

/// Where problems belong in the policy.
const PATH: &str = "shadow.policy";

/// The file of a policy's shadow, if it has one and its `source` is a file.
pub(crate) fn file_of(policy: &Policy, source: &str) -> Option<PathBuf> {
    let shadow = policy.shadow.as_ref()?;
    let is_file = ![BUILTIN_NAME, PUSHED].contains(&source);
    let folder = Path::new(source).parent().unwrap_or(Path::new(""));
    is_file.then(|| folder.join(&shadow.policy))
}

/// Loads the shadow of `policy`; `before` is the shadow that it replaces.
///
/// # Errors
/// Every problem of the shadow, at the place where the policy names it.
pub(super) fn load(
    compiler: &Compiler,
    policy: &Policy,
    source: &str,
    before: Option<&Snapshot>,
) -> Result<Option<Arc<Snapshot>>, Vec<Diagnostic>> {
    let Some(shadow) = &policy.shadow else {
        return Ok(None);
    };
    let problem = |message: String, hint: &str| Diagnostic {
        severity: Severity::Error,
        code: "shadow",
        path: PATH.to_owned(),
        line: shadow.at.0,
        column: shadow.at.1,
        message,
        hint: hint.to_owned(),
    };
    let Some(file) = file_of(policy, source) else {
        let message = format!("this policy's source is `{source}`, and beside it there are no files");
        let hint = "put the policy into a file, or remove `shadow`";
        return Err(vec![problem(message, hint)]);
    };
    let bytes = read(&file).map_err(|message| vec![problem(message, "")])?;
    let name = file.display().to_string();
    let in_file = |found: &Diagnostic| {
        let at = if found.path.is_empty() { "" } else { ": " };
        let (line, column, path, message) = (found.line, found.column, &found.path, &found.message);
        problem(
            format!("{name}:{line}:{column}: {path}{at}{message}"),
            &found.hint,
        )
    };
    let (snapshot, _) = compiler.alone(&bytes, &name, before).map_err(|found| {
        let errors = found.iter().filter(|found| found.severity == Severity::Error);
        errors.map(in_file).collect::<Vec<_>>()
    })?;
    if let Some(another) = &snapshot.policy.shadow {
        let (line, column) = another.at;
        let message = format!("{name}:{line}:{column}: {PATH}: the shadow of a policy has a shadow itself");
        return Err(vec![problem(message, "remove that one")]);
    }
    Ok(Some(Arc::new(snapshot)))
}

#[cfg(test)]
mod tests;
