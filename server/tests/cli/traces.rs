//! Traces as a collector gets them from the binary: whose they are, what they say, and what they never say.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use signalbox_api::v1;
use signalbox_api::v1::router_service_client::RouterServiceClient;
use tempfile::TempDir;
use tonic::transport::Endpoint;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::Server;
use crate::collector::messages::{Request as Export, Span};
use crate::collector::{Collector, Does, value};
use crate::support::{policy, request, runtime, signalbox};

mod away;

const POLICY: &str = r#"schema: 1
version: 7
default: small
models: [{id: small}, {id: large}]
evidence: {threshold: 0.4}
llm: {mode: when_unsure, ask_below: 0.8, timeout_ms: 5000}
rules: [{name: no-zebras, when: 'caller.labels["animal"] == "okapi"', deny: no okapis}]
routes:
  - name: summaries
    description: a short version of a text
    models: [small]
    examples: [summarize this article, give me the gist of this report, a short version of this text please, what are the main points of this paper]
  - name: code
    description: new source code and functions
    models: [large, small]
    examples: [write a python function that sorts a list, implement a binary search in rust, a bash script that renames files, generate a class for users in java]
other: {examples: ["thanks, that is all", what is the weather tomorrow, "hello, how are you", tell me a joke]}
"#;

const SURE: &str = "write a python function that sorts a list of names";
const UNSURE: &str = "my nightly job should skip the files that did not change";
const HELLO: &str = r#"{"messages":[{"role":"ROLE_USER","content":"hello"}]}"#;
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const ERROR: i32 = 2;

/// A server whose spans go to `endpoint`, with these variables too.
fn traced(endpoint: &str, protocol: &str, more: &[(&str, &str)]) -> (Server, TempDir) {
    let (folder, path) = policy(POLICY);
    let mut command = signalbox(&["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--policy"]);
    command
        .arg(path)
        .env("SIGNALBOX__HTTP__LISTEN", "127.0.0.1:0")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .env("NO_PROXY", "127.0.0.1")
        .envs(more.iter().copied());
    (Server::spawn(command), folder)
}

fn sending_to(collector: &Collector, protocol: &str, more: &[(&str, &str)]) -> (Server, TempDir) {
    traced(&format!("http://{}", collector.address), protocol, more)
}

/// Asks by gRPC with these headers.
fn route(
    server: &Server,
    asked: v1::RouteRequest,
    headers: &[(&'static str, &str)],
) -> Result<v1::RouteResponse, Status> {
    let mut call = tonic::Request::new(asked);
    for (name, value) in headers {
        call.metadata_mut().append(*name, value.parse().unwrap());
    }
    let address = format!("http://{}", server.word("grpc"));
    runtime().block_on(async {
        let mut client = RouterServiceClient::connect(address).await.unwrap();
        client.route(call).await.map(tonic::Response::into_inner)
    })
}

/// Asks by JSON with these headers.
fn post(server: &Server, page: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(server.word("http")).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST {page} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn sampled(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn says(span: &Span, key: &str) -> String {
    value(&span.attributes, key).unwrap_or_default()
}

fn failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == ERROR)
}

/// Calls with the probes of each, both in the order of time.
fn calls(spans: Vec<Span>) -> Vec<(Span, Vec<Span>)> {
    let (mut calls, mut probes): (Vec<Span>, Vec<Span>) =
        spans.into_iter().partition(|span| span.kind == SERVER);
    calls.sort_by_key(|call| call.start);
    probes.sort_by_key(|probe| probe.start);
    let with_its_probes = |call: Span| {
        let of_it = probes.iter().filter(|probe| probe.parent_span_id == call.span_id);
        let of_it: Vec<Span> = of_it.cloned().collect();
        (call, of_it)
    };
    calls.into_iter().map(with_its_probes).collect()
}

fn outcomes(probes: &[Span]) -> Vec<(String, String)> {
    let outcome = |probe: &Span| (probe.name.clone(), says(probe, "signalbox.probe.outcome"));
    probes.iter().map(outcome).collect()
}

fn stopped(server: Server) -> (Duration, String) {
    let start = Instant::now();
    server.signal("-TERM");
    let (code, _, err) = server.end();
    assert_eq!(code, Some(0), "{err}");
    (start.elapsed(), err)
}

/// Three calls of the caller's trace, one of them refused and one too late.
fn shows_calls_and_their_probes(protocol: &str) {
    let collector = Collector::start(Does::Take);
    let (server, _policy) = sending_to(
        &collector,
        protocol,
        &[
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-team=a%20b"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=here"),
        ],
    );
    let parent = sampled("01");
    let headers = [("traceparent", parent.as_str()), ("tracestate", "v=1")];
    let answer = route(&server, request(SURE), &headers).unwrap();
    route(&server, request(SURE), &headers).unwrap();
    let unsure = route(&server, request(UNSURE), &headers).unwrap();
    let refused = route(&server, v1::RouteRequest::default(), &headers).unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    // tonic's client would keep the deadline itself.
    let late = format!("traceparent: {parent}\r\ntracestate: v=1\r\ngrpc-timeout: 1n\r\n");
    assert!(post(&server, "/v1/route", &late, HELLO).starts_with("HTTP/1.1 504"));
    let log = stopped(server).1;
    assert!(
        log.contains(&format!("spans go to {} ({protocol})", collector.address)),
        "{log}"
    );

    let calls = calls(collector.spans());
    assert_eq!(calls.len(), 5);
    for (call, probes) in &calls {
        assert_eq!(call.name, "signalbox.v1.RouterService/Route");
        assert_eq!(
            (hex(&call.trace_id), hex(&call.parent_span_id)),
            (TRACE.into(), PARENT.into())
        );
        assert_eq!(call.trace_state, "v=1");
        for (key, wanted) in [
            ("rpc.system.name", "grpc"),
            ("rpc.method", "signalbox.v1.RouterService/Route"),
            ("rpc.system", "grpc"),
            ("rpc.service", "signalbox.v1.RouterService"),
        ] {
            assert_eq!(says(call, key), wanted);
        }
        for probe in probes {
            assert_eq!((probe.kind, hex(&probe.trace_id)), (INTERNAL, TRACE.into()));
            assert!(call.start <= probe.start && probe.start <= probe.end && probe.end <= call.end);
        }
    }

    let (call, probes) = &calls[0];
    for (key, wanted) in [
        ("rpc.response.status_code", "OK"),
        ("rpc.grpc.status_code", "0"),
        ("signalbox.decision_id", &answer.decision_id),
        ("signalbox.model_id", "large"),
        ("signalbox.route", "code"),
        ("signalbox.source", "embedding"),
        ("signalbox.cache", "miss"),
        ("signalbox.policy.version", "7"),
        ("signalbox.policy.checksum", &answer.policy.unwrap().checksum),
        ("signalbox.degraded", ""),
        ("error.type", ""),
    ] {
        assert_eq!(says(call, key), wanted, "{key}");
    }
    let pairs = |wanted: &[(&str, &str)]| -> Vec<(String, String)> {
        wanted
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    assert_eq!(
        outcomes(probes),
        pairs(&[("exact_cache", "nothing"), ("embedding", "answered")])
    );
    assert!(probes[0].end <= probes[1].start && !failed(call));

    let (call, probes) = &calls[1];
    assert_eq!(says(call, "signalbox.cache"), "exact_hit");
    assert_eq!(outcomes(probes), pairs(&[("exact_cache", "answered")]));

    let (call, probes) = &calls[2];
    assert_eq!(says(call, "signalbox.degraded"), "llm_unavailable");
    assert_eq!(unsure.degraded[0].code, "llm_unavailable");
    assert_eq!(
        outcomes(probes),
        pairs(&[
            ("exact_cache", "nothing"),
            ("embedding", "answered"),
            ("llm", "failed")
        ])
    );
    assert_eq!(says(&probes[2], "error.type"), "llm_unavailable");
    assert!(failed(&probes[2]) && !failed(call), "the call was answered");

    let (call, _) = &calls[3];
    assert_eq!(says(call, "rpc.response.status_code"), "INVALID_ARGUMENT");
    assert_eq!(
        (says(call, "error.type").as_str(), failed(call)),
        ("", false),
        "the caller's fault"
    );

    let (call, _) = &calls[4];
    assert_eq!(says(call, "rpc.response.status_code"), "DEADLINE_EXCEEDED");
    assert_eq!(
        (says(call, "error.type").as_str(), failed(call)),
        ("DEADLINE_EXCEEDED", true)
    );

    let resource = collector.sent(|sent| {
        assert_eq!(sent.headers["x-team"], "a b");
        let export: Export = prost::Message::decode(sent.bytes.clone()).unwrap();
        export.resource_spans[0].resource.clone().unwrap().attributes
    });
    for (key, wanted) in [
        ("service.name", "signalbox"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("deployment.environment.name", "here"),
    ] {
        assert_eq!(value(&resource[0], key).as_deref(), Some(wanted), "{key}");
    }
}

#[test]
fn a_call_and_its_probes_are_spans_of_the_callers_trace_over_grpc() {
    shows_calls_and_their_probes("grpc");
}

#[test]
fn a_call_and_its_probes_are_spans_of_the_callers_trace_over_http() {
    shows_calls_and_their_probes("http/protobuf");
}

#[test]
fn json_passes_the_callers_trace_on_and_health_is_no_call() {
    let collector = Collector::start(Does::Take);
    let (server, _policy) = sending_to(&collector, "grpc", &[]);
    let body = format!("{{\"request\":{HELLO}}}");
    let headers = format!(
        "traceparent: {}\r\ntracestate: a=1\r\ntracestate: b=2\r\n",
        sampled("01")
    );
    let answer = post(&server, "/v1/explain", &headers, &body);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    runtime().block_on(async {
        let channel = Endpoint::from_shared(format!("http://{}", server.word("grpc"))).unwrap();
        let mut client = HealthClient::new(channel.connect().await.unwrap());
        client.check(HealthCheckRequest::default()).await.unwrap();
    });
    stopped(server);

    let calls = calls(collector.spans());
    let [(call, probes)] = &calls[..] else {
        panic!("one call, not {}", calls.len())
    };
    assert_eq!(call.name, "signalbox.v1.RouterService/Explain");
    assert_eq!(
        (hex(&call.trace_id), hex(&call.parent_span_id)),
        (TRACE.into(), PARENT.into())
    );
    assert_eq!(call.trace_state, "a=1,b=2");
    assert!(!says(call, "signalbox.decision_id").is_empty());
    assert_eq!(probes[0].name, "embedding");
}

#[test]
fn who_is_traced_is_the_callers_and_the_samplers_to_say() {
    for (more, parent, wanted) in [
        (&[][..], None, true),
        (&[], Some("00"), false),
        (&[], Some("01"), true),
        (&[], Some("malformed"), true),
        (&[("OTEL_TRACES_SAMPLER", "parentbased_always_off")], None, false),
        (
            &[("OTEL_TRACES_SAMPLER", "parentbased_always_off")],
            Some("01"),
            true,
        ),
        (&[("OTEL_TRACES_SAMPLER", "always_on")], Some("00"), true),
        (&[("OTEL_PROPAGATORS", "none")], Some("00"), true),
    ] {
        let collector = Collector::start(Does::Take);
        let (server, _policy) = sending_to(&collector, "grpc", more);
        let parent = parent.map(sampled);
        let headers: Vec<_> = parent.iter().map(|text| ("traceparent", text.as_str())).collect();
        route(&server, request(SURE), &headers).unwrap();
        stopped(server);
        let spans = collector.spans();
        assert_eq!(spans.len(), if wanted { 3 } else { 0 }, "{more:?} {parent:?}");
        let is_the_callers = spans.first().is_some_and(|span| hex(&span.trace_id) == TRACE);
        let goes_on = wanted && more.iter().all(|(name, _)| *name != "OTEL_PROPAGATORS");
        let well_formed = parent.as_ref().is_some_and(|text| !text.ends_with("malformed"));
        assert_eq!(is_the_callers, goes_on && well_formed, "{more:?} {parent:?}");
    }
}

#[test]
fn nothing_that_anybody_wrote_is_sent() {
    let collector = Collector::start(Does::Take);
    let (server, _policy) = sending_to(&collector, "http/protobuf", &[]);
    let mut asked = request(&format!("{SURE} of zebras"));
    asked.request_id = "zebra-1".to_owned();
    let caller = asked.caller.get_or_insert_default();
    caller.session_id = "zebra-2".to_owned();
    caller.labels.insert("animal".to_owned(), "zebra".to_owned());
    let headers = [
        ("authorization", "Bearer zebra-of-sixteen-bytes"),
        ("x-zebra", "zebra"),
    ];
    route(&server, asked.clone(), &headers).unwrap();
    asked.model = "zebra".to_owned();
    route(&server, asked.clone(), &headers).unwrap_err();
    asked.model.clear();
    let caller = asked.caller.get_or_insert_default();
    caller.labels.insert("animal".to_owned(), "okapi".to_owned());
    assert_eq!(
        route(&server, asked, &headers).unwrap_err().code(),
        Code::PermissionDenied
    );
    stopped(server);
    assert_eq!(calls(collector.spans()).len(), 3);
    for bytes in collector.sent(|sent| sent.bytes.clone()) {
        for word in ["zebra", "okapi", "python", "animal"] {
            let found = bytes
                .windows(word.len())
                .any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
            assert!(!found, "{word} was sent");
        }
    }
}
