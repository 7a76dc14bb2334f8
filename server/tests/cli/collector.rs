//! A collector of traces on loopback, which takes them by gRPC and by HTTP and keeps them, or refuses them, or never answers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use http::HeaderMap;
use hyper::body::Frame;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use messages::{AnyValue, KeyValue, Request as Export, Span};

/// The part of OTLP that is looked at.
pub(crate) mod messages {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Request {
        #[prost(message, repeated, tag = "1")]
        pub(crate) resource_spans: Vec<ResourceSpans>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct ResourceSpans {
        #[prost(message, optional, tag = "1")]
        pub(crate) resource: Option<Resource>,
        #[prost(message, repeated, tag = "2")]
        pub(crate) scope_spans: Vec<ScopeSpans>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Resource {
        #[prost(message, repeated, tag = "1")]
        pub(crate) attributes: Vec<KeyValue>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct ScopeSpans {
        #[prost(message, repeated, tag = "2")]
        pub(crate) spans: Vec<Span>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Span {
        #[prost(bytes = "vec", tag = "1")]
        pub(crate) trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub(crate) span_id: Vec<u8>,
        #[prost(string, tag = "3")]
        pub(crate) trace_state: String,
        #[prost(bytes = "vec", tag = "4")]
        pub(crate) parent_span_id: Vec<u8>,
        #[prost(string, tag = "5")]
        pub(crate) name: String,
        #[prost(int32, tag = "6")]
        pub(crate) kind: i32,
        #[prost(fixed64, tag = "7")]
        pub(crate) start: u64,
        #[prost(fixed64, tag = "8")]
        pub(crate) end: u64,
        #[prost(message, repeated, tag = "9")]
        pub(crate) attributes: Vec<KeyValue>,
        #[prost(message, optional, tag = "15")]
        pub(crate) status: Option<Status>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Status {
        #[prost(string, tag = "2")]
        pub(crate) message: String,
        #[prost(int32, tag = "3")]
        pub(crate) code: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct KeyValue {
        #[prost(string, tag = "1")]
        pub(crate) key: String,
        #[prost(message, optional, tag = "2")]
        pub(crate) value: Option<AnyValue>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct AnyValue {
        #[prost(string, optional, tag = "1")]
        pub(crate) string: Option<String>,
        #[prost(int64, optional, tag = "3")]
        pub(crate) int: Option<i64>,
        #[prost(message, optional, tag = "5")]
        pub(crate) array: Option<Array>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Array {
        #[prost(message, repeated, tag = "1")]
        pub(crate) values: Vec<AnyValue>,
    }
}

/// What it does with what it is sent.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Does {
    Take,
    Refuse,
    Hang,
}

/// One request that was taken.
pub(crate) struct Sent {
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

struct Shared {
    does: Mutex<Does>,
    sent: Mutex<Vec<Sent>>,
}

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

impl Collector {
    pub(crate) fn start(does: Does) -> Self {
        Collector::with(does, None)
    }

    /// With TLS, by this certificate and key.
    pub(crate) fn with(does: Does, identity: Option<(&str, &str)>) -> Self {
        let shared = Arc::new(Shared {
            does: Mutex::new(does),
            sent: Mutex::default(),
        });
        let pages = axum::Router::new()
            .route("/v1/traces", post(export))
            .route(
                "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                post(export),
            )
            .with_state(shared.clone());
        let mut server = Server::builder().accept_http1(true);
        if let Some((certificate, key)) = identity {
            signalbox_server::serve::tls::install_provider();
            let identity = Identity::from_pem(certificate, key);
            server = server
                .tls_config(ServerTlsConfig::new().identity(identity))
                .unwrap();
        }
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(
            server
                .add_routes(Routes::from(pages))
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        Collector {
            address,
            shared,
            _runtime: runtime,
        }
    }

    pub(crate) fn does(&self, does: Does) {
        *self.shared.does.lock().unwrap() = does;
    }

    /// Something of every request that was taken so far.
    pub(crate) fn sent<T>(&self, read: impl FnMut(&Sent) -> T) -> Vec<T> {
        self.shared.sent.lock().unwrap().iter().map(read).collect()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let all = self.sent(|sent| Export::decode(sent.bytes.clone()).unwrap());
        let scopes = all.into_iter().flat_map(|request| request.resource_spans);
        let scopes = scopes.flat_map(|of_resource| of_resource.scope_spans);
        scopes.flat_map(|of_scope| of_scope.spans).collect()
    }

    /// All spans, once there are as many.
    pub(crate) fn until(&self, spans: usize) -> Vec<Span> {
        let start = Instant::now();
        loop {
            let found = self.spans();
            if found.len() >= spans {
                return found;
            }
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "{} of {spans} spans after 30 s",
                found.len()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The value of an attribute as text; a list with commas.
pub(crate) fn value(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(text(found.value.as_ref()?))
}

fn text(value: &AnyValue) -> String {
    match value {
        AnyValue {
            string: Some(text), ..
        } => text.clone(),
        AnyValue {
            int: Some(number), ..
        } => number.to_string(),
        AnyValue {
            array: Some(list), ..
        } => list.values.iter().map(text).collect::<Vec<_>>().join(","),
        AnyValue { .. } => String::new(),
    }
}

async fn export(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let grpc = head.uri.path() != "/v1/traces";
    let does = *shared.does.lock().unwrap();
    let (status, code) = match does {
        Does::Take => (200, "0"),
        Does::Refuse if grpc => (200, "3"),
        Does::Refuse => (400, "3"),
        Does::Hang => std::future::pending().await,
    };
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    if does == Does::Take {
        shared.sent.lock().unwrap().push(Sent {
            headers: head.headers,
            // A message of gRPC has a flag and its length before it.
            bytes: if grpc { bytes.slice(5..) } else { bytes },
        });
    }
    let mut frames = VecDeque::new();
    if grpc {
        let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), code.parse().unwrap())]);
        frames.extend([
            Frame::data(Bytes::from_static(&[0; 5])),
            Frame::trailers(trailers),
        ]);
    }
    let kind = if grpc {
        "application/grpc"
    } else {
        "application/x-protobuf"
    };
    let response = Response::builder().status(status).header("content-type", kind);
    response.body(axum::body::Body::new(Frames(frames))).unwrap()
}

struct Frames(VecDeque<Frame<Bytes>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}
