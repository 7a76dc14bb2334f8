//! The cache of decisions: what makes two requests equal, and what is stored.

use futures_util::FutureExt as _;
use signalbox_decide::Source;
use signalbox_server::engine::{Asked, CacheMode, CacheStatus, EngineError};

use crate::{POLICY, asked, engine_with};

#[test]
fn an_equal_request_hits_and_gets_the_same_decision_with_a_new_id() {
    let engine = engine_with(POLICY);
    let first = engine
        .route(asked("write a python function that parses dates"))
        .now_or_never()
        .unwrap()
        .unwrap();
    let second = engine
        .route(asked("write a python function that parses dates"))
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_eq!(
        (first.cache, second.cache),
        (CacheStatus::Miss, CacheStatus::ExactHit)
    );
    assert_eq!(first.decision, second.decision);
    assert_ne!(first.id, second.id);
    let model = &first.snapshot.policy.models[first.decision.model].id;
    assert_eq!(
        (model.as_str(), first.decision.source),
        ("coder", Source::Embedding)
    );
}

#[test]
fn bypass_neither_reads_nor_writes_and_refresh_writes() {
    let engine = engine_with(POLICY);
    let with = |cache| Asked {
        cache,
        ..asked("write a python function")
    };
    assert_eq!(
        engine
            .route(with(CacheMode::Bypass))
            .now_or_never()
            .unwrap()
            .unwrap()
            .cache,
        CacheStatus::Bypass
    );
    assert!(engine.cache().is_empty());
    assert_eq!(
        engine
            .route(with(CacheMode::Refresh))
            .now_or_never()
            .unwrap()
            .unwrap()
            .cache,
        CacheStatus::Miss
    );
    assert_eq!(engine.cache().len(), 1);
    assert_eq!(
        engine
            .route(with(CacheMode::Use))
            .now_or_never()
            .unwrap()
            .unwrap()
            .cache,
        CacheStatus::ExactHit
    );
}

#[test]
fn every_input_that_a_policy_can_read_is_part_of_the_key() {
    let engine = engine_with(POLICY);
    let snapshot = engine.store().current().unwrap();
    let key = |asked: &Asked| {
        engine
            .cache()
            .key(&asked.query, &asked.conversation, &snapshot, "")
    };
    let base = asked("write a python function");
    let changes: [fn(&mut Asked); 18] = [
        |a| a.query.input_tokens += 1,
        |a| a.query.expected_output_tokens = Some(0),
        |a| a.query.turns += 1,
        |a| a.query.modalities = vec!["image".into()],
        |a| a.query.model = Some(String::new()),
        |a| a.query.profile = Some(String::new()),
        |a| a.query.requirements.min_context_tokens = Some(0),
        |a| a.query.requirements.max_output_tokens = Some(0),
        |a| a.query.requirements.capabilities = vec![String::new()],
        |a| a.query.requirements.max_cost_usd = Some(0.0),
        |a| a.query.requirements.min_quality = Some(0.0),
        |a| a.query.preferences.families = vec![String::new()],
        |a| a.query.caller.tenant = "t".into(),
        |a| a.query.caller.tier = "t".into(),
        |a| drop(a.query.caller.labels.insert("t".into(), String::new())),
        |a| a.query.inline_routes = true,
        |a| a.conversation.messages[0].content.push(' '),
        |a| a.conversation.messages[0].has_tool_calls = true,
    ];
    let mut keys = vec![key(&base)];
    for change in changes {
        let mut changed = base.clone();
        change(&mut changed);
        keys.push(key(&changed));
    }
    let different = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), different);
}

#[test]
fn the_session_is_part_of_the_key_only_where_a_rule_reads_it() {
    let rule = r#"rules: [{name: r, when: 'caller.session_id == "s"', set: {weights: {cost: 1}}}]"#;
    for (policy, equal) in [(POLICY.to_owned(), true), (format!("{POLICY}{rule}\n"), false)] {
        let engine = engine_with(&policy);
        let snapshot = engine.store().current().unwrap();
        let key = |session: &str| {
            let mut asked = asked("write a python function");
            asked.query.caller.session_id = session.into();
            engine
                .cache()
                .key(&asked.query, &asked.conversation, &snapshot, "")
        };
        assert_eq!(key("s") == key("t"), equal);
    }
}

#[test]
fn a_set_rule_on_the_prompt_applies_to_a_cached_decision_as_to_a_new_one() {
    let rules = "rules: [{name: r, when: signals.has_code, set: {requirements: {max_cost_usd: 1}}}]";
    let engine = engine_with(&format!("{POLICY}{rules}\n"));
    let code = "write a python function like\ndef f(x):\n  return 1";
    let first = engine.route(asked(code)).now_or_never().unwrap();
    assert!(
        matches!(first, Err(EngineError::Refused(_))),
        "no model states its price"
    );
    for cache in [CacheStatus::Miss, CacheStatus::ExactHit] {
        assert_eq!(
            engine
                .route(asked("write a python function"))
                .now_or_never()
                .unwrap()
                .unwrap()
                .cache,
            cache
        );
    }
}

#[test]
fn a_degraded_decision_is_not_stored() {
    let engine = engine_with(POLICY);
    let decided = engine
        .route(asked("write a poem about the sea in autumn"))
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_eq!(decided.decision.degraded[0].code, "no_eligible_model_in_route");
    assert!(engine.cache().is_empty());
}

#[test]
fn the_language_model_is_part_of_the_key_where_the_policy_asks_it() {
    let differ = |policy: &str| {
        let engine = engine_with(policy);
        let snapshot = engine.store().current().unwrap();
        let asked = asked("write a python function");
        let key = |llm| {
            engine
                .cache()
                .key(&asked.query, &asked.conversation, &snapshot, llm)
        };
        key("remote http://a/v1 m") != key("remote http://b/v1 m")
    };
    assert!(differ(&format!("{POLICY}llm: {{mode: when_unsure}}\n")));
    assert!(!differ(POLICY));
}
