//! The language model elsewhere: a real HTTP server on loopback that speaks OpenAI's protocol, and everything that can be
//! wrong with one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};
use signalbox_api::v1;
use signalbox_llm::prompt::Style;
use signalbox_server::llm::remote::{Endpoint, Remote};
use signalbox_server::llm::{Bounds, Llm};

use crate::support::{POLICY, Server, ask};

const CODE: &str = "write a python function that reverses a list of numbers";

/// What the endpoint does.
#[derive(Clone, Debug)]
enum Does {
    /// Writes the second route, or whatever of this name there is, with probabilities.
    Measures(&'static str),
    /// Writes this and nothing else.
    Writes(&'static str),
    Waits(Duration),
    Status(u16),
    /// Promises more than it sends.
    Cuts,
    /// Sends this.
    Garbage(&'static str),
    /// Sends without end.
    Floods,
}

#[derive(Debug)]
struct Elsewhere {
    does: Mutex<Does>,
    seen: Mutex<Vec<(HeaderMap, Value)>>,
}

fn answered(body: Value) -> Response {
    let response = Response::builder().header("content-type", "application/json");
    response.body(Body::from(body.to_string())).unwrap()
}

fn completion(text: &str, tokens: Value) -> Response {
    answered(json!({
        "id": "x",
        "object": "chat.completion",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text, "tool_calls": []},
            "logprobs": tokens,
            "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": 321, "completion_tokens": 8, "total_tokens": 329,
                  "prompt_tokens_details": {"cached_tokens": 256}},
    }))
}

fn piece(text: &str, p: f64) -> Value {
    json!({"token": text, "logprob": p.ln(), "bytes": text.as_bytes()})
}

fn token(text: &str, p: f64, others: &[(&str, f64)]) -> Value {
    let mut token = piece(text, p);
    let others = others.iter().map(|(text, p)| piece(text, *p));
    token["top_logprobs"] = [piece(text, p)].into_iter().chain(others).collect();
    token
}

impl Elsewhere {
    async fn answer(self: Arc<Self>, headers: HeaderMap, body: Bytes) -> Response {
        let body: Value = serde_json::from_slice(&body).unwrap();
        let is_probe = body["messages"][0]["content"]
            .as_str()
            .unwrap()
            .contains("reverses a list\\\"");
        let is_probe = is_probe
            || body["messages"][0]["content"]
                .as_str()
                .unwrap()
                .contains("reverses a list\"}");
        self.seen.lock().unwrap().push((headers, body));
        let does = self.does.lock().unwrap().clone();
        match does {
            // The server's own question is about routes of its own.
            Does::Measures(_) | Does::Writes(_) if is_probe => {
                completion("{\"route\": \"other\"}", Value::Null)
            }
            Does::Measures(name) => {
                let tokens = json!({"content": [
                    token("{\"", 1.0, &[]),
                    token("route", 1.0, &[]),
                    token("\": \"", 1.0, &[]),
                    token(name, 0.6, &[("code", 0.2), ("zebra", 0.2)]),
                    token("\"}", 1.0, &[]),
                ]});
                completion(&format!("{{\"route\": \"{name}\"}}"), tokens)
            }
            Does::Writes(text) => completion(text, Value::Null),
            Does::Waits(time) => {
                tokio::time::sleep(time).await;
                completion("{\"route\": \"translation\"}", Value::Null)
            }
            Does::Status(status) => Response::builder()
                .status(StatusCode::from_u16(status).unwrap())
                .body(Body::from("your prompt was: secret"))
                .unwrap(),
            Does::Cuts => Response::builder()
                .header("content-length", "1000")
                .body(Body::from_stream(futures_util::stream::iter([
                    Ok(Bytes::from_static(b"{\"choices\": [")),
                    Err(std::io::Error::other("cut")),
                ])))
                .unwrap(),
            Does::Garbage(text) => Response::new(Body::from(text)),
            Does::Floods => {
                let chunk = Bytes::from(vec![b' '; 64 << 10]);
                let stream =
                    futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
                Response::new(Body::from_stream(stream))
            }
        }
    }

    /// Starts to listen, and gives the address.
    async fn start(does: Does) -> (Arc<Self>, String) {
        let elsewhere = Arc::new(Elsewhere {
            does: Mutex::new(does),
            seen: Mutex::default(),
        });
        let state = elsewhere.clone();
        let handler = move |headers: HeaderMap, body: Bytes| state.clone().answer(headers, body);
        let router = Router::new().route("/v1/chat/completions", post(handler));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (elsewhere, url)
    }

    fn now(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }
}

fn remote(url: &str) -> Llm {
    let engine = Remote::new(Endpoint {
        url: url.parse().unwrap(),
        model: "arch-router".into(),
        key: Some("sesame".into()),
        style: Style::default(),
    });
    let bounds = Bounds {
        queue: 8,
        probe: Duration::from_secs(60),
    };
    Llm::start(Arc::new(engine.unwrap()), bounds)
}

async fn server(url: &str, llm: &str) -> Server {
    let model = remote(url);
    model.usable().await.unwrap();
    Server::with_llm(&format!("{POLICY}llm: {{{llm}}}\n"), model).await
}

async fn route(server: &Server, prompt: &str) -> v1::RouteResponse {
    server.raw().await.route(ask(prompt)).await.unwrap().into_inner()
}

#[tokio::test]
async fn log_probabilities_become_those_of_the_routes() {
    let (elsewhere, url) = Elsewhere::start(Does::Measures("translation")).await;
    let server = server(&url, "mode: always, timeout_ms: 5000").await;
    let decision = route(&server, CODE).await;
    assert_eq!(
        (decision.route.as_str(), decision.source()),
        ("translation", v1::DecisionSource::Llm)
    );
    // 0.6 of the 0.8 that lead to a name.
    assert_eq!((decision.confidence, decision.margin), (Some(0.75), Some(0.5)));
    let (headers, body) = elsewhere.seen.lock().unwrap().last().unwrap().clone();
    assert_eq!(headers["authorization"], "Bearer sesame");
    assert_eq!(
        (body["model"].as_str(), body["temperature"].as_i64()),
        (Some("arch-router"), Some(0))
    );
    assert_eq!(
        (&body["logprobs"], &body["top_logprobs"]),
        (&json!(true), &json!(20))
    );
    let prompt = body["messages"][0]["content"].as_str().unwrap();
    assert!(
        prompt.starts_with("\nYou are a helpful assistant designed to find the best suited route.\n"),
        "{prompt}"
    );
    assert!(
        prompt.contains(&format!("{{\"role\": \"user\", \"content\": \"{CODE}\"}}")),
        "{prompt}"
    );
    let request = v1::ExplainRequest {
        target: Some(v1::explain_request::Target::Request(ask(CODE))),
        ..Default::default()
    };
    let told = server.raw().await.explain(request).await.unwrap().into_inner();
    let step = told.steps.iter().find(|step| step.asked == "llm").unwrap();
    assert!(
        step.answer
            .contains("321 prompt tokens, 256 of them cached, computed"),
        "{step:?}"
    );
}

#[tokio::test]
async fn a_bare_name_decides_without_a_confidence_however_it_is_written() {
    for text in [
        "{'route': 'translation'}",
        "```json\n{\"route\": \"translation\"}\n```",
        "translation",
    ] {
        let (_elsewhere, url) = Elsewhere::start(Does::Writes(text)).await;
        let server = server(&url, "mode: always, timeout_ms: 5000").await;
        let decision = route(&server, CODE).await;
        assert_eq!(
            (decision.route.as_str(), decision.source()),
            ("translation", v1::DecisionSource::Llm)
        );
        assert_eq!((decision.confidence, decision.margin), (None, None));
    }
}

#[tokio::test]
async fn whatever_the_endpoint_does_the_embedding_decides_and_the_decision_says_why() {
    let (elsewhere, url) = Elsewhere::start(Does::Writes("other")).await;
    let server = server(&url, "mode: always, timeout_ms: 400").await;
    let faults = [
        (Does::Status(500), "llm_failed", "HTTP 500"),
        (Does::Status(302), "llm_failed", "HTTP 302"),
        (Does::Status(429), "llm_overloaded", ""),
        (Does::Cuts, "llm_failed", "broke off"),
        (Does::Garbage("{\"choices\": []}"), "llm_failed", "no text"),
        (
            Does::Garbage("<html>secret"),
            "llm_failed",
            "not a chat completion",
        ),
        (Does::Floods, "llm_failed", "is above"),
        (
            Does::Writes("{\"route\": \"secret\"}"),
            "llm_failed",
            "names no route",
        ),
        (
            Does::Waits(Duration::from_secs(20)),
            "llm_deadline",
            "no answer within 400 ms",
        ),
    ];
    for (number, (does, code, detail)) in faults.into_iter().enumerate() {
        elsewhere.now(does.clone());
        let decision = route(&server, &format!("{CODE} {number}")).await;
        assert_eq!(
            (decision.route.as_str(), decision.source()),
            ("code_generation", v1::DecisionSource::Embedding),
            "{does:?}"
        );
        let lost = &decision.degraded[0];
        assert_eq!(
            (lost.code.as_str(), decision.degraded.len()),
            (code, 1),
            "{does:?}: {lost:?}"
        );
        assert!(
            lost.detail.contains(detail) && !lost.detail.contains("secret"),
            "{does:?}: {lost:?}"
        );
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_not_usable_and_hurts_nobody() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", closed.local_addr().unwrap());
    drop(closed);
    let model = remote(&url);
    let why = model.usable().await.unwrap_err();
    assert!(
        why.contains("cannot be reached") && !why.contains("sesame"),
        "{why}"
    );
    let server = Server::with_llm(&format!("{POLICY}llm: {{mode: always}}\n"), model).await;
    let decision = route(&server, CODE).await;
    assert_eq!(decision.route, "code_generation");
    assert_eq!(decision.degraded[0].code, "llm_unavailable");
}
