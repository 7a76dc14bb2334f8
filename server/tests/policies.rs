//! The example policies: their own tests pass, and fail when the method that they show is switched off.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::{Path, PathBuf};

use signalbox_decide::policy::load_suite;
use signalbox_server::policy_test::{self, TestReport};
use signalbox_server::store::Compiler;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies")
}

fn text(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// The policies below the examples' folder, those of tenants too.
fn names() -> Vec<String> {
    let of = |below: &str| {
        let files = fs::read_dir(folder().join(below)).unwrap();
        files
            .map(|file| below.to_owned() + file.unwrap().file_name().to_str().unwrap())
            .filter(|name| name.ends_with(".yaml") && !name.ends_with("_test.yaml"))
            .collect::<Vec<_>>()
    };
    let mut names = [of(""), of("tenants/")].concat();
    names.sort();
    names
}

/// Runs the tests of a text as if it stood in the examples' folder, and those of the suite beside it.
fn tested(compiler: &Compiler, name: &str, text: &str) -> TestReport {
    let source = folder().join(name);
    let (snapshot, _) = compiler
        .compile(text.as_bytes(), &source.display().to_string(), None)
        .unwrap_or_else(|found| panic!("{name}: {found:#?}"));
    let mut report = policy_test::run(&snapshot);
    if let Ok(suite) = fs::read(folder().join(name.replace(".yaml", "_test.yaml"))) {
        let tests = load_suite(&suite, &snapshot.policy).unwrap_or_else(|found| panic!("{name}: {found:#?}"));
        report
            .results
            .extend(policy_test::run_tests(&snapshot, &tests).results);
    }
    report
}

#[test]
fn the_tests_of_every_example_pass() {
    let compiler = Compiler::new().unwrap();
    let names = names();
    assert!(names.len() > 14, "{names:?}");
    for name in names {
        let report = tested(&compiler, &name, &text(&name));
        let failed: Vec<_> = report.results.iter().filter(|r| !r.failures.is_empty()).collect();
        assert!(failed.is_empty(), "{name}: {failed:#?}");
        assert!(report.passed() > 1, "{name} has too few tests");
    }
}

/// A method of an example, and the same text without it.
const SWITCHED_OFF: &[(&str, &str, &str)] = &[
    (
        "support-bot.yaml",
        "signals.sentiment < -0.4",
        "signals.sentiment < -1",
    ),
    (
        "support-bot.yaml",
        "caller.tier == \"enterprise\"",
        "caller.tier == \"gold\"",
    ),
    (
        "coding-agent.yaml",
        "caller.labels[\"role\"] == \"planner\"",
        "false",
    ),
    (
        "coding-agent.yaml",
        "aliases: {planner: reasoner, editor: [coder, reasoner]}",
        "aliases: {planner: fast, editor: [reasoner, coder]}",
    ),
    (
        "coding-agent.yaml",
        "plan: {ensemble: {models: [reasoner, coder], combine: merge, judge: reasoner}}",
        "model: reasoner",
    ),
    (
        "documents.yaml",
        "modalities: [text]}",
        "modalities: [text, image, document]}",
    ),
    ("cascade.yaml", ", plan: {cascade: {accept_at: 0.75}}", ""),
    (
        "large.yaml",
        "default: [small, large]",
        "default: [small, large]\nevidence: {threshold: 1}",
    ),
    ("plans.yaml", "plan: {cascade: {accept_at: 0.8}}", "plan: single"),
    (
        "plans.yaml",
        "plan: {ensemble: {n: 2, combine: best_of, judge: judge}}",
        "plan: single",
    ),
    (
        "plans.yaml",
        "plan: {speculative: {prefer: slow, wait_ms: 900}}",
        "plan: single",
    ),
    ("profiles.yaml", ", prefer_size: largest", ""),
    ("profiles.yaml", ", prefer_size: smallest", ""),
    (
        "profiles.yaml",
        ", models: [private, llama3.1:70b, mistral:7b]",
        "",
    ),
    ("profiles.yaml", ", prefer_families: [mistral, llama]", ""),
    ("profiles.yaml", "profile: general\nmodels", "models"),
    ("profiles.yaml", "max_inclusive: true, ", ""),
    ("objectives.yaml", "select: order", "select: cheapest"),
    ("objectives.yaml", "    select: cheapest", "    select: order"),
    ("objectives.yaml", "    select: fastest", "    select: order"),
    ("objectives.yaml", "    select: best", "    select: order"),
    (
        "objectives.yaml",
        "select: {latency: 1, quality: 0.2}",
        "select: order",
    ),
    ("objectives.yaml", "weights: {cost: 0.3, quality: 0.7}\n", ""),
    (
        "objectives.yaml",
        "name: thrifty, select: cheapest",
        "name: thrifty",
    ),
    (
        "canary.yaml",
        "share: 0.2, route: summaries",
        "share: 0, route: summaries",
    ),
    (
        "difficulty.yaml",
        "select: {strong: strong, weak: weak, threshold: 0.6}",
        "select: order",
    ),
    (
        "plans.yaml",
        "plan: {tool_then_model: {tool: inventory_lookup}}",
        "plan: single",
    ),
    ("plano-hybrid.yaml", "{target: gpt-5-mini}", "{target: gpt-5}"),
    ("plano-hybrid.yaml", "    default: true\n", ""),
    (
        "plano-hybrid.yaml",
        "mathematical proofs, logic and problems of many steps",
        "writing poems and stories",
    ),
    ("ollm-profiles.yaml", "profile: code", "profile: general"),
    ("ollm-profiles.yaml", "[qwen, llama]", "[llama]"),
    (
        "tenants/default.yaml",
        "request.tokens > 8000",
        "request.tokens > 80000",
    ),
    (
        "tenants/acme.yaml",
        "models: [acme/lawyer, acme/assistant]",
        "models: [acme/assistant]",
    ),
    (
        "tenants/clinic.yaml",
        "set: {requirements: {regions: [eu]}}",
        "set: {weights: {cost: 1}}",
    ),
];

#[test]
fn an_example_fails_without_the_method_that_it_shows() {
    let compiler = Compiler::new().unwrap();
    for (name, method, without) in SWITCHED_OFF {
        let whole = text(name);
        assert!(whole.contains(method), "{name}: {method}");
        let report = tested(&compiler, name, &whole.replace(method, without));
        assert!(
            report.failed() > 0,
            "{name}: every test passes without `{method}`"
        );
    }
}
