//! A collector that is gone, slow or not the right one, an environment that names none, and a caller that hangs up: it is told, and
//! nobody waits for it.

use std::time::{Duration, Instant};

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::post;
use http::header::CONTENT_TYPE;
use signalbox_api::v1::router_service_client::RouterServiceClient;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::{SURE, UNSURE, calls, failed, outcomes, route, says, sending_to, stopped, traced};
use crate::collector::{Collector, Does};
use crate::support::{files, request, signalbox};

#[test]
fn a_collector_with_tls_is_known_by_its_certificate() {
    let (certificate, key) = crate::secured::certificate();
    let (_folder, path) = files(&[("ca.pem", &certificate)]);
    let collector = Collector::with(Does::Take, Some((&certificate, &key)));
    let endpoint = format!("https://{}", collector.address);
    let ca = path("ca.pem");
    let (server, _policy) = traced(&endpoint, "grpc", &[("OTEL_EXPORTER_OTLP_CERTIFICATE", &ca)]);
    route(&server, request(SURE), &[]).unwrap();
    stopped(server);
    assert_eq!(collector.spans().len(), 3);

    let (server, _policy) = traced(&endpoint, "grpc", &[]);
    route(&server, request(SURE), &[]).unwrap();
    let log = stopped(server).1;
    assert!(log.contains("traces: spans are lost"), "{log}");
    assert_eq!(collector.spans().len(), 3, "nobody vouches for it");
}

#[test]
fn a_collector_that_is_gone_is_told_once_and_costs_no_call() {
    for protocol in ["grpc", "http/protobuf"] {
        let (server, _policy) = traced("http://127.0.0.1:1", protocol, &[]);
        route(&server, request(SURE), &[]).unwrap();
        server.until("signalbox_trace_spans_total{result=\"failed\"} 3\n");
        route(&server, request(SURE), &[]).unwrap();
        server.until("signalbox_trace_spans_total{result=\"failed\"} 5\n");
        let log = stopped(server).1;
        assert_eq!(log.matches("traces: spans are lost").count(), 1, "{log}");
    }
}

#[test]
fn a_collector_that_comes_back_gets_spans_again() {
    for protocol in ["grpc", "http/protobuf"] {
        let collector = Collector::start(Does::Refuse);
        let (server, _policy) = sending_to(&collector, protocol, &[]);
        route(&server, request(SURE), &[]).unwrap();
        server.until("signalbox_trace_spans_total{result=\"failed\"} 3\n");
        collector.does(Does::Take);
        route(&server, request(SURE), &[]).unwrap();
        collector.until(2);
        server.until("signalbox_trace_spans_total{result=\"exported\"} 2\n");
        let log = stopped(server).1;
        assert!(log.contains("traces: the collector takes spans again"), "{log}");
    }
}

#[test]
fn a_collector_that_hangs_delays_neither_calls_nor_the_end() {
    for protocol in ["grpc", "http/protobuf"] {
        let collector = Collector::start(Does::Hang);
        let (server, _policy) = sending_to(&collector, protocol, &[("OTEL_BSP_MAX_QUEUE_SIZE", "4")]);
        let start = Instant::now();
        for _ in 0..20 {
            route(&server, request(SURE), &[]).unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        let metrics = server.metrics();
        let dropped = metrics.lines().find_map(|line| {
            let count = line.strip_prefix("signalbox_trace_spans_total{result=\"dropped\"} ")?;
            count.parse::<u32>().ok()
        });
        assert!(dropped.unwrap() >= 20, "{metrics}");
        let (took, log) = stopped(server);
        assert!(took < Duration::from_secs(4), "{took:?}");
        assert_eq!(log.matches("some are dropped").count(), 1, "{log}");
        assert!(
            log.contains("stopped before the collector had taken all spans"),
            "{log}"
        );
    }
}

#[test]
fn what_the_environment_cannot_mean_is_refused_at_the_start() {
    let start = |variables: &[(&str, &str)]| {
        let mut command = signalbox(&["--listen", "127.0.0.1:0", "--metrics", "off"]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{err}");
        err
    };
    let told = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
    ]);
    for part in [
        "traces that cannot be sent:\n",
        "\n  OTEL_EXPORTER_OTLP_PROTOCOL is `http/json`",
        "\n  OTEL_EXPORTER_OTLP_HEADERS entry 1",
        "\n  OTEL_TRACES_SAMPLER_ARG says nothing",
    ] {
        assert!(told.contains(part), "{part:?} in {told}");
    }
    assert!(!told.contains("hunter2"), "{told}");
    let (_folder, path) = files(&[("ca.pem", "no certificate")]);
    let told = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &path("ca.pem")),
    ]);
    assert!(
        told.contains("OTEL_EXPORTER_OTLP_CERTIFICATE names a file that holds no certificate"),
        "{told}"
    );
}

/// A language model that says something to whoever asks whether it is there, and nothing else.
async fn model(listener: TcpListener) {
    async fn answer(body: String) -> impl IntoResponse {
        if !body.contains("reverses a list") {
            std::future::pending::<()>().await;
        }
        let said = serde_json::json!({"choices": [{"message": {"content": "{\"route\": \"other\"}"}}]});
        ([(CONTENT_TYPE, "application/json")], said.to_string())
    }
    let pages = Router::new().route("/v1/chat/completions", post(answer));
    axum::serve(listener, pages).await.unwrap();
}

#[test]
fn a_caller_that_hangs_up_leaves_what_was_under_way() {
    let collector = Collector::start(Does::Take);
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    runtime.spawn(model(listener));
    let named = [
        ("SIGNALBOX__LLM__REMOTE__URL", url.as_str()),
        ("SIGNALBOX__LLM__REMOTE__MODEL", "silent"),
    ];
    let (server, _policy) = sending_to(&collector, "grpc", &named);
    server.until("signalbox_llm_ready 1\n");
    let address = format!("http://{}", server.word("grpc"));
    runtime.block_on(async {
        let mut client = RouterServiceClient::connect(address).await.unwrap();
        let call = client.route(request(UNSURE));
        let patience = Duration::from_millis(300);
        tokio::time::timeout(patience, call).await.unwrap_err();
    });
    let calls = calls(collector.until(4));
    let (call, probes) = &calls[0];
    assert_eq!(says(call, "rpc.response.status_code"), "CANCELLED");
    assert!(!failed(call), "the caller's choice");
    let last = &outcomes(probes)[2];
    assert_eq!((last.0.as_str(), last.1.as_str()), ("llm", "abandoned"));
    let took = Duration::from_nanos(probes[2].end - probes[2].start);
    assert!(took > Duration::from_millis(200), "{took:?}");
    stopped(server);
}
