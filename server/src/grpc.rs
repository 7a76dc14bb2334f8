//! `signalbox.v1.RouterService` on the wire: the handlers of the five calls. `serve` puts them behind the edge layer, which
//! keeps deadlines, catches panics and counts. A handler takes ids, has the request checked and moved into the engine's
//! terms (`from_proto`), asks, and answers (`to_proto`); every error comes from the table in `status`.

use std::sync::Arc;
use std::time::Instant;

use signalbox_api::v1;
use signalbox_api::v1::router_service_server::RouterService;
use tonic::{Request, Response, Status};

use crate::background;
use crate::engine::{Asked, Engine, EngineError};
use crate::grpc::access::Access;
use crate::grpc::to_proto::Frame;
use crate::grpc::violations::Violations;
use crate::metrics;
use crate::store::Snapshot;
use crate::traces::Call;
use crate::watcher::PolicySource;

pub mod access;
mod admin;
mod explain;
mod from_proto;
mod outcomes;
pub mod status;
mod to_proto;
mod violations;

/// The service.
#[derive(Debug)]
pub struct Grpc {
    engine: Arc<Engine>,
    source: Arc<PolicySource>,
    access: Access,
}

impl Grpc {
    /// The service on an engine. `source` is what `ReloadPolicy` reads again.
    pub fn new(engine: Arc<Engine>, source: Arc<PolicySource>, access: Access) -> Self {
        Grpc {
            engine,
            source,
            access,
        }
    }

    async fn decide(&self, request: Request<v1::RouteRequest>) -> Result<v1::RouteResponse, Status> {
        let start = Instant::now();
        let noted = Noted::of(&request);
        let request = request.into_inner();
        let base = self.accepted(&request);
        let (request_id, mut asked, snapshot) = self.read(request, base).await?;
        noted.add_to(&mut asked);
        let decided = self
            .engine
            .route_by(snapshot, asked)
            .await
            .map_err(status::engine)?;
        let took = start.elapsed();
        metrics::decision(
            decided.decision.source.as_str(),
            decided.cache.as_str(),
            took.as_secs_f64(),
        );
        if let Some((usd, default_usd)) = decided.costs() {
            metrics::costs(usd, default_usd);
        }
        if matches!(decided.before, signalbox_decide::Answer::Got(_)) {
            metrics::session(decided.decision.session.map_or("started", |stay| stay.code()));
        }
        for lost in &decided.decision.degraded {
            metrics::degraded(lost.code);
        }
        let frame = Frame {
            decision_id: decided.id,
            request_id,
            cache: decided.cache,
            before: decided.before,
            took,
        };
        let response = to_proto::response(&decided.snapshot.policy, &decided.decision, frame);
        if let Some(call) = &noted.call {
            call.decided(&response);
        }
        Ok(response)
    }

    /// The policy that the request's tenant goes by, if it is one that the request accepts.
    fn accepted(&self, request: &v1::RouteRequest) -> Result<Arc<Snapshot>, EngineError> {
        let tenant = tenant_of(request);
        self.engine
            .snapshot(tenant, request.min_policy_version, &request.policy_checksum)
    }

    /// The request's id, the request in the engine's terms, and what decides it: `base`, or `base` with the routes that the
    /// request brings. Bad fields go before whatever is wrong with `base`.
    async fn read(
        &self,
        request: v1::RouteRequest,
        base: Result<Arc<Snapshot>, EngineError>,
    ) -> Result<(String, Asked, Arc<Snapshot>), Status> {
        let (mut wrong, mut inline) = (Violations::default(), None);
        if let Ok(base) = &base
            && !request.route_preferences.is_empty()
        {
            match self
                .engine
                .inline()
                .find(base, &from_proto::inline_routes(&request))
            {
                Ok(found) => inline = Some(found),
                Err(problems) => wrong.diagnostics(problems),
            }
        }
        let (request_id, asked) = from_proto::asked(request, wrong).map_err(status::invalid)?;
        let base = base.map_err(status::engine)?;
        let snapshot = match inline {
            Some(found) => self.engine.inline().ready(found).await.map_err(status::engine)?,
            None => base,
        };
        Ok((request_id, asked, snapshot))
    }
}

#[tonic::async_trait]
impl RouterService for Grpc {
    async fn route(&self, request: Request<v1::RouteRequest>) -> Result<Response<v1::RouteResponse>, Status> {
        self.decide(request).await.map(Response::new)
    }

    async fn explain(
        &self,
        request: Request<v1::ExplainRequest>,
    ) -> Result<Response<v1::ExplainResponse>, Status> {
        if explain::is_administrative(request.get_ref()) {
            self.access.administrative(&request)?;
        }
        let noted = Noted::of(&request);
        let response = explain::explain(self, request.into_inner(), &noted).await?;
        if let (Some(call), Some(decision)) = (&noted.call, &response.decision) {
            call.decided(decision);
        }
        Ok(Response::new(response))
    }

    async fn reload_policy(
        &self,
        request: Request<v1::ReloadPolicyRequest>,
    ) -> Result<Response<v1::ReloadPolicyResponse>, Status> {
        self.access.administrative(&request)?;
        admin::reload(self, request.into_inner()).await.map(Response::new)
    }

    async fn get_policy(
        &self,
        request: Request<v1::GetPolicyRequest>,
    ) -> Result<Response<v1::GetPolicyResponse>, Status> {
        if !request.get_ref().tenant.is_empty() {
            self.access.administrative(&request)?;
        }
        admin::get(self, &request.get_ref().tenant).map(Response::new)
    }

    async fn report_outcome(
        &self,
        request: Request<v1::ReportOutcomeRequest>,
    ) -> Result<Response<v1::ReportOutcomeResponse>, Status> {
        outcomes::report(self, request.into_inner()).map(Response::new)
    }
}

/// When the caller gives up, as the edge layer noted it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(pub(crate) Instant);

/// What the edge layer noted of a call.
struct Noted {
    deadline: Option<Instant>,
    call: Option<Arc<Call>>,
}

impl Noted {
    fn of<T>(request: &Request<T>) -> Self {
        let extensions = request.extensions();
        Noted {
            deadline: extensions.get::<Deadline>().map(|deadline| deadline.0),
            call: extensions.get::<Arc<Call>>().cloned(),
        }
    }

    fn add_to(&self, asked: &mut Asked) {
        asked.deadline = self.deadline;
        asked.call = self.call.clone();
    }
}

/// The tenant that a request is for; empty: none.
fn tenant_of(request: &v1::RouteRequest) -> &str {
    request.caller.as_ref().map_or("", |caller| &caller.tenant)
}

/// Work that takes longer than a poll of a task may: compiling a policy. A panic in it goes on in the caller.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Status> {
    match background::spawn(work).await {
        Ok(done) => Ok(done),
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        // Only a runtime that shuts down cancels blocking work.
        Err(_) => Err(status::draining()),
    }
}

/// The beginning of a text within `max` bytes, marked where it was cut.
fn clip(text: &str, max: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max - MARK.len());
    format!("{}{MARK}", &text[..end])
}
