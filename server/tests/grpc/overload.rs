//! Too much at once: what the cache has is answered, the rest is told when to come again.

use std::time::Duration;

use signalbox_api::v1;
use signalbox_api::v1::explain_request::Target;
use signalbox_server::engine::admission::Admission;
use signalbox_server::serve::Settings;
use tonic::Code;

use crate::errors::{check, retry_after};
use crate::support::{Server, ask, name};

fn of(tenant: &str, prompt: &str) -> v1::RouteRequest {
    let caller = v1::Caller {
        tenant: tenant.into(),
        ..Default::default()
    };
    v1::RouteRequest {
        caller: Some(caller),
        ..ask(prompt)
    }
}

#[tokio::test]
async fn above_the_bound_hits_and_named_models_are_answered_and_the_rest_is_told_when_to_come_again() {
    let server = Server::with_admission(Settings::default(), Admission::new(2, 2)).await;
    let (known, new) = ("write a parser in rust", "translate this sentence into french");
    let mut client = server.raw().await;
    let before = client.route(ask(known)).await.unwrap().into_inner();
    let held: Vec<_> = (0..2)
        .map(|_| server.engine.admission().enter("").unwrap())
        .collect();

    let hit = client.route(ask(known)).await.unwrap().into_inner();
    assert_eq!(
        (hit.cache_status(), &hit.model_id),
        (v1::CacheStatus::ExactHit, &before.model_id)
    );
    client.route(name("acme/large")).await.unwrap();
    let explain = v1::ExplainRequest {
        target: Some(Target::Request(ask(new))),
        ..Default::default()
    };
    for refused in [
        client.route(ask(new)).await.unwrap_err(),
        client.explain(explain).await.unwrap_err(),
    ] {
        check(&refused, Code::ResourceExhausted, "OVERLOADED");
        assert_eq!(retry_after(&refused), Some(Duration::from_secs(1)));
        assert!(refused.message().contains("limits.decisions"), "{refused:?}");
    }
    drop(held);
    client.route(ask(new)).await.unwrap();
}

#[tokio::test]
async fn a_tenant_that_has_its_half_leaves_room_for_others() {
    let server = Server::with_admission(Settings::default(), Admission::new(2, 2)).await;
    let mut client = server.raw().await;
    let _held = server.engine.admission().enter("acme").unwrap();
    let refused = client.route(of("acme", "write a parser")).await.unwrap_err();
    check(&refused, Code::ResourceExhausted, "OVERLOADED");
    assert!(refused.message().contains("the tenant"), "{refused:?}");
    client.route(of("clinic", "write a parser")).await.unwrap();
    client.route(ask("write a parser")).await.unwrap();
}
