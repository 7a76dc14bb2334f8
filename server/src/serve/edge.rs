//! The outermost layer of every call: keeps the caller's deadline, catches panics, gives the transport's own errors
//! their place in the table, counts once on the way out and ends the call's span, where there is one. tonic's own timer, which
//! would answer `CANCELLED`, is not there.

use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use signalbox_api::SERVICE_NAME;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::grpc::{Deadline, status};
use crate::metrics;
use crate::traces::Traces;

/// Puts [`Edge`] around a service.
#[derive(Clone, Debug)]
pub struct EdgeLayer {
    max_message_bytes: usize,
    traces: Option<Traces>,
}

impl EdgeLayer {
    /// `max_message_bytes` is the limit that the service keeps, to be named in the error.
    pub fn new(max_message_bytes: usize) -> Self {
        EdgeLayer {
            max_message_bytes,
            traces: None,
        }
    }

    /// The same with a span for each call.
    #[must_use]
    pub fn with_traces(self, traces: Option<Traces>) -> Self {
        EdgeLayer { traces, ..self }
    }
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge {
            inner,
            max_message_bytes: self.max_message_bytes,
            traces: self.traces.clone(),
        }
    }
}

/// The layer as a service.
#[derive(Clone, Debug)]
pub struct Edge<S> {
    inner: S,
    max_message_bytes: usize,
    traces: Option<Traces>,
}

impl<S, B, R> Service<Request<B>> for Edge<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let start = Instant::now();
        let method = method(request.uri().path());
        let limit = timeout(request.headers());
        if let Some(deadline) = limit.and_then(|limit| start.checked_add(limit)) {
            request.extensions_mut().insert(Deadline(deadline));
        }
        let traces = self.traces.as_ref().filter(|_| method != OTHER);
        let span = traces.and_then(|traces| traces.call(method, request.headers(), start));
        if let Some(span) = &span {
            request.extensions_mut().insert(span.clone());
        }
        let limit_bytes = self.max_message_bytes;
        // The handler's future starts inside, so that a panic on the way to it is caught too.
        let call = std::panic::catch_unwind(AssertUnwindSafe(|| self.inner.call(request)));
        async move {
            let answer = match call {
                Ok(call) => within(limit, start, AssertUnwindSafe(call).catch_unwind()).await,
                Err(panic) => Some(Err(panic)),
            };
            let response = match answer {
                Some(Ok(answer)) => placed(answer?, limit_bytes),
                // What the panic says may quote a prompt: it is dropped.
                Some(Err(_)) => {
                    metrics::panic();
                    status::internal("a handler panicked").into_http()
                }
                None => status::deadline(limit.unwrap_or_default()).into_http(),
            };
            let code = response
                .extensions()
                .get::<Status>()
                .map_or(Code::Ok, Status::code);
            metrics::rpc(method, word(code), start.elapsed().as_secs_f64());
            if let Some(span) = span {
                span.end(code, word(code));
            }
            Ok(response)
        }
        .boxed()
    }
}

/// The answer, unless it came after the deadline.
async fn within<F: Future>(limit: Option<Duration>, start: Instant, call: F) -> Option<F::Output> {
    let Some(limit) = limit else {
        return Some(call.await);
    };
    // An answer at the first poll never starts the timer, so the clock is asked as well.
    let answer = tokio::time::timeout(limit, call).await.ok()?;
    (start.elapsed() < limit).then_some(answer)
}

/// tonic's own errors under the code, reason and details of the table; everything else as it is.
fn placed<R: Default>(response: Response<R>, limit_bytes: usize) -> Response<R> {
    let Some(status) = response.extensions().get::<Status>() else {
        return response;
    };
    match status.code() {
        // No handler uses this code: it is the decoder's, for a message above the limit.
        Code::OutOfRange => status::too_large(limit_bytes).into_http(),
        Code::Internal => match status
            .message()
            .strip_prefix("failed to decode Protobuf message: ")
        {
            Some(detail) => status::malformed(detail).into_http(),
            None => response,
        },
        _ => response,
    }
}

/// The caller's deadline: up to eight digits and a unit, as gRPC over HTTP/2 defines it. Anything else is no deadline.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

/// The call for metrics, from a closed list: a path is the caller's to invent.
fn method(path: &str) -> &'static str {
    let call = path
        .strip_prefix('/')
        .and_then(|path| path.strip_prefix(SERVICE_NAME));
    match call {
        Some("/Route") => "Route",
        Some("/Explain") => "Explain",
        Some("/ReloadPolicy") => "ReloadPolicy",
        Some("/GetPolicy") => "GetPolicy",
        Some("/ReportOutcome") => "ReportOutcome",
        _ => OTHER,
    }
}

/// Health, reflection, and what is no call of ours.
const OTHER: &str = "other";

/// The code as the contract writes it.
fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests;
