//! Shadows that load and shadows that do not.

use std::fs;

use super::*;

const POLICY: &str = "schema: 1\ndefault: a\nmodels: [{id: a}]\nshadow: {policy: next.yaml, share: 0.5}\n";

fn compile(shadow: Option<&str>) -> Result<Snapshot, Vec<Diagnostic>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    if let Some(shadow) = shadow {
        fs::write(folder.path().join("next.yaml"), shadow).unwrap();
    }
    let compiler = Compiler::new().unwrap();
    let compiled = compiler.compile(POLICY.as_bytes(), &file.display().to_string(), None);
    compiled.map(|(snapshot, _)| snapshot)
}

#[test]
fn a_shadow_is_loaded_from_the_folder_of_its_policy() {
    let snapshot = compile(Some("schema: 1\nversion: 9\ndefault: b\nmodels: [{id: b}]\n")).unwrap();
    let shadow = snapshot.shadow.unwrap();
    assert_eq!(shadow.info.version, 9);
    assert!(shadow.info.source.ends_with("next.yaml"));
}

#[test]
fn all_problems_of_a_shadow_are_problems_of_its_policy_with_both_places() {
    let found = compile(Some("schema: 1\ncolour: red\ndefault: b\nmodels: [{id: a}]\n")).unwrap_err();
    assert_eq!(found.len(), 2, "{found:#?}");
    for (problem, place) in found.iter().zip(["2:1: colour", "3:10: default"]) {
        assert_eq!((problem.path.as_str(), problem.line), (PATH, 4));
        assert!(
            problem.message.contains(&format!("next.yaml:{place}")),
            "{problem}"
        );
    }
}

#[test]
fn a_missing_shadow_and_a_shadow_with_a_shadow_are_refused() {
    let missing = compile(None).unwrap_err();
    assert!(missing[0].message.contains("next.yaml: "), "{}", missing[0]);
    let twice = compile(Some(POLICY)).unwrap_err();
    assert!(
        twice[0]
            .message
            .contains("next.yaml:4:18: shadow.policy: the shadow of a policy has a shadow itself"),
        "{}",
        twice[0]
    );
}

#[test]
fn a_policy_without_a_folder_can_have_no_shadow() {
    let compiler = Compiler::new().unwrap();
    for source in [PUSHED, BUILTIN_NAME] {
        let found = compiler.compile(POLICY.as_bytes(), source, None).unwrap_err();
        assert!(
            found[0].message.contains(&format!("source is `{source}`")),
            "{}",
            found[0]
        );
        assert_eq!((found[0].path.as_str(), found[0].line), (PATH, 4));
    }
}
