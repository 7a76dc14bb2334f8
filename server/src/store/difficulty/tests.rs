use super::*;
use crate::conversation::Conversation;
use crate::store::Compiler;

const POLICY: &str = "schema: 1
default: weak
models: [{id: strong}, {id: weak}]
difficulty: {outcomes: outcomes.jsonl}
routes:
  - {name: sums, description: arithmetic with numbers, models: [weak, strong],
     select: {strong: strong, weak: weak, threshold: 0.5}}
";

/// A folder with a policy's file name and outcomes of `count` lines.
fn folder(count: usize) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let line = |n: usize| match n % 2 {
        0 => format!(
            r#"{{"prompt": "what is {n} times {}", "scores": {{"strong": 1, "weak": 0}}, "id": {n}}}"#,
            n + 3
        ),
        _ => format!(r#"{{"prompt": "add one to number {n}", "scores": {{"strong": 1, "weak": 1}}}}"#),
    };
    let lines: Vec<String> = (0..count).map(line).collect();
    std::fs::write(folder.path().join("outcomes.jsonl"), lines.join("\n")).unwrap();
    let source = folder.path().join("policy.yaml").display().to_string();
    (folder, source)
}

#[test]
fn difficulty_is_learned_from_the_file_beside_the_policy() {
    let (_folder, source) = folder(60);
    let compiler = Compiler::new().unwrap();
    let (snapshot, _) = compiler.compile(POLICY.as_bytes(), &source, None).unwrap();
    let score = |text: &str| match snapshot.difficulty(0, &Conversation::from_prompt(text)) {
        signalbox_decide::Answer::Got(score) => score,
        other => panic!("{other:?}"),
    };
    let (hard, easy) = (score("what is 31 times 7"), score("add one to number 12"));
    assert!(hard > 0.5 && easy < 0.5, "{hard} {easy}");
}

#[test]
fn a_request_without_text_has_no_difficulty() {
    let (_folder, source) = folder(60);
    let (snapshot, _) = Compiler::new()
        .unwrap()
        .compile(POLICY.as_bytes(), &source, None)
        .unwrap();
    let found = snapshot.difficulty(0, &Conversation::from_prompt(""));
    assert!(
        matches!(
            found,
            signalbox_decide::Answer::Failed {
                code: "difficulty_failed",
                ..
            }
        ),
        "{found:?}"
    );
}

#[test]
fn other_outcomes_or_another_pair_are_another_identity() {
    let (_folder, source) = folder(60);
    let compiler = Compiler::new().unwrap();
    let compiled = |policy: &str| compiler.compile(policy.as_bytes(), &source, None).unwrap().0;
    let first = compiled(POLICY).evidence_fingerprint;
    assert_eq!(first, compiled(POLICY).evidence_fingerprint);
    let threshold = compiled(&POLICY.replace("threshold: 0.5", "threshold: 0.7"));
    assert_eq!(first, threshold.evidence_fingerprint);
    let turned = compiled(&POLICY.replace("strong: strong, weak: weak", "strong: weak, weak: strong"));
    assert_ne!(first, turned.evidence_fingerprint);
    let mut text = std::fs::read_to_string(Path::new(&source).with_file_name("outcomes.jsonl")).unwrap();
    text.push_str("\n{\"prompt\": \"one more\", \"scores\": {}}");
    std::fs::write(Path::new(&source).with_file_name("outcomes.jsonl"), text).unwrap();
    assert_ne!(first, compiled(POLICY).evidence_fingerprint);
}

#[test]
fn every_bad_line_is_reported_with_its_number_and_none_of_its_words() {
    let text = concat!(
        "{\"prompt\": \"secret\", \"scores\": {\"a\": 1}}\n",
        "\n",
        "secret\n",
        "{\"scores\": {\"a\": 1}}\n",
        "{\"prompt\": 7, \"scores\": {}}\n",
        "{\"prompt\": \"secret\", \"scores\": {\"a\": 1.5}}\n",
        "{\"prompt\": \"secret\"}\n",
        "[\"secret\"]\n",
    );
    let Err(found) = parse(text.as_bytes(), "o.jsonl") else {
        panic!("accepted")
    };
    let lines: Vec<&str> = found
        .iter()
        .map(|d| d.message.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            "o.jsonl:3",
            "o.jsonl:4",
            "o.jsonl:5",
            "o.jsonl:6",
            "o.jsonl:7",
            "o.jsonl:8"
        ]
    );
    assert!(found.iter().all(|d| !d.message.contains("secret")), "{found:#?}");
    let many = "x\n".repeat(100);
    let Err(found) = parse(many.as_bytes(), "o.jsonl") else {
        panic!("accepted")
    };
    assert_eq!(found.len(), SHOWN + 1);
    assert_eq!(found[SHOWN].message, "o.jsonl: and 80 more bad lines");
}

#[test]
fn a_missing_file_and_too_few_labels_are_errors_of_the_policy() {
    let (_folder, source) = folder(10);
    let compiler = Compiler::new().unwrap();
    let found = compiler.compile(POLICY.as_bytes(), &source, None).unwrap_err();
    assert!(
        found[0].message.starts_with("10 lines of outcomes.jsonl"),
        "{found:#?}"
    );
    let found = compiler
        .compile(POLICY.as_bytes(), "/nowhere/policy.yaml", None)
        .unwrap_err();
    assert_eq!((found[0].code, found[0].path.as_str()), ("outcomes", PATH));
}
