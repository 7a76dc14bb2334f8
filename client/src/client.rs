//! The client itself: one connection, one set of options, one method for each call. Everything passes through
//! `Client::call`, which keeps the deadline, the credentials and the retries.

use std::{error::Error as _, fmt, future::Future, time::Duration};

use signalbox_api::v1::{self, router_service_client::RouterServiceClient};
use tokio::time::{Instant, sleep, timeout};
use tonic::{
    Code, Request, Response, Status, TimeoutExpired,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{error::Error, retry::Backoff, tls::Tls};

/// The longest answer that is read. Explaining a policy with thousands of models passes tonic's 4 MiB.
const MAX_ANSWER_BYTES: usize = 32 << 20;
/// The longest wait for a connection: well under the usual deadline, so that another attempt fits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How calls are made.
#[derive(Clone)]
pub struct Options {
    /// For each call as a whole, retries included; sent along as `grpc-timeout`. Default: 10 s.
    pub deadline: Duration,
    /// How often a call that changes nothing is sent again after `UNAVAILABLE`. Default: 3.
    pub retries: u32,
    /// Sent as `authorization: Bearer …`. Administrative calls need it. Default: none.
    pub bearer_token: Option<String>,
    /// How the server is known and the client shows itself, where the endpoint is `https://`.
    pub tls: Tls,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            retries: 3,
            bearer_token: None,
            tls: Tls::default(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("deadline", &self.deadline)
            .field("retries", &self.retries)
            .field("bearer_token", &self.bearer_token.as_ref().map(|_| "hidden"))
            .field("tls", &self.tls)
            .finish()
    }
}

/// What a health check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Ready for requests.
    Serving,
    /// Reached, but not ready.
    NotServing,
    /// The server does not say.
    Unknown,
}

/// A connection to Signalbox. Cheap to clone; clones share the connection.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    endpoint: String,
    options: Options,
    authorization: Option<MetadataValue<Ascii>>,
}

/// Whether a call may be sent twice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Safe,
    Never,
}

impl Client {
    /// Prepares a connection with the default options. Connects on the first call, and again whenever the
    /// connection is lost. Call it inside a Tokio runtime.
    ///
    /// # Errors
    /// [`Error::Options`] if `endpoint` is no URL. A missing scheme means `http://`.
    pub fn connect(endpoint: impl Into<String>) -> Result<Self, Error> {
        Self::connect_with(endpoint, Options::default())
    }

    /// As [`Client::connect`], with `options`.
    ///
    /// # Errors
    /// [`Error::Options`] if `endpoint` is no URL, the token cannot stand in a header, or the certificates are unusable.
    pub fn connect_with(endpoint: impl Into<String>, options: Options) -> Result<Self, Error> {
        let mut endpoint: String = endpoint.into();
        if !endpoint.contains("://") {
            endpoint.insert_str(0, "http://");
        }
        let transport = Endpoint::from_shared(endpoint.clone())
            .ok()
            .filter(|transport| matches!(transport.uri().scheme_str(), Some("http" | "https")))
            .filter(|transport| transport.uri().authority().is_some_and(|a| !a.host().is_empty()))
            .ok_or_else(|| {
                Error::Options(format!(
                    "endpoint `{endpoint}`: not a URL; write it as http://host:port or https://host:port"
                ))
            })?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(Duration::from_secs(30));
        let transport = options.tls.on(transport, &endpoint)?;
        let authorization = options.bearer_token.as_deref().map(bearer).transpose()?;
        Ok(Self {
            channel: transport.connect_lazy(),
            endpoint,
            options,
            authorization,
        })
    }

    /// The same connection with another deadline.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        let mut client = self.clone();
        client.options.deadline = deadline;
        client
    }

    /// Decides which model should answer. Repeated after `UNAVAILABLE`.
    ///
    /// # Errors
    /// See the manual of the call in [`v1`]; every method below has the same kinds.
    pub async fn route(&self, request: v1::RouteRequest) -> Result<v1::RouteResponse, Error> {
        self.call(request, Repeat::Safe, |channel, request| async move {
            router(channel).route(request).await
        })
        .await
    }

    /// Decides and tells why. Repeated after `UNAVAILABLE`.
    ///
    /// # Errors
    /// As [`Client::route`].
    pub async fn explain(&self, request: v1::ExplainRequest) -> Result<v1::ExplainResponse, Error> {
        self.call(request, Repeat::Safe, |channel, request| async move {
            router(channel).explain(request).await
        })
        .await
    }

    /// Puts a policy in force. Never repeated: a second reload could undo what came between.
    ///
    /// # Errors
    /// As [`Client::route`].
    pub async fn reload_policy(
        &self,
        request: v1::ReloadPolicyRequest,
    ) -> Result<v1::ReloadPolicyResponse, Error> {
        self.call(request, Repeat::Never, |channel, request| async move {
            router(channel).reload_policy(request).await
        })
        .await
    }

    /// Tells which policy is in force: everyone's. Repeated after `UNAVAILABLE`.
    ///
    /// # Errors
    /// As [`Client::route`].
    pub async fn get_policy(&self) -> Result<v1::GetPolicyResponse, Error> {
        self.get_policy_of("").await
    }

    /// Tells which policy a tenant goes by: its own, else everyone's. Repeated after `UNAVAILABLE`.
    ///
    /// # Errors
    /// As [`Client::route`].
    pub async fn get_policy_of(&self, tenant: &str) -> Result<v1::GetPolicyResponse, Error> {
        let request = v1::GetPolicyRequest {
            tenant: tenant.to_owned(),
        };
        self.call(request, Repeat::Safe, |channel, request| async move {
            router(channel).get_policy(request).await
        })
        .await
    }

    /// Reports what became of decisions. Repeated after `UNAVAILABLE`: each outcome has its idempotency key.
    ///
    /// # Errors
    /// As [`Client::route`].
    pub async fn report_outcome(
        &self,
        request: v1::ReportOutcomeRequest,
    ) -> Result<v1::ReportOutcomeResponse, Error> {
        self.call(request, Repeat::Safe, |channel, request| async move {
            router(channel).report_outcome(request).await
        })
        .await
    }

    /// Asks for the health of `service`: empty for the server as a whole, `signalbox.v1.RouterService`,
    /// `signalbox.llm` or `liveness`. Repeated after `UNAVAILABLE`.
    ///
    /// # Errors
    /// `NotFound` for a service that the server does not know.
    pub async fn health(&self, service: &str) -> Result<Health, Error> {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = self
            .call(request, Repeat::Safe, |channel, request| async move {
                HealthClient::new(channel).check(request).await
            })
            .await?;
        Ok(match answer.status() {
            ServingStatus::Serving => Health::Serving,
            ServingStatus::NotServing => Health::NotServing,
            ServingStatus::Unknown | ServingStatus::ServiceUnknown => Health::Unknown,
        })
    }

    async fn call<Req, Res, Sent>(
        &self,
        request: Req,
        repeat: Repeat,
        send: impl Fn(Channel, Request<Req>) -> Sent,
    ) -> Result<Res, Error>
    where
        Req: Clone,
        Sent: Future<Output = Result<Response<Res>, Status>>,
    {
        let started = Instant::now();
        let left = || self.options.deadline.saturating_sub(started.elapsed());
        let mut backoff = Backoff::new(if repeat == Repeat::Safe {
            self.options.retries
        } else {
            0
        });
        loop {
            let attempt = send(self.channel.clone(), self.prepare(request.clone(), left()));
            let error = match timeout(left(), attempt).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) if ran_out(&status, left()) => self.too_late(),
                Ok(Err(status)) => Error::from_status(&status, &self.endpoint),
                Err(_) => self.too_late(),
            };
            // A wait past the deadline could only replace this error by one that says less.
            match backoff.wait_after(&error).filter(|wait| *wait < left()) {
                Some(wait) => sleep(wait).await,
                None => return Err(error),
            }
        }
    }

    fn prepare<Req>(&self, message: Req, left: Duration) -> Request<Req> {
        let mut request = Request::new(message);
        request.set_timeout(left);
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.clone());
        }
        request
    }

    fn too_late(&self) -> Error {
        Error::DeadlineExceeded {
            endpoint: self.endpoint.clone(),
            deadline: self.options.deadline,
        }
    }
}

fn router(channel: Channel) -> RouterServiceClient<Channel> {
    RouterServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES)
}

/// tonic's own timers, here and in many servers, call a missed deadline `CANCELLED`.
fn ran_out(status: &Status, left: Duration) -> bool {
    let by_timer = status.source().is_some_and(|cause| cause.is::<TimeoutExpired>());
    status.code() == Code::Cancelled && (by_timer || left.is_zero())
}

fn bearer(token: &str) -> Result<MetadataValue<Ascii>, Error> {
    let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.trim())
        .parse()
        .map_err(|_| Error::Options("bearer token: only visible ASCII characters can be sent".into()))?;
    value.set_sensitive(true);
    Ok(value)
}
