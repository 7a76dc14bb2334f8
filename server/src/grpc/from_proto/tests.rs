use super::*;

fn user(content: &str) -> v1::Message {
    v1::Message {
        role: v1::Role::User.into(),
        content: content.into(),
        ..Default::default()
    }
}

fn request() -> v1::RouteRequest {
    v1::RouteRequest {
        messages: vec![user("hello")],
        ..Default::default()
    }
}

fn given(change: impl FnOnce(&mut v1::RouteRequest)) -> Asked {
    let mut request = request();
    change(&mut request);
    asked(request, Violations::default())
        .unwrap_or_else(|wrong| panic!("{wrong:?}"))
        .1
}

/// The fields that are wrong after a change to a good request.
fn wrong(change: impl FnOnce(&mut v1::RouteRequest)) -> Vec<String> {
    let mut request = request();
    change(&mut request);
    let wrong = asked(request, Violations::default()).err().unwrap_or_default();
    wrong.list.into_iter().map(|violation| violation.field).collect()
}

fn requiring(change: impl FnOnce(&mut v1::Requirements)) -> Vec<String> {
    let mut requirements = v1::Requirements::default();
    change(&mut requirements);
    wrong(|request| request.requirements = Some(requirements))
}

fn lasting(seconds: i64, nanos: i32) -> Vec<String> {
    requiring(|need| need.max_latency_duration = Some(prost_types::Duration { seconds, nanos }))
}

#[test]
fn a_request_without_text_is_fine_only_where_a_name_decides() {
    let silent = |request: &mut v1::RouteRequest| request.messages.clear();
    assert_eq!(wrong(silent), ["messages"]);
    assert_eq!(wrong(|r| r.messages = vec![user("")]), ["messages"]);
    for (model, profile, fields) in [("x", "", 0), ("", "fast", 0), ("auto", "", 1), ("", "", 1)] {
        let found = wrong(|r| {
            silent(r);
            (r.model, r.profile) = (model.into(), profile.into());
        });
        assert_eq!(found.len(), fields, "{model:?} {profile:?}");
    }
    let picture = v1::Attachment {
        modality: v1::Modality::Image.into(),
        tokens: None,
    };
    assert!(
        wrong(|r| r.messages = vec![v1::Message {
            attachments: vec![picture],
            ..user("")
        }])
        .is_empty()
    );
}

#[test]
fn auto_and_an_empty_model_mean_decide() {
    assert_eq!(given(|r| r.model = "auto".into()).query.model, None);
    assert_eq!(given(|_| {}).query.model, None);
    assert_eq!(
        given(|r| r.model = "automatic".into()).query.model.as_deref(),
        Some("automatic")
    );
}

#[test]
fn a_role_must_be_one_that_is_known() {
    for (number, fine) in [
        (0, false),
        (1, true),
        (2, true),
        (3, true),
        (4, true),
        (5, false),
        (-1, false),
    ] {
        assert_eq!(
            wrong(|r| r.messages[0].role = number).is_empty(),
            fine,
            "role {number}"
        );
    }
}

#[test]
fn unknown_numbers_of_other_enums_mean_unspecified() {
    let asked = given(|r| {
        r.cache = 99;
        r.preferences = Some(v1::Preferences {
            optimize_for: 99,
            ..Default::default()
        });
        r.attempts = vec![v1::Attempt {
            model_id: "a".into(),
            outcome: 99,
            confidence: None,
        }];
        r.messages[0].attachments = vec![v1::Attachment {
            modality: 99,
            tokens: Some(5),
        }];
    });
    assert_eq!(asked.cache, CacheMode::Use);
    assert_eq!(asked.query.preferences.optimize_for, None);
    assert_eq!(asked.query.attempts[0].outcome, AttemptOutcome::Unspecified);
    assert!(asked.query.modalities.is_empty());
}

#[test]
fn a_demand_for_an_unknown_modality_is_not_dropped() {
    assert_eq!(
        requiring(|need| need.modalities = vec![2, 99, 0]),
        ["requirements.modalities[1]", "requirements.modalities[2]"]
    );
}

#[test]
fn numbers_must_be_finite_and_in_range() {
    for bad in [-0.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(
            requiring(|need| need.max_cost_usd = Some(bad)),
            ["requirements.max_cost_usd"],
            "{bad}"
        );
        assert_eq!(
            requiring(|need| need.min_quality = Some(bad)),
            ["requirements.min_quality"],
            "{bad}"
        );
    }
    assert_eq!(
        requiring(|need| need.min_quality = Some(1.1)),
        ["requirements.min_quality"]
    );
    assert!(requiring(|need| (need.max_cost_usd, need.min_quality) = (Some(0.0), Some(1.0))).is_empty());
}

#[test]
fn a_latency_limit_must_be_well_formed_and_above_zero() {
    let field = ["requirements.max_latency_duration"];
    for (seconds, nanos) in [
        (0, 0),
        (-1, 0),
        (0, -1),
        (1, -1),
        (0, 1_000_000_000),
        (i64::MAX, 0),
        (i64::MIN, 0),
        (0, i32::MIN),
    ] {
        assert_eq!(lasting(seconds, nanos), field, "{seconds} s {nanos} ns");
    }
    assert!(lasting(0, 1).is_empty() && lasting(315_576_000_000, 0).is_empty());
    let limit = prost_types::Duration {
        seconds: 1,
        nanos: 500_000_000,
    };
    let need = v1::Requirements {
        max_latency_duration: Some(limit),
        ..Default::default()
    };
    assert_eq!(
        given(|r| r.requirements = Some(need))
            .query
            .requirements
            .max_latency_ms,
        Some(1500.0)
    );
}

#[test]
fn weights_must_be_amounts_of_which_one_is_above_zero() {
    let weighing = |latency, cost, quality| {
        let weights = Some(v1::Weights {
            latency,
            cost,
            quality,
        });
        wrong(|r| {
            r.preferences = Some(v1::Preferences {
                weights,
                ..Default::default()
            })
        })
    };
    assert_eq!(weighing(None, None, None), ["preferences.weights"]);
    assert_eq!(weighing(Some(0.0), Some(0.0), None), ["preferences.weights"]);
    assert_eq!(
        weighing(Some(-1.0), Some(f64::NAN), Some(1.0)),
        ["preferences.weights.latency", "preferences.weights.cost"]
    );
    assert!(weighing(None, Some(0.5), None).is_empty());
}

#[test]
fn texts_and_lists_are_bounded() {
    let long = "x".repeat(257);
    assert_eq!(wrong(|r| r.request_id = long.clone()), ["request_id"]);
    assert_eq!(wrong(|r| r.request_id = "a\nb".into()), ["request_id"]);
    assert_eq!(wrong(|r| r.model = long.clone()), ["model"]);
    assert_eq!(
        requiring(|need| need.capabilities = vec![String::new(), long.clone()]),
        ["requirements.capabilities[0]", "requirements.capabilities[1]"]
    );
    assert_eq!(
        requiring(|need| need.regions = vec!["eu".into(); 65]),
        ["requirements.regions"]
    );
    assert_eq!(wrong(|r| r.messages = vec![user("x"); 10_001]), ["messages"]);
    assert_eq!(
        wrong(|r| r.attempts = vec![v1::Attempt::default(); 65]),
        ["attempts"]
    );
    assert_eq!(
        wrong(|r| r.messages[0].attachments = vec![v1::Attachment::default(); 257]),
        ["messages[0].attachments"]
    );
    let labels = |labels: &[(&str, &str)]| {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        wrong(|r| {
            r.caller = Some(v1::Caller {
                labels,
                ..Default::default()
            })
        })
    };
    assert_eq!(labels(&[("team", &long)]), ["caller.labels[\"team\"]"]);
    assert_eq!(labels(&[(&long, "x")]), ["caller.labels"]);
    assert!(labels(&[("team", "")]).is_empty());
}

#[test]
fn a_checksum_is_64_hex_digits_in_either_case() {
    assert_eq!(wrong(|r| r.policy_checksum = "ab".into()), ["policy_checksum"]);
    assert_eq!(wrong(|r| r.policy_checksum = "g".repeat(64)), ["policy_checksum"]);
    assert_eq!(
        given(|r| r.policy_checksum = "AB".repeat(32)).policy_checksum,
        "ab".repeat(32)
    );
}

#[test]
fn tokens_are_the_callers_count_or_estimated_with_the_attachments() {
    let picture = v1::Attachment {
        modality: v1::Modality::Image.into(),
        tokens: Some(100),
    };
    let message = v1::Message {
        attachments: vec![picture],
        ..user("12345")
    };
    let asked = given(|r| r.messages = vec![message.clone(), user("1234")]);
    assert_eq!(
        (asked.query.input_tokens, asked.query.turns),
        (9_u64.div_ceil(4) + 8 + 100, 2)
    );
    assert_eq!(asked.query.modalities, ["image"]);
    assert_eq!(given(|r| r.input_tokens = Some(0)).query.input_tokens, 0);
}

#[test]
fn modalities_come_from_the_attachments_sorted_once_each_without_text() {
    let attach = |numbers: &[i32]| {
        numbers
            .iter()
            .map(|&modality| v1::Attachment {
                modality,
                tokens: None,
            })
            .collect()
    };
    let asked = given(|r| {
        r.messages = vec![
            v1::Message {
                attachments: attach(&[4, 1, 2]),
                ..user("")
            },
            v1::Message {
                attachments: attach(&[2, 0]),
                ..user("")
            },
        ];
    });
    assert_eq!(asked.query.modalities, ["image", "video"]);
}

#[test]
fn a_successful_attempt_excludes_nothing() {
    let attempt = |outcome: v1::AttemptOutcome| v1::Attempt {
        model_id: "a".into(),
        outcome: outcome.into(),
        confidence: None,
    };
    let asked = given(|r| {
        r.attempts = vec![
            attempt(v1::AttemptOutcome::Success),
            attempt(v1::AttemptOutcome::Timeout),
        ]
    });
    assert_eq!(asked.query.attempts.len(), 1);
    assert_eq!(asked.query.attempts[0].outcome, AttemptOutcome::Timeout);
}

#[test]
fn a_request_id_is_kept_or_generated() {
    let id = |text: &str| {
        let request = v1::RouteRequest {
            request_id: text.into(),
            ..request()
        };
        asked(request, Violations::default()).unwrap().0
    };
    assert_eq!(id("mine"), "mine");
    assert_eq!(Uuid::parse_str(&id("")).unwrap().get_version_num(), 7);
}

#[test]
fn texts_are_moved_not_copied() {
    let request = request();
    let before = request.messages[0].content.as_ptr();
    let (_, asked) = asked(request, Violations::default()).unwrap();
    assert_eq!(asked.conversation.messages[0].content.as_ptr(), before);
}
