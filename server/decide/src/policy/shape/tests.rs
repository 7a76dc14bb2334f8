//! That the description, its two readers and the lowering say the same.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::policy::fields::reads;
use crate::policy::load;
use crate::policy::scalar::Core;
use crate::policy::tree::{self, Node};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/policies/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Every object that a kind leads to.
fn objects(kind: &Kind, found: &mut Vec<&'static Object>) {
    match kind {
        Kind::Object(object) if found.iter().all(|o| o.name != object.name) => {
            found.push(object);
            object.fields.iter().for_each(|field| objects(&field.kind, found));
        }
        Kind::List { of, .. } | Kind::Map(of) => objects(of, found),
        Kind::Either(kinds) => kinds.iter().for_each(|kind| objects(kind, found)),
        _ => {}
    }
}

#[test]
fn every_described_key_is_read_and_every_read_key_is_described() {
    let mut all = Vec::new();
    objects(&Kind::Object(&POLICY), &mut all);
    let described: BTreeSet<_> = all
        .iter()
        .flat_map(|object| object.fields.iter().map(|field| (object.name, field.name)))
        .collect();
    reads::take();
    load(&fixture("full.yaml")).unwrap();
    let read = reads::take();
    assert_eq!(read, described);
}

#[test]
fn the_full_example_uses_every_described_key() {
    fn keys(node: &Node, kind: &Kind, found: &mut BTreeSet<(&'static str, &'static str)>) {
        match kind {
            Kind::Object(object) => {
                for field in object.fields {
                    if let Some(value) = node.get(field.name) {
                        found.insert((object.name, field.name));
                        keys(value, &field.kind, found);
                    }
                }
            }
            Kind::List { of, .. } => node.items().iter().for_each(|node| keys(node, of, found)),
            Kind::Map(of) => node.entries().iter().for_each(|(_, node)| keys(node, of, found)),
            Kind::Either(kinds) => kinds.iter().for_each(|kind| keys(node, kind, found)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    objects(&Kind::Object(&POLICY), &mut all);
    let mut used = BTreeSet::new();
    keys(
        &tree::parse(&fixture("full.yaml")).unwrap(),
        &Kind::Object(&POLICY),
        &mut used,
    );
    let described = all
        .iter()
        .flat_map(|object| object.fields.iter().map(|field| (object.name, field.name)));
    let unused: Vec<_> = described.filter(|pair| !used.contains(pair)).collect();
    assert_eq!(unused, [], "add them to fixtures/policies/full.yaml");
}

#[test]
fn names_of_objects_and_keys_are_unique_and_defaults_are_of_their_kind() {
    let mut all = Vec::new();
    objects(&Kind::Object(&POLICY), &mut all);
    for object in all {
        let names: BTreeSet<_> = object.fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), object.fields.len(), "{}", object.name);
        for field in object.fields.iter().filter(|field| field.default.is_some()) {
            let node = tree::parse(field.default.unwrap().as_bytes()).unwrap();
            let mut report = Default::default();
            check::check(&node, &field.kind, field.name, &mut report);
            assert_eq!(report.finish(), [], "{}.{}", object.name, field.name);
        }
    }
}

/// A tree as the JSON that an editor's validator sees.
fn as_json(node: &Node) -> Value {
    match node.core() {
        Some(Core::Null) => Value::Null,
        Some(Core::Bool(value)) => json!(value),
        Some(Core::Int(value)) => json!(i64::try_from(value).unwrap()),
        // JSON has no word for these; an editor shows them as text.
        Some(Core::Float(value)) if !value.is_finite() => json!(value.to_string()),
        Some(Core::Float(value)) => json!(value),
        Some(Core::Text(text)) => json!(text),
        None if !node.entries().is_empty() => node
            .entries()
            .iter()
            .map(|(key, node)| (key.text.clone(), as_json(node)))
            .collect(),
        None => node.items().iter().map(as_json).collect(),
    }
}

/// What no schema can see: names, and what YAML has beyond JSON.
const BEYOND_SCHEMA: [&str; 15] = [
    "duplicate",
    "duplicate-key",
    "reserved-name",
    "alias-is-model",
    "alias-not-model",
    "alias-to-alias",
    "zero-weights",
    "unknown-model",
    "unknown-route",
    "unknown-domain",
    "unknown-profile",
    "unknown-rule",
    "empty-set",
    "bad-name",
    "catalogue",
];

fn schema_accepts(validator: &jsonschema::Validator, bytes: &[u8]) -> bool {
    validator.is_valid(&as_json(&tree::parse(bytes).unwrap()))
}

#[test]
fn the_schema_accepts_what_loads() {
    let validator = jsonschema::draft202012::new(&json_schema()).unwrap();
    for name in [
        "full.yaml",
        "remarks.yaml",
        "../../../examples/policies/example.yaml",
    ] {
        let bytes = fixture(name);
        load(&bytes).unwrap();
        let found: Vec<_> = {
            let json = as_json(&tree::parse(&bytes).unwrap());
            validator
                .iter_errors(&json)
                .map(|error| error.to_string())
                .collect()
        };
        assert_eq!(found, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_schema_is_a_valid_schema() {
    assert!(jsonschema::meta::is_valid(&json_schema()));
}

/// One change to a policy that loads: what stands where, what takes its place.
const CHANGES: &[(&str, &str)] = &[
    ("schema: 1", "schema: 2"),
    ("schema: 1 ", "shema: 1 "),
    ("version: 42", "version: -1"),
    ("version: 42", "version: 1.5"),
    ("version: 42", "version: \"42\""),
    ("version: 42", "versoin: 42"),
    ("default: openai/gpt-5-mini", "default: []"),
    ("default: openai/gpt-5-mini", "default: {a: b}"),
    ("context_window: 200000", "context_window: 0"),
    ("context_window: 200000", "context_window: 200_000"),
    ("price: {input: 3.0,", "price: {"),
    ("input: 3.0", "input: -3.0"),
    ("input: 3.0", "input: .nan"),
    ("tokens_per_second: 80", "tokens_per_second: 0"),
    ("default: 0.88", "default: 1.88"),
    (
        "modalities: [text, image]\n    price",
        "modalities: []\n    price",
    ),
    ("labels: {endpoint: eu-west}", "labels: {endpoint: 7}"),
    ("profile: general", "profile:"),
    ("prefer_size: largest", "prefer_size: 7"),
    ("name: code_generation", "name: \"\\n\""),
    ("name: code_generation", "name: \" \""),
    ("models: [openai/gpt-5, openai/gpt-5-mini]", "models: []"),
    ("select: order", "select: orders"),
    ("select: order", "select: {latency: 1, costs: 1}"),
    ("select: order", "select: {strong: a, weak: b}"),
    ("select: order", "select: {strong: a, weak: b, threshold: 2}"),
    ("difficulty: {outcomes: outcomes.jsonl}", "difficulty: {}"),
    ("plan: single", "plan: {cascade: {}}"),
    ("plan: single", "plan: {cascade: {accept_at: 1.8}}"),
    (
        "plan: single",
        "plan: {cascade: {accept_at: 0.8}, tool_then_model: {tool: x}}",
    ),
    ("n: 2", "n: 1"),
    ("combine: best_of", "combine: worst_of"),
    ("wait_ms: 300", "wait_ms: 0"),
    ("plan: single", "plan: double"),
    ("mode: never", "mode: sometimes"),
    (
        "deny: \"images need a paid plan\"",
        "set: {}, use: {model: openai/gpt-5}",
    ),
    ("semantic: {enabled: false", "semantic: {enabled: 0"),
    ("sessions: {enabled: false", "sessions: {enabled: 0"),
    ("quality_usd: 0.1", "quality_usd: -0.1"),
    ("health: {enabled: false", "health: {enabled: 0"),
    ("half_life_s: 300", "half_life_s: 0"),
    ("failure_share: 0.5", "failure_share: 0"),
    ("min_calls: 5", "min_calls: 0.5"),
    ("cooling_s: 20", "cooling_s: 0"),
    ("failure_share: 0.8", "failure_share: 1.8"),
    ("share: 0.05", "share: 1.05"),
    ("share: 0.25", "share: 2"),
    ("{prompt: \"reverse a linked list in Rust\", session", "{session"),
    ("ttl_s: 3600", "ttl_s: 0"),
    ("role: system", "role: robot"),
    ("threshold: 0.5", "threshold: 1.5"),
    ("examples: [\"thanks, that is all\"]", "examples: [\"\"]"),
];

#[test]
fn the_schema_refuses_what_is_refused_for_its_shape() {
    let validator = jsonschema::draft202012::new(&json_schema()).unwrap();
    let full = String::from_utf8(fixture("full.yaml")).unwrap();
    for (from, to) in CHANGES {
        assert!(full.contains(from), "{from}");
        let changed = full.replacen(from, to, 1);
        let found = load(changed.as_bytes()).expect_err(to);
        assert!(
            found.iter().any(|d| !BEYOND_SCHEMA.contains(&d.code)),
            "{to}: {found:?}"
        );
        assert!(!schema_accepts(&validator, changed.as_bytes()), "{to}");
    }
}

#[test]
fn the_schema_sees_shapes_and_not_names() {
    let validator = jsonschema::draft202012::new(&json_schema()).unwrap();
    for (name, shape_is_right) in [
        ("names.yaml", true),
        ("conditions.yaml", true),
        ("shape.yaml", false),
        ("rules.yaml", false),
    ] {
        assert_eq!(
            schema_accepts(&validator, &fixture(&format!("bad/{name}"))),
            shape_is_right,
            "{name}"
        );
    }
}
