//! What load balancers see, from the start to the end.

use std::time::Duration;

use signalbox_client::Health;
use signalbox_server::serve::Settings;
use signalbox_server::store::ReloadOptions;
use tonic::Code;

use crate::support::{POLICY, Server, name};

const DECIDING: [&str; 2] = ["", "signalbox.v1.RouterService"];

#[tokio::test]
async fn it_serves_once_a_policy_is_loaded_and_lives_from_the_start() {
    let mut server = Server::with(Settings::default(), None).await;
    let client = server.client();
    assert_eq!(client.health("liveness").await.unwrap(), Health::Serving);
    for service in DECIDING {
        assert_eq!(
            client.health(service).await.unwrap(),
            Health::NotServing,
            "{service:?}"
        );
    }
    let options = ReloadOptions::default();
    server
        .engine
        .store()
        .reload(POLICY.as_bytes(), "test", &options)
        .unwrap();
    let loaded = server.ready.wait_for(|ready| *ready);
    tokio::time::timeout(Duration::from_secs(10), loaded)
        .await
        .unwrap()
        .unwrap();
    for service in DECIDING {
        assert_eq!(
            client.health(service).await.unwrap(),
            Health::Serving,
            "{service:?}"
        );
    }
    assert_eq!(
        server.engine.ring().all().len(),
        0,
        "the warm-up is no decision of a caller"
    );
    assert!(server.engine.cache().is_empty());
}

#[tokio::test]
async fn without_a_language_model_its_service_is_known_and_not_serving() {
    let server = Server::start().await;
    assert_eq!(
        server.client().health("signalbox.llm").await.unwrap(),
        Health::NotServing
    );
    let unknown = server.client().health("nonsense").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

#[tokio::test]
async fn while_it_drains_it_says_not_serving_and_serves_on() {
    let settings = Settings {
        drain: Duration::from_millis(400),
        ..Settings::default()
    };
    let mut server = Server::with(settings, Some(POLICY)).await;
    let client = server.client();
    client.route(name("best")).await.unwrap();
    server.stop();
    server.ready.wait_for(|ready| !*ready).await.unwrap();
    // The health service is told right after.
    tokio::time::sleep(Duration::from_millis(50)).await;
    for service in DECIDING {
        assert_eq!(
            client.health(service).await.unwrap(),
            Health::NotServing,
            "{service:?}"
        );
    }
    assert_eq!(client.health("liveness").await.unwrap(), Health::Serving);
    client.route(name("best")).await.unwrap();
    // A caller that connects now is served as well.
    server.client().route(name("best")).await.unwrap();
    server.ended().await.unwrap();
    assert_eq!(
        server.client().route(name("best")).await.unwrap_err().code(),
        Code::Unavailable
    );
}

#[tokio::test]
async fn without_a_drain_it_stops_at_once() {
    let mut server = Server::start().await;
    server.client().route(name("best")).await.unwrap();
    server.stop();
    tokio::time::timeout(Duration::from_secs(2), server.ended())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_watch_that_never_ends_holds_the_stop_no_longer_than_its_deadline() {
    let settings = Settings {
        stop_deadline: Duration::from_millis(300),
        ..Settings::default()
    };
    let mut server = Server::with(settings, Some(POLICY)).await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(server.channel().await);
    let request = tonic_health::pb::HealthCheckRequest {
        service: String::new(),
    };
    let mut watch = health.watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1);
    let start = std::time::Instant::now();
    server.stop();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status,
        2,
        "watchers are told"
    );
    server.ended().await.unwrap();
    let took = start.elapsed();
    assert!((250..2000).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test]
async fn calls_under_way_are_answered_while_it_stops() {
    let mut server = Server::start().await;
    let client = server.client();
    client.route(name("best")).await.unwrap();
    // Slow enough to be under way when the stop begins: it compiles a policy off the async threads.
    let yaml = Some(POLICY.to_owned());
    let slow = tokio::spawn(async move {
        let request = signalbox_api::v1::ReloadPolicyRequest {
            policy_yaml: yaml,
            ..Default::default()
        };
        client.reload_policy(request).await
    });
    while server.engine.store().current().unwrap().info.source != "rpc" && !slow.is_finished() {
        tokio::task::yield_now().await;
    }
    server.stop();
    assert!(slow.await.unwrap().unwrap().applied);
    server.ended().await.unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let server = Server::start().await;
    let settings = Settings {
        listen: server.address,
        ..Settings::default()
    };
    let source = crate::support::source(&server.file);
    let bound = signalbox_server::serve::bind(settings, server.engine.clone(), source).await;
    let message = bound.unwrap_err().to_string();
    assert!(
        message.starts_with("listen: ") && message.contains(&server.address.to_string()),
        "{message}"
    );
}
