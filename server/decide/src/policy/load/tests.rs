//! What files become, and what is said about those that become nothing.

use super::*;
use crate::query::{AttemptOutcome, Objective, Weights};

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/policies/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn loaded(name: &str) -> Policy {
    load(&fixture(name))
        .unwrap_or_else(|found| panic!("{name}: {found:#?}"))
        .policy
}

#[test]
fn every_key_of_the_format_loads() {
    let policy = loaded("full.yaml");
    assert_eq!(policy.version, 42);
    assert_eq!(policy.checksum.len(), 64);
    let sonnet = &policy.models[0];
    assert_eq!(
        (sonnet.quality, sonnet.quality_by_route.as_slice()),
        (Some(0.88), &[(0, 0.94)][..])
    );
    assert_eq!(policy.models[1].modalities, ["text"]);
    assert_eq!(policy.aliases["best"], [0, 1]);
    assert_eq!(policy.default, [2]);
    let names: Vec<_> = policy
        .profiles
        .iter()
        .map(|profile| profile.name.as_str())
        .collect();
    assert_eq!(names, ["fast", "large", "general", "code", "creative"]);
    assert_eq!(policy.profile, Some(2));
    assert_eq!(policy.domains[0].models, [1]);
    assert_eq!(policy.routes[0].domain, Some(0));
    let weights = Weights {
        latency: 0.2,
        cost: 0.3,
        quality: 0.5,
    };
    assert_eq!(policy.routes[1].select, Some(Objective::Weights(weights)));
    assert_eq!(policy.evidence.embedding, None);
    assert_eq!(policy.tests[0].name, "reverse a linked list in Rust");
    let test = &policy.tests[1];
    assert_eq!((test.query.turns, test.query.input_tokens), (2, 90));
    assert_eq!(test.query.modalities, ["image"]);
    assert_eq!(test.query.attempts[0].outcome, AttemptOutcome::RateLimited);
    assert_eq!(test.want.degraded, Some(Vec::new()));
}

fn printed(found: &[Diagnostic]) -> String {
    found.iter().map(|d| format!("{} {d}\n", d.code)).collect()
}

#[test]
fn every_problem_of_a_file_is_reported_at_once() {
    let folder = format!("{}/fixtures/policies/bad", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() > 10);
    for name in names {
        let found = load(&fixture(&format!("bad/{name}"))).expect_err(&name);
        assert!(found.iter().any(|d| d.severity == Severity::Error), "{name}");
        insta::assert_snapshot!(name.clone(), printed(&found));
    }
}

#[test]
fn what_loads_but_is_doubtful_gets_a_warning() {
    let found = load(&fixture("remarks.yaml")).unwrap().diagnostics;
    insta::assert_snapshot!(printed(&found));
}

#[test]
fn a_complete_policy_gets_no_remark() {
    for name in ["full.yaml", "../../../examples/policies/example.yaml"] {
        assert_eq!(load(&fixture(name)).unwrap().diagnostics, [], "{name}");
    }
}
