//! Spans that stay here, for tests of who makes them.

use std::sync::{Arc, Mutex};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SimpleSpanProcessor, SpanData, SpanExporter};

use super::Traces;

/// The spans that have ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Kept {
    /// Traces that come here.
    pub(crate) fn traces(&self) -> Traces {
        let provider = SdkTracerProvider::builder()
            .with_span_processor(SimpleSpanProcessor::new(self.clone()))
            .build();
        Traces {
            tracer: provider.tracer("kept"),
            provider,
            parents: true,
        }
    }

    /// An attribute of each span; empty where it has none.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let spans = self.0.lock().unwrap();
        let value = |span: &SpanData| {
            let found = span.attributes.iter().find(|a| a.key.as_str() == name);
            found
                .map(|attribute| attribute.value.to_string())
                .unwrap_or_default()
        };
        spans.iter().map(value).collect()
    }
}
