//! Traces by OTLP: a span for each call and one for each probe of its decision, sent to the collector that the environment
//! names. The edge layer begins and ends a [`Call`], handlers say what was decided, and the loop of a decision says how its probes
//! went; without [`Traces`] none of them does anything. Spans, sampling, batches and the protocol are the OpenTelemetry SDK's. What
//! anybody wrote is in no span: no prompt, no label, no message of an error.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracer, SdkTracerProvider, SpanExporter as _};
use thiserror::Error;

use crate::traces::environment::Wanted;
use crate::traces::export::{Bounded, Counted};

pub use call::{Call, Outcome};
pub use environment::Problems;

mod call;
mod context;
mod environment;
mod export;
#[cfg(test)]
pub(crate) mod kept;

/// Where spans go. Clones are the same.
#[derive(Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// Whether a caller's trace goes on here.
    parents: bool,
}

/// Its parts show the headers that are sent to the collector.
impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}

/// Why spans cannot be sent as the environment asks.
#[derive(Debug, Error)]
pub enum TracesError {
    /// Variables that say nothing usable.
    #[error(transparent)]
    Environment(#[from] Problems),
    /// The certificates.
    #[error("traces: the certificates of the collector cannot be used: {0}")]
    Certificates(String),
    /// Whatever else the exporter does not take.
    #[error("traces: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// Begins to send spans if the environment asks for it; nobody waits for the collector. Must be called in a runtime.
///
/// # Errors
/// When what the environment says cannot be done, with every problem.
pub fn start() -> Result<Option<Traces>, TracesError> {
    let Some(wanted) = environment::read(|name| std::env::var_os(name))? else {
        return Ok(None);
    };
    for warning in &wanted.warnings {
        tracing::warn!("traces: {warning}");
    }
    let traces = Traces::to(&wanted)?;
    tracing::info!("traces: spans go to {}", wanted.collector);
    Ok(Some(traces))
}

impl Traces {
    fn to(wanted: &Wanted) -> Result<Traces, TracesError> {
        // A name that is given twice is the environment's.
        let resource = Resource::builder()
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attributes(wanted.resource.iter().cloned())
            .build();
        let mut exporter = export::exporter(wanted)?;
        exporter.set_resource(&resource);
        let exporter = Counted::new(exporter, wanted.export_limit);
        let waiting = exporter.waiting();
        let processor = BatchSpanProcessor::builder(exporter).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_span_processor(Bounded::new(processor, waiting, wanted.queue))
            .build();
        let scope = InstrumentationScope::builder("signalbox")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Ok(Traces {
            tracer: provider.tracer_with_scope(scope),
            provider,
            parents: wanted.parents,
        })
    }

    /// Begins the span of a call that came at `start`. None where the caller's trace or the sampler leaves it out.
    pub fn call(&self, method: &'static str, headers: &HeaderMap, start: Instant) -> Option<Arc<Call>> {
        let parent = if self.parents {
            context::parent(headers)
        } else {
            None
        };
        Call::begin(&self.tracer, method, parent, start).map(Arc::new)
    }

    /// Sends what waits, for no longer than `limit`. Later spans are dropped.
    pub async fn flush(&self, limit: Duration) {
        let provider = self.provider.clone();
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(limit));
        if !matches!(flushed.await, Ok(Ok(()))) {
            tracing::warn!(?limit, "traces: stopped before the collector had taken all spans");
        }
    }
}
