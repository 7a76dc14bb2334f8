//! Policies that come and go: which one answers, what a reload reports, and what it would change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use signalbox_decide::Query;
use signalbox_server::engine::cache::{Bounds, DecisionCache};
use signalbox_server::engine::ring::Ring;
use signalbox_server::engine::{Asked, Engine, EngineError};
use signalbox_server::store::{ReloadError, ReloadOptions};

use crate::{POLICY, asked, engine_with, policies};

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
