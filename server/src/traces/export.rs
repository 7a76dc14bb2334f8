//! The way to the collector: the SDK's exporter and queue, with what they keep to themselves. How many spans were sent, refused
//! or dropped is counted, and the log says once when the collector stops taking them and once when it takes them again.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_otlp::{Protocol, SpanExporter as Otlp, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use tokio::runtime::Handle;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::metrics;
use crate::traces::TracesError;
use crate::traces::environment::{Collector, Wanted};

/// The SDK's exporter for a collector. It connects when there is something to send.
pub(super) fn exporter(wanted: &Wanted) -> Result<Otlp, TracesError> {
    let Collector::Grpc { url, tls } = &wanted.collector else {
        return Ok(Otlp::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .build()?);
    };
    let endpoint = Endpoint::from(url.clone()).timeout(wanted.timeout);
    let endpoint = match tls {
        None => endpoint,
        Some(tls) => {
            let mut config = match &tls.ca {
                Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)),
                None => ClientTlsConfig::new().with_native_roots(),
            };
            if let Some((certificate, key)) = &tls.identity {
                config = config.identity(Identity::from_pem(certificate, key));
            }
            let refused = |error| TracesError::Certificates(with_causes(&error));
            endpoint.tls_config(config).map_err(refused)?
        }
    };
    let exporter = Otlp::builder().with_tonic().with_channel(endpoint.connect_lazy());
    Ok(exporter.build()?)
}

fn with_causes(error: &tonic::transport::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// An exporter that counts, in the runtime that it was made in.
pub(super) struct Counted {
    inner: Arc<Otlp>,
    limit: Duration,
    runtime: Handle,
    waiting: Arc<AtomicUsize>,
    failing: AtomicBool,
}

/// The inner one shows the headers that it sends.
impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}

impl Counted {
    /// A batch is given up after `limit`, with all its repetitions.
    pub(super) fn new(inner: Otlp, limit: Duration) -> Self {
        Counted {
            inner: Arc::new(inner),
            limit,
            runtime: Handle::current(),
            waiting: Arc::default(),
            failing: AtomicBool::new(false),
        }
    }

    /// How many spans wait to be sent.
    pub(super) fn waiting(&self) -> Arc<AtomicUsize> {
        self.waiting.clone()
    }

    fn note(&self, result: &OTelSdkResult, spans: usize) {
        match result {
            Ok(()) => {
                metrics::trace_spans("exported", spans as u64);
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("traces: the collector takes spans again");
                }
            }
            Err(error) => {
                metrics::trace_spans("failed", spans as u64);
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!("traces: spans are lost until the collector takes them again: {error}");
                }
            }
        }
    }
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
        let (inner, limit) = (self.inner.clone(), self.limit);
        // The SDK asks from a thread of its own, which has no timers and no sockets of the runtime's.
        let sent = self
            .runtime
            .spawn(async move { tokio::time::timeout(limit, inner.export(batch)).await });
        let result = match sent.await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(OTelSdkError::Timeout(limit)),
            Err(_) => Err(OTelSdkError::InternalFailure(
                "the exporter was stopped".to_owned(),
            )),
        };
        self.note(&result, spans);
        result
    }
}

/// The SDK's queue, which would drop what is above its bound without a word.
#[derive(Debug)]
pub(super) struct Bounded {
    inner: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
    bound: usize,
    dropping: AtomicBool,
}

impl Bounded {
    /// `bound` is that of `inner`.
    pub(super) fn new(inner: BatchSpanProcessor, waiting: Arc<AtomicUsize>, bound: usize) -> Self {
        Bounded {
            inner,
            waiting,
            bound,
            dropping: AtomicBool::new(false),
        }
    }
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        self.inner.on_start(span, cx);
    }

    fn on_end(&self, span: SpanData) {
        // Counted from before a span is in the queue until after it has left, so there is room wherever this says so.
        if self.waiting.fetch_add(1, Ordering::Relaxed) < self.bound {
            return self.inner.on_end(span);
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        metrics::trace_spans("dropped", 1);
        if !self.dropping.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                queue = self.bound,
                "traces: spans come faster than the collector takes them; some are dropped"
            );
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
