//! Whose answer stands for whose.

use std::sync::LazyLock;

use proptest::prelude::*;
use signalbox_decide::{RouteScores, SaidTo};

use super::*;
use crate::store::Compiler;

const POLICY: &str = "schema: 1\ndefault: a\nmodels: [{id: a}]\nroutes: [{name: lights, description: switching lights, models: [a]}]\n\
                      llm: {mode: always}\ncache: {semantic: {enabled: true}}\n";
const SETTINGS: SemanticSettings = SemanticSettings {
    margin: 0.3,
    audit: 0.0,
    budget: 0.01,
};
const LONG: Duration = Duration::from_secs(60);

fn snapshot(policy: &str) -> Snapshot {
    Compiler::new()
        .unwrap()
        .compile(policy.as_bytes(), "test", None)
        .unwrap()
        .0
}

fn near(max_entries: usize, max_bytes: usize) -> Near {
    let bounds = Bounds {
        max_entries,
        max_bytes,
    };
    Near::new(bounds, [3; 32])
}

fn said(best: f32, measured: bool) -> Arc<Judgement> {
    let scores = RouteScores {
        routes: vec![best],
        other: 1.0 - best,
        ..RouteScores::default()
    };
    Arc::new(Judgement {
        scores: Arc::new(scores),
        measured,
        ..Judgement::default()
    })
}

fn conversation(texts: &[(Role, &str)]) -> Conversation {
    let message = |(role, text): &(Role, &str)| Message {
        role: *role,
        content: (*text).to_owned(),
        has_tool_calls: false,
        attachments: Vec::new(),
    };
    Conversation {
        messages: texts.iter().map(message).collect(),
    }
}

#[test]
fn an_answer_stands_for_the_same_question_in_other_words_and_for_no_other() {
    let (near, snapshot) = (near(10, 1 << 20), snapshot(POLICY));
    let renamed = self::snapshot(&POLICY.replace("switching lights", "switching lamps"));
    let before = [(Role::User, "hello"), (Role::Assistant, "yes?")];
    let asked = |text| [&before[..], &[(Role::User, text)]].concat();
    let spot = |snapshot: &Snapshot, messages: &[(Role, &str)], tenant, engine| {
        near.spot(snapshot, &conversation(messages), tenant, engine)
            .unwrap()
    };
    let first = asked("turn on the lights");
    near.put(
        spot(&snapshot, &first, "t", "e"),
        &said(0.9, true),
        &SETTINGS,
        LONG,
    );
    assert_eq!((near.len(), near.bytes() > 0), (1, true));
    let found = |spot: &Spot| near.get(spot).map(|said| said.said_to == SaidTo::Alike);
    for text in ["turn on the lights", "Could you please turn on the light?"] {
        assert_eq!(
            found(&spot(&snapshot, &asked(text), "t", "e")),
            Some(true),
            "{text}"
        );
    }
    let same = asked("turn on the lights");
    assert_eq!(
        found(&spot(&snapshot, &asked("turn off the lights"), "t", "e")),
        None
    );
    assert_eq!(found(&spot(&snapshot, &same, "other tenant", "e")), None);
    assert_eq!(found(&spot(&snapshot, &same, "t", "other engine")), None);
    assert_eq!(found(&spot(&renamed, &same, "t", "e")), None, "other routes");
    let alone = [(Role::User, "turn on the lights")];
    assert_eq!(
        found(&spot(&snapshot, &alone, "t", "e")),
        None,
        "another conversation"
    );
    let other = [
        (Role::User, "hello"),
        (Role::System, "yes?"),
        (Role::User, "turn on the lights"),
    ];
    assert_eq!(found(&spot(&snapshot, &other, "t", "e")), None, "another speaker");
}

#[test]
fn a_close_answer_is_not_kept_nor_one_without_probabilities() {
    let (near, snapshot) = (near(10, 1 << 20), snapshot(POLICY));
    let spot = || {
        near.spot(
            &snapshot,
            &Conversation::from_prompt("turn on the lights"),
            "",
            "e",
        )
        .unwrap()
    };
    near.put(spot(), &said(0.64, true), &SETTINGS, LONG);
    near.put(spot(), &said(1.0, false), &SETTINGS, LONG);
    assert!(near.is_empty());
    near.put(spot(), &said(0.66, true), &SETTINGS, LONG);
    assert_eq!(near.len(), 1);
    (0..1000).for_each(|_| near.audit.note(true, 0.01));
    assert!(near.get(&spot()).is_none(), "closed by its audits");
}

#[test]
fn it_stays_within_its_bounds() {
    let snapshot = snapshot(POLICY);
    for (near, most) in [(near(5, 1 << 20), 5), (near(1_000, 4_000), 8)] {
        for number in 10..100 {
            let conversation = Conversation::from_prompt(format!("turn on light {number}"));
            let spot = near.spot(&snapshot, &conversation, "", "e").unwrap();
            near.put(spot, &said(0.9, true), &SETTINGS, LONG);
        }
        assert!(!near.is_empty() && near.len() <= most, "{}", near.len());
        assert!(near.bytes() <= 1 << 20);
    }
}

#[test]
fn near_misses_do_not_push_each_other_out() {
    let (near, snapshot) = (near(1_000, 1 << 20), snapshot(POLICY));
    let spot = |number: usize| {
        let conversation = Conversation::from_prompt(format!("turn on light {number}"));
        near.spot(&snapshot, &conversation, "", "e").unwrap()
    };
    (0..500).for_each(|number| near.put(spot(number), &said(0.9, true), &SETTINGS, LONG));
    assert!((0..500).all(|number| near.get(&spot(number)).is_some()));
}

#[test]
fn nothing_said_by_a_user_is_nothing_to_compare() {
    let (near, snapshot) = (near(10, 1 << 20), snapshot(POLICY));
    for messages in [&[][..], &[(Role::User, " ?! ")], &[(Role::System, "be brief")]] {
        assert!(near.spot(&snapshot, &conversation(messages), "", "e").is_none());
    }
}

/// The same policy, one with other routes, and one that only counts itself as newer.
static POLICIES: LazyLock<[Snapshot; 3]> = LazyLock::new(|| {
    [
        snapshot(POLICY),
        snapshot(&POLICY.replace("switching lights", "switching lamps")),
        snapshot(&POLICY.replace("schema: 1", "schema: 1\nversion: 2")),
    ]
});

/// Texts that ask for the same have the same number.
const TEXTS: [(u8, &str); 5] = [
    (0, "turn on the lights"),
    (0, "Could you please turn on the light?"),
    (1, "turn off the lights"),
    (2, "turn on 2 lights"),
    (3, "turn on 3 lights"),
];

/// Lengths on both sides of a seam, so that two names run together could be two others.
const NAMES: [&str; 4] = ["", "a", "ab", "b"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn nothing_is_found_across_tenants_routes_policies_engines_or_conversations(
        kept in (0..3usize, 0..4usize, 0..4usize, 0..3usize, 0..5usize),
        wanted in (0..3usize, 0..4usize, 0..4usize, 0..3usize, 0..5usize),
    ) {
        let near = near(10, 1 << 20);
        let before = [&[][..], &[(Role::User, "hello")], &[(Role::System, "hello")]];
        let spot = |(policy, tenant, engine, earlier, text): (usize, usize, usize, usize, usize)| {
            let messages = [before[earlier], &[(Role::User, TEXTS[text].1)]].concat();
            near.spot(&POLICIES[policy], &conversation(&messages), NAMES[tenant], NAMES[engine]).unwrap()
        };
        near.put(spot(kept), &said(0.9, true), &SETTINGS, LONG);
        let asks = |of: (usize, usize, usize, usize, usize)| (of.0, of.1, of.2, of.3, TEXTS[of.4].0);
        prop_assert_eq!(near.get(&spot(wanted)).is_some(), asks(kept) == asks(wanted));
    }
}
