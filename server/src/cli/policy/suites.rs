//! `signalbox policy test`: a policy's own tests, those of the suite beside it, and those of other suites.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;
use signalbox_decide::policy::load_suite;

use super::files::{expand, odd_directories};
use super::{compile, read, render, render_found};
use crate::cli::print;
use crate::policy_test::{TestReport, TestResult, run_tests};
use crate::store::Compiler;
use crate::watcher::source::tested_by;

/// How results of tests are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TestFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON document.
    Json,
    /// For build servers: JUnit's XML.
    Junit,
}

/// The results of one file.
struct Ran {
    file: PathBuf,
    report: TestReport,
}

/// Runs all tests and prints the results; what cannot run goes into the error.
pub(super) fn test(
    arguments: &[PathBuf],
    suites: &[PathBuf],
    format: TestFormat,
) -> anyhow::Result<ExitCode> {
    let compiler = Compiler::new()?;
    let (files, odd) = expand(arguments)?;
    let (odd, _, failed) = odd_directories(&odd);
    let (mut ran, mut problems) = (Vec::new(), String::new());
    for file in policies(&files) {
        problems += &test_one(&compiler, &file, suites, &mut ran)?;
    }
    print(&match format {
        TestFormat::Text => odd + &ran.iter().map(text).collect::<String>(),
        TestFormat::Json => {
            let rows: Vec<_> = ran.iter().flat_map(rows).collect();
            format!("{}\n", serde_json::to_string_pretty(&rows)?)
        }
        TestFormat::Junit => junit(&ran)?,
    })?;
    anyhow::ensure!(
        problems.is_empty(),
        "{problems}some tests cannot run for the errors above"
    );
    Ok(if !failed && ran.iter().all(|ran| ran.report.failed() == 0) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The policies to test, each once: a suite stands for the policy beside it, so that `*.yaml` may name both.
fn policies(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut policies: Vec<PathBuf> = Vec::new();
    for file in files {
        let policy = tested_by(file).unwrap_or_else(|| file.clone());
        if !policies.contains(&policy) {
            policies.push(policy);
        }
    }
    policies
}

/// Runs one policy's tests; gives back what is wrong with it or with its suites.
fn test_one(
    compiler: &Compiler,
    file: &Path,
    suites: &[PathBuf],
    ran: &mut Vec<Ran>,
) -> anyhow::Result<String> {
    let compiled = compile(compiler, file)?;
    let Some(snapshot) = &compiled.snapshot else {
        return Ok(render(file, &compiled));
    };
    let beside = beside(file);
    let own = &snapshot.policy.tests;
    if !own.is_empty() || (beside.is_empty() && suites.is_empty()) {
        let report = run_tests(snapshot, own);
        ran.push(Ran {
            file: file.to_owned(),
            report,
        });
    }
    let mut problems = String::new();
    for suite in beside.iter().chain(suites) {
        let bytes = read(suite)?;
        match load_suite(&bytes, &snapshot.policy) {
            Ok(tests) => ran.push(Ran {
                file: suite.clone(),
                report: run_tests(snapshot, &tests),
            }),
            Err(found) => problems += &render_found(suite, &bytes, &found),
        }
    }
    Ok(problems)
}

/// The suites beside a policy: `NAME_test.yaml` and `NAME_test.yml` of `NAME.yaml`.
fn beside(policy: &Path) -> Vec<PathBuf> {
    let Some(stem) = policy.file_stem() else {
        return Vec::new();
    };
    let named = |extension: &str| {
        let mut name = stem.to_owned();
        name.push("_test.");
        name.push(extension);
        policy.with_file_name(name)
    };
    let suites = ["yaml", "yml"].map(named);
    suites.into_iter().filter(|suite| suite.exists()).collect()
}

fn text(ran: &Ran) -> String {
    let (mut text, file) = (String::new(), ran.file.display());
    let failed = ran
        .report
        .results
        .iter()
        .filter(|result| !result.failures.is_empty());
    for result in failed {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{file}:{}: failed: {}", result.line, result.name);
        for failure in &result.failures {
            let _ = writeln!(text, "    {failure}");
        }
    }
    let (passed, failed) = (ran.report.passed(), ran.report.failed());
    let _ = writeln!(text, "{file}: {passed} passed, {failed} failed");
    text
}

fn rows(ran: &Ran) -> Vec<serde_json::Value> {
    let row = |result: &TestResult| {
        json!({
            "file": ran.file.display().to_string(),
            "line": result.line,
            "name": result.name,
            "failures": result.failures,
        })
    };
    ran.report.results.iter().map(row).collect()
}

/// Without times and ids, so that the same results give the same bytes.
fn junit(ran: &[Ran]) -> anyhow::Result<String> {
    let mut report = Report::new("signalbox policy test");
    for Ran {
        file,
        report: results,
    } in ran
    {
        let file = file.display().to_string();
        let mut suite = TestSuite::new(file.clone());
        for result in &results.results {
            let status = if result.failures.is_empty() {
                TestCaseStatus::success()
            } else {
                let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
                failed.set_message(result.failures.join("; "));
                failed.set_description(format!("{file}:{}", result.line));
                failed
            };
            let mut case = TestCase::new(result.name.clone(), status);
            case.set_classname(file.clone());
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    Ok(report.to_string()?)
}
