//! `signalbox policy check`: every problem of policy files.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use signalbox_decide::{Diagnostic, Severity};

use super::files::{expand, odd_directories};
use super::{Format, compile, render};
use crate::cli::print;
use crate::store::Compiler;

/// Prints every problem of every file.
pub(super) fn check(arguments: &[PathBuf], format: Format, strict: bool) -> anyhow::Result<ExitCode> {
    let compiler = Compiler::new()?;
    let (files, odd) = expand(arguments)?;
    let (mut text, mut rows, mut failed) = odd_directories(&odd);
    for file in &files {
        let compiled = compile(&compiler, file)?;
        let count = |severity| {
            compiled
                .diagnostics
                .iter()
                .filter(|d| d.severity == severity)
                .count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let bad = compiled.snapshot.is_none() || (strict && warnings > 0);
        failed |= bad;
        text += &render(file, &compiled);
        let verdict = if bad { "not usable" } else { "ok" };
        let _ = writeln!(
            text,
            "{}: {verdict}, {errors} errors, {warnings} warnings",
            file.display()
        );
        rows.extend(compiled.diagnostics.iter().map(|d| diagnostic_json(file, d)));
    }
    match format {
        Format::Text => print(&text)?,
        Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(&rows)?))?,
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

pub(super) fn diagnostic_json(file: &Path, found: &Diagnostic) -> serde_json::Value {
    json!({
        "file": file.display().to_string(),
        "severity": found.severity.as_str(),
        "code": found.code,
        "path": found.path,
        "line": found.line,
        "column": found.column,
        "message": found.message,
        "hint": found.hint,
    })
}
