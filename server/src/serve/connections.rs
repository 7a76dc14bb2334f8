//! The connections of a listener: accepted up to a cap, made ready in a task of their own so that a slow one holds up
//! nobody, served by hyper, and ended in order. tonic's own loop has no cap, spins on errors such as too many open files,
//! ends all connections of an age at once, and takes its certificate once.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use tonic::Status;
use tonic::body::Body;
use tower::{Service, ServiceExt as _};

use crate::metrics;
use crate::serve::Settings;
use crate::serve::incoming::{Lost, prepare};
use crate::serve::tls::Tls;
use crate::serve::turns::{Calls, Turns};

/// The pause after an error: long enough to cost nothing, short enough to go unnoticed once it is over.
const BACK_OFF: Duration = Duration::from_millis(100);

/// The longest wait for a peer's answer to a ping.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// The least that hyper takes as the limit of what it reads before a request's end of headers.
const MAX_HTTP1_HEADERS: usize = 8192;

/// How connections are taken in and served.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    tls: Option<Arc<Tls>>,
    handshake: Duration,
    places: Arc<Semaphore>,
    age: Option<Duration>,
    builder: Builder<TokioExecutor>,
}

impl Connections {
    /// For calls of gRPC, which speaks HTTP/2 only.
    pub(super) fn grpc(settings: &Settings) -> Self {
        Connections::new(settings, Builder::new(TokioExecutor::new()).http2_only())
    }

    /// For HTTP of any version.
    pub(super) fn http(settings: &Settings) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.handshake)
            .max_buf_size(MAX_HTTP1_HEADERS.max(settings.max_header_bytes as usize));
        Connections::new(settings, builder)
    }

    fn new(settings: &Settings, mut builder: Builder<TokioExecutor>) -> Self {
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(settings.max_concurrent_streams)
            .max_header_list_size(settings.max_header_bytes)
            .keep_alive_interval(settings.keepalive)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT);
        Connections {
            tls: settings.tls.clone(),
            handshake: settings.handshake,
            places: Arc::new(Semaphore::new(settings.max_connections)),
            age: settings.connection_age,
            builder,
        }
    }

    /// Accepts connections until `stop`, then closes the listener, asks every connection to end, and returns when all have.
    /// Dropping the future ends them at once.
    pub(super) async fn serve<S>(self, listener: TcpListener, service: S, stop: impl Future<Output = ()>)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let (ending, ended) = watch::channel(());
        let mut stop = pin!(stop);
        let (mut failing, mut full) = (false, false);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                // Its caller gave up before it was accepted: nobody else is concerned.
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    metrics::connection("failed");
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "connections cannot be accepted; trying again, and saying no more until it works");
                    }
                    tokio::select! {
                        () = &mut stop => break,
                        () = sleep(BACK_OFF) => continue,
                    }
                }
            };
            failing = false;
            let Ok(place) = self.places.clone().try_acquire_owned() else {
                metrics::connection("over_limit");
                if !std::mem::replace(&mut full, true) {
                    tracing::warn!(
                        "`limits.connections` is reached; further connections are closed until one ends"
                    );
                }
                continue;
            };
            full = false;
            let one = self.clone().one(stream, service.clone(), ended.clone());
            tokio::spawn(async move {
                one.await;
                drop(place);
            });
        }
        drop(listener);
        drop(ended);
        ending.send_replace(());
        ending.closed().await;
    }

    /// Serves one connection to its end.
    async fn one<S>(self, stream: TcpStream, service: S, mut ending: watch::Receiver<()>)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let _open = Open::new();
        let ready = tokio::select! {
            ready = prepare(stream, self.tls.as_deref(), self.handshake) => ready,
            _ = ending.changed() => return,
        };
        let (socket, peer) = match ready {
            Ok(ready) => ready,
            Err(lost) => {
                return metrics::connection(match lost {
                    Lost::Timeout => "timeout",
                    Lost::Handshake => "handshake_failed",
                });
            }
        };
        metrics::connection("accepted");
        let service = service.map_request(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            if let Some(peer) = &peer {
                request.extensions_mut().insert(peer.clone());
            }
            request
        });
        let calls = Calls::default();
        let mut turns = Turns::new(calls.clone());
        let service = TowerToHyperService::new(service);
        let service = service_fn(move |request| {
            let (call, answer) = (calls.begin(), service.call(request));
            async move {
                let answer = answer.await;
                if answer.as_ref().is_ok_and(is_error) {
                    call.fail();
                }
                drop(call);
                answer
            }
        });
        let connection = self.builder.serve_connection(TokioIo::new(socket), service);
        let mut connection = pin!(connection);
        let mut age = pin!(old(self.age));
        let mut asked = false;
        loop {
            tokio::select! {
                done = poll_fn(|context| turns.poll(connection.as_mut(), context)) => {
                    if let Err(error) = done {
                        tracing::debug!(error, "a connection ended in an error");
                    }
                    return;
                }
                () = &mut age, if !asked => asked = true,
                changed = ending.changed() => match changed {
                    Ok(()) => asked = true,
                    // The server was stopped at once.
                    Err(_) => return,
                },
            }
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// Comes when a connection of this age is to end. A tenth more or less, by chance: connections that came together, after a
/// restart for instance, do not all come again together.
async fn old(age: Option<Duration>) {
    match age {
        Some(age) => sleep(age.mul_f64(0.9 + 0.2 * fastrand::f64())).await,
        None => std::future::pending().await,
    }
}

/// Whether an answer is an error of gRPC's: those have their status in front, and nothing behind it.
fn is_error(answer: &Response<Body>) -> bool {
    answer.headers().contains_key(Status::GRPC_STATUS)
}

fn is_of_one_connection(error: &io::Error) -> bool {
    let kinds = [
        ErrorKind::ConnectionAborted,
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionRefused,
    ];
    kinds.contains(&error.kind())
}

/// Counts a connection while it is there.
struct Open;

impl Open {
    fn new() -> Self {
        metrics::connections(1.0);
        Open
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::connections(-1.0);
    }
}
