use super::*;

type Change = fn(&mut v1::Outcome);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

fn good() -> v1::Outcome {
    v1::Outcome {
        idempotency_key: "k".into(),
        model_id: "acme/small".into(),
        outcome: v1::AttemptOutcome::Success.into(),
        ..Default::default()
    }
}

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

/// The fields that are wrong in a batch of one.
fn wrong(change: impl FnOnce(&mut v1::Outcome)) -> Vec<String> {
    let mut outcome = good();
    change(&mut outcome);
    let outcomes = vec![outcome];
    match checked(
        v1::ReportOutcomeRequest {
            outcomes,
            ..Default::default()
        },
        now(),
    ) {
        Ok(_) => Vec::new(),
        Err(wrong) => wrong.list.into_iter().map(|violation| violation.field).collect(),
    }
}

#[test]
fn what_is_at_the_bounds_is_taken() {
    let time = |seconds: i64| {
        Some(prost_types::Timestamp {
            seconds: 1_000_000_000 + seconds,
            nanos: 0,
        })
    };
    let changes: [Change; 6] = [
        |o| o.idempotency_key = "ü".repeat(128),
        |o| o.quality = Some(1.0),
        |o| o.cost_usd = Some(0.0),
        |o| o.latency_duration = seconds(0),
        |o| o.retry_after_duration = seconds(86_400),
        |o| {
            o.model_id.clear();
            o.decision_id = Uuid::nil().to_string();
        },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert_eq!(wrong(change), Vec::<String>::new(), "{index}");
    }
    for ahead in [-2_000_000_000, 0, 60] {
        assert!(wrong(|o| o.end_time = time(ahead)).is_empty(), "{ahead}");
    }
    assert_eq!(wrong(|o| o.end_time = time(61)), ["outcomes[0].end_time"]);
}

#[test]
fn each_field_past_its_bounds_is_named() {
    let changes: [(&str, Change); 14] = [
        ("idempotency_key", |o| o.idempotency_key.clear()),
        ("idempotency_key", |o| o.idempotency_key = "x".repeat(129)),
        ("decision_id", |o| o.model_id.clear()),
        ("decision_id", |o| o.decision_id = "7".into()),
        ("model_id", |o| o.model_id = "x".repeat(257)),
        ("outcome", |o| o.outcome = 0),
        ("outcome", |o| o.outcome = 99),
        ("cost_usd", |o| o.cost_usd = Some(f64::NAN)),
        ("quality", |o| o.quality = Some(1.1)),
        ("quality", |o| o.quality = Some(f64::NAN)),
        ("latency_duration", |o| o.latency_duration = seconds(-1)),
        ("latency_duration", |o| o.latency_duration = seconds(i64::MAX)),
        ("retry_after_duration", |o| {
            o.retry_after_duration = seconds(86_401)
        }),
        ("end_time", |o| {
            o.end_time = Some(prost_types::Timestamp {
                seconds: 0,
                nanos: -1,
            })
        }),
    ];
    for (field, change) in changes {
        assert_eq!(wrong(change), [format!("outcomes[0].{field}")], "{field}");
    }
}
