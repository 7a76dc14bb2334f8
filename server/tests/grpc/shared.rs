//! Replicas that tell each other where conversations are and what the language model said, through a store that works, stalls,
//! cuts, lies or is not there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use signalbox_api::v1;
use signalbox_api::v1::SessionStatus::{Kept, Started, Switched};
use signalbox_api::v1::{CacheMode, CacheStatus, DecisionSource};
use signalbox_client::Client;
use signalbox_server::shared::Shared;

use crate::scripted::{self, Scripted};
use crate::store::{Does, Store, shared, until};
use crate::support::{POLICY, Server, ask};

const CODE: &str = "write a python function that reverses a list";
const THANKS: &str = "thanks, that is all, bye";
const FIRST: &str = "turn on the porch lights";
const TRANSLATION: usize = 1;

/// Longer than a busy machine takes.
const WAIT: Duration = Duration::from_secs(5);

fn holding() -> String {
    format!("{POLICY}sessions: {{enabled: true}}\n")
}

async fn replica(shared: Shared) -> (Server, Client) {
    let server = Server::with_shared(&holding(), shared, None).await;
    let client = server.client();
    (server, client)
}

async fn asking(store: &Store, model: &Arc<Scripted>) -> Server {
    let policy = format!("{POLICY}llm: {{mode: always, timeout_ms: 5000}}\n");
    let llm = model.ready(8, 10_000).await;
    Server::with_shared(&policy, store.shared(WAIT).await, Some(llm)).await
}

fn turn(session: &str, text: &str) -> v1::RouteRequest {
    let mut request = ask(text);
    request.caller.get_or_insert_default().session_id = session.into();
    request
}

/// What became of the conversation, why, and the model.
async fn seen(client: &Client, request: v1::RouteRequest) -> (v1::SessionStatus, String, String) {
    let decision = client.route(request).await.unwrap();
    assert!(decision.degraded.is_empty(), "{:?}", decision.degraded);
    let session = decision.session.unwrap();
    (session.status(), session.reason, decision.model_id)
}

fn held(reason: &str) -> (v1::SessionStatus, String, String) {
    (Kept, reason.into(), "acme/large".into())
}

fn fresh(model: &str) -> (v1::SessionStatus, String, String) {
    (Started, String::new(), model.into())
}

async fn route(server: &Server, request: v1::RouteRequest) -> (CacheStatus, DecisionSource, String) {
    let decision = server.client().route(request).await.unwrap();
    assert!(decision.degraded.is_empty(), "{:?}", decision.degraded);
    (decision.cache_status(), decision.source(), decision.route)
}

#[tokio::test]
async fn a_conversation_is_held_alike_by_all_replicas_and_the_later_note_counts() {
    let store = Store::start().await;
    let (_a, a) = replica(store.shared(WAIT).await).await;
    let (_b, b) = replica(store.shared(WAIT).await).await;
    assert_eq!(seen(&a, turn("s", CODE)).await, fresh("acme/large"));
    until(|| store.writes() == 1).await;
    assert_eq!(seen(&b, turn("s", THANKS)).await, held("no_route"));
    until(|| store.writes() == 2).await;
    // The second one knows the route too: a reply that means nothing by itself.
    let reply = "and now the same without recursion, please";
    assert_eq!(seen(&b, turn("s", reply)).await, held("same_model"));
    until(|| store.writes() == 3).await;
    let mut tried = turn("s", CODE);
    tried.attempts.push(v1::Attempt {
        model_id: "acme/large".into(),
        outcome: v1::AttemptOutcome::RateLimited.into(),
        ..Default::default()
    });
    let moved = (Switched, "forced".to_owned(), "acme/small".to_owned());
    assert_eq!(seen(&b, tried).await, moved);
    until(|| store.writes() == 4).await;
    let there = (Kept, "same_model".to_owned(), "acme/small".to_owned());
    assert_eq!(seen(&a, turn("s", THANKS)).await, there);
    // Others are others.
    assert_eq!(seen(&b, turn("t", THANKS)).await, fresh("acme/small"));
    // What it forgot, the replica that noted it still knows.
    store.now(Does::Says("$-1\r\n"));
    assert_eq!(seen(&a, turn("s", THANKS)).await, there);
}

#[tokio::test]
async fn what_the_language_model_said_at_one_replica_is_not_asked_at_another() {
    let (store, model) = (
        Store::start().await,
        Scripted::new(Duration::ZERO, scripted::Does::Says(TRANSLATION, 0.95)),
    );
    let (a, b) = (asking(&store, &model).await, asking(&store, &model).await);
    let by_llm = |status| (status, DecisionSource::Llm, "translation".to_owned());
    let first = a.client().route(ask(FIRST)).await.unwrap();
    assert_eq!(first.cache_status(), CacheStatus::Miss);
    until(|| store.dump().len() == 1).await;
    let second = b.client().route(ask(FIRST)).await.unwrap();
    assert_eq!(
        (second.cache_status(), second.source(), &second.model_id),
        (CacheStatus::SemanticHit, DecisionSource::Llm, &first.model_id)
    );
    assert_eq!(
        (second.confidence, second.margin),
        (first.confidence, first.margin)
    );
    let earlier = v1::ExplainRequest {
        target: Some(v1::explain_request::Target::DecisionId(second.decision_id)),
        ..Default::default()
    };
    let told = b.client().explain(earlier).await.unwrap();
    let step = told.steps.iter().find(|step| step.asked == "llm").unwrap();
    assert!(step.answer.contains("as said to the same question "), "{step:?}");
    // It is this replica's own from now on.
    let looks = store.looks();
    assert_eq!(route(&b, ask(FIRST)).await, by_llm(CacheStatus::ExactHit));
    assert_eq!((store.looks(), model.asked()), (looks, 1));
    // Who keeps the cache out does so there too; a new answer takes the place of the old one.
    let mode = |cache: CacheMode| v1::RouteRequest {
        cache: cache.into(),
        ..ask(FIRST)
    };
    assert_eq!(
        route(&b, mode(CacheMode::Bypass)).await,
        by_llm(CacheStatus::Bypass)
    );
    assert_eq!(
        route(&b, mode(CacheMode::Refresh)).await,
        by_llm(CacheStatus::Miss)
    );
    assert_eq!((store.looks(), model.asked()), (looks, 3));
    // Another tenant's, another text and another caller's routes are other questions.
    let mut tenant = ask(FIRST);
    tenant.caller.get_or_insert_default().tenant = "other".into();
    let mut inline = ask(FIRST);
    inline.route_preferences.push(v1::RoutePreference {
        name: "lamps".into(),
        description: "light in the house".into(),
        model_ids: vec!["acme/small".into()],
    });
    inline.route_preferences.push(v1::RoutePreference {
        name: "rest".into(),
        description: "all the rest".into(),
        model_ids: vec!["acme/large".into()],
    });
    for (other, asked) in [(tenant, 4), (ask("turn off the porch lights"), 5), (inline, 6)] {
        assert_eq!(route(&b, other).await.0, CacheStatus::Miss);
        assert_eq!(model.asked(), asked);
    }
}

#[tokio::test]
async fn an_answer_from_another_replica_decides_while_the_model_is_broken_here() {
    let (store, model) = (
        Store::start().await,
        Scripted::new(Duration::ZERO, scripted::Does::Says(TRANSLATION, 0.95)),
    );
    let (a, b) = (asking(&store, &model).await, asking(&store, &model).await);
    route(&a, ask(FIRST)).await;
    until(|| store.dump().len() == 1).await;
    model.now(Duration::ZERO, scripted::Does::Panics);
    assert_eq!(route(&b, ask(FIRST)).await.0, CacheStatus::SemanticHit);
    // What was decided without the model is told to nobody.
    let lost = b.client().route(ask("something else")).await.unwrap();
    assert_eq!(lost.degraded[0].code, "llm_failed");
    b.engine.shared().unwrap().flush(WAIT).await;
    assert_eq!(store.dump().len(), 1);
}

#[tokio::test]
async fn a_store_that_stalls_is_waited_for_three_times_and_then_not_until_it_answers() {
    let store = Store::start().await;
    let (a, asked) = replica(store.shared(Duration::from_millis(100)).await).await;
    assert_eq!(seen(&asked, turn("s", CODE)).await, fresh("acme/large"));
    let shared = a.engine.shared().unwrap();
    shared.flush(WAIT).await;
    store.now(Does::Stalls);
    let looks = store.looks();
    for _ in 0..20 {
        // What it knows itself it holds all the same.
        assert_eq!(seen(&asked, turn("s", THANKS)).await, held("no_route"));
    }
    assert!(!shared.is_up());
    // The first makes it stall; what comes behind is not even read.
    assert!(store.looks() <= looks + 3, "{} {looks}", store.looks());
    store.now(Does::Works);
    until(|| shared.is_up()).await;
    shared.flush(WAIT).await;
    let (_b, other) = replica(store.shared(WAIT).await).await;
    assert_eq!(seen(&other, turn("s", THANKS)).await, held("no_route"));
}

#[tokio::test]
async fn many_that_wait_in_vain_at_once_are_one_accident() {
    let store = Store::start().await;
    let (a, asked) = replica(store.shared(Duration::from_millis(200)).await).await;
    store.now(Does::Stalls);
    let sessions: Vec<String> = (0..30).map(|number| format!("s{number}")).collect();
    let turns = sessions.iter().map(|session| seen(&asked, turn(session, CODE)));
    for found in futures_util::future::join_all(turns).await {
        assert_eq!(found, fresh("acme/large"));
    }
    store.now(Does::Works);
    assert!(a.engine.shared().unwrap().is_up());
}

#[tokio::test]
async fn a_store_that_cuts_connections_is_connected_to_again() {
    let store = Store::start().await;
    let (a, asked) = replica(store.shared(WAIT).await).await;
    let shared = a.engine.shared().unwrap();
    for session in ["s", "t", "u"] {
        store.now(Does::Cuts);
        assert_eq!(seen(&asked, turn(session, CODE)).await, fresh("acme/large"));
        until(|| !shared.is_up()).await;
        store.now(Does::Works);
        until(|| shared.is_up()).await;
        // What could not be written then is written now.
        shared.flush(WAIT).await;
        let (_b, other) = replica(store.shared(WAIT).await).await;
        assert_eq!(seen(&other, turn(session, THANKS)).await, held("no_route"));
    }
}

#[tokio::test]
async fn a_store_that_lies_is_believed_nothing() {
    let store = Store::start().await;
    let (_a, asked) = replica(store.shared(WAIT).await).await;
    let (b, other) = replica(store.shared(WAIT).await).await;
    for session in ["s", "t"] {
        seen(&asked, turn(session, CODE)).await;
    }
    until(|| store.dump().len() == 2).await;
    let lies = [
        Does::Swaps,
        Does::Says("$0\r\n\r\n"),
        Does::Says("$5\r\nhello\r\n"),
        Does::Says(
            "$90\r\n0123456789012345678901234567890123456789012345678901234567890123456789acme/large0123456789\r\n",
        ),
        Does::Says("-ERR nothing for you\r\n"),
        Does::Says("-READONLY You can't write against a read only replica.\r\n"),
        Does::Says(":7\r\n"),
        Does::Says("*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        Does::Says("nonsense\r\n"),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        until(|| b.engine.shared().unwrap().is_up()).await;
        store.now(lie);
        let mut request = turn("s", THANKS);
        // Each is a conversation that this replica does not know yet.
        request.caller.as_mut().unwrap().session_id = if number == 0 {
            "s".into()
        } else {
            format!("s{number}")
        };
        assert_eq!(seen(&other, request).await, fresh("acme/small"), "{lie:?}");
        store.now(Does::Works);
    }
    until(|| b.engine.shared().unwrap().is_up()).await;
    assert_eq!(seen(&other, turn("t", THANKS)).await, held("no_route"));
}

#[tokio::test]
async fn a_note_that_is_past_its_time_is_none_whatever_the_store_says() {
    let store = Store::start().await;
    let policy = holding().replace("enabled: true", "enabled: true, ttl_s: 1");
    let a = Server::with_shared(&policy, store.shared(WAIT).await, None).await;
    let b = Server::with_shared(&policy, store.shared(WAIT).await, None).await;
    seen(&a.client(), turn("s", CODE)).await;
    until(|| store.dump().len() == 1).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(seen(&b.client(), turn("s", THANKS)).await, fresh("acme/small"));
}

#[tokio::test]
async fn a_store_that_is_full_leaves_replicas_with_what_they_know() {
    let store = Store::start().await;
    let (a, asked) = replica(store.shared(WAIT).await).await;
    store.now(Does::IsFull);
    assert_eq!(seen(&asked, turn("s", CODE)).await, fresh("acme/large"));
    let shared = a.engine.shared().unwrap();
    shared.flush(WAIT).await;
    assert_eq!(seen(&asked, turn("s", THANKS)).await, held("no_route"));
    assert!(store.dump().is_empty() && shared.is_up());
}

#[tokio::test]
async fn a_caller_that_has_no_time_is_answered_in_time_and_the_store_is_not_blamed() {
    let store = Store::start().await;
    let (a, _) = replica(store.shared(Duration::from_secs(600)).await).await;
    store.now(Does::Stalls);
    let mut request = tonic::Request::new(turn("s", CODE));
    request.set_timeout(Duration::from_millis(900));
    let start = Instant::now();
    let decision = a.raw().await.route(request).await.unwrap().into_inner();
    assert_eq!(decision.model_id, "acme/large");
    assert!(
        start.elapsed() < Duration::from_millis(900),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn nothing_in_the_store_is_text_a_name_that_a_caller_chose_or_a_route() {
    let (store, model) = (
        Store::start().await,
        Scripted::new(Duration::ZERO, scripted::Does::Says(0, 0.95)),
    );
    let policy = format!(
        "{POLICY}llm: {{mode: always, timeout_ms: 5000}}\nsessions: {{enabled: true, derive: true}}\n"
    );
    let llm = model.ready(8, 10_000).await;
    let server = Server::with_shared(&policy, store.shared(WAIT).await, Some(llm)).await;
    let mut request = turn("session-zebra", "prompt zebra");
    request.caller.as_mut().unwrap().tenant = "tenant-zebra".into();
    route(&server, request.clone()).await;
    for name in ["route zebra", "second zebra"] {
        request.route_preferences.push(v1::RoutePreference {
            name: name.into(),
            description: format!("about {name}"),
            model_ids: vec!["acme/small".into()],
        });
    }
    request.caller.as_mut().unwrap().session_id = "another zebra".into();
    assert_eq!(route(&server, request.clone()).await.2, "route zebra");
    request.caller.as_mut().unwrap().session_id = String::new();
    route(&server, request).await;
    // Three conversations and two questions.
    until(|| store.dump().len() == 5).await;
    for (key, value) in store.dump() {
        let key = String::from_utf8(key).unwrap();
        let hash = key
            .strip_prefix("signalbox:1:session:")
            .or(key.strip_prefix("signalbox:1:llm:"))
            .unwrap();
        assert!(
            hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{key}"
        );
        let value = String::from_utf8_lossy(&value);
        for word in ["zebra", "code", "route", "translation"] {
            assert!(!value.contains(word), "{word} in {value}");
        }
    }
}

#[tokio::test]
async fn what_waits_is_bounded_and_written_once_somebody_is_there() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let (a, asked) = replica(shared(address, WAIT, 2)).await;
    for session in ["s", "t", "s", "u", "v"] {
        assert_eq!(seen(&asked, turn(session, CODE)).await.2, "acme/large");
    }
    let store = Store::at(address).await;
    let shared = a.engine.shared().unwrap();
    until(|| shared.is_up()).await;
    shared.flush(WAIT).await;
    let (_b, other) = replica(store.shared(WAIT).await).await;
    assert_eq!(seen(&other, turn("s", THANKS)).await, held("no_route"));
    assert_eq!(seen(&other, turn("v", THANKS)).await, fresh("acme/small"));
}
