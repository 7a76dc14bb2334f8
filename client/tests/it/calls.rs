//! The library: deadlines, retries, credentials and errors.

use std::time::{Duration, Instant};

use signalbox_client::{Client, Code, Error, Health, Options, Tls, codes, v1};
use tonic::Status;

use crate::fake::{Fake, bad_request, nobody, unavailable};

fn with(endpoint: &str, deadline: Duration, retries: u32) -> Client {
    Client::connect_with(
        endpoint,
        Options {
            deadline,
            retries,
            ..Options::default()
        },
    )
    .unwrap()
}

fn named(model: &str) -> v1::RouteResponse {
    v1::RouteResponse {
        model_id: model.into(),
        ..Default::default()
    }
}

/// `grpc-timeout` in milliseconds, whatever its unit.
fn timeout_ms(metadata: &tonic::metadata::MetadataMap) -> u64 {
    let text = metadata
        .get("grpc-timeout")
        .expect("grpc-timeout is sent")
        .to_str()
        .unwrap();
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().unwrap();
    match unit {
        "n" => number / 1_000_000,
        "u" => number / 1_000,
        "m" => number,
        "S" => number * 1_000,
        _ => panic!("unit {unit}"),
    }
}

#[tokio::test]
async fn every_call_tells_the_server_its_deadline() {
    let fake = Fake::start().await;
    let client = with(&fake.endpoint, Duration::from_secs(7), 0);
    client.route(v1::RouteRequest::default()).await.unwrap();
    client.explain(v1::ExplainRequest::default()).await.unwrap();
    client
        .reload_policy(v1::ReloadPolicyRequest::default())
        .await
        .unwrap();
    client.get_policy().await.unwrap();
    client
        .report_outcome(v1::ReportOutcomeRequest::default())
        .await
        .unwrap();
    let sent = [
        timeout_ms(&fake.script.routed.lock().unwrap()[0].metadata),
        timeout_ms(&fake.script.explained.lock().unwrap()[0].metadata),
        timeout_ms(&fake.script.reloaded.lock().unwrap()[0].metadata),
        timeout_ms(&fake.script.asked.lock().unwrap()[0].metadata),
        timeout_ms(&fake.script.reported.lock().unwrap()[0].metadata),
    ];
    for ms in sent {
        assert!((6_000..=7_000).contains(&ms), "{ms}");
    }
}

#[tokio::test]
async fn a_slow_server_is_left_at_the_deadline() {
    let fake = Fake::start().await;
    *fake.script.delay.lock().unwrap() = Duration::from_secs(30);
    let started = Instant::now();
    let error = with(&fake.endpoint, Duration::from_millis(150), 3)
        .route(Default::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error:?}");
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(fake.script.routed.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn route_is_sent_again_until_the_server_can_answer() {
    let fake = Fake::start().await;
    fake.route([Err(unavailable(None)), Err(unavailable(None)), Ok(named("a/b"))]);
    let client = with(&fake.endpoint, Duration::from_secs(20), 3);
    assert_eq!(client.route(Default::default()).await.unwrap().model_id, "a/b");
    let seen = fake.script.routed.lock().unwrap();
    assert_eq!(seen.len(), 3);
    assert!(
        timeout_ms(&seen[2].metadata) < timeout_ms(&seen[0].metadata),
        "the deadline is of the whole call"
    );
}

#[tokio::test]
async fn retries_end_with_the_last_error() {
    let fake = Fake::start().await;
    fake.route((0..9).map(|_| Err(unavailable(None))));
    let error = with(&fake.endpoint, Duration::from_secs(20), 2)
        .route(Default::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.rejection().is_some(), "the server answered: {error:?}");
    assert_eq!(fake.script.routed.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn the_wait_that_the_server_asks_for_is_kept() {
    let fake = Fake::start().await;
    let asked = Duration::from_millis(400);
    fake.route([Err(unavailable(Some(asked))), Ok(named("a/b"))]);
    with(&fake.endpoint, Duration::from_secs(20), 1)
        .route(Default::default())
        .await
        .unwrap();
    let seen = fake.script.routed.lock().unwrap();
    assert!(seen[1].at - seen[0].at >= asked, "{:?}", seen[1].at - seen[0].at);
}

#[tokio::test]
async fn a_wait_past_the_deadline_is_not_begun() {
    let fake = Fake::start().await;
    fake.route([Err(unavailable(Some(Duration::from_secs(60))))]);
    let started = Instant::now();
    let error = with(&fake.endpoint, Duration::from_secs(10), 3)
        .route(Default::default())
        .await
        .unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_reload_is_sent_once_only() {
    let fake = Fake::start().await;
    fake.script
        .reload
        .lock()
        .unwrap()
        .push_back(Err(unavailable(None)));
    let client = with(&fake.endpoint, Duration::from_secs(20), 3);
    let error = client.reload_policy(Default::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(fake.script.reloaded.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_server_is_not_asked_again() {
    let fake = Fake::start().await;
    fake.route([Err(Status::resource_exhausted("too many in flight"))]);
    let error = Client::connect(&fake.endpoint)
        .unwrap()
        .route(Default::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert_eq!(fake.script.routed.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_details_of_a_refusal_are_fields() {
    let fake = Fake::start().await;
    fake.route([Err(bad_request())]);
    let error = Client::connect(&fake.endpoint)
        .unwrap()
        .route(Default::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(error.to_string(), "2 fields are wrong");
    assert_eq!(error.reason(), Some(codes::reason::INVALID_REQUEST));
    assert_eq!(error.retry_after(), None);
    let fields: Vec<&str> = error
        .field_violations()
        .iter()
        .map(|v| v.field.as_str())
        .collect();
    assert_eq!(fields, ["messages[0].role", "requirements.min_quality"]);
    assert_eq!(error.field_violations()[0].description, "unknown role 99");
    assert_eq!(error.rejection().unwrap().metadata["omitted"], "0");
}

#[tokio::test]
async fn a_refusal_without_details_has_none() {
    let fake = Fake::start().await;
    fake.route([Err(Status::not_found("no such model"))]);
    let error = Client::connect(&fake.endpoint)
        .unwrap()
        .route(Default::default())
        .await
        .unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::NotFound, None));
    assert!(error.field_violations().is_empty());
}

#[tokio::test]
async fn nobody_listening_is_told_apart_from_a_refusal() {
    let (_socket, endpoint) = nobody();
    let error = with(&endpoint, Duration::from_secs(10), 1)
        .route(Default::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn the_token_is_sent_and_never_shown() {
    let fake = Fake::start().await;
    let options = Options {
        bearer_token: Some("s3cret\n".into()),
        ..Options::default()
    };
    assert!(!format!("{options:?}").contains("s3cret"));
    let client = Client::connect_with(&fake.endpoint, options).unwrap();
    assert!(!format!("{client:?}").contains("s3cret"));
    client.get_policy().await.unwrap();
    let seen = fake.script.asked.lock().unwrap();
    assert_eq!(seen[0].metadata.get("authorization").unwrap(), "Bearer s3cret");
}

#[tokio::test]
async fn a_bad_endpoint_or_token_is_found_before_anything_is_sent() {
    for bad in ["", "http://", "ftp://x", "https://", "http://a b"] {
        assert!(matches!(Client::connect(bad), Err(Error::Options(_))), "{bad}");
    }
    let options = Options {
        bearer_token: Some("a\nb".into()),
        ..Options::default()
    };
    assert!(matches!(
        Client::connect_with("http://x:1", options),
        Err(Error::Options(_))
    ));
    for (endpoint, ca) in [
        ("http://x:1", "-----BEGIN"),
        ("https://x:1", "-----BEGIN CERTIFICATE-----\nx"),
    ] {
        let tls = Tls {
            ca: Some(ca.into()),
            ..Tls::default()
        };
        let options = Options {
            tls,
            ..Options::default()
        };
        let error = Client::connect_with(endpoint, options).unwrap_err();
        assert!(matches!(error, Error::Options(_)), "{error}");
    }
}

#[tokio::test]
async fn a_scheme_may_be_left_out() {
    let fake = Fake::start().await;
    let client = Client::connect(fake.endpoint.trim_start_matches("http://")).unwrap();
    client.route(Default::default()).await.unwrap();
}

#[tokio::test]
async fn health_tells_ready_from_not_ready_and_from_unknown_services() {
    let fake = Fake::start().await;
    let client = Client::connect(&fake.endpoint).unwrap();
    assert_eq!(client.health("").await.unwrap(), Health::Serving);
    fake.health
        .set_service_status("", tonic_health::ServingStatus::NotServing)
        .await;
    assert_eq!(client.health("").await.unwrap(), Health::NotServing);
    assert_eq!(client.health("nothing").await.unwrap_err().code(), Code::NotFound);
}
