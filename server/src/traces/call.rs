//! The spans of one call, by OpenTelemetry's conventions for RPC. They are written as it goes, so that one whose caller gave up
//! shows where the time went.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _,
};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use signalbox_api::{SERVICE_NAME, v1};
use tonic::Code;

/// A call that is traced, from its headers to its answer.
pub struct Call {
    tracer: SdkTracer,
    /// Spans of the time in between are times after this one, which no clock's correction can turn around.
    start: (Instant, SystemTime),
    /// What the spans of probes are children of.
    context: Context,
    /// Until it has ended.
    span: Mutex<Option<Span>>,
}

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered,
    /// There was nothing: no equal request was decided before, or the conversation is new.
    Nothing,
    /// It was not answered, for the reason of this published code.
    Failed(&'static str),
    /// The call ended before the answer came.
    Abandoned,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

impl Call {
    pub(super) fn begin(
        tracer: &SdkTracer,
        method: &str,
        parent: Option<SpanContext>,
        start: Instant,
    ) -> Option<Call> {
        let start = (start, SystemTime::now().checked_sub(start.elapsed())?);
        let parent = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent),
            None => Context::new(),
        };
        let method = format!("{SERVICE_NAME}/{method}");
        // The names before the conventions were stable are those that many collectors still look for.
        let attributes = vec![
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method.clone()),
            KeyValue::new("rpc.system", "grpc"),
            KeyValue::new("rpc.service", SERVICE_NAME),
        ];
        let span = SpanBuilder::from_name(method)
            .with_kind(SpanKind::Server)
            .with_start_time(start.1)
            .with_attributes(attributes);
        let span = tracer.build_with_context(span, &parent);
        span.is_recording().then(|| Call {
            tracer: tracer.clone(),
            start,
            context: Context::new().with_remote_span_context(span.span_context().clone()),
            span: Mutex::new(Some(span)),
        })
    }

    /// Notes what was decided.
    pub fn decided(&self, response: &v1::RouteResponse) {
        let mut attributes = vec![
            KeyValue::new("signalbox.decision_id", response.decision_id.clone()),
            KeyValue::new("signalbox.model_id", response.model_id.clone()),
            KeyValue::new(
                "signalbox.source",
                word(response.source().as_str_name(), "DECISION_SOURCE_"),
            ),
            KeyValue::new(
                "signalbox.cache",
                word(response.cache_status().as_str_name(), "CACHE_STATUS_"),
            ),
        ];
        if let Some(policy) = &response.policy {
            let version = i64::try_from(policy.version).unwrap_or(i64::MAX);
            attributes.push(KeyValue::new("signalbox.policy.version", version));
            attributes.push(KeyValue::new(
                "signalbox.policy.checksum",
                policy.checksum.clone(),
            ));
        }
        if !response.route.is_empty() {
            attributes.push(KeyValue::new("signalbox.route", response.route.clone()));
        }
        if !response.degraded.is_empty() {
            let codes = response.degraded.iter().map(|lost| lost.code.clone());
            let codes = codes.map(StringValue::from).collect();
            attributes.push(KeyValue::new(
                "signalbox.degraded",
                Value::Array(Array::String(codes)),
            ));
        }
        if let Some(span) = &mut *self.span.lock().unwrap_or_else(PoisonError::into_inner) {
            span.set_attributes(attributes);
        }
    }

    /// Writes the span of a probe of the decision.
    pub fn probe(&self, name: &'static str, start: Instant, end: Instant, outcome: Outcome) {
        let (outcome, failure) = match outcome {
            Outcome::Answered => ("answered", None),
            Outcome::Nothing => ("nothing", None),
            Outcome::Failed(code) => ("failed", Some(code)),
            Outcome::Abandoned => ("abandoned", None),
        };
        let mut attributes = vec![KeyValue::new("signalbox.probe.outcome", outcome)];
        attributes.extend(failure.map(|code| KeyValue::new("error.type", code)));
        let span = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Internal)
            .with_start_time(self.time(start))
            .with_attributes(attributes);
        let mut span = self.tracer.build_with_context(span, &self.context);
        if failure.is_some() {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(self.time(end));
    }

    /// Ends the span with what was answered; `word` is the code as the contract writes it. Only the first end counts.
    pub fn end(&self, code: Code, word: &'static str) {
        let span = self.span.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut span) = span else { return };
        span.set_attribute(KeyValue::new("rpc.response.status_code", word));
        span.set_attribute(KeyValue::new("rpc.grpc.status_code", i64::from(code as i32)));
        if is_ours(code) {
            span.set_attribute(KeyValue::new("error.type", word));
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(self.time(Instant::now()));
    }

    fn time(&self, instant: Instant) -> SystemTime {
        let (start, time) = self.start;
        time + instant.saturating_duration_since(start)
    }
}

/// A caller that hangs up drops the call.
impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled, "CANCELLED");
    }
}

/// Whether the conventions count the code as a failure of the server: others are the caller's to mend.
fn is_ours(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// A value of an enumeration as metrics have it.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase()
}
