//! The server on its listeners: the service with health and reflection, the same in JSON, the edge layer, and an orderly end. `main` and the
//! tests [`bind`] it, read the address, and [`Bound::run`] it until a future resolves.
//!
//! It starts NOT_SERVING and becomes SERVING by itself once a policy is loaded and a warm-up decision was made. At the end
//! it says NOT_SERVING, serves on through the drain, then closes the listener, lets calls in flight finish, and gives up
//! waiting at the stop deadline. Limits of the transport are in [`Settings`].

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prost_reflect::DescriptorError;
use signalbox_api::FILE_DESCRIPTOR_SET;
use signalbox_api::v1::router_service_server::RouterServiceServer;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;
use tower::Layer as _;

use crate::engine::Engine;
use crate::grpc::Grpc;
use crate::grpc::access::{Access, Admin};
use crate::serve::connections::Connections;
use crate::serve::edge::{Edge, EdgeLayer};
use crate::serve::health::Health;
use crate::serve::tls::Tls;
use crate::traces::Traces;
use crate::watcher::PolicySource;

pub use incoming::Peer;

mod connections;
mod console;
pub mod credentials;
pub mod edge;
mod health;
mod incoming;
mod json;
pub mod tls;
mod turns;

/// For the body of a request in JSON to come in.
const BODY: Duration = Duration::from_secs(30);

/// How the server listens and ends.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one. Default: 127.0.0.1:50051.
    pub listen: SocketAddr,
    /// Where to take JSON over HTTP. Default: nowhere.
    pub http: Option<SocketAddr>,
    /// Whether the console for policy authors is there too. Default: no.
    pub console: bool,
    /// The largest message that is read, in bytes. Default: 4 MiB.
    pub max_message_bytes: usize,
    /// How long to serve on, NOT_SERVING, after the signal to stop, so that load balancers take notice. Default: none.
    pub drain: Duration,
    /// The longest wait for calls in flight after that. Default: 10 s.
    pub stop_deadline: Duration,
    /// Whether `ReloadPolicy` accepts a policy in the call. Default: yes.
    pub allow_push: bool,
    /// Most calls at once on one connection. Default: 1,000.
    pub max_concurrent_streams: u32,
    /// Between HTTP/2 pings on a connection; a peer that does not answer within 20 s is dropped. Default: 30 s.
    pub keepalive: Duration,
    /// Most bytes of a call's headers. Default: 16 KiB.
    pub max_header_bytes: u32,
    /// Most connections at once; further ones are closed. Default: 10,000.
    pub max_connections: usize,
    /// When a connection is asked to end, give or take a tenth. Default: never.
    pub connection_age: Option<Duration>,
    /// For a connection to finish its handshake, or without TLS to say anything. Default: 10 s.
    pub handshake: Duration,
    /// The certificates. Default: none, connections are not encrypted.
    pub tls: Option<Arc<Tls>>,
    /// Where spans of calls go. Default: nowhere.
    pub traces: Option<Traces>,
    /// Who may make administrative calls. Default: everybody who reaches a listener bound to loopback.
    pub admin: Admin,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 50051)),
            http: None,
            console: false,
            max_message_bytes: 4 << 20,
            drain: Duration::ZERO,
            stop_deadline: Duration::from_secs(10),
            allow_push: true,
            max_concurrent_streams: 1000,
            keepalive: Duration::from_secs(30),
            max_header_bytes: 16 << 10,
            max_connections: 10_000,
            connection_age: None,
            handshake: Duration::from_secs(10),
            tls: None,
            traces: None,
            admin: Admin::default(),
        }
    }
}

/// Why the server could not start, or ended without being asked to.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("{setting}: cannot listen on {address}: {error}; choose another address")]
    Listen {
        /// The setting that has it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The descriptors of the API cannot be served, which only a broken build does.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The same, for JSON.
    #[error("http.listen: {0}")]
    Json(#[from] DescriptorError),
}

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Bound {
    /// The address it listens on, with its real port.
    pub grpc_addr: SocketAddr,
    /// The address for JSON, with its real port.
    pub http_addr: Option<SocketAddr>,
    listener: TcpListener,
    http_listener: Option<TcpListener>,
    settings: Settings,
    engine: Arc<Engine>,
    source: Arc<PolicySource>,
    health: Health,
    ready: watch::Sender<bool>,
}

/// Listens. `source` is what `ReloadPolicy` reads again.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn bind(
    settings: Settings,
    engine: Arc<Engine>,
    source: Arc<PolicySource>,
) -> Result<Bound, ServeError> {
    let (listener, grpc_addr) = listen("listen", settings.listen).await?;
    let http = match settings.http {
        Some(address) => Some(listen("http.listen", address).await?),
        None => None,
    };
    let (http_listener, http_addr) = http.unzip();
    let (health, ready) = (Health::new().await, watch::Sender::new(false));
    Ok(Bound {
        grpc_addr,
        http_addr,
        listener,
        http_listener,
        settings,
        engine,
        source,
        health,
        ready,
    })
}

async fn listen(setting: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |error| ServeError::Listen {
        setting,
        address,
        error,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

impl Bound {
    /// Turns true once the server is SERVING.
    pub fn ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// Serves until `shutdown` resolves, then drains and stops. Dropping the future stops at once.
    ///
    /// # Errors
    /// When the descriptors cannot be served.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let calls = self.service(self.grpc_addr)?;
        let pages = match self.http_addr {
            Some(address) => Some(json::pages(
                self.service(address)?,
                self.settings.max_message_bytes,
                BODY,
                self.settings.console.then_some(address),
            )?),
            None => None,
        };
        let Bound {
            settings,
            engine,
            listener,
            http_listener,
            health,
            ready,
            ..
        } = self;
        let (stop, stopped) = watch::channel(());
        let signal = || {
            let mut stopped = stopped.clone();
            async move {
                // A dropped sender stops as well.
                let _ = stopped.changed().await;
            }
        };
        let calls = Connections::grpc(&settings).serve(listener, calls, signal());
        let pages = async {
            if let Some((listener, pages)) = http_listener.zip(pages) {
                Connections::http(&settings)
                    .serve(listener, pages, signal())
                    .await;
            }
        };
        let serving = async { tokio::join!(calls, pages) };
        tokio::pin!(serving);
        tokio::select! {
            // Without the signal it goes on.
            ((), ()) = &mut serving => return Ok(()),
            () = health.follow(&engine, &ready) => {}
            () = health.follow_llm(&engine) => {}
            () = shutdown => {}
        }
        ready.send_replace(false);
        health.not_serving().await;
        tracing::info!(drain = ?settings.drain, "stopping: not serving, draining");
        tokio::select! {
            ((), ()) = &mut serving => return Ok(()),
            () = tokio::time::sleep(settings.drain) => {}
        }
        stop.send_replace(());
        if tokio::time::timeout(settings.stop_deadline, serving)
            .await
            .is_err()
        {
            tracing::warn!(deadline = ?settings.stop_deadline, "stopped with calls or watches still open");
        }
        Ok(())
    }

    /// The service behind the edge layer, for the listener at `address`.
    fn service(&self, address: SocketAddr) -> Result<Edge<Routes>, ServeError> {
        let access = Access::new(address, self.settings.admin.clone(), self.settings.allow_push);
        let grpc = Grpc::new(self.engine.clone(), self.source.clone(), access);
        let service =
            RouterServiceServer::new(grpc).max_decoding_message_size(self.settings.max_message_bytes);
        let health = HealthServer::new(HealthService::from_health_reporter(self.health.reporter()));
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let mut routes = Routes::builder();
        routes
            .add_service(service)
            .add_service(health)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?);
        let edge = EdgeLayer::new(self.settings.max_message_bytes).with_traces(self.settings.traces.clone());
        Ok(edge.layer(routes.routes().prepare()))
    }
}
