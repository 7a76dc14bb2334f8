//! Limits of connections and calls, from real clients.

use std::time::{Duration, Instant};

use signalbox_api::v1::router_service_client::RouterServiceClient;
use signalbox_server::serve::Settings;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic::{Code, Request};

use crate::support::{self, POLICY, Server, ask, name};

#[tokio::test]
async fn connections_past_the_cap_are_closed_and_a_freed_place_is_taken() {
    let settings = Settings {
        max_connections: 2,
        ..Settings::default()
    };
    let server = Server::with(settings, Some(POLICY)).await;
    let first = RouterServiceClient::new(support::channel(server.address).await);
    let second = RouterServiceClient::new(support::channel(server.address).await);
    for client in [&first, &second] {
        client.clone().route(name("best")).await.unwrap();
    }
    let mut third = TcpStream::connect(server.address).await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(5), third.read(&mut [0; 64])).await;
    assert!(matches!(end.unwrap(), Ok(0) | Err(_)), "closed at once");
    first.clone().route(name("best")).await.unwrap();
    drop(second);
    let start = Instant::now();
    while server.client().route(name("best")).await.is_err() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "the place is not free again"
        );
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let settings = Settings {
        handshake: Duration::from_millis(200),
        ..Settings::default()
    };
    let server = Server::with(settings, Some(POLICY)).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(5), silent.read(&mut [0; 64])).await;
    assert_eq!(end.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn old_connections_are_asked_to_end_one_by_one_and_no_call_fails() {
    let settings = Settings {
        connection_age: Some(Duration::from_millis(500)),
        ..Settings::default()
    };
    let server = Server::with(settings, Some(POLICY)).await;
    // Below tonic, to see when each connection ends.
    let ends = (0..8).map(|_| async {
        let socket = TcpStream::connect(server.address).await.unwrap();
        let (sender, connection) = h2::client::handshake(socket).await.unwrap();
        let start = Instant::now();
        connection.await.unwrap();
        drop(sender);
        start.elapsed()
    });
    let ends = futures_util::future::join_all(ends);
    let client = server.client();
    let calls = async {
        for _ in 0..150 {
            client.route(ask("hello")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (mut ends, ()) = tokio::join!(ends, calls);
    ends.sort();
    assert!(ends[0] >= Duration::from_millis(440), "{ends:?}");
    assert!(ends[7] < Duration::from_millis(900), "{ends:?}");
    assert!(
        ends[7] - ends[0] > Duration::from_millis(10),
        "all at once: {ends:?}"
    );
}

#[tokio::test]
async fn headers_above_the_limit_are_refused_and_others_are_not() {
    let server = Server::start().await;
    let call = async |bytes: usize| {
        let mut request = Request::new(ask("hello"));
        request
            .metadata_mut()
            .insert("x-note", "x".repeat(bytes).parse().unwrap());
        server.raw().await.route(request).await
    };
    call(8 << 10).await.unwrap();
    let status = call(32 << 10).await.unwrap_err();
    // Refused before it is a call: HTTP's `Request Header Fields Too Large`.
    assert_eq!(status.code(), Code::Unknown);
    assert!(status.message().contains("431"), "{status:?}");
    call(8 << 10).await.unwrap();
}

#[tokio::test]
async fn more_calls_than_streams_wait_for_their_turn() {
    let settings = Settings {
        max_concurrent_streams: 2,
        ..Settings::default()
    };
    let server = Server::with(settings, Some(POLICY)).await;
    let mut raw = server.raw().await;
    // With the first answer the client knows the limit.
    raw.route(ask("hello")).await.unwrap();
    let calls = (0..50).map(|_| {
        let mut raw = raw.clone();
        async move { raw.route(ask("hello")).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }
}
