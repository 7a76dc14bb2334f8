//! JSON over HTTP: the same decisions and the same errors.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use signalbox_server::engine::admission::Admission;
use signalbox_server::grpc::access::{Admin, Tokens};
use signalbox_server::serve::Settings;

use crate::support::{POLICY, Server, ask};

fn with_json() -> Settings {
    Settings {
        http: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        ..Settings::default()
    }
}

async fn post(
    server: &Server,
    path: &str,
    body: impl Into<String>,
    headers: &[(&str, &str)],
) -> (StatusCode, Value) {
    let url = format!("http://{}{path}", server.http.unwrap());
    let mut request = reqwest::Client::new().post(url).body(body.into());
    request = request.header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
    let status = answer.status();
    (
        status,
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap(),
    )
}

fn says(prompt: &str) -> Value {
    json!({"messages": [{"role": "ROLE_USER", "content": prompt}]})
}

fn detail<'a>(error: &'a Value, kind: &str) -> &'a Value {
    let name = format!("type.googleapis.com/google.rpc.{kind}");
    let details = error["details"].as_array().unwrap();
    details.iter().find(|detail| detail["@type"] == *name).unwrap()
}

#[tokio::test]
async fn the_decision_is_the_one_that_grpc_gives() {
    let server = Server::with(with_json(), Some(POLICY)).await;
    let prompt = "write a parser in rust";
    let called = server.raw().await.route(ask(prompt)).await.unwrap().into_inner();
    let (status, decision) = post(&server, "/v1/route", says(prompt).to_string(), &[]).await;
    assert_eq!(status, StatusCode::OK, "{decision}");
    assert_eq!(decision["modelId"], called.model_id);
    assert_eq!(decision["route"], called.route);
    assert_eq!(decision["source"], "DECISION_SOURCE_EMBEDDING");
    assert_eq!(decision["cacheStatus"], "CACHE_STATUS_EXACT_HIT");
    assert_eq!(decision["confidence"].as_f64(), called.confidence);

    let (status, explained) = post(
        &server,
        "/v1/explain",
        json!({"request": says(prompt)}).to_string(),
        &[],
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{explained}");
    assert_eq!(explained["decision"]["modelId"], called.model_id);
    assert!(explained["text"].as_str().unwrap().contains("code_generation"));
    // Names as the proto file has them are as good.
    let named = json!({"request_id": "r-7", "model": "acme/large"});
    let (_, decision) = post(&server, "/v1/route", named.to_string(), &[]).await;
    assert_eq!(decision["requestId"], "r-7");
}

#[tokio::test]
async fn errors_are_those_of_grpc_with_their_details() {
    let server = Server::with(with_json(), Some(POLICY)).await;
    let bad = json!({"messages": [{"role": "ROLE_USER", "content": "x"}], "policyChecksum": "abc",
        "requirements": {"minQuality": 2.0}});
    let (status, error) = post(&server, "/v1/route", bad.to_string(), &[]).await;
    assert_eq!(
        (status, error["code"].as_i64()),
        (StatusCode::BAD_REQUEST, Some(3))
    );
    let fields: Vec<&str> = detail(&error, "BadRequest")["fieldViolations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|violation| violation["field"].as_str().unwrap())
        .collect();
    assert!(
        fields.contains(&"policy_checksum") && fields.contains(&"requirements.min_quality"),
        "{error}"
    );
    let (status, error) = post(&server, "/v1/route", json!({"model": "nobody"}).to_string(), &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(detail(&error, "ErrorInfo")["reason"], "UNKNOWN_MODEL");
    for body in [
        "",
        "{",
        "[]",
        r#"{"modle": "x"}"#,
        r#"{"model": 1}"#,
        "{} {}",
        "\u{0}",
    ] {
        let (status, error) = post(&server, "/v1/route", body, &[]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(detail(&error, "ErrorInfo")["reason"], "INVALID_REQUEST", "{body}");
    }
    let (status, error) = post(
        &server,
        "/v1/route",
        says("hello").to_string(),
        &[("grpc-timeout", "1n")],
    )
    .await;
    assert_eq!(
        (status, error["code"].as_i64()),
        (StatusCode::GATEWAY_TIMEOUT, Some(4))
    );
    let url = format!("http://{}/v1/route", server.http.unwrap());
    let plain = reqwest::Client::new().post(&url).body("{}").send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::BAD_REQUEST);
    assert!(plain.text().await.unwrap().contains("application/json"));
    let read = reqwest::get(&url).await.unwrap();
    assert_eq!(read.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_body_above_the_limit_and_too_much_at_once_are_told_so() {
    let settings = Settings {
        max_message_bytes: 2000,
        ..with_json()
    };
    let server = Server::with(settings, Some(POLICY)).await;
    let (status, error) = post(&server, "/v1/route", says(&"x".repeat(3000)).to_string(), &[]).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(detail(&error, "ErrorInfo")["reason"], "MESSAGE_TOO_LARGE");

    let server = Server::with_admission(with_json(), Admission::new(1, 1)).await;
    let _held = server.engine.admission().enter("").unwrap();
    let url = format!("http://{}/v1/route", server.http.unwrap());
    let request = reqwest::Client::new()
        .post(url)
        .header(CONTENT_TYPE, "application/json");
    let answer = request.body(says("hello").to_string()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "1");
}

#[tokio::test]
async fn administrative_calls_need_their_token_here_too() {
    let settings = Settings {
        admin: Admin {
            tokens: Some(Arc::new(
                Tokens::load(None, Some("open-sesame-0123456789")).unwrap(),
            )),
            ..Admin::default()
        },
        ..with_json()
    };
    let server = Server::with(settings, Some(POLICY)).await;
    let call = json!({"request": says("hello"), "includePrompt": true}).to_string();
    let (status, _) = post(&server, "/v1/explain", call.as_str(), &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let wrong = [("authorization", "Bearer open-sesame-9999999999")];
    let (status, _) = post(&server, "/v1/explain", call.as_str(), &wrong).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let right = [("authorization", "Bearer open-sesame-0123456789")];
    let (status, told) = post(&server, "/v1/explain", call.as_str(), &right).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    assert!(told["prompt"].as_str().unwrap().contains("hello"));
}

#[tokio::test]
async fn it_ends_with_the_server() {
    let mut server = Server::with(with_json(), Some(POLICY)).await;
    let (status, _) = post(&server, "/v1/route", says("hello").to_string(), &[]).await;
    assert_eq!(status, StatusCode::OK);
    server.stop();
    server.ended().await.unwrap();
    let url = format!("http://{}/v1/route", server.http.unwrap());
    assert!(
        reqwest::Client::new()
            .post(url)
            .send()
            .await
            .unwrap_err()
            .is_connect()
    );
}
