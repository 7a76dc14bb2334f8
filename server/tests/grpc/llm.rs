//! A language model as second opinion: when it is asked, what its answer decides, and that nothing it does hurts a call.

use std::time::{Duration, Instant};

use signalbox_api::v1;
use signalbox_client::Health;
use signalbox_server::llm::{Failure, Llm};
use tonic::Request;

use crate::scripted::{Does, Scripted};
use crate::support::{POLICY, Server, ask};

/// What the classifier is sure of, and what it makes nothing of.
const CODE: &str = "write a python function that reverses a list of numbers";
const NOTHING: &str = "hello there, nice weather today";

const CODE_ROUTE: usize = 0;
const TRANSLATION: usize = 1;

fn asking(llm: &str) -> String {
    format!("{POLICY}llm: {{{llm}}}\n")
}

fn says(route: usize) -> Does {
    Does::Says(route, 0.95)
}

async fn route(server: &Server, prompt: &str) -> v1::RouteResponse {
    server.raw().await.route(ask(prompt)).await.unwrap().into_inner()
}

/// The route and who decided.
fn by(decision: &v1::RouteResponse) -> (&str, v1::DecisionSource) {
    (&decision.route, decision.source())
}

fn codes(decision: &v1::RouteResponse) -> Vec<&str> {
    decision.degraded.iter().map(|lost| lost.code.as_str()).collect()
}

/// Decides until `holds`, within ten seconds.
async fn eventually(server: &Server, holds: impl Fn(&v1::RouteResponse) -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    for number in 0.. {
        // A prompt of its own each time: no decision comes from the cache.
        let decision = route(server, &format!("{NOTHING} {number}")).await;
        if holds(&decision) {
            return;
        }
        assert!(Instant::now() < end, "{decision:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_mode_asks_when_it_says_and_its_answer_decides() {
    let both = [
        ("mode: never", ["code_generation", ""], 0),
        (
            "mode: fallback_only, timeout_ms: 5000",
            ["code_generation", "translation"],
            1,
        ),
        (
            "mode: when_unsure, ask_below: 0.5, timeout_ms: 5000",
            ["code_generation", "translation"],
            1,
        ),
        (
            "mode: when_unsure, ask_below: 1.0, timeout_ms: 5000",
            ["translation", "translation"],
            2,
        ),
        (
            "mode: always, timeout_ms: 5000",
            ["translation", "translation"],
            2,
        ),
    ];
    for (llm, routes, asked) in both {
        let model = Scripted::new(Duration::ZERO, says(TRANSLATION));
        let server = Server::with_llm(&asking(llm), model.ready(8, 10_000).await).await;
        for (prompt, wanted) in [CODE, NOTHING].into_iter().zip(routes) {
            let decision = route(&server, prompt).await;
            let source = match wanted {
                "translation" => v1::DecisionSource::Llm,
                "" => v1::DecisionSource::Default,
                _ => v1::DecisionSource::Embedding,
            };
            assert_eq!(by(&decision), (wanted, source), "{llm}: {prompt}: {decision:?}");
            assert!(decision.degraded.is_empty(), "{decision:?}");
            if source == v1::DecisionSource::Llm {
                assert_eq!(decision.confidence, Some(0.95));
            }
        }
        assert_eq!(model.asked(), asked, "{llm}");
    }
}

#[tokio::test]
async fn other_leaves_the_decision_to_the_default() {
    let model = Scripted::new(Duration::ZERO, Does::Says(CODE_ROUTE, 0.1));
    let policy = asking("mode: always, timeout_ms: 5000");
    let server = Server::with_llm(&policy, model.ready(8, 10_000).await).await;
    let decision = route(&server, CODE).await;
    assert_eq!(by(&decision), ("", v1::DecisionSource::Default));
    assert_eq!(decision.confidence, Some(0.9));
}

#[tokio::test]
async fn whatever_goes_wrong_the_embedding_decides_and_the_decision_says_why() {
    let policy = asking("mode: always, timeout_ms: 300");
    let quick = Duration::ZERO;
    let failed = || Does::Fails(Failure::Failed("it broke".into()));
    let cases = [
        (quick, failed(), "llm_failed"),
        (quick, Does::Panics, "llm_failed"),
        (quick, Does::Fails(Failure::Overloaded), "llm_overloaded"),
        (Duration::from_secs(30), says(TRANSLATION), "llm_deadline"),
    ];
    for (takes, does, code) in cases {
        let model = Scripted::new(quick, says(TRANSLATION));
        let server = Server::with_llm(&policy, model.ready(8, 60_000).await).await;
        model.now(takes, does);
        for _ in 0..2 {
            let decision = route(&server, CODE).await;
            assert_eq!(by(&decision), ("code_generation", v1::DecisionSource::Embedding));
            assert_eq!(codes(&decision), [code]);
            let cache = decision.cache_status();
            assert_eq!(cache, v1::CacheStatus::Miss, "a degraded decision is not kept");
        }
    }
}

#[tokio::test]
async fn a_full_queue_refuses_other_questions_and_joins_the_same() {
    let model = Scripted::new(Duration::ZERO, says(TRANSLATION));
    let policy = asking("mode: always, timeout_ms: 20000");
    let server = Server::with_llm(&policy, model.ready(1, 60_000).await).await;
    model.now(Duration::from_millis(700), says(TRANSLATION));
    let client = server.raw().await;
    let same = (0..10).map(|_| {
        let mut client = client.clone();
        async move { client.route(ask(CODE)).await.unwrap().into_inner() }
    });
    let other = async {
        while model.asked() == 0 {
            tokio::task::yield_now().await;
        }
        route(&server, NOTHING).await
    };
    let (same, other) = tokio::join!(futures_util::future::join_all(same), other);
    for decision in &same {
        assert_eq!(by(decision), ("translation", v1::DecisionSource::Llm));
    }
    assert_eq!(codes(&other), ["llm_overloaded"]);
    assert_eq!(model.asked(), 1, "the same question is asked once");
    // Its place is free again.
    assert_eq!(route(&server, NOTHING).await.source(), v1::DecisionSource::Llm);
}

#[tokio::test]
async fn a_call_with_50_ms_is_answered_in_time_by_the_embedding_when_the_model_needs_seconds() {
    // A machine that is busy with other tests may stall a call for longer than all of its time, but not every time.
    for last in [false, false, true] {
        match twenty_calls_with_50_ms().await {
            Ok(()) => return,
            Err(late) => assert!(!last, "{late:?}"),
        }
    }
}

/// The first call that was late.
async fn twenty_calls_with_50_ms() -> Result<(), tonic::Status> {
    let model = Scripted::new(Duration::ZERO, says(TRANSLATION));
    let policy = asking("mode: always, timeout_ms: 5000");
    let server = Server::with_llm(&policy, model.ready(64, 60_000).await).await;
    model.now(Duration::from_secs(3), says(TRANSLATION));
    let mut client = server.raw().await;
    for number in 0..20 {
        let mut request = Request::new(ask(&format!("{CODE} {number}")));
        request.set_timeout(Duration::from_millis(50));
        let decision = client.route(request).await?.into_inner();
        assert_eq!(by(&decision), ("code_generation", v1::DecisionSource::Embedding));
        assert_eq!(codes(&decision), ["llm_deadline"], "{number}");
    }
    let asked = model.asked();
    assert!(asked <= 3, "after a few it is not asked in vain: {asked}");
    // Who has the time still gets its answer.
    let decision = route(&server, CODE).await;
    assert_eq!(by(&decision), ("translation", v1::DecisionSource::Llm));
    Ok(())
}

#[tokio::test]
async fn a_model_that_was_slow_is_asked_again_once_the_servers_own_question_is_answered() {
    let model = Scripted::new(Duration::ZERO, says(TRANSLATION));
    let policy = asking("mode: always, timeout_ms: 100");
    let server = Server::with_llm(&policy, model.ready(64, 50).await).await;
    model.now(Duration::from_millis(400), says(TRANSLATION));
    eventually(&server, |decision| codes(decision) == ["llm_deadline"]).await;
    model.now(Duration::ZERO, says(TRANSLATION));
    eventually(&server, |decision| decision.source() == v1::DecisionSource::Llm).await;
    // Nothing came to nothing since, so nothing is asked for its own sake.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let probed = model.probed();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(model.probed(), probed);
}

#[tokio::test]
async fn an_answer_is_kept_in_the_cache_and_explained_later() {
    let model = Scripted::new(Duration::ZERO, says(TRANSLATION));
    let policy = asking("mode: when_unsure, ask_below: 1.0, timeout_ms: 5000");
    let server = Server::with_llm(&policy, model.ready(8, 10_000).await).await;
    let first = route(&server, CODE).await;
    let second = route(&server, CODE).await;
    assert_eq!(second.cache_status(), v1::CacheStatus::ExactHit);
    assert_eq!(by(&first), by(&second));
    assert_eq!(model.asked(), 1);
    for id in [first.decision_id, second.decision_id] {
        let request = v1::ExplainRequest {
            target: Some(v1::explain_request::Target::DecisionId(id)),
            ..Default::default()
        };
        let told = server.raw().await.explain(request).await.unwrap().into_inner();
        assert_eq!(
            by(told.decision.as_ref().unwrap()),
            ("translation", v1::DecisionSource::Llm)
        );
        let steps: Vec<_> = told.steps.iter().map(|step| step.asked.as_str()).collect();
        assert_eq!(steps, ["embedding", "llm"]);
    }
    assert_eq!(
        model.asked(),
        1,
        "an earlier decision is explained from what was recorded"
    );
}

#[tokio::test]
async fn an_explanation_has_its_numbers_and_the_prompt_only_where_that_was_asked_for() {
    let model = Scripted::new(Duration::ZERO, says(TRANSLATION));
    let policy = asking("mode: when_unsure, ask_below: 1.0, timeout_ms: 5000");
    let server = Server::with_llm(&policy, model.ready(8, 10_000).await).await;
    let request = |include_prompt| v1::ExplainRequest {
        target: Some(v1::explain_request::Target::Request(ask(CODE))),
        include_prompt,
        ..Default::default()
    };
    let told = server
        .raw()
        .await
        .explain(request(false))
        .await
        .unwrap()
        .into_inner();
    let step = told.steps.iter().find(|step| step.asked == "llm").unwrap();
    assert!(
        step.answer.contains("best route 0.950")
            && step
                .answer
                .contains("400 prompt tokens, 350 of them cached, queued 1.0 ms"),
        "{step:?}"
    );
    let llm: Vec<_> = told
        .routes
        .iter()
        .filter(|route| route.source() == v1::DecisionSource::Llm)
        .map(|route| (route.name.as_str(), route.probability))
        .collect();
    assert_eq!(
        llm,
        [
            ("code_generation", Some(0.0)),
            ("translation", Some(0.95)),
            ("other", Some(0.05))
        ]
    );
    assert_eq!(told.candidates[0].rung(), v1::DecisionSource::Llm);
    assert_eq!(told.varying_evidence, ["llm"]);
    assert!(!format!("{told:?}").contains("reverses"));
    let told = server
        .raw()
        .await
        .explain(request(true))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(told.prompt, format!("user: {CODE}"));
}

#[tokio::test]
async fn its_health_is_serving_once_a_question_was_answered() {
    let model = Scripted::new(Duration::from_millis(200), says(TRANSLATION));
    let policy = asking("mode: always, timeout_ms: 5000");
    let server = Server::with_llm(&policy, model.within(8, 50)).await;
    let client = server.client();
    assert_eq!(client.health("signalbox.llm").await.unwrap(), Health::NotServing);
    assert_eq!(client.health("").await.unwrap(), Health::Serving);
    let decision = route(&server, CODE).await;
    assert_eq!(codes(&decision), ["llm_unavailable"]);
    eventually(&server, |decision| decision.source() == v1::DecisionSource::Llm).await;
    assert_eq!(client.health("signalbox.llm").await.unwrap(), Health::Serving);
    // It breaks, and is found broken by the next question of the server's own.
    model.now(Duration::ZERO, Does::Fails(Failure::Failed("it broke".into())));
    eventually(&server, |decision| codes(decision) == ["llm_unavailable"]).await;
    assert_eq!(client.health("signalbox.llm").await.unwrap(), Health::NotServing);
    model.now(Duration::ZERO, says(TRANSLATION));
    eventually(&server, |decision| decision.source() == v1::DecisionSource::Llm).await;
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_leaves_the_server_serving() {
    let model = Scripted::broken("the file is cut off");
    let llm: Llm = model.within(8, 10);
    assert_eq!(llm.usable().await, Err("the file is cut off".to_owned()));
    let server = Server::with_llm(&asking("mode: when_unsure, ask_below: 1.0"), llm).await;
    let decision = route(&server, CODE).await;
    assert_eq!(by(&decision), ("code_generation", v1::DecisionSource::Embedding));
    assert_eq!(codes(&decision), ["llm_unavailable"]);
    assert!(decision.degraded[0].detail.contains("the file is cut off"));
    assert_eq!(
        server.client().health("signalbox.llm").await.unwrap(),
        Health::NotServing
    );
    assert_eq!((model.asked(), model.probed()), (0, 0));
}

#[tokio::test]
async fn a_policy_that_wants_a_model_on_a_server_without_one_says_so() {
    let policy = asking("mode: when_unsure, ask_below: 1.0");
    let server = Server::with(Default::default(), Some(&policy)).await;
    let decision = route(&server, CODE).await;
    assert_eq!(by(&decision), ("code_generation", v1::DecisionSource::Embedding));
    assert_eq!(codes(&decision), ["llm_unavailable"]);
}

#[tokio::test]
async fn a_question_under_way_is_answered_while_the_server_stops() {
    let model = Scripted::new(Duration::ZERO, says(TRANSLATION));
    let policy = asking("mode: always, timeout_ms: 5000");
    let mut server = Server::with_llm(&policy, model.ready(8, 10_000).await).await;
    model.now(Duration::from_millis(300), says(TRANSLATION));
    let mut client = server.raw().await;
    let call = tokio::spawn(async move { client.route(ask(CODE)).await });
    while model.asked() == 0 {
        tokio::task::yield_now().await;
    }
    server.stop();
    let decision = call.await.unwrap().unwrap().into_inner();
    assert_eq!(decision.source(), v1::DecisionSource::Llm);
    server.ended().await.unwrap();
}

#[tokio::test]
async fn a_test_of_a_policy_states_what_the_model_says() {
    let tests = "tests:
  - {name: stated, prompt: hello there, llm: {translation: 0.9}, want: {route: translation, source: llm, probes: [exact_cache, embedding, llm]}}
  - {name: silent, prompt: hello there, want: {source: default, degraded: [llm_unavailable]}}
";
    let policy = format!("{}{tests}", asking("mode: fallback_only"));
    let server = Server::start().await;
    let request = v1::ReloadPolicyRequest {
        policy_yaml: Some(policy),
        run_tests: true,
        dry_run: true,
        ..Default::default()
    };
    let told = server
        .raw()
        .await
        .reload_policy(request)
        .await
        .unwrap()
        .into_inner();
    assert!(
        told.diagnostics
            .iter()
            .all(|found| found.severity() != v1::Severity::Error),
        "{told:?}"
    );
}
