//! The engine with a real store, a real classifier and a real cache, without the network.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use signalbox_decide::{Query, Source};
use signalbox_server::conversation::Conversation;
use signalbox_server::engine::cache::{Bounds, DecisionCache};
use signalbox_server::engine::ring::Ring;
use signalbox_server::engine::{Asked, CacheMode, CacheStatus, Engine, EngineError};
use signalbox_server::store::{Compiler, Policies, ReloadError, ReloadOptions};

const POLICY: &str = "\
schema: 1
version: 3
default: small
models: [{id: small}, {id: coder}, {id: writer, tiers: [pro]}]
routes:
  - name: code
    description: writing and fixing source code, functions and programs
    examples: [write a python function, fix this bug, implement quicksort in rust]
    models: [coder, small]
  - name: poems
    description: poems, stories and other creative writing
    examples: [write a poem about autumn, tell me a story, a haiku about rain]
    models: [writer]
";

fn policies(ring: &Arc<Ring>) -> Arc<Policies> {
    Arc::new(Policies::new(Compiler::new().unwrap(), ring.clone()))
}

fn engine_with(policy: &str) -> Engine {
    let ring = Arc::new(Ring::new(100));
    let policies = policies(&ring);
    policies
        .everyone()
        .reload(policy.as_bytes(), "test", &ReloadOptions::default())
        .unwrap();
    let bounds = Bounds {
        max_entries: 1000,
        max_bytes: 1 << 20,
    };
    Engine::new(policies, DecisionCache::new(bounds, [1; 32]), ring)
}

fn asked(prompt: &str) -> Asked {
    let query = Query {
        turns: 1,
        input_tokens: 20,
        ..Query::default()
    };
    Asked {
        query,
        conversation: Conversation::from_prompt(prompt),
        ..Asked::default()
    }
}

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
fn no_policy_a_policy_that_lags_and_another_policy_are_told_apart() {
    let ring = Arc::new(Ring::new(10));
    let empty = Engine::new(
        policies(&ring),
        DecisionCache::new(
            Bounds {
                max_entries: 0,
                max_bytes: 0,
            },
            [0; 32],
        ),
        ring,
    );
    let refused = empty.route(asked("x")).now_or_never().unwrap();
    assert!(matches!(refused, Err(EngineError::NoPolicy)));
    let engine = engine_with(POLICY);
    let behind = Asked {
        min_policy_version: 4,
        ..asked("x")
    };
    assert!(matches!(
        engine.route(behind).now_or_never().unwrap(),
        Err(EngineError::Behind { have: 3, want: 4 })
    ));
    let pinned = Asked {
        policy_checksum: "0".repeat(64),
        ..asked("x")
    };
    assert!(matches!(
        engine.route(pinned).now_or_never().unwrap(),
        Err(EngineError::OtherPolicy { .. })
    ));
}

#[test]
fn a_bad_policy_changes_nothing_and_reports_every_problem() {
    let engine = engine_with(POLICY);
    let before = engine.store().current().unwrap().policy.checksum.clone();
    let bad = POLICY
        .replace("default: small", "default: nobody")
        .replace("[coder, small]", "[coderr]");
    match engine
        .store()
        .reload(bad.as_bytes(), "test", &ReloadOptions::default())
    {
        Err(ReloadError::Invalid(problems)) => assert_eq!(problems.len(), 2, "{problems:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(engine.store().current().unwrap().policy.checksum, before);
    assert!(engine.store().last_error().is_some());
    let truncated = &POLICY.as_bytes()[..POLICY.len() / 3];
    assert!(
        engine
            .store()
            .reload(truncated, "test", &ReloadOptions::default())
            .is_err()
    );
    assert!(
        engine
            .store()
            .reload(b"", "test", &ReloadOptions::default())
            .is_err()
    );
}

#[test]
fn a_dry_run_reports_and_changes_nothing() {
    let engine = engine_with(POLICY);
    let before = engine.store().current().unwrap().policy.checksum.clone();
    let options = ReloadOptions {
        dry_run: true,
        ..ReloadOptions::default()
    };
    let report = engine
        .store()
        .reload(b"schema: 1\nroutes: 7\n", "test", &options)
        .unwrap();
    assert!(!report.applied && !report.diagnostics.is_empty());
    let report = engine
        .store()
        .reload(POLICY.replace("poems", "verse").as_bytes(), "test", &options)
        .unwrap();
    let diff = report.diff.unwrap();
    assert_eq!(
        (diff.routes.added, diff.routes.removed),
        (vec!["verse".to_owned()], vec!["poems".to_owned()])
    );
    assert_eq!(engine.store().current().unwrap().policy.checksum, before);
}

#[test]
fn a_reload_that_expects_another_policy_is_refused() {
    let engine = engine_with(POLICY);
    let options = ReloadOptions {
        expected_checksum: Some("0".repeat(64)),
        ..ReloadOptions::default()
    };
    let refused = engine.store().reload(POLICY.as_bytes(), "test", &options);
    assert!(matches!(refused, Err(ReloadError::Conflict { .. })));
}

#[test]
fn churn_counts_what_would_change_and_what_cannot_be_known() {
    let engine = engine_with(POLICY);
    engine
        .route(asked("write a python function that parses dates"))
        .now_or_never()
        .unwrap()
        .unwrap();
    engine
        .route(Asked {
            query: Query {
                model: Some("small".into()),
                ..Query::default()
            },
            ..Asked::default()
        })
        .now_or_never()
        .unwrap()
        .unwrap();
    let options = ReloadOptions {
        dry_run: true,
        ..ReloadOptions::default()
    };
    let other_models = POLICY.replace("[coder, small]", "[small]");
    let churn = engine
        .store()
        .reload(other_models.as_bytes(), "test", &options)
        .unwrap()
        .churn;
    assert_eq!((churn.decisions, churn.changed, churn.undecidable), (2, 1, 0));
    let other_texts = POLICY.replace("fix this bug", "mend this bug");
    let churn = engine
        .store()
        .reload(other_texts.as_bytes(), "test", &options)
        .unwrap()
        .churn;
    assert_eq!((churn.decisions, churn.changed, churn.undecidable), (2, 0, 1));
}

#[test]
fn a_thousand_reloads_under_load_fail_no_request_and_never_serve_a_bad_policy() {
    let engine = Arc::new(engine_with(POLICY));
    let stop = Arc::new(AtomicBool::new(false));
    let good = [POLICY.to_owned(), POLICY.replace("version: 3", "version: 4")];
    let bad = POLICY.replace("[coder, small]", "[nobody]");
    let prompts = ["write a python function", "tell me a story", "what is the time"];
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (engine, stop) = (engine.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut count = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    let decided = engine
                        .route(asked(prompts[count as usize % 3]))
                        .now_or_never()
                        .unwrap()
                        .unwrap();
                    assert!([3, 4].contains(&decided.snapshot.policy.version));
                    assert_eq!(decided.snapshot.policy.models.len(), 3);
                    count += 1;
                }
                count
            })
        })
        .collect();
    for round in 0..500 {
        let source = good[round % 2].as_bytes();
        assert!(
            engine
                .store()
                .reload(source, "test", &ReloadOptions::default())
                .is_ok()
        );
        assert!(
            engine
                .store()
                .reload(bad.as_bytes(), "test", &ReloadOptions::default())
                .is_err()
        );
    }
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        assert!(worker.join().unwrap() > 0);
    }
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
