//! The tools of policy authors, with good and with bad input.

use std::fs;

use crate::support::{BAD, EXAMPLE, files, policy, run};

#[test]
fn policy_check_and_test_fail_on_what_is_wrong_and_pass_the_example() {
    assert_eq!(run(&["policy", "check", EXAMPLE]).0, 0);
    assert_eq!(run(&["policy", "test", EXAMPLE]).0, 0);
    let (_directory, path) = policy(BAD);
    let path = path.to_str().unwrap();
    let (code, out, _) = run(&["policy", "check", path]);
    assert!(code == 1 && out.contains("  2 | default: missing"), "{out}");
    let (code, out, _) = run(&["policy", "check", "--format", "json", path]);
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &found[0]["line"]), (1, &serde_json::json!(2)));
    let failing = "schema: 1\ndefault: a\nmodels: [{id: a}]\ntests: [{prompt: hello, want: {model: b}}]\n";
    let (_other, path) = policy(failing);
    assert_eq!(run(&["policy", "test", path.to_str().unwrap()]).0, 1);
}

#[test]
fn policy_check_and_test_go_over_all_files_of_a_directory() {
    let (directory, _) = policy("schema: 1\ndefault: a\nmodels: [{id: a}]\n");
    let folder = directory.path().to_str().unwrap();
    let tenant = "schema: 1\ndefault: b\nmodels: [{id: b}]\ntests: [{prompt: hello, want: {model: b}}]\n";
    fs::write(directory.path().join("acme.yaml"), tenant).unwrap();
    fs::write(directory.path().join("notes.txt"), "").unwrap();
    let (code, out, _) = run(&["policy", "check", folder]);
    assert!(
        code == 0 && out.contains("acme.yaml: ok") && out.contains("policy.yaml: ok"),
        "{out}"
    );
    assert!(out.contains("info: \"notes.txt\" is nobody's policy"), "{out}");
    let (code, out, _) = run(&["policy", "test", folder]);
    assert!(code == 0 && out.contains("acme.yaml: 1 passed"), "{out}");
    let (_, out, _) = run(&["route", "hello", "--policy", folder, "--tenant", "acme"]);
    assert!(out.starts_with("b\n"), "{out}");
    let (_, out, _) = run(&["route", "hello", "--policy", folder, "--tenant", "globex"]);
    assert!(out.starts_with("a\n"), "{out}");
    fs::write(directory.path().join("acme.yml"), BAD).unwrap();
    let (code, out, _) = run(&["policy", "check", folder]);
    assert!(
        code == 1 && out.contains("acme.yaml and acme.yml say the same"),
        "{out}"
    );
    fs::remove_file(directory.path().join("acme.yaml")).unwrap();
    assert_eq!(run(&["policy", "check", folder]).0, 1);
    fs::write(
        directory.path().join("acme.yml"),
        tenant.replace("model: b}}", "model: c}}"),
    )
    .unwrap();
    assert_eq!(run(&["policy", "test", folder]).0, 1);
}

const SMALL: &str = "schema: 1
default: a
models: [{id: a}, {id: b}]
tests: [{prompt: own, want: {model: a}}]
";

#[test]
fn policy_test_runs_the_suite_beside_the_policy_and_those_that_are_named() {
    let (_directory, at) = files(&[
        ("small.yaml", SMALL),
        (
            "small_test.yaml",
            "tests:\n- {prompt: one, want: {model: a}}\n- {prompt: two, want: {source: default}}\n",
        ),
        (
            "more.yaml",
            "tests: [{name: \"<three>\", prompt: three, want: {model: b, probes: [embedding]}}]\n",
        ),
    ]);
    let (code, out, err) = run(&["policy", "test", &at("small.yaml")]);
    let own = format!(
        "{}: 1 passed, 0 failed\n{}: 2 passed, 0 failed\n",
        at("small.yaml"),
        at("small_test.yaml")
    );
    assert_eq!((code, out), (0, own), "{err}");
    // A glob names both; that is one policy.
    let (_, out, _) = run(&["policy", "test", &at("small.yaml"), &at("small_test.yaml")]);
    assert_eq!(out.lines().count(), 2, "{out}");
    let (code, out, _) = run(&["policy", "test", &at("small.yaml"), "--suite", &at("more.yaml")]);
    assert!(
        code == 1
            && out.contains(&format!("{}:1: failed: <three>", at("more.yaml")))
            && out.contains("0 passed, 1 failed"),
        "{out}"
    );
    let junit = [
        "policy",
        "test",
        &at("small.yaml"),
        "--suite",
        &at("more.yaml"),
        "--format",
        "junit",
    ];
    let (code, out, _) = run(&junit);
    assert!(
        code == 1
            && out.contains(r#"tests="4" skipped="0" failures="1""#)
            && out.contains("&lt;three&gt;")
            && out.contains("model: wanted `b`, got `a`; probes: wanted"),
        "{out}"
    );
    let json = ["policy", "test", &at("small.yaml"), "--format", "json"];
    let rows: serde_json::Value = serde_json::from_str(&run(&json).1).unwrap();
    assert_eq!(
        (rows.as_array().unwrap().len(), &rows[1]["line"]),
        (3, &serde_json::json!(2))
    );
}

#[test]
fn a_bad_suite_is_reported_in_full_and_what_cannot_be_read_is_exit_code_2() {
    let (_directory, at) = files(&[
        ("small.yaml", SMALL),
        (
            "small_test.yml",
            "tests:\n- {prompt: one, want: {model: c}}\n- {want: {}}\n",
        ),
        ("bad.yaml", BAD),
    ]);
    let (code, out, err) = run(&["policy", "test", &at("small.yaml"), &at("bad.yaml")]);
    assert!(code == 1 && out.contains("1 passed"), "{out}");
    for wanted in [
        format!(
            "{}:2:31: error: tests[0].want.model: unknown model `c`",
            at("small_test.yml")
        ),
        format!("{}:3:3: error: tests[1]: exactly one of", at("small_test.yml")),
        format!("{}:2:10: error: default: unknown model", at("bad.yaml")),
    ] {
        assert!(err.contains(&wanted), "{wanted}\n{err}");
    }
    for args in [
        vec!["policy", "test", "/nowhere.yaml"],
        vec!["policy", "check", "/nowhere.yaml"],
        vec!["policy", "test", EXAMPLE, "--suite", "/nowhere.yaml"],
    ] {
        let (code, _, err) = run(&args);
        assert!(code == 2 && err.contains("/nowhere.yaml"), "{err}");
    }
}

const OTHERWISE: &str = "schema: 1
default: a
models: [{id: a}, {id: b}, {id: c}]
rules:
- {name: pro, when: 'caller.tier == \"pro\"', use: {model: b}}
- {name: closed, when: 'caller.tenant == \"acme\"', deny: not here}
";

const REQUESTS: &str = r#"{"prompt": "secret one"}
{"prompt": "secret two", "request": {"tier": "pro"}}

{"messages": [{"role": "user", "content": "secret three"}], "request": {"tier": "pro"}}
{"prompt": "secret four", "request": {"tenant": "acme"}, "route": "other"}
"#;

#[test]
fn policy_diff_groups_the_decisions_that_change_and_says_why() {
    let (_directory, at) = files(&[
        ("old.yaml", SMALL),
        ("new.yaml", OTHERWISE),
        ("requests.jsonl", REQUESTS),
    ]);
    let (old, new, requests) = (at("old.yaml"), at("new.yaml"), at("requests.jsonl"));
    let diff = ["policy", "diff", &old, &new, "--requests", &requests];
    let (code, out, err) = run(&diff);
    let wanted = "+ model c
+ rule pro
+ rule closed

3 of 4 decisions change
2 x model a -> b; rule none -> pro (lines 2, 4)
    before: the policy has no routes, so its default decides; `a` is its only model
    after:  rule `pro` matches; `b` is its only model
1 x model a -> none; rule none -> closed; refused none -> DENIED_BY_RULE (line 5)
    before: the policy has no routes, so its default decides; `a` is its only model
    after:  not here (rule `closed`)
";
    assert_eq!((code, out.as_str()), (1, wanted), "{err}");
    let (_, out, _) = run(&[&diff[..], &["--show-prompts"]].concat());
    assert!(out.contains("          4 | secret three\n"), "{out}");
    let (code, out, _) = run(&[&diff[..], &["--format", "json"]].concat());
    assert!(code == 1 && !out.contains("secret"), "{out}");
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&found["requests"], &found["changed"]), (&4.into(), &3.into()));
    assert_eq!(found["groups"][0]["lines"], serde_json::json!([2, 4]));
    assert_eq!(found["groups"][1]["after"]["refused"], "DENIED_BY_RULE");
    assert_eq!(found["policy"]["models"]["added"], serde_json::json!(["c"]));
    let (code, out, _) = run(&["policy", "diff", &old, &old, "--requests", &requests]);
    assert!(code == 0 && out.ends_with("\n0 of 4 decisions change\n"), "{out}");
    assert_eq!(run(&["policy", "diff", &old, &new]).0, 0);
}

#[test]
fn policy_diff_refuses_what_it_cannot_use_with_exit_code_2_and_all_problems() {
    let bad = "{\"prompt\": \"secret\", \"tier\": 1}\n{\"prompt\"\n{\"prompt\": \"x\"}\n{\"request\": {}}\n";
    let (_directory, at) = files(&[("small.yaml", SMALL), ("bad.yaml", BAD), ("bad.jsonl", bad)]);
    let (small, requests) = (at("small.yaml"), at("bad.jsonl"));
    let (code, _, err) = run(&["policy", "diff", &small, &small, "--requests", &requests]);
    for wanted in [
        ":1:1: error: tier: there is no key",
        ":2:9: error: not JSON",
        ":4:1: error: exactly one of",
    ] {
        assert!(
            code == 2 && err.contains(&format!("{requests}{wanted}")),
            "{wanted}\n{err}"
        );
    }
    assert!(!err.contains("secret"), "{err}");
    for args in [
        [&small, &at("bad.yaml")],
        [&small, &at("none.yaml")],
        [&at("none.yaml"), &small],
    ] {
        assert_eq!(run(&["policy", "diff", args[0], args[1]]).0, 2);
    }
    assert_eq!(
        run(&["policy", "diff", &small, &small, "--requests", &at("none.jsonl")]).0,
        2
    );
    assert_eq!(run(&["policy", "diff", &small, &small, "--show-prompts"]).0, 2);
}

fn fixture(name: &str) -> String {
    format!("{}/decide/fixtures/policies/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn an_imported_file_decides_every_request_as_the_file_itself_does() {
    let requests = "{\"prompt\": \"write a python function that parses dates\"}
{\"prompt\": \"explain what this code does: fn main() {}\"}
{\"prompt\": \"a poem about the sea\"}
{\"prompt\": \"hello\", \"request\": {\"profile\": \"fast\"}}
{\"prompt\": \"hello\", \"request\": {\"requirements\": {\"modalities\": [\"image\"]}}}
{\"prompt\": \"hello\", \"request\": {\"preferences\": {\"families\": [\"gemma\"]}}}
";
    for (from, name) in [
        ("plano", "plano-hybrid.yaml"),
        ("plano", "plano-v0.4-top-level.yaml"),
        ("ollm", "ollm.yaml"),
    ] {
        let (code, text, err) = run(&["policy", "import", from, &fixture(name)]);
        assert!(code == 0 && text.starts_with("# Written by"), "{err}");
        let (_directory, at) = files(&[("ours.yaml", &text), ("requests.jsonl", requests)]);
        let (ours, requests) = (at("ours.yaml"), at("requests.jsonl"));
        let (code, out, err) = run(&["policy", "diff", &fixture(name), &ours, "--requests", &requests]);
        assert!(
            code == 0 && out.contains("0 of 6 decisions change"),
            "{name}: {out}{err}"
        );
        assert_eq!(run(&["policy", "check", &ours]).0, 0);
    }
}

#[test]
fn policy_import_says_what_it_ignores_and_never_shows_an_access_key() {
    let text = "model_providers:
  - {model: openai/gpt-5, access_key: sk-secret}
  - model: groq/*
    access_key: sk-secret
listeners: []
";
    let (_directory, path) = policy(text);
    let path = path.to_str().unwrap();
    let (code, out, err) = run(&["policy", "import", "plano", path]);
    assert!(code == 0 && out.contains("- id: openai/gpt-5"), "{out}");
    for wanted in [
        "info: model_providers[0].access_key",
        "warning: model_providers[1].model",
        "listeners",
    ] {
        assert!(err.contains(wanted), "{wanted}\n{err}");
    }
    let (code, checked, _) = run(&["policy", "check", path]);
    assert!(
        code == 0 && !format!("{out}{err}{checked}").contains("sk-secret"),
        "{checked}"
    );
    let (code, out, err) = run(&["policy", "import", "ollm", path]);
    assert!(
        code == 1 && out.is_empty() && err.contains("not a configuration of oLLM"),
        "{err}"
    );
    assert_eq!(run(&["policy", "import", "plano", "/nowhere.yaml"]).0, 2);
    assert_eq!(run(&["policy", "import", "nginx", path]).0, 2);
}

#[test]
fn policy_suggest_names_lines_and_measures_on_requests_that_it_did_not_learn_from() {
    let line = |text: &str, route: &str| format!("{{\"prompt\": \"{text}\", \"route\": \"{route}\"}}\n");
    let mut text =
        line("thanks, bye", "other") + &line("write a python function that parses dates", "code_generation");
    for topic in [
        "rain",
        "autumn",
        "my cat",
        "the sea",
        "a lost key",
        "two brothers",
    ] {
        text += &line(&format!("verses on {topic}, please, secret"), "math");
    }
    let (_directory, at) = files(&[
        ("requests.jsonl", &text),
        ("bad.jsonl", &line("x", "no_such_route")),
        ("bad.yaml", BAD),
    ]);
    let (requests, bad) = (at("requests.jsonl"), at("bad.jsonl"));
    let suggest = ["policy", "suggest", EXAMPLE, "--requests", &requests];
    let (code, out, err) = run(&suggest);
    assert!(code == 0 && !out.contains("secret"), "{out}{err}");
    for wanted in [
        "routes that never win: ",
        "right: ",
        "math is taken for ",
        "  math: line",
        "all of them together: 2 of 8 (25.0 %) -> 8 of 8 (100.0 %), 6 gained, 0 lost: more than chance (p = 0.02)",
        "no two routes are better as one",
        "no route's requests are of two kinds",
        "  math: characteristic words (--show-prompts) of lines 3, 4, 5, 6, 7, 8",
        "by cross-validation",
    ] {
        assert!(out.contains(wanted), "{wanted}\n{out}");
    }
    let (_, shown, _) = run(&[&suggest[..], &["--show-prompts"]].concat());
    assert!(
        shown.contains("| verses on rain, please, secret")
            && shown.contains("  math: `; secret, verses` lines 3"),
        "{shown}"
    );
    let (code, out, _) = run(&[&suggest[..], &["--format", "json"]].concat());
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &found["requests"], &found["labelled"]["n"]),
        (0, &8.into(), &8.into())
    );
    let held_out = &found["held_out"];
    assert!(
        !out.contains("secret") && held_out["n"] == 8 && held_out["right_after"] == 8,
        "{out}"
    );
    assert_eq!(found["clauses"][0]["kind"], "words");
    let (code, _, err) = run(&["policy", "suggest", EXAMPLE, "--requests", &bad]);
    assert!(
        code == 2 && err.contains(":1:1: error: route: unknown route `no_such_route`"),
        "{err}"
    );
    assert_eq!(
        run(&["policy", "suggest", &at("bad.yaml"), "--requests", &requests]).0,
        2
    );
    assert_eq!(run(&["policy", "suggest", EXAMPLE]).0, 2);
    assert_eq!(run(&[&suggest[..], &["--audit", &requests]].concat()).0, 2);
    // A file of requests is no log.
    let (code, _, err) = run(&["policy", "suggest", EXAMPLE, "--audit", &requests]);
    assert!(
        code == 2 && err.contains("no line is one of an audit log"),
        "{err}"
    );
}
