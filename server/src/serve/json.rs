//! JSON over HTTP for callers without gRPC: `POST /v1/route` and `POST /v1/explain` take and give the messages of the API as
//! proto3 writes them in JSON. Each is a call to the same service through the same edge layer, so deadlines, credentials,
//! limits and errors are those of gRPC: an error is a `google.rpc.Status` with its details, under the HTTP status that
//! `google/rpc/code.proto` gives its code.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use prost_reflect::{DescriptorError, DescriptorPool, DynamicMessage, MessageDescriptor};
use signalbox_api::FILE_DESCRIPTOR_SET;
use signalbox_api::v1::ReloadPolicyRequest;
use signalbox_api::v1::router_service_client::RouterServiceClient;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tower::util::MapResponse;

use crate::grpc::access::ByName;
use crate::grpc::status;
use crate::serve::Peer;
use crate::serve::console;
use crate::serve::edge::Edge;

/// The service, called without a network between.
type Client = RouterServiceClient<Edge<Routes>>;

/// The pages as a service of a listener.
pub(super) type Pages = MapResponse<Router, fn(Response) -> http::Response<Body>>;

/// Headers of a request that are the call's as well.
const PASSED_ON: [HeaderName; 4] = [
    AUTHORIZATION,
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

#[derive(Clone, Debug)]
struct Gateway {
    client: Client,
    messages: Arc<DescriptorPool>,
    max_bytes: usize,
    patience: Duration,
}

/// The pages, each a call to `service`; `max_bytes` is the largest body, `patience` is for it to come in: gRPC has pings for
/// callers that are gone, HTTP/1 has none. `console` is where the listener is, if it has the console too.
///
/// # Errors
/// When the descriptors of the API are broken, which only a broken build does.
pub(super) fn pages(
    service: Edge<Routes>,
    max_bytes: usize,
    patience: Duration,
    console: Option<SocketAddr>,
) -> Result<Pages, DescriptorError> {
    let mut messages = DescriptorPool::global();
    messages.decode_file_descriptor_set(FILE_DESCRIPTOR_SET)?;
    messages.decode_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)?;
    let gateway = Gateway {
        client: RouterServiceClient::new(service).max_decoding_message_size(usize::MAX),
        messages: Arc::new(messages),
        max_bytes,
        patience,
    };
    let mut router = Router::new()
        .route("/v1/route", post(route))
        .route("/v1/explain", post(explain));
    if let Some(listener) = console {
        router = router.merge(console::pages(listener, post(check)));
    }
    let router = router.with_state(gateway);
    let body: fn(Response) -> http::Response<Body> = |page| page.map(Body::new);
    Ok(MapResponse::new(router, body))
}

async fn route(State(gateway): State<Gateway>, request: Request) -> Response {
    let call = async |mut client: Client, request| client.route(request).await;
    gateway.answer("Route", request, call).await
}

async fn explain(State(gateway): State<Gateway>, request: Request) -> Response {
    let call = async |mut client: Client, request| client.explain(request).await;
    gateway.answer("Explain", request, call).await
}

/// `ReloadPolicy` that changes nothing: a browser's page is no place to put a policy in force from.
async fn check(State(gateway): State<Gateway>, request: Request) -> Response {
    let call = async |mut client: Client, request: tonic::Request<ReloadPolicyRequest>| {
        if !request.get_ref().dry_run {
            let advice =
                "is not set; here a policy is only checked, and `ReloadPolicy` over gRPC puts one in force";
            return Err(status::invalid_field("dry_run", advice));
        }
        client.reload_policy(request).await
    };
    gateway.answer("ReloadPolicy", request, call).await
}

impl Gateway {
    /// Makes the call that a request asks for and writes its answer.
    async fn answer<Q, A, F>(
        &self,
        method: &str,
        request: Request,
        call: impl FnOnce(Client, tonic::Request<Q>) -> F,
    ) -> Response
    where
        Q: prost::Message + Default,
        A: prost::Message,
        F: Future<Output = Result<tonic::Response<A>, Status>>,
    {
        let called = async {
            let request = self
                .read(&format!("signalbox.v1.{method}Request"), request)
                .await?;
            let said = call(self.client.clone(), request).await?.into_inner();
            self.written(&format!("signalbox.v1.{method}Response"), &said.encode_to_vec())
        };
        match called.await {
            Ok(json) => page(StatusCode::OK, json),
            Err(status) => self.refusal(&status),
        }
    }

    /// The call, checked and decoded.
    async fn read<Q>(&self, kind: &str, request: Request) -> Result<tonic::Request<Q>, Status>
    where
        Q: prost::Message + Default,
    {
        let (head, body) = request.into_parts();
        if !is_json(&head.headers) {
            let advice = "is not `application/json`; send JSON and say so, as `curl --json` does";
            return Err(status::invalid_field("content-type", advice));
        }
        let body = timeout(self.patience, to_bytes(body, self.max_bytes)).await;
        let body = body.map_err(|_| status::slow_body(self.patience))?;
        let body = body.map_err(|_| status::too_large(self.max_bytes))?;
        let mut json = serde_json::Deserializer::from_slice(&body);
        let message = DynamicMessage::deserialize(self.kind(kind)?, &mut json)
            .and_then(|message| json.end().map(|()| message))
            .map_err(|error| status::malformed_json(&error.to_string()))?;
        let message = message.transcode_to();
        let message = message.map_err(|error| status::malformed_json(&error.to_string()))?;
        let mut call = tonic::Request::new(message);
        let mut passed = HeaderMap::new();
        for name in PASSED_ON {
            for value in head.headers.get_all(&name) {
                passed.append(&name, value.clone());
            }
        }
        *call.metadata_mut() = MetadataMap::from_headers(passed);
        if console::is_by_name(&head) {
            call.extensions_mut().insert(ByName);
        }
        if let Some(peer) = head.extensions.get::<Peer>() {
            call.extensions_mut().insert(peer.clone());
        }
        Ok(call)
    }

    /// An encoded message as JSON.
    fn written(&self, kind: &str, message: &[u8]) -> Result<Vec<u8>, Status> {
        let broken = |what: &dyn std::fmt::Display| status::internal(&format!("JSON: {what}"));
        let message = DynamicMessage::decode(self.kind(kind)?, message).map_err(|error| broken(&error))?;
        // Maps come out of it in the order of a hash map.
        let mut json = serde_json::to_value(&message).map_err(|error| broken(&error))?;
        json.sort_all_objects();
        Ok(json.to_string().into_bytes())
    }

    fn kind(&self, name: &str) -> Result<MessageDescriptor, Status> {
        let kind = self.messages.get_message_by_name(name);
        kind.ok_or_else(|| status::internal(&format!("JSON: there is no message {name}")))
    }

    fn refusal(&self, status: &Status) -> Response {
        let code = status.code();
        // What does not come from the table has no details.
        let json = match status.details() {
            [] => Err(()),
            details => self.written("google.rpc.Status", details).map_err(|_| ()),
        };
        let json = json.unwrap_or_else(|()| {
            let bare = serde_json::json!({"code": code as i32, "message": status.message()});
            bare.to_string().into_bytes()
        });
        let mut response = page(http_status(code), json);
        let details = status.get_error_details();
        if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
            let seconds = delay.as_secs().max(1).into();
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

fn page(status: StatusCode, json: Vec<u8>) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], json).into_response()
}

/// A page of another site can have a browser send anything but this without asking.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// What `google/rpc/code.proto` gives.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        // 499 has a meaning and no name.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tower::{Layer as _, ServiceExt as _};

    use super::*;
    use crate::serve::edge::EdgeLayer;

    #[tokio::test]
    async fn a_body_that_does_not_come_in_is_not_waited_for() {
        let service = EdgeLayer::new(1000).layer(Routes::default());
        let pages = pages(service, 1000, Duration::from_millis(20), None).unwrap();
        let body = axum::body::Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let request = Request::post("/v1/route").header(CONTENT_TYPE, "application/json");
        let page = pages.oneshot(request.body(body).unwrap()).await.unwrap();
        assert_eq!(page.status(), StatusCode::GATEWAY_TIMEOUT);
    }

    #[test]
    fn every_code_has_its_http_status() {
        let statuses: Vec<u16> = (0..=16)
            .map(|code| http_status(Code::from_i32(code)).as_u16())
            .collect();
        let of_google = [
            200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
        ];
        assert_eq!(statuses, of_google);
    }
}
