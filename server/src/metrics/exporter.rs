//! The listener that Prometheus reads. Gauges are taken when they are read, so nothing has to keep them up to date. Probes that
//! cannot ask gRPC (those of Kubernetes cannot, under TLS) find `/readyz` and `/livez` here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::table::{BUCKETS, METRICS};
use super::{SERIES, Series};
use crate::engine::Engine;
use crate::engine::shadow::RESULTS;
use crate::llm::State;
use crate::shared::Shared;

/// The version of the text format that is written.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Between two rounds that fold recorded durations into the buckets: without them, a server that nobody scrapes would
/// keep every single one.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why metrics cannot be shown.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// The address cannot be listened on.
    #[error("metrics: cannot listen on {address}: {error}; choose another address, or `off`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Metrics were installed before.
    #[error("metrics: already installed in this process")]
    Twice,
    /// The listener failed.
    #[error("metrics: {0}")]
    Io(#[from] io::Error),
}

/// The process's metrics, counting.
#[derive(Clone, Debug)]
pub struct Exporter {
    handle: PrometheusHandle,
}

/// Starts counting. Once in a process.
///
/// # Errors
/// [`MetricsError::Twice`].
pub fn install() -> Result<Exporter, MetricsError> {
    let recorder = recorder();
    let handle = recorder.handle();
    ::metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Twice)?;
    SERIES.set(Series::new()).map_err(|_| MetricsError::Twice)?;
    set_start_time();
    Ok(Exporter { handle })
}

pub(super) fn recorder() -> PrometheusRecorder {
    // Refused only when there are no buckets.
    let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).unwrap_or_default();
    builder.build_recorder()
}

fn set_start_time() {
    if let Some(series) = SERIES.get() {
        series.start_timestamp.set(unix(SystemTime::now()));
    }
}

fn unix(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// A listener for metrics that does not answer yet.
#[derive(Debug)]
pub struct Bound {
    /// The address it listens on, with its real port.
    pub addr: SocketAddr,
    listener: TcpListener,
    exporter: Exporter,
    engine: Arc<Engine>,
    ready: watch::Receiver<bool>,
}

impl Exporter {
    /// Listens. The state of `engine` becomes gauges; `ready` is told to probes.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(
        self,
        address: SocketAddr,
        engine: Arc<Engine>,
        ready: watch::Receiver<bool>,
    ) -> Result<Bound, MetricsError> {
        let failed = |error| MetricsError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        Ok(Bound {
            addr,
            listener,
            exporter: self,
            engine,
            ready,
        })
    }

    /// All metrics in Prometheus' text format.
    fn render(&self, engine: &Engine) -> String {
        if let Some(series) = SERIES.get() {
            series.take(engine);
        }
        let mut text = self.handle.render();
        write_changing(engine, &mut text);
        text
    }
}

impl Bound {
    /// Answers `GET` of `/metrics`, `/readyz` and `/livez` until `shutdown` resolves.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), MetricsError> {
        let Bound {
            listener,
            exporter,
            engine,
            ready,
            ..
        } = self;
        let shown = exporter.clone();
        let page = move || async move { ([(CONTENT_TYPE, FORMAT)], shown.render(&engine)) };
        let readiness = move || async move {
            match *ready.borrow() {
                true => (StatusCode::OK, "ready\n"),
                false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            }
        };
        let router = Router::new()
            .route("/metrics", get(page))
            .route("/readyz", get(readiness))
            .route("/livez", get(|| async { "alive\n" }));
        let serving = axum::serve(listener, router)
            .with_graceful_shutdown(shutdown)
            .into_future();
        tokio::pin!(serving);
        let mut upkeep = tokio::time::interval(UPKEEP);
        loop {
            tokio::select! {
                ended = &mut serving => return Ok(ended?),
                _ = upkeep.tick() => exporter.handle.run_upkeep(),
            }
        }
    }
}

impl Series {
    /// Reads the state of the engine into the gauges.
    pub(super) fn take(&self, engine: &Engine) {
        let store = engine.store();
        let loaded = store.current();
        let info = loaded.as_ref().map(|snapshot| &snapshot.info);
        self.policy_version
            .set(info.map_or(0.0, |info| info.version as f64));
        self.policy_load_timestamp
            .set(info.map_or(0.0, |info| unix(info.load_time)));
        let (mut good, mut stale, mut unusable) = (0_u32, 0_u32, 0_u32);
        for tenant in engine.policies().all().iter().skip(1) {
            let state = match (tenant.current(), tenant.last_error()) {
                (Some(_), None) => &mut good,
                (Some(_), Some(_)) => &mut stale,
                (None, _) => &mut unusable,
            };
            *state += 1;
        }
        for (state, count) in [("good", good), ("stale", stale), ("unusable", unusable)] {
            self.tenant_policies
                .with(&[state], |gauge| gauge.set(f64::from(count)));
        }
        let successful = info.is_some() && store.last_error().is_none() && stale + unusable == 0;
        self.reload_successful.set(f64::from(u8::from(successful)));
        self.shadow_dropped
            .with(&[], |counter| counter.absolute(engine.shadows().dropped()));
        let ready = engine
            .llm()
            .is_some_and(|llm| *llm.state().borrow() == State::Ready);
        self.llm_ready.set(f64::from(u8::from(ready)));
        self.cache_entries.set(engine.cache().len() as f64);
        self.sessions.set(engine.sessions().len() as f64);
        let shared_up = engine.shared().is_some_and(Shared::is_up);
        self.shared_up.set(f64::from(u8::from(shared_up)));
        self.cache_bytes.set(engine.cache().bytes() as f64);
        let near = engine.near();
        let audited = near.audit.audited();
        self.semantic_entries.set(near.len() as f64);
        self.semantic_bytes.set(near.bytes() as f64);
        self.semantic_open.set(f64::from(u8::from(audited.open)));
        let (lower, upper) = audited.interval();
        for (bound, value) in [
            ("estimate", audited.share().unwrap_or(f64::NAN)),
            ("lower", lower),
            ("upper", upper),
        ] {
            self.semantic_wrong.with(&[bound], |gauge| gauge.set(value));
        }
        self.in_progress.set(engine.admission().in_progress() as f64);
        self.ring_decisions.set(engine.ring().all().len() as f64);
    }
}

/// The series whose labels come from policies. They are written here because a recorder would keep those of every policy
/// that was ever loaded.
pub(super) fn write_changing(engine: &Engine, text: &mut String) {
    write_policy(engine, text);
    let tally = engine.shadows().tally().clone();
    let compared = tally.routes.iter().flat_map(|(route, counts)| {
        let route = escaped(route);
        let results = RESULTS.iter().zip(counts);
        results.map(move |(result, &count)| (format!("route=\"{route}\",result=\"{result}\""), count as f64))
    });
    write_series("signalbox_shadow_decisions_total", compared, text);
}

fn write_policy(engine: &Engine, text: &mut String) {
    let Some(snapshot) = engine.store().current() else {
        return;
    };
    let (version, checksum) = (snapshot.info.version, &snapshot.info.checksum);
    let info = format!("version=\"{version}\",checksum=\"{checksum}\"");
    write_series("signalbox_policy_info", [(info, 1.0)].into_iter(), text);
    let policy = &snapshot.policy;
    let estimates: BTreeMap<_, _> = engine.health().estimates("", policy).into_iter().collect();
    let models = || {
        let ids = policy.models.iter().map(|model| &model.id);
        ids.map(|id| (format!("model=\"{}\"", escaped(id)), estimates.get(id)))
    };
    let left_alone = models().flat_map(|(model, estimate)| {
        let counts = estimate.filter(|_| policy.health.enabled);
        let states = [
            ("cooling", counts.is_some_and(|e| e.cooling)),
            ("open", counts.is_some_and(|e| e.open)),
        ];
        states.map(|(state, holds)| (format!("{model},state=\"{state}\""), f64::from(u8::from(holds))))
    });
    write_series("signalbox_model_left_alone", left_alone, text);
    let quality =
        models().map(|(model, estimate)| (model, estimate.and_then(|e| e.quality).unwrap_or(f64::NAN)));
    write_series("signalbox_model_quality", quality, text);
}

/// One metric of the table with its series: labels and value.
fn write_series(name: &str, series: impl Iterator<Item = (String, f64)>, text: &mut String) {
    let Some(metric) = METRICS.iter().find(|metric| metric.name == name) else {
        return;
    };
    let (help, kind) = (metric.help, metric.kind.as_str());
    // Writing to a String cannot fail.
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    for (labels, value) in series {
        let _ = writeln!(text, "{name}{{{labels}}} {value}");
    }
}

/// A label's value in the text format; ids hold no control characters.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}
