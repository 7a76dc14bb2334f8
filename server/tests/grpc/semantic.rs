//! The semantic tier: what a language model said stands for requests that ask for the same in other words.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use signalbox_api::v1;
use signalbox_api::v1::{CacheMode, CacheStatus, DecisionSource};

use crate::scripted::{Does, Scripted};
use crate::support::{POLICY, Server, ask};

const FIRST: &str = "turn on the porch lights";
const POLITE: &str = "Hi, could you please turn on the porch light?";
const OPPOSITE: &str = "turn off the porch lights";

const CODE: usize = 0;
const TRANSLATION: usize = 1;

async fn server(semantic: &str, model: &std::sync::Arc<Scripted>) -> Server {
    let policy = format!(
        "{POLICY}llm: {{mode: always, timeout_ms: 5000}}\ncache: {{semantic: {{enabled: true, {semantic}}}}}\n"
    );
    Server::with_llm(&policy, model.ready(8, 10_000).await).await
}

async fn route(server: &Server, request: v1::RouteRequest) -> (CacheStatus, DecisionSource, String) {
    let decision = server.raw().await.route(request).await.unwrap().into_inner();
    (decision.cache_status(), decision.source(), decision.route)
}

fn in_mode(prompt: &str, mode: CacheMode) -> v1::RouteRequest {
    v1::RouteRequest {
        cache: mode.into(),
        ..ask(prompt)
    }
}

#[tokio::test]
async fn the_same_question_in_other_words_is_not_asked_again() {
    let model = Scripted::new(Duration::ZERO, Does::Says(TRANSLATION, 0.95));
    let server = server("audit: 0", &model).await;
    let by_llm = |status| (status, DecisionSource::Llm, "translation".to_owned());
    assert_eq!(route(&server, ask(FIRST)).await, by_llm(CacheStatus::Miss));
    assert_eq!(
        route(&server, ask(POLITE)).await,
        by_llm(CacheStatus::SemanticHit)
    );
    assert_eq!(model.asked(), 1);
    assert_eq!(route(&server, ask(OPPOSITE)).await, by_llm(CacheStatus::Miss));
    // The exact tier before it, and the modes of the cache.
    assert_eq!(route(&server, ask(FIRST)).await, by_llm(CacheStatus::ExactHit));
    let bypass = in_mode(POLITE, CacheMode::Bypass);
    assert_eq!(route(&server, bypass).await, by_llm(CacheStatus::Bypass));
    let refresh = in_mode(POLITE, CacheMode::Refresh);
    assert_eq!(route(&server, refresh).await, by_llm(CacheStatus::Miss));
    assert_eq!(model.asked(), 4);
    // Another tenant's is asked for.
    let mut other = ask(POLITE);
    other.caller = Some(v1::Caller {
        tenant: "other".into(),
        ..Default::default()
    });
    assert_eq!(route(&server, other).await, by_llm(CacheStatus::Miss));
    assert_eq!(model.asked(), 5);
}

#[tokio::test]
async fn a_kept_answer_decides_while_the_model_is_broken() {
    let model = Scripted::new(Duration::ZERO, Does::Says(TRANSLATION, 0.95));
    let server = server("audit: 0", &model).await;
    route(&server, ask(FIRST)).await;
    model.now(Duration::ZERO, Does::Panics);
    let decision = server.raw().await.route(ask(POLITE)).await.unwrap().into_inner();
    assert_eq!(decision.cache_status(), CacheStatus::SemanticHit);
    assert!(decision.degraded.is_empty());
}

#[tokio::test]
async fn answers_too_close_are_asked_for_again() {
    let model = Scripted::new(Duration::ZERO, Does::Says(TRANSLATION, 0.6));
    let server = server("audit: 0, margin: 0.3", &model).await;
    route(&server, ask(FIRST)).await;
    assert_eq!(route(&server, ask(POLITE)).await.0, CacheStatus::Miss);
    assert_eq!(model.asked(), 2);
}

#[tokio::test]
async fn audits_close_it_where_the_model_says_something_else() {
    let model = Scripted::new(Duration::ZERO, Does::Says(TRANSLATION, 0.95));
    let server = server("audit: 1, budget: 0.01", &model).await;
    route(&server, ask(FIRST)).await;
    model.now(Duration::ZERO, Does::Says(CODE, 0.95));
    let end = Instant::now() + Duration::from_secs(60);
    while server.engine.near().audit.is_open() {
        assert!(Instant::now() < end, "{}", server.engine.near().audit.audited());
        // Equal decisions would come from the exact tier.
        let mut request = ask(POLITE);
        request.request_id = String::new();
        request.expected_output_tokens = Some(1 + server.engine.near().audit.audited().audits as u32);
        route(&server, request).await;
    }
    let audited = server.engine.near().audit.audited();
    assert_eq!((audited.open, audited.wrong), (false, audited.audits));
    assert!(audited.audits >= 200);
    let told = server
        .raw()
        .await
        .explain(v1::ExplainRequest {
            target: Some(v1::explain_request::Target::Request(ask(POLITE))),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    let step = told
        .steps
        .iter()
        .find(|step| step.asked == "semantic_cache")
        .unwrap();
    assert!(
        step.answer.contains("closed: too often wrong") && step.answer.contains("audited answers were wrong"),
        "{step:?}"
    );
    assert_eq!(told.varying_evidence, ["llm", "semantic_cache"]);
    // From now on everything is asked for.
    let asked = model.asked();
    let mut request = ask(POLITE);
    request.expected_output_tokens = Some(77_777);
    assert_eq!(route(&server, request).await.0, CacheStatus::Miss);
    assert_eq!(model.asked(), asked + 1);
}

/// The model says something else to one in eight spellings of the same request.
fn differs(text: &str) -> bool {
    let sum = text
        .bytes()
        .fold(7_u32, |sum, byte| sum.wrapping_mul(31) ^ u32::from(byte));
    sum.wrapping_mul(0x9E37_79B9) >> 29 == 0
}

fn says(text: &str) -> (usize, f32) {
    let route = if text != FIRST && differs(text) {
        CODE
    } else {
        TRANSLATION
    };
    (route, 0.95)
}

/// One of many ways to write it, the plain one first.
fn spelt(number: usize) -> String {
    let letters = FIRST.char_indices();
    let upper = |(at, c): (usize, char)| {
        if at < 16 && number >> at & 1 == 1 {
            c.to_ascii_uppercase()
        } else {
            c
        }
    };
    letters.map(upper).collect()
}

#[tokio::test]
async fn what_the_audits_estimate_agrees_with_the_truth() {
    let model = Scripted::new(Duration::ZERO, Does::Reads(says));
    let policy = format!(
        "{POLICY}llm: {{mode: always, timeout_ms: 5000}}\ncache: {{semantic: {{enabled: true, audit: 0.25, budget: 1}}}}\n"
    );
    let server = Server::with_llm(&policy, model.ready(10_000, 10_000).await).await;
    route(&server, ask(FIRST)).await;
    let (mut hits, mut wrong) = (0, 0);
    let spellings: BTreeSet<String> = (1..1 << 16).map(spelt).filter(|text| text != FIRST).collect();
    for text in spellings.into_iter().take(1_200) {
        assert_eq!(
            route(&server, ask(&text)).await.0,
            CacheStatus::SemanticHit,
            "{text}"
        );
        (hits, wrong) = (hits + 1, wrong + usize::from(differs(&text)));
    }
    assert!(hits >= 1_000, "{hits}");
    let end = Instant::now() + Duration::from_secs(60);
    let audited = loop {
        let audited = server.engine.near().audit.audited();
        if audited.audits >= hits / 4 - 3 {
            break audited;
        }
        assert!(Instant::now() < end, "{audited}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let truth = wrong as f64 / hits as f64;
    let (low, high) = audited.interval();
    assert!(
        truth > 0.05 && low <= truth && truth <= high,
        "{truth}: {audited}"
    );
    assert!(high - low < 0.1, "{audited}");
}

#[tokio::test]
async fn a_policy_that_does_not_want_it_keeps_nothing() {
    let model = Scripted::new(Duration::ZERO, Does::Says(TRANSLATION, 0.95));
    let policy = format!("{POLICY}llm: {{mode: always, timeout_ms: 5000}}\n");
    let server = Server::with_llm(&policy, model.ready(8, 10_000).await).await;
    route(&server, ask(FIRST)).await;
    assert_eq!(route(&server, ask(POLITE)).await.0, CacheStatus::Miss);
    assert!(server.engine.near().is_empty());
}
