//! The console: what is served and said to browsers, that checking a policy changes nothing, and that no right is weaker
//! because of it.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, HOST, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use signalbox_server::grpc::access::{Admin, Tokens};
use signalbox_server::serve::Settings;

use crate::support::{POLICY, Server, version};

const TOKEN: &str = "open-sesame-0123456789";
const JSON: (&str, &str) = ("content-type", "application/json");
const BEARER: (&str, &str) = ("authorization", "Bearer open-sesame-0123456789");
const ELSEWHERE: (&str, &str) = ("host", "evil.example");

fn with_console() -> Settings {
    Settings {
        http: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        console: true,
        ..Settings::default()
    }
}

fn with_token() -> Settings {
    let tokens = Tokens::load(None, Some(TOKEN)).unwrap();
    Settings {
        admin: Admin {
            tokens: Some(Arc::new(tokens)),
            ..Admin::default()
        },
        ..with_console()
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Whether it is the error with this reason.
    fn is(&self, status: StatusCode, reason: &str) -> bool {
        self.status == status
            && self.json()["details"]
                .to_string()
                .contains(&format!("\"{reason}\""))
    }
}

async fn ask(server: &Server, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let url = format!("http://{}{path}", server.http.unwrap());
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let mut request = client
        .build()
        .unwrap()
        .request(method, url)
        .body(body.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    Answer {
        status: answer.status(),
        headers: answer.headers().clone(),
        text: answer.text().await.unwrap(),
    }
}

async fn get(server: &Server, path: &str) -> Answer {
    ask(server, Method::GET, path, &[], &Value::Null).await
}

async fn post(server: &Server, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    ask(server, Method::POST, path, headers, body).await
}

fn check(policy: &str) -> Value {
    json!({"dryRun": true, "policyYaml": policy, "runTests": true})
}

/// An administrative question to Explain.
fn try_out(policy: &str) -> Value {
    let says = json!([{"role": "ROLE_USER", "content": "write a parser in rust"}]);
    json!({"request": {"messages": says}, "policyYaml": policy})
}

fn version_in_force(server: &Server) -> u64 {
    server.engine.store().current().unwrap().info.version
}

#[tokio::test]
async fn without_the_setting_there_is_no_console() {
    let settings = Settings {
        console: false,
        ..with_console()
    };
    let server = Server::with(settings, Some(POLICY)).await;
    for path in ["/console", "/console/", "/console/app.js"] {
        assert_eq!(get(&server, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let answer = post(&server, "/console/check", &[JSON], &check(POLICY)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

/// What stands between `before` and the next quote.
fn named<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let rest = text.split(before).skip(1);
    rest.map(|rest| rest.split(['"', '\'']).next().unwrap()).collect()
}

#[tokio::test]
async fn the_page_and_all_that_it_names_come_with_their_types_and_strict_headers() {
    let server = Server::with(with_console(), Some(POLICY)).await;
    let page = get(&server, "/console").await;
    assert!(page.text.contains("<title>Signalbox console</title>"));
    let mut open = vec!["console".to_owned(), "console/example.yaml".to_owned()];
    for before in ["href=\"", "src=\""] {
        open.extend(named(&page.text, before).into_iter().map(str::to_owned));
    }
    let mut seen: Vec<String> = Vec::new();
    while let Some(path) = open.pop() {
        if path.starts_with("data:") || seen.contains(&path) {
            continue;
        }
        let answer = get(&server, &format!("/{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let kind = match path.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some(_) => "text/plain; charset=utf-8",
            None => "text/html; charset=utf-8",
        };
        let header = |name: &str| answer.headers[name].to_str().unwrap();
        assert_eq!(header("content-type"), kind, "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-cache");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        let policy = header("content-security-policy");
        for wanted in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|part| part == wanted), "{policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        let imports = named(&answer.text, "from './");
        open.extend(imports.iter().map(|name| format!("console/{name}")));
        seen.push(path);
    }
    assert!(seen.contains(&"console/lit-html.js".to_owned()), "{seen:?}");
    assert!(seen.contains(&"console/tables.js".to_owned()), "{seen:?}");
    let answer = get(&server, "/console/").await;
    assert_eq!(answer.headers["location"], "../console");
}

#[tokio::test]
async fn a_check_tells_every_problem_with_its_place_and_changes_nothing() {
    let server = Server::with(with_console(), Some(POLICY)).await;
    let bad = version(8).replace("    models: [acme/large, acme/small]", "    models: [acme/lagre]");
    let answer = post(&server, "/console/check", &[JSON], &check(&bad)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let told = answer.json();
    let line = 1 + bad.lines().position(|line| line.contains("lagre")).unwrap();
    let found = told["diagnostics"].as_array().unwrap();
    let found = found.iter().find(|one| one["line"] == line).unwrap();
    assert_eq!(found["severity"], "SEVERITY_ERROR");
    assert_eq!(
        (&found["path"], &found["column"]),
        (&json!("routes[0].models[0]"), &json!(14))
    );
    assert_eq!(told.get("current"), None);

    let answer = post(&server, "/console/check", &[JSON], &check(&version(9))).await;
    let told = answer.json();
    assert_eq!(
        (&told["current"]["version"], told.get("applied")),
        (&json!("9"), None)
    );
    assert_eq!(version_in_force(&server), 7);
    for loads in [
        json!({"policyYaml": version(9)}),
        json!({"dryRun": false}),
        json!({}),
    ] {
        let answer = post(&server, "/console/check", &[JSON], &loads).await;
        assert!(
            answer.is(StatusCode::BAD_REQUEST, "INVALID_REQUEST"),
            "{}",
            answer.text
        );
        assert!(answer.text.contains("dry_run"), "{}", answer.text);
    }
    assert_eq!(version_in_force(&server), 7);
}

#[tokio::test]
async fn a_policy_to_try_decides_for_its_own_call_and_shows_rungs_and_threshold() {
    let server = Server::with(with_console(), Some(POLICY)).await;
    let other = version(8).replace("    models: [acme/large, acme/small]", "    models: [acme/small]");
    let plain = json!({"request": try_out("")["request"]});
    let before = post(&server, "/v1/explain", &[JSON], &plain).await.json();
    let after = post(&server, "/v1/explain", &[JSON], &try_out(&other))
        .await
        .json();
    assert_eq!(before["decision"]["modelId"], "acme/large");
    assert_eq!(after["decision"]["modelId"], "acme/small");
    let rung = &before["rungs"].as_array().unwrap()[..];
    assert_eq!(rung.len(), 1, "{before}");
    assert_eq!(
        (&rung[0]["name"], &rung[0]["decided"]),
        (&json!("route"), &json!(true))
    );
    assert_eq!(rung[0]["source"], before["decision"]["source"]);
    assert!(rung[0]["detail"].as_str().unwrap().contains("code_generation"));
    let candidates = before["candidates"].as_array().unwrap();
    assert_eq!(rung[0]["candidateCount"], candidates.len());
    let threshold = before["threshold"].as_f64().unwrap();
    let told = format!("(a route decides from {threshold:.2})");
    assert!(
        before["text"].as_str().unwrap().contains(&told),
        "{told}: {before}"
    );
    assert_eq!(version_in_force(&server), 7);
}

#[tokio::test]
async fn what_is_administrative_needs_its_token_from_the_console_too() {
    let server = Server::with(with_token(), Some(POLICY)).await;
    for (path, body) in [
        ("/console/check", check(&version(8))),
        ("/v1/explain", try_out(&version(8))),
    ] {
        let answer = post(&server, path, &[JSON], &body).await;
        assert!(
            answer.is(StatusCode::UNAUTHORIZED, "CREDENTIALS_MISSING"),
            "{}",
            answer.text
        );
        let wrong = ("authorization", "Bearer open-sesame-9999999999");
        let answer = post(&server, path, &[JSON, wrong], &body).await;
        assert!(
            answer.is(StatusCode::FORBIDDEN, "CREDENTIALS_WRONG"),
            "{}",
            answer.text
        );
        let answer = post(&server, path, &[JSON, BEARER], &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    // The page itself holds nothing that is anybody's business.
    assert_eq!(get(&server, "/console").await.status, StatusCode::OK);

    let settings = Settings {
        allow_push: false,
        ..with_console()
    };
    let server = Server::with(settings, Some(POLICY)).await;
    let answer = post(&server, "/console/check", &[JSON], &check(&version(8))).await;
    assert!(
        answer.is(StatusCode::FORBIDDEN, "PUSH_FORBIDDEN"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn what_pages_of_other_sites_can_send_unasked_is_refused_and_they_get_no_leave() {
    let server = Server::with(with_console(), Some(POLICY)).await;
    let origin = ("origin", "http://evil.example");
    for (path, body) in [
        ("/console/check", check(&version(8))),
        ("/v1/explain", try_out(&version(8))),
    ] {
        for kind in [
            "text/plain",
            "text/plain; application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
        ] {
            let headers = [(CONTENT_TYPE.as_str(), kind), origin];
            let answer = post(&server, path, &headers, &body).await;
            assert!(
                answer.is(StatusCode::BAD_REQUEST, "INVALID_REQUEST"),
                "{kind}: {}",
                answer.text
            );
            assert!(answer.text.contains("content-type"), "{kind}: {}", answer.text);
        }
        let asks = [
            origin,
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ];
        let answer = ask(&server, Method::OPTIONS, path, &asks, &Value::Null).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        let leave = |name: &str| name.starts_with("access-control");
        assert!(
            !answer.headers.keys().any(|name| leave(name.as_str())),
            "{:?}",
            answer.headers
        );
    }
}

#[tokio::test]
async fn a_name_that_points_here_opens_neither_the_console_nor_what_is_administrative() {
    let server = Server::with(with_console(), Some(POLICY)).await;
    for path in ["/console", "/console/app.js"] {
        let answer = ask(&server, Method::GET, path, &[ELSEWHERE], &Value::Null).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
    let answer = post(&server, "/console/check", &[JSON, ELSEWHERE], &check(POLICY)).await;
    assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
    let answer = post(&server, "/v1/explain", &[JSON, ELSEWHERE], &try_out(POLICY)).await;
    assert!(
        answer.is(StatusCode::UNAUTHORIZED, "CREDENTIALS_MISSING"),
        "{}",
        answer.text
    );
    assert!(answer.text.contains("localhost"), "{}", answer.text);
    let plain = json!({"request": try_out("")["request"]});
    let answer = post(&server, "/v1/explain", &[JSON, ELSEWHERE], &plain).await;
    assert_eq!(answer.status, StatusCode::OK, "deciding is as open as it was");
    let port = server.http.unwrap().port();
    for own in [
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        "[::1]".to_owned(),
    ] {
        let own = (HOST.as_str(), own.as_str());
        let answer = post(&server, "/console/check", &[JSON, own], &check(POLICY)).await;
        assert_eq!(answer.status, StatusCode::OK, "{own:?}");
    }
    // Whoever shows a token is no page of somebody else's.
    let server = Server::with(with_token(), Some(POLICY)).await;
    let answer = post(
        &server,
        "/v1/explain",
        &[JSON, ELSEWHERE, BEARER],
        &try_out(POLICY),
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}
