//! A suite: tests of a policy in a file beside it, so that the people who test need not touch what is deployed. In exactly
//! the grammar of a policy's own `tests:`, and linked against the policy's names.

use super::fields::Fields;
use super::link::link_tests;
use super::lower::test;
use super::place::Report;
use super::shape::check::check;
use super::shape::{Kind, SUITE, TEST};
use super::tree;
use super::{Policy, PolicyTest};
use crate::diagnostic::Diagnostic;

/// Reads the suite of `policy`: a file with nothing but `tests:`.
///
/// # Errors
/// Every problem of the file, unknown names among them, with its line and column.
pub fn load_suite(bytes: &[u8], policy: &Policy) -> Result<Vec<PolicyTest>, Vec<Diagnostic>> {
    let root = tree::parse(bytes).map_err(|problem| vec![problem])?;
    let mut report = Report::default();
    tree::repeated_keys(&root, "", &mut report);
    check(&root, &Kind::Object(&SUITE), "", &mut report);
    let file = Fields::new(&root, &SUITE, "");
    let tests: Vec<_> = file
        .objects("tests", &TEST)
        .iter()
        .map(|fields| test(fields, &mut report))
        .collect();
    let tests = link_tests(&policy.names(), &tests, &mut report);
    if report.has_errors() {
        return Err(report.finish());
    }
    Ok(tests)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load;

    const TESTS: &str = "tests:
- {prompt: hello, want: {model: a, route: other, source: default}}
- {name: two, messages: [{role: user, content: hi}], request: {tier: pro}, health: {a: {cooling_s: 3}}, want: {rule: r}}
";

    fn policy(tests: &str) -> Policy {
        let text = format!(
            "schema: 1\ndefault: a\nmodels: [{{id: a}}]\naliases: {{x: a}}\nroutes: [{{name: greet, description: greetings, models: [a]}}]\n\
             rules: [{{name: r, when: 'caller.tier == \"pro\"', use: {{model: a}}}}]\n{tests}"
        );
        load(text.as_bytes()).unwrap().policy
    }

    #[test]
    fn a_suite_reads_as_the_policys_own_tests_do() {
        let mut own = policy(TESTS).tests;
        let beside = load_suite(TESTS.as_bytes(), &policy("")).unwrap();
        // They stand elsewhere, and are otherwise the same.
        for (own, beside) in own.iter_mut().zip(&beside) {
            own.line = beside.line;
        }
        assert_eq!((beside.len(), &own), (2, &beside));
    }

    #[test]
    fn every_problem_of_a_suite_comes_back_with_its_place() {
        let text = "tests:
- {prompt: hello, want: {model: b, route: gret, plan: cascad}}
- {want: {}}
- {prompt: hello, want: {rule: s, profile: fats, canary: c, domain: d}, prompt: twice}
rules: []
";
        let found = load_suite(text.as_bytes(), &policy("")).unwrap_err();
        let found: Vec<_> = found.iter().map(|d| (d.line, d.code)).collect();
        for wanted in [
            (2, "unknown-model"),
            (2, "unknown-route"),
            (2, "unknown-word"),
            (3, "missing-key"),
            (4, "unknown-rule"),
            (4, "unknown-profile"),
            (4, "unknown-canary"),
            (4, "unknown-domain"),
            (4, "duplicate-key"),
            (5, "unknown-key"),
        ] {
            assert!(found.contains(&wanted), "{wanted:?} of {found:?}");
        }
    }

    #[test]
    fn a_suite_without_tests_and_what_is_no_yaml_are_refused() {
        for text in ["tests: []", "{}", "", "tests: ["] {
            assert!(load_suite(text.as_bytes(), &policy("")).is_err(), "{text}");
        }
    }
}
