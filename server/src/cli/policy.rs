//! `signalbox policy …`: what authors do with a policy file, or with a directory of everyone's policy and the tenants';
//! each command has a file below. Exit codes: 0 fine, 1 the policy is not, 2 a file cannot be read.

mod check;
mod diff;
mod files;
mod import;
mod requests;
mod suggest;
mod suites;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use signalbox_decide::Diagnostic;
use signalbox_decide::policy::json_schema;

use crate::cli::{BadInput, print};
use crate::store::{Compiler, Snapshot};

pub use suites::TestFormat;

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
    /// Run a policy's own `tests:`, and those of the suite beside it: NAME_test.yaml beside NAME.yaml.
    ///
    /// Exit codes: 0 all passed, 1 a test failed or a file has errors, 2 a file cannot be read.
    Test {
        /// Policy files, or directories of them; a suite stands for the policy beside it.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Another file with `tests:`, run against every policy; may be repeated.
        #[arg(long = "suite", value_name = "FILE")]
        suites: Vec<PathBuf>,
        /// How to print.
        #[arg(long, value_enum, default_value_t)]
        format: TestFormat,
    },
    /// Print the JSON Schema of policy files, for editors.
    Schema,
    /// Print which models, routes and rules differ between two policies, and which decisions on a file of requests.
    ///
    /// A decision changes with its model, route, rule, plan or refusal. Exit codes: 0 no decision changes (without
    /// --requests always), 1 some do, 2 a file cannot be read or has errors.
    Diff(diff::DiffArgs),
    /// Print another product's file in our own format: the same decisions, with comments. What was ignored is said on
    /// standard error.
    ///
    /// Exit codes: 0 imported, 1 the file has errors or another format, 2 it cannot be read.
    Import {
        /// Whose file it is.
        #[arg(value_enum)]
        from: import::From,
        /// The file.
        file: PathBuf,
    },
    /// Print what the use of a policy suggests: routes that never win, requests that fall to the default or are a near
    /// thing, routes that are near ties or two things, and, where lines name the wanted `route`, routes that are confused or
    /// better as one, examples worth adding, and what descriptions should say besides.
    ///
    /// What a change brings is measured by cross-validation: each request is decided by policies made of four fifths of the
    /// others, so that the policy is compiled 5 times for the examples and for each clause that is tried (12 at most), 10 times
    /// for each route that may be two (8 at most), and once for each two that may be one (5 at most). Exit codes: 0 done, 2 a
    /// file cannot be read or has errors.
    Suggest(suggest::SuggestArgs),
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
        } => check::check(&files, format, strict),
        PolicyCommand::Test {
            files,
            suites,
            format,
        } => suites::test(&files, &suites, format),
        PolicyCommand::Schema => {
            print(&format!("{}\n", serde_json::to_string_pretty(&json_schema())?))?;
            Ok(ExitCode::SUCCESS)
        }
        PolicyCommand::Diff(args) => diff::run(&args),
        PolicyCommand::Suggest(args) => suggest::run(&args),
        PolicyCommand::Import { from, file } => import::run(from, &file),
    }
}

/// A compiled policy file, or its problems.
pub(super) struct Compiled {
    /// The bytes as they were read.
    bytes: Vec<u8>,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Reads a file; one that cannot be read is exit code 2.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).map_err(|error| BadInput(format!("{}: {error}", file.display())).into())
}

/// Reads and compiles one file.
pub(super) fn compile(compiler: &Compiler, file: &Path) -> anyhow::Result<Compiled> {
    let bytes = read(file)?;
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

/// Compiles a file whose policy is needed to go on: one with errors is exit code 2, as one that cannot be read.
pub(super) fn usable(compiler: &Compiler, file: &Path) -> anyhow::Result<Snapshot> {
    let mut compiled = compile(compiler, file)?;
    let snapshot = compiled.snapshot.take();
    snapshot.ok_or_else(|| {
        let rendered = render(file, &compiled);
        BadInput(format!("{rendered}{}: the policy has errors", file.display())).into()
    })
}

/// The diagnostics of a policy file as compilers print them, each with its line.
pub(super) fn render(file: &Path, compiled: &Compiled) -> String {
    render_found(file, &compiled.bytes, &compiled.diagnostics)
}

/// The same for any file.
fn render_found(file: &Path, bytes: &[u8], diagnostics: &[Diagnostic]) -> String {
    let source = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = source.lines().collect();
    let mut text = String::new();
    for found in diagnostics {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}:{found}", file.display());
        if let Some(line) = (found.line as usize)
            .checked_sub(1)
            .and_then(|index| lines.get(index))
            .filter(|line| !holds_a_key(line))
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

/// Whether a line of another product's file may hold an access key: those are nowhere printed.
fn holds_a_key(line: &str) -> bool {
    line.contains("access_key")
}
