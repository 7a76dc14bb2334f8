//! Every row of the table of errors: its code, its reason and its details.

use std::collections::HashMap;
use std::time::Duration;

use prost::Message as _;
use signalbox_api::v1;
use signalbox_api::v1::explain_request::Target;
use signalbox_server::grpc::status::{MAX_DETAILS_BYTES, MAX_MESSAGE_BYTES};
use signalbox_server::serve::Settings;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{self, Server, ask, name};

/// Code, reason and domain of an error.
pub(crate) fn check(status: &Status, code: Code, reason: &str) -> HashMap<String, String> {
    assert_eq!(status.code(), code, "{status:?}");
    let details = status.get_error_details();
    let info = details.error_info().expect("every error carries ErrorInfo");
    assert_eq!(
        (info.reason.as_str(), info.domain.as_str()),
        (reason, "signalbox"),
        "{status:?}"
    );
    assert!(status.details().len() <= MAX_DETAILS_BYTES && status.message().len() <= MAX_MESSAGE_BYTES);
    info.metadata.clone()
}

pub(crate) fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let bad = details.bad_request().expect("BadRequest");
    bad.field_violations
        .iter()
        .map(|violation| violation.field.clone())
        .collect()
}

pub(crate) fn retry_after(status: &Status) -> Option<Duration> {
    status
        .get_error_details()
        .retry_info()
        .and_then(|info| info.retry_delay)
}

#[tokio::test]
async fn bad_fields_are_reported_all_together() {
    let server = Server::start().await;
    let mut request = ask("hello");
    request.messages[0].role = 99;
    request.requirements = Some(v1::Requirements {
        min_quality: Some(2.0),
        ..Default::default()
    });
    request.policy_checksum = "abc".into();
    let status = server.refusal(request).await;
    check(&status, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(
        fields(&status),
        ["messages[0].role", "requirements.min_quality", "policy_checksum"]
    );
}

#[tokio::test]
async fn ten_thousand_bad_fields_stay_within_the_bounds_and_are_counted() {
    let server = Server::start().await;
    let message = v1::Message {
        role: 99,
        content: "x".into(),
        ..Default::default()
    };
    let request = v1::RouteRequest {
        messages: vec![message; 10_000],
        ..Default::default()
    };
    let status = server.refusal(request).await;
    let omitted = &check(&status, Code::InvalidArgument, "INVALID_REQUEST")["omitted"];
    assert_eq!(omitted.parse::<usize>().unwrap() + fields(&status).len(), 10_000);
    assert!(
        status.message().ends_with(&format!("(omitted={omitted})")),
        "{}",
        status.message()
    );
}

#[tokio::test]
async fn bytes_that_are_no_request_are_the_callers_fault_not_a_defect() {
    let server = Server::start().await;
    let status = crate::route::send_bytes(&server, vec![(1, vec![0xff, 0xfe])])
        .await
        .unwrap_err();
    check(&status, Code::InvalidArgument, "INVALID_REQUEST");
    assert!(status.message().contains("request_id"), "{}", status.message());
}

#[tokio::test]
async fn an_unknown_model_is_not_found_and_the_nearest_names_are_given() {
    let server = Server::start().await;
    let status = server.refusal(name("acme/smal")).await;
    let metadata = check(&status, Code::NotFound, "UNKNOWN_MODEL");
    assert_eq!(metadata["nearest"], "acme/small");
}

#[tokio::test]
async fn an_unknown_profile_is_a_bad_field() {
    let server = Server::start().await;
    let request = v1::RouteRequest {
        profile: "fats".into(),
        ..ask("hello")
    };
    let status = server.refusal(request).await;
    let metadata = check(&status, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(
        (fields(&status), metadata["nearest"].as_str()),
        (vec!["profile".to_owned()], "fast")
    );
}

#[tokio::test]
async fn an_unknown_decision_is_not_found_and_a_malformed_id_is_a_bad_field() {
    let server = Server::start().await;
    let explain = async |id: &str| {
        let target = Some(Target::DecisionId(id.into()));
        let request = v1::ExplainRequest {
            target,
            ..Default::default()
        };
        server.raw().await.explain(request).await.unwrap_err()
    };
    let status = explain("01890a5d-ac96-774b-bcce-b302099a8057").await;
    check(&status, Code::NotFound, "UNKNOWN_DECISION");
    let status = explain("nonsense").await;
    check(&status, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields(&status), ["decision_id"]);
}

#[tokio::test]
async fn a_model_of_another_tier_is_denied() {
    let server = Server::start().await;
    for model in ["other/gold", "mine"] {
        let metadata = check(
            &server.refusal(name(model)).await,
            Code::PermissionDenied,
            "MODEL_NOT_ALLOWED",
        );
        assert!(
            metadata["refused"].starts_with("other/gold: tier ("),
            "{metadata:?}"
        );
    }
}

#[tokio::test]
async fn nothing_eligible_names_what_refused_each_model() {
    let server = Server::start().await;
    let capabilities = vec!["telepathy".to_owned()];
    let requirements = Some(v1::Requirements {
        capabilities,
        ..Default::default()
    });
    let status = server
        .refusal(v1::RouteRequest {
            requirements,
            ..name("best")
        })
        .await;
    let metadata = check(&status, Code::FailedPrecondition, "NO_ELIGIBLE_MODEL");
    let refused = "lacks capability `telepathy`";
    assert_eq!(
        metadata["refused"],
        format!("acme/large: capability ({refused}); acme/small: capability ({refused})")
    );
}

#[tokio::test]
async fn a_refusal_by_hundreds_of_models_stays_within_the_bounds_and_is_counted() {
    let ids: Vec<String> = (0..300)
        .map(|n| format!("acme/model-with-a-long-name-{n}"))
        .collect();
    let models: String = ids.iter().map(|id| format!("  - {{id: {id}}}\n")).collect();
    let policy = format!("schema: 1\nmodels:\n{models}default: [{}]\n", ids.join(", "));
    let server = Server::with(Settings::default(), Some(&policy)).await;
    let requirements = Some(v1::Requirements {
        min_quality: Some(0.5),
        ..Default::default()
    });
    let status = server
        .refusal(v1::RouteRequest {
            requirements,
            ..ask("hello")
        })
        .await;
    let metadata = check(&status, Code::FailedPrecondition, "NO_ELIGIBLE_MODEL");
    let named = metadata["refused"].matches("; ").count() + 1;
    assert_eq!(metadata["omitted"].parse::<usize>().unwrap() + named, 300);
}

#[tokio::test]
async fn without_a_policy_route_explain_and_get_policy_are_unavailable_and_say_when_to_retry() {
    let server = Server::with(Settings::default(), None).await;
    let mut raw = server.raw().await;
    let target = Some(Target::Request(ask("hello")));
    let explain = v1::ExplainRequest {
        target,
        ..Default::default()
    };
    for status in [
        raw.route(ask("hello")).await.unwrap_err(),
        raw.explain(explain).await.unwrap_err(),
        raw.get_policy(v1::GetPolicyRequest::default()).await.unwrap_err(),
    ] {
        check(&status, Code::Unavailable, "POLICY_NOT_LOADED");
        assert!(retry_after(&status).is_some());
    }
}

#[tokio::test]
async fn a_replica_that_lags_is_unavailable_and_says_when_to_retry() {
    let server = Server::start().await;
    let newer = v1::RouteRequest {
        min_policy_version: 8,
        ..ask("hello")
    };
    let pinned = v1::RouteRequest {
        policy_checksum: "0".repeat(64),
        ..ask("hello")
    };
    for request in [newer, pinned] {
        let status = server.refusal(request).await;
        check(&status, Code::Unavailable, "POLICY_BEHIND");
        assert!(retry_after(&status).is_some());
    }
}

#[tokio::test]
async fn a_checksum_that_differs_aborts_the_reload() {
    let server = Server::start().await;
    let request = v1::ReloadPolicyRequest {
        expected_checksum: "0".repeat(64),
        ..Default::default()
    };
    let status = server.raw().await.reload_policy(request).await.unwrap_err();
    check(&status, Code::Aborted, "CHECKSUM_MISMATCH");
    let details = status.get_error_details();
    let violations = &details
        .precondition_failure()
        .expect("PreconditionFailure")
        .violations;
    assert_eq!(violations[0].subject, "expected_checksum");
}

#[tokio::test]
async fn a_message_above_the_limit_is_exhausted_and_names_the_limit() {
    let settings = Settings {
        max_message_bytes: 1000,
        ..Settings::default()
    };
    let server = Server::with(settings, Some(support::POLICY)).await;
    let metadata = check(
        &server.refusal(ask(&"x".repeat(2000))).await,
        Code::ResourceExhausted,
        "MESSAGE_TOO_LARGE",
    );
    assert_eq!(metadata["limit_bytes"], "1000");
    server.client().route(ask(&"x".repeat(900))).await.unwrap();
}

#[tokio::test]
async fn the_default_limit_is_four_mebibytes() {
    let server = Server::start().await;
    // The whole prompt would fit no model.
    let long = |bytes| v1::RouteRequest {
        input_tokens: Some(1),
        ..ask(&"x".repeat(bytes))
    };
    server.client().route(long((4 << 20) - 100)).await.unwrap();
    let status = server.refusal(long(4 << 20)).await;
    check(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
}

/// Asks below tonic's client, whose own timer would be faster than the answer.
async fn with_timeout(server: &Server, timeout: &str) -> Option<Status> {
    let socket = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://localhost/signalbox.v1.RouterService/Route")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", timeout);
    let (response, mut body) = sender.send_request(request.body(()).unwrap(), false).unwrap();
    let message = ask("hello").encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    body.send_data(frame.into(), true).unwrap();
    Status::from_header_map(response.await.unwrap().headers())
}

#[tokio::test]
async fn a_deadline_that_passed_is_exceeded_not_cancelled() {
    let server = Server::start().await;
    let status = with_timeout(&server, "1n")
        .await
        .expect("an error without a body");
    check(&status, Code::DeadlineExceeded, "DEADLINE_PASSED");
    assert!(with_timeout(&server, "10S").await.is_none());
}

#[tokio::test]
async fn a_bad_policy_is_invalid_with_paths_into_it_and_changes_nothing() {
    let server = Server::start().await;
    let yaml = support::POLICY.replace("default: acme/small", "default: acme/smal\ncolour: red");
    let request = v1::ReloadPolicyRequest {
        policy_yaml: Some(yaml),
        ..Default::default()
    };
    let status = server.raw().await.reload_policy(request).await.unwrap_err();
    check(&status, Code::InvalidArgument, "INVALID_POLICY");
    let mut paths = fields(&status);
    paths.sort();
    assert_eq!(paths, ["colour", "default"]);
    assert_eq!(server.engine.store().current().unwrap().policy.version, 7);
}

#[tokio::test]
async fn no_error_quotes_a_prompt() {
    let server = Server::start().await;
    let secret = "zebra-77";
    let mut bad_role = ask(secret);
    bad_role.messages[0].role = 42;
    let requirements = Some(v1::Requirements {
        min_quality: Some(1.0),
        ..Default::default()
    });
    let nothing = v1::RouteRequest {
        requirements,
        ..ask(secret)
    };
    for status in [server.refusal(bad_role).await, server.refusal(nothing).await] {
        let details = String::from_utf8_lossy(status.details());
        assert!(
            !status.message().contains(secret) && !details.contains(secret),
            "{status:?}"
        );
    }
}
