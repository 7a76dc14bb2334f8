//! The fixtures of every method of routing, run as `signalbox policy test` runs them. Each states what its method decides
//! and what it asks for; none may be doubtful.

use std::fs;
use std::path::Path;

use signalbox_server::policy_test;
use signalbox_server::store::Compiler;

#[test]
fn every_fixture_decides_as_its_tests_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("decide/fixtures/methods");
    let compiler = Compiler::new().unwrap();
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 16, "{}", files.len());
    let mut failures = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let (snapshot, remarks) = compiler
            .compile(&fs::read(&file).unwrap(), &name, None)
            .unwrap_or_else(|found| panic!("{name}: {found:#?}"));
        failures.extend(remarks.iter().map(|remark| format!("{name}:{remark}")));
        let report = policy_test::run(&snapshot);
        assert!(report.results.len() > 1, "{name} has too few tests");
        let failed = report.results.iter().filter(|result| !result.failures.is_empty());
        failures.extend(
            failed.map(|result| format!("{name}:{}: {}: {:?}", result.line, result.name, result.failures)),
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A method of a fixture, and the same text without it.
const SWITCHED_OFF: &[(&str, &str, &str)] = &[
    (
        "health-cooldown.yaml",
        "health: {enabled: true}",
        "health: {enabled: false}",
    ),
    (
        "health-latency.yaml",
        "health: {enabled: true, latency: true}",
        "health: {enabled: false}",
    ),
];

#[test]
fn a_fixture_fails_without_the_method_that_it_shows() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("decide/fixtures/methods");
    let compiler = Compiler::new().unwrap();
    for (name, method, without) in SWITCHED_OFF {
        let whole = fs::read_to_string(folder.join(name)).unwrap();
        assert!(whole.contains(method), "{name}: {method}");
        let (snapshot, _) = compiler
            .compile(whole.replace(method, without).as_bytes(), name, None)
            .unwrap();
        let report = policy_test::run(&snapshot);
        assert!(
            report.failed() > 0,
            "{name}: every test passes without `{method}`"
        );
    }
}
