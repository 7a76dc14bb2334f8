//! A Signalbox on a free port of this machine that answers as the test says and remembers what it was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use signalbox_client::v1::{self, router_service_server as service};
use tokio::net::{TcpListener, TcpSocket};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, metadata::MetadataMap, transport::Server};

/// One request, as it came in.
pub(crate) struct Seen<T> {
    pub(crate) message: T,
    pub(crate) metadata: MetadataMap,
    pub(crate) at: Instant,
}

type Answers<T> = Mutex<VecDeque<Result<T, Status>>>;

/// What the calls share. Answers are used up in order; without one left, the default message is sent.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) delay: Mutex<Duration>,
    pub(crate) route: Answers<v1::RouteResponse>,
    pub(crate) explain: Answers<v1::ExplainResponse>,
    pub(crate) reload: Answers<v1::ReloadPolicyResponse>,
    pub(crate) policy: Answers<v1::GetPolicyResponse>,
    pub(crate) outcome: Answers<v1::ReportOutcomeResponse>,
    pub(crate) routed: Mutex<Vec<Seen<v1::RouteRequest>>>,
    pub(crate) explained: Mutex<Vec<Seen<v1::ExplainRequest>>>,
    pub(crate) reloaded: Mutex<Vec<Seen<v1::ReloadPolicyRequest>>>,
    pub(crate) asked: Mutex<Vec<Seen<v1::GetPolicyRequest>>>,
    pub(crate) reported: Mutex<Vec<Seen<v1::ReportOutcomeRequest>>>,
}

/// The running server; it ends with the test's runtime.
pub(crate) struct Fake {
    pub(crate) endpoint: String,
    pub(crate) script: Arc<Script>,
    pub(crate) health: tonic_health::server::HealthReporter,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Script::default());
        let (health, health_service) = tonic_health::server::health_reporter();
        let router = service::RouterServiceServer::from_arc(Arc::new(Service(Arc::clone(&script))));
        let server = Server::builder().add_service(health_service).add_service(router);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self {
            endpoint,
            script,
            health,
        }
    }

    /// The next answers of Route.
    pub(crate) fn route(&self, answers: impl IntoIterator<Item = Result<v1::RouteResponse, Status>>) {
        self.script.route.lock().unwrap().extend(answers);
    }
}

struct Service(Arc<Script>);

impl Service {
    async fn answer<Req, Res: Default>(
        &self,
        request: Request<Req>,
        seen: &Mutex<Vec<Seen<Req>>>,
        answers: &Answers<Res>,
    ) -> Result<Response<Res>, Status> {
        let (metadata, _, message) = request.into_parts();
        seen.lock().unwrap().push(Seen {
            message,
            metadata,
            at: Instant::now(),
        });
        let delay = *self.0.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        let next = answers.lock().unwrap().pop_front();
        next.unwrap_or_else(|| Ok(Res::default())).map(Response::new)
    }
}

#[tonic::async_trait]
impl service::RouterService for Service {
    async fn route(&self, request: Request<v1::RouteRequest>) -> Result<Response<v1::RouteResponse>, Status> {
        self.answer(request, &self.0.routed, &self.0.route).await
    }

    async fn explain(
        &self,
        request: Request<v1::ExplainRequest>,
    ) -> Result<Response<v1::ExplainResponse>, Status> {
        self.answer(request, &self.0.explained, &self.0.explain).await
    }

    async fn reload_policy(
        &self,
        request: Request<v1::ReloadPolicyRequest>,
    ) -> Result<Response<v1::ReloadPolicyResponse>, Status> {
        self.answer(request, &self.0.reloaded, &self.0.reload).await
    }

    async fn get_policy(
        &self,
        request: Request<v1::GetPolicyRequest>,
    ) -> Result<Response<v1::GetPolicyResponse>, Status> {
        self.answer(request, &self.0.asked, &self.0.policy).await
    }

    async fn report_outcome(
        &self,
        request: Request<v1::ReportOutcomeRequest>,
    ) -> Result<Response<v1::ReportOutcomeResponse>, Status> {
        self.answer(request, &self.0.reported, &self.0.outcome).await
    }
}

/// `UNAVAILABLE`, with or without the time to wait.
pub(crate) fn unavailable(retry_after: Option<Duration>) -> Status {
    use tonic_types::{ErrorDetails, StatusExt as _};
    let details = retry_after.map_or_else(ErrorDetails::new, |wait| {
        ErrorDetails::with_retry_info(Some(wait))
    });
    Status::with_error_details(tonic::Code::Unavailable, "no policy yet", details)
}

/// A bad request with two violations and an `ErrorInfo`.
pub(crate) fn bad_request() -> Status {
    use tonic_types::{ErrorDetails, StatusExt as _};
    let mut details = ErrorDetails::new();
    details.set_error_info("INVALID_REQUEST", "signalbox", [("omitted".into(), "0".into())]);
    details.add_bad_request_violation("messages[0].role", "unknown role 99");
    details.add_bad_request_violation("requirements.min_quality", "must be within 0 and 1");
    Status::with_error_details(tonic::Code::InvalidArgument, "2 fields are wrong", details)
}

/// A policy with an error, as it is refused without a dry run. The violation has no path: it is the whole file.
pub(crate) fn bad_policy() -> Status {
    use tonic_types::{ErrorDetails, StatusExt as _};
    let mut details = ErrorDetails::new();
    details.set_error_info("INVALID_POLICY", "signalbox", [("omitted".into(), String::new())]);
    details.add_bad_request_violation("", "1:1: the key `default` is missing");
    Status::with_error_details(tonic::Code::InvalidArgument, "the policy is wrong", details)
}

/// An endpoint where nobody listens, for as long as the socket is kept: bound, so that no other test gets it.
pub(crate) fn nobody() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let endpoint = format!("http://{}", socket.local_addr().unwrap());
    (socket, endpoint)
}
