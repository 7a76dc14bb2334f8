//! Conditions: what they mean, what is refused, and that the index leaves nothing out.

use proptest::prelude::*;

use super::*;
use crate::evidence::{Answer, Evidence, Signals};
use crate::policy::Policy;
use crate::query::Query;

fn query() -> Query {
    let mut query = Query {
        input_tokens: 1200,
        turns: 3,
        modalities: vec!["audio".into(), "image".into()],
        model: Some("best".into()),
        ..Query::default()
    };
    query.requirements.capabilities = vec!["tools".into()];
    query.requirements.regions = vec!["eu".into()];
    query.caller.tenant = "acme".into();
    query.caller.tier = "pro".into();
    query.caller.session_id = "s-17".into();
    query.caller.labels = [
        ("batch".to_owned(), "true".to_owned()),
        ("a b".to_owned(), "ü".to_owned()),
    ]
    .into();
    query
}

fn known() -> Evidence {
    Evidence {
        signals: Answer::Got(Signals {
            has_code: true,
            has_math: false,
            is_question: true,
            language: "de",
            complexity: 0.25,
            sentiment: -0.5,
        }),
        ..Evidence::default()
    }
}

fn outcome(when: &str, evidence: &Evidence) -> Outcome {
    let condition = Condition::parse(when).unwrap_or_else(|found| panic!("{when}: {found:?}"));
    let (policy, query) = (Policy::default(), query());
    condition.outcome(&Facts::new(&policy, &query, evidence))
}

#[test]
fn every_field_and_operator_reads_what_the_request_says() {
    for (when, holds) in [
        ("request.tokens == 1200", true),
        (
            "request.tokens >= 1200 && request.tokens <= 1.2e3 && request.tokens > -1",
            true,
        ),
        ("1200 < request.tokens", false),
        ("request.output_tokens == 512", true),
        ("request.turns != 3", false),
        ("'image' in request.modalities", true),
        ("caller.tier in request.modalities", false),
        (
            "\"tools\" in request.capabilities && 'eu' in request.regions",
            true,
        ),
        ("request.model == \"best\" && request.profile == \"\"", true),
        (
            "caller.tenant == 'acme' && caller.session_id.startsWith('s-')",
            true,
        ),
        ("caller.tier in ['free', 'pro']", true),
        ("request.turns in [1, 2]", false),
        (
            "caller.labels.batch == 'true' && request.labels[\"batch\"] == 'true'",
            true,
        ),
        ("caller.labels[\"a b\"].matches(r'^\\pL$')", true),
        (
            "'batch' in caller.labels && has(caller.labels.batch) && !('x' in caller.labels)",
            true,
        ),
        (
            "caller.tenant.endsWith(\"me\") && caller.tenant.contains(\"cm\")",
            true,
        ),
        ("caller.tenant.contains(caller.tier)", false),
        (
            "size(request.modalities) == 2 && request.modalities.size() < 3",
            true,
        ),
        ("size(caller.labels['a b']) == 1", true),
        (
            "signals.has_code && !signals.has_math && signals.is_question",
            true,
        ),
        ("signals.has_code == true && signals.has_math != true", true),
        (
            "signals.language == \"de\" && signals.complexity < 0.5 && signals.sentiment < 0",
            true,
        ),
        (
            "signals.has_math ? caller.tier == 'free' : caller.tier == 'pro'",
            true,
        ),
        (
            "caller.tier == 'free' || (request.turns > 2 && caller.tenant == 'acme')",
            true,
        ),
        ("!(caller.tier == 'free' || request.turns > 2)", false),
        ("true || caller.tier == 'free'", true),
        ("false", false),
    ] {
        let wanted = if holds { Outcome::HOLDS } else { Outcome::FALSE };
        assert_eq!(outcome(when, &known()), wanted, "{when}");
    }
}

#[test]
fn a_missing_label_fails_unless_another_part_decides() {
    for (when, wanted) in [
        ("caller.labels.x == '1'", Outcome::FAILS),
        ("caller.labels.x != '1'", Outcome::FAILS),
        ("!(caller.labels.x == '1')", Outcome::FAILS),
        ("caller.labels.x == '1' || caller.tier == 'pro'", Outcome::HOLDS),
        ("caller.labels.x == '1' && caller.tier == 'free'", Outcome::FALSE),
        ("has(caller.labels.x) && caller.labels.x == '1'", Outcome::FALSE),
        ("!has(caller.labels.x) || caller.labels.x == '1'", Outcome::HOLDS),
        ("caller.labels.x == '1' ? true : true", Outcome::FAILS),
    ] {
        assert_eq!(outcome(when, &known()), wanted, "{when}");
    }
}

#[test]
fn what_is_not_asked_yet_leaves_open_only_what_it_can_change() {
    let open = |when: &str| outcome(when, &Evidence::default());
    assert!(open("signals.has_code").may_hold());
    assert_ne!(open("signals.has_code"), Outcome::HOLDS);
    assert_eq!(open("signals.has_code && caller.tier == 'free'"), Outcome::FALSE);
    assert_eq!(open("signals.has_code || caller.tier == 'pro'"), Outcome::HOLDS);
    assert!(!open("signals.has_code && caller.labels.x == '1'").may_hold());
    assert!(open("!(signals.has_code && caller.labels.x == '1')").may_hold());
    assert!(!open("caller.tier == 'free' ? signals.has_code : caller.tier == 'x'").may_hold());
}

fn blamed(when: &str) -> (String, String) {
    let condition = Condition::parse(when).unwrap();
    let (policy, query, evidence) = (Policy::default(), query(), known());
    let failing = condition.failing(&Facts::new(&policy, &query, &evidence));
    failing.map(|failing| (failing.term, failing.actual)).unwrap()
}

#[test]
fn the_part_to_blame_is_the_first_that_cannot_hold() {
    for (when, term, actual) in [
        (
            "caller.tier == 'pro' && 'free' == caller.tier",
            "caller.tier == \"free\"",
            "\"pro\"",
        ),
        (
            "request.tokens>5&&(request.turns<2&&signals.has_math)",
            "request.turns < 2",
            "3",
        ),
        ("!signals.has_code", "!signals.has_code", "true"),
        (
            "caller.tier == 'free' || request.turns > 9",
            "caller.tier == \"free\" || request.turns > 9",
            "caller.tier is \"pro\", request.turns is 3",
        ),
        ("'x' in caller.labels", "\"x\" in caller.labels", "missing"),
        (
            "'text' in request.modalities",
            "\"text\" in request.modalities",
            "[\"audio\", \"image\"]",
        ),
        (
            "size(request.modalities) > 2",
            "size(request.modalities) > 2",
            "2",
        ),
        (
            "signals.has_code ? caller.tier == 'x' : true",
            "caller.tier == \"x\"",
            "\"pro\"",
        ),
    ] {
        assert_eq!(blamed(when), (term.to_owned(), actual.to_owned()), "{when}");
    }
}

#[test]
fn the_canonical_spelling_means_the_same_condition() {
    for when in [
        "caller.tier == \"free\" && (request.tokens < 5 || !(\"x\" in caller.labels))",
        "!(caller.tier in [\"a\", \"b\"]) && !signals.has_code",
        "(signals.has_code) ? (caller.labels[\"a b\"].startsWith(\"x\")) : (size(request.regions) >= 0.5)",
        "caller.tenant.matches(\"^a\\\\d+$\") || caller.tenant == \"quote \\\" and \\\\ \"",
    ] {
        let condition = Condition::parse(when).unwrap();
        assert_eq!(condition.to_string(), when);
        assert_eq!(Condition::parse(&condition.to_string()).unwrap(), condition);
    }
}

#[test]
fn a_condition_without_bounds_is_refused() {
    let code = |text: &str| Condition::parse(text).unwrap_err()[0].code;
    assert_eq!(
        code(&format!("caller.tier == \"{}\"", "x".repeat(9000))),
        "condition-limit"
    );
    assert_eq!(code(&"(".repeat(4000)), "condition-limit");
    assert_eq!(
        code(&format!("{}true", "true == ".repeat(900))),
        "condition-unsupported"
    );
    assert_eq!(code(&format!("a{}", ".b".repeat(4000))), "condition-field");
    assert!(Condition::parse(&vec!["caller.tier == 'a'"; 360].join(" && ")).is_ok());
}

#[test]
fn rules_that_ask_for_a_value_are_found_by_it_and_the_order_is_kept() {
    let rule = |name: &str, when: &str| Rule {
        name: name.into(),
        when: Condition::parse(when).unwrap(),
        action: Action::Deny(String::new()),
    };
    let rules = Rules::new(vec![
        rule("0", "caller.tenant == 'other'"),
        rule("1", "caller.tenant in ['x', 'acme'] && signals.has_code"),
        rule("2", "request.tokens > 5"),
        rule("3", "'image' in request.modalities"),
        rule("4", "caller.labels.batch == 'true'"),
        rule("5", "caller.labels.batch == 'false'"),
        rule("6", "caller.tier == 'pro' && caller.tenant == 'lonely'"),
        rule("7", "caller.tier == 'pro'"),
        rule("8", "caller.tier != 'pro'"),
    ]);
    let (policy, query, evidence) = (Policy::default(), query(), known());
    let found = rules.candidates(&Facts::new(&policy, &query, &evidence));
    assert_eq!(found, [1, 2, 3, 4, 7, 8]);
}

fn terms() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec!["a", "b", "c"]);
    let field = prop::sample::select(vec![
        "caller.tier",
        "caller.tenant",
        "caller.labels.x",
        "caller.labels.y",
        "request.model",
        "signals.language",
    ]);
    prop_oneof![
        (field.clone(), value.clone()).prop_map(|(f, v)| format!("{f} == '{v}'")),
        (field.clone(), value.clone(), value.clone()).prop_map(|(f, v, w)| format!("{f} in ['{v}', '{w}']")),
        (field, value.clone()).prop_map(|(f, v)| format!("{f} != '{v}'")),
        value.clone().prop_map(|v| format!("'{v}' in request.modalities")),
        value.prop_map(|v| format!("has(caller.labels.{v})")),
    ]
}

fn any_condition() -> impl Strategy<Value = String> {
    terms().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" && "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" || "))),
            inner.prop_map(|part| format!("!({part})")),
        ]
    })
}

#[test]
fn a_condition_that_is_refused_always_says_why() {
    let found = Condition::parse("caller.tier != 'a'.A").unwrap_err();
    assert_eq!(found[0].code, "condition-unsupported");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn the_index_gives_exactly_what_a_scan_gives(
        conditions in prop::collection::vec(any_condition(), 0..30),
        texts in prop::collection::vec(prop::sample::select(vec!["", "a", "b", "c"]), 3),
        labels in prop::collection::btree_map("[xy]", "[abc]", 0..3),
        modalities in prop::collection::vec("[abc]", 0..3),
    ) {
        let mut query = Query { modalities, ..Query::default() };
        query.caller.labels = labels;
        query.caller.tier = texts[0].into();
        query.caller.tenant = texts[1].into();
        query.model = Some(texts[2].into());
        let (policy, evidence) = (Policy::default(), known());
        let facts = Facts::new(&policy, &query, &evidence);
        let rule = |text: &String| Rule {
            name: text.clone(),
            when: Condition::parse(text).unwrap(),
            action: Action::Deny(String::new()),
        };
        let rules = Rules::new(conditions.iter().map(rule).collect());
        let holds = |&index: &usize| rules.all()[index].when.outcome(&facts) == Outcome::HOLDS;
        let scanned: Vec<_> = (0..rules.all().len()).filter(holds).collect();
        let indexed: Vec<_> = rules.candidates(&facts).into_iter().filter(holds).collect();
        prop_assert_eq!(indexed, scanned);
    }

    #[test]
    fn a_condition_is_never_both_and_never_neither(text in any_condition()) {
        let (outcome, failing) = (outcome(&text, &known()), blamed_at_all(&text));
        prop_assert!([Outcome::HOLDS, Outcome::FALSE, Outcome::FAILS].contains(&outcome));
        prop_assert_eq!(failing, outcome != Outcome::HOLDS);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z.\"'()\\[\\]{}!&|=<>?:, 0-9\\\\+*/%-]{0,60}") {
        let _ = Condition::parse(&text);
    }

    #[test]
    fn no_near_condition_makes_the_parser_panic(text in any_condition(), at in 0usize..80, with in "[\\PC\n]{0,2}") {
        let mut text: Vec<char> = text.chars().collect();
        let at = at.min(text.len());
        text.splice(at..(at + 1).min(text.len()), with.chars());
        let text: String = text.into_iter().collect();
        if let Err(found) = Condition::parse(&text) {
            prop_assert!(!found.is_empty());
            prop_assert!(found.iter().all(|problem| problem.offset <= text.len()));
        }
    }
}

fn blamed_at_all(when: &str) -> bool {
    let (policy, query, evidence) = (Policy::default(), query(), known());
    let condition = Condition::parse(when).unwrap();
    condition
        .failing(&Facts::new(&policy, &query, &evidence))
        .is_some()
}
