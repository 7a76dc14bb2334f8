//! Conversations that stay with their model, over the network.

use signalbox_api::v1;
use signalbox_api::v1::SessionStatus::{Kept, Started, Switched};
use signalbox_api::v1::explain_request::Target;
use signalbox_client::Client;
use signalbox_server::serve::Settings;

use crate::support::{POLICY, Server, ask};

const CODE: &str = "write a python function that reverses a list";
const REPLY: &str = "and now the same without recursion, please";

async fn start(more: &str) -> (Server, Client) {
    let policy = format!("{POLICY}sessions: {{enabled: true{more}}}\n");
    let server = Server::with(Settings::default(), Some(&policy)).await;
    let client = server.client();
    (server, client)
}

fn turn(session: &str, text: &str) -> v1::RouteRequest {
    let mut request = ask(text);
    request.caller.get_or_insert_default().session_id = session.into();
    request
}

fn message(role: v1::Role, content: &str) -> v1::Message {
    v1::Message {
        role: role.into(),
        content: content.into(),
        ..Default::default()
    }
}

fn seen(decision: &v1::RouteResponse) -> (v1::SessionStatus, &str, &str) {
    let session = decision.session.as_ref().unwrap();
    (session.status(), &session.reason, &session.previous_model_id)
}

#[tokio::test]
async fn a_conversation_begins_stays_works_with_tools_and_moves_when_it_must() {
    let (_server, client) = start("").await;
    let first = client.route(turn("s", CODE)).await.unwrap();
    assert_eq!(first.model_id, "acme/large");
    assert_eq!(seen(&first), (Started, "", ""));

    let again = client.route(turn("s", CODE)).await.unwrap();
    assert_eq!(seen(&again), (Kept, "same_model", "acme/large"));
    assert_eq!(again.source(), v1::DecisionSource::Embedding);

    let thanks = client.route(turn("s", "thanks, that is all, bye")).await.unwrap();
    assert_eq!(seen(&thanks), (Kept, "no_route", "acme/large"));
    assert_eq!(
        (thanks.model_id.as_str(), thanks.source()),
        ("acme/large", v1::DecisionSource::Session)
    );
    assert_eq!(thanks.confidence, None);

    let mut loop_turn = turn("s", CODE);
    loop_turn.messages.push(message(v1::Role::Assistant, ""));
    loop_turn.messages[1].has_tool_calls = true;
    loop_turn.messages.push(message(v1::Role::Tool, "42"));
    let held = client.route(loop_turn.clone()).await.unwrap();
    assert_eq!(seen(&held), (Kept, "tool_loop", "acme/large"));
    assert_eq!(held.route, "code_generation");

    loop_turn.attempts.push(v1::Attempt {
        model_id: "acme/large".into(),
        outcome: v1::AttemptOutcome::RateLimited.into(),
        ..Default::default()
    });
    let moved = client.route(loop_turn).await.unwrap();
    assert_eq!(moved.model_id, "acme/small");
    assert_eq!(seen(&moved), (Switched, "forced", "acme/large"));
}

#[tokio::test]
async fn a_reply_without_the_turns_before_it_stays_on_its_route() {
    let (_server, client) = start("").await;
    assert_eq!(client.route(ask(REPLY)).await.unwrap().session, None);
    client.route(turn("s", CODE)).await.unwrap();
    let reply = client.route(turn("s", REPLY)).await.unwrap();
    assert_eq!(
        (reply.route.as_str(), reply.model_id.as_str()),
        ("code_generation", "acme/large")
    );
}

#[tokio::test]
async fn sessions_tenants_and_callers_without_one_are_kept_apart() {
    let (_server, client) = start("").await;
    client.route(turn("s", CODE)).await.unwrap();
    let other = client.route(turn("t", "thanks, that is all, bye")).await.unwrap();
    assert_eq!(seen(&other).0, Started);
    let mut tenant = turn("s", "thanks, that is all, bye");
    tenant.caller.as_mut().unwrap().tenant = "acme".into();
    assert_eq!(seen(&client.route(tenant).await.unwrap()).0, Started);
    assert_eq!(client.route(ask(CODE)).await.unwrap().session, None);
}

#[tokio::test]
async fn without_a_session_id_the_opening_tells_conversations_apart_where_the_policy_says_so() {
    let (_server, client) = start(", derive: true").await;
    assert_eq!(seen(&client.route(ask(CODE)).await.unwrap()).0, Started);
    let mut reply = ask(CODE);
    reply.messages.push(message(v1::Role::Assistant, "def f(): …"));
    reply
        .messages
        .push(message(v1::Role::User, "thanks, that is all, bye"));
    assert_eq!(seen(&client.route(reply).await.unwrap()).1, "no_route");
    let mut other = ask(CODE);
    other.messages.insert(0, message(v1::Role::System, "be brief"));
    assert_eq!(seen(&client.route(other).await.unwrap()).0, Started);
}

#[tokio::test]
async fn a_model_named_for_one_request_moves_nothing_and_explain_writes_nothing() {
    let (_server, client) = start("").await;
    let explain = |request| {
        let request = v1::ExplainRequest {
            target: Some(Target::Request(request)),
            ..Default::default()
        };
        client.explain(request)
    };
    let explained = explain(turn("s", CODE)).await.unwrap();
    assert_eq!(seen(explained.decision.as_ref().unwrap()).0, Started);
    client.route(turn("s", CODE)).await.unwrap();
    let mut named = turn("s", CODE);
    named.model = "acme/small".into();
    let named = client.route(named).await.unwrap();
    assert_eq!((named.model_id.as_str(), named.session), ("acme/small", None));
    let explained = explain(turn("s", "thanks, that is all, bye")).await.unwrap();
    let decision = explained.decision.unwrap();
    assert_eq!(seen(&decision), (Kept, "no_route", "acme/large"));
    assert_eq!(explained.steps[0].asked, "session");
    assert_eq!(
        explained.steps[0].answer,
        "on `acme/large` for route `code_generation`"
    );
    assert_eq!(explained.varying_evidence, ["sessions"]);
}

#[tokio::test]
async fn a_recorded_decision_is_explained_with_the_conversation_as_it_was() {
    let (_server, client) = start("").await;
    client.route(turn("s", CODE)).await.unwrap();
    let thanks = client.route(turn("s", "thanks, that is all, bye")).await.unwrap();
    let request = v1::ExplainRequest {
        target: Some(Target::DecisionId(thanks.decision_id.clone())),
        ..Default::default()
    };
    let decision = client.explain(request).await.unwrap().decision.unwrap();
    assert_eq!(seen(&decision), seen(&thanks));
    assert_eq!(decision.reason, thanks.reason);
}

#[tokio::test]
async fn only_new_conversations_use_the_cache_of_decisions() {
    let (_server, client) = start("").await;
    let statuses = ["a", "b", "b"].map(|session| client.route(turn(session, CODE)));
    let mut cache = Vec::new();
    for answer in statuses {
        cache.push(answer.await.unwrap().cache_status());
    }
    use v1::CacheStatus::{Bypass, ExactHit, Miss};
    assert_eq!(cache, [Miss, ExactHit, Bypass]);
}
