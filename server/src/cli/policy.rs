//! `signalbox policy check|test|schema|diff`: what authors do with a policy file, or with a directory of everyone's policy and
//! the tenants'. Exit codes: 0 fine, 1 the policy is not, 2 the file cannot be read.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::json;
use signalbox_decide::policy::diff::{Changes, diff};
use signalbox_decide::policy::json_schema;
use signalbox_decide::{Diagnostic, Severity};

use crate::cli::print;
use crate::policy_test::{self, TestReport};
use crate::store::{Compiler, Snapshot};
use crate::watcher::PolicySource;

/// The subcommands of `signalbox policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Print every problem of policy files, with the lines they are on.
    Check {
        /// Policy files, or directories of them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// How to print.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Let warnings fail, too.
        #[arg(long)]
        strict: bool,
    },
    /// Run the policy's own `tests:`.
    Test {
        /// Policy files, or directories of them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// How to print.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the JSON Schema of policy files, for editors.
    Schema,
    /// Print which models, routes and rules differ between two policies.
    Diff {
        /// The policy before.
        old: PathBuf,
        /// The policy after.
        new: PathBuf,
    },
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON document.
    Json,
}

/// Runs a subcommand.
///
/// # Errors
/// When a file cannot be read or standard output is closed.
pub fn run(command: PolicyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::Check {
            files,
            format,
            strict,
        } => check(&files, format, strict),
        PolicyCommand::Test { files, format } => test(&files, format),
        PolicyCommand::Schema => {
            print(&format!("{}\n", serde_json::to_string_pretty(&json_schema())?))?;
            Ok(ExitCode::SUCCESS)
        }
        PolicyCommand::Diff { old, new } => changes(&old, &new),
    }
}

/// A compiled policy file, or its problems.
pub(super) struct Compiled {
    /// The bytes as they were read.
    bytes: Vec<u8>,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Reads and compiles one file.
pub(super) fn compile(compiler: &Compiler, file: &Path) -> anyhow::Result<Compiled> {
    let bytes = std::fs::read(file).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
    let (snapshot, diagnostics) = match compiler.compile(&bytes, &file.display().to_string(), None) {
        Ok((snapshot, diagnostics)) => (Some(snapshot), diagnostics),
        Err(diagnostics) => (None, diagnostics),
    };
    Ok(Compiled {
        bytes,
        snapshot,
        diagnostics,
    })
}

/// The diagnostics of a file as compilers print them, each with its line.
pub(super) fn render(file: &Path, compiled: &Compiled) -> String {
    let source = String::from_utf8_lossy(&compiled.bytes);
    let lines: Vec<&str> = source.lines().collect();
    let mut text = String::new();
    for found in &compiled.diagnostics {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}:{found}", file.display());
        if let Some(line) = (found.line as usize)
            .checked_sub(1)
            .and_then(|index| lines.get(index))
        {
            let before: String = line
                .chars()
                .take((found.column as usize).saturating_sub(1))
                .collect();
            let _ = writeln!(
                text,
                "  {:>5} | {}",
                found.line,
                line.chars().take(120).collect::<String>()
            );
            let _ = writeln!(text, "        | {}^", " ".repeat(before.chars().count().min(120)));
        }
    }
    text
}

/// What is worth knowing about a file or a directory.
type Remark = (PathBuf, Diagnostic);

/// The files of the arguments, where a directory stands for all of its policies, and what is odd about the directories.
fn expand(arguments: &[PathBuf]) -> anyhow::Result<(Vec<PathBuf>, Vec<Remark>)> {
    let (mut files, mut odd) = (Vec::new(), Vec::new());
    for argument in arguments {
        if !argument.is_dir() {
            files.push(argument.clone());
            continue;
        }
        let mut remark = |severity, code, message: String| {
            let found = Diagnostic {
                severity,
                code,
                path: String::new(),
                line: 0,
                column: 0,
                message,
                hint: String::new(),
            };
            odd.push((argument.clone(), found));
        };
        let listing = PolicySource::path(argument, u64::MAX).list()?;
        for file in listing.files() {
            match file {
                Ok(file) => files.push(file.to_owned()),
                Err(why) => remark(Severity::Error, "unclear-policy", why.to_owned()),
            }
        }
        for name in &listing.ignored {
            let message =
                format!("{name:?} is nobody's policy; a tenant's is NAME.yaml, of A-Z a-z 0-9 . _ -");
            remark(Severity::Info, "ignored-file", message);
        }
    }
    Ok((files, odd))
}

/// What is odd about directories, for people and for programs, and whether it is an error.
fn odd_directories(odd: &[Remark]) -> (String, Vec<serde_json::Value>, bool) {
    let lines = odd
        .iter()
        .map(|(path, found)| format!("{}:{found}\n", path.display()));
    let rows = odd.iter().map(|(path, found)| diagnostic_json(path, found));
    let failed = odd.iter().any(|(_, found)| found.severity == Severity::Error);
    (lines.collect(), rows.collect(), failed)
}

fn check(arguments: &[PathBuf], format: Format, strict: bool) -> anyhow::Result<ExitCode> {
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

fn diagnostic_json(file: &Path, found: &Diagnostic) -> serde_json::Value {
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

fn test(arguments: &[PathBuf], format: Format) -> anyhow::Result<ExitCode> {
    let compiler = Compiler::new()?;
    let (files, odd) = expand(arguments)?;
    let (mut text, _, mut failed) = odd_directories(&odd);
    let mut rows = Vec::new();
    for file in &files {
        let compiled = compile(&compiler, file)?;
        let Some(snapshot) = &compiled.snapshot else {
            anyhow::bail!(
                "{}the policy has errors, so its tests cannot run",
                render(file, &compiled)
            );
        };
        let report = policy_test::run(snapshot);
        failed |= report.failed() > 0;
        text += &results(file, &report);
        rows.extend(report.results.iter().map(|result| {
            let file = file.display().to_string();
            json!({"file": file, "line": result.line, "name": result.name, "failures": result.failures})
        }));
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

fn results(file: &Path, report: &TestReport) -> String {
    let mut text = String::new();
    for result in report.results.iter().filter(|result| !result.failures.is_empty()) {
        let _ = writeln!(
            text,
            "{}:{}: failed: {}",
            file.display(),
            result.line,
            result.name
        );
        for failure in &result.failures {
            let _ = writeln!(text, "    {failure}");
        }
    }
    let _ = writeln!(
        text,
        "{}: {} passed, {} failed",
        file.display(),
        report.passed(),
        report.failed()
    );
    text
}

fn changes(old: &Path, new: &Path) -> anyhow::Result<ExitCode> {
    let compiler = Compiler::new()?;
    let mut policies = Vec::new();
    for file in [old, new] {
        let compiled = compile(&compiler, file)?;
        let Some(snapshot) = compiled.snapshot else {
            anyhow::bail!(
                "{}{}: the policy has errors",
                render(file, &compiled),
                file.display()
            );
        };
        policies.push(snapshot.policy);
    }
    let diff = diff(&policies[0], &policies[1]);
    let mut text = String::new();
    for (
        what,
        Changes {
            added,
            removed,
            changed,
        },
    ) in [
        ("model", diff.models),
        ("route", diff.routes),
        ("rule", diff.rules),
    ] {
        for (sign, names) in [('+', added), ('-', removed), ('~', changed)] {
            for name in names {
                let _ = writeln!(text, "{sign} {what} {name}");
            }
        }
    }
    print(if text.is_empty() {
        "no difference in models, routes and rules\n"
    } else {
        &text
    })?;
    Ok(ExitCode::SUCCESS)
}
