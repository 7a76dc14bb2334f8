//! `signalbox serve`: puts the parts together, says when they are ready, and takes them down again in order.

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use signalbox_decide::Severity;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::audit::Audit;
use crate::cli::{SettingArgs, print};
use crate::config::{AdminConfig, Config, StoreConfig};
use crate::engine::Engine;
use crate::engine::admission::Admission;
use crate::engine::bounded::{Bounds, fresh_secret};
use crate::engine::cache::DecisionCache;
use crate::engine::ring::Ring;
use crate::engine::sessions::Sessions;
use crate::grpc::access::{Admin, Tokens};
use crate::llm;
use crate::llm::Near;
use crate::metrics::{self, exporter};
use crate::serve::credentials::{self, Credentials};
use crate::serve::tls::Tls;
use crate::serve::{self, Settings};
use crate::store::last_good::LastGood;
use crate::store::{Compiler, Policies, ReloadError, ReloadOptions, ReloadReport, Store};
use crate::watcher::{PolicySource, WatchOptions, Watcher};
use crate::{logs, shared, traces, watcher};

/// The longest wait at the end for the audit log, and for what is to be shared and traced.
const FLUSH: Duration = Duration::from_secs(2);

/// Serves until a signal to stop.
///
/// # Errors
/// When a setting or the policy is wrong, or an address is taken.
pub fn run(settings: SettingArgs) -> anyhow::Result<ExitCode> {
    let (config, _) = settings.load()?;
    logs::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    // Taken before anything is shown to be ready: a signal in between must not kill.
    let stop = stop_signal()?;
    let source = Arc::new(match &config.policy {
        Some(path) => PolicySource::path(path, config.reload.max_bytes),
        None => PolicySource::builtin(),
    });
    let counting = config
        .metrics
        .map(|address| exporter::install().map(|e| (address, e)))
        .transpose()?;
    let traces = traces::start()?;
    let shared = shared::start(&config.shared)?;
    let llm = llm::start(&config.llm)?;
    if let Some(llm) = llm.as_ref().filter(|_| config.llm.required) {
        let usable = llm.usable().await;
        usable.map_err(|why| anyhow::anyhow!("llm.required: the language model cannot be used: {why}"))?;
    }
    let mut engine = engine(&config)?;
    if let Some(shared) = shared {
        engine = engine.with_shared(shared);
    }
    let engine = Arc::new(match llm {
        Some(llm) => engine.with_llm(llm),
        None => engine,
    });
    let (policies, first) = (engine.policies().clone(), source.clone());
    let policy = tokio::task::spawn_blocking(move || load(&policies, &first)).await??;
    let settings = Settings {
        traces: traces.clone(),
        ..transport(&config)?
    };
    let follow = credentials::follow(secrets(&settings), config.reload.poll, config.reload.debounce);
    let bound = serve::bind(settings, engine.clone(), source.clone()).await?;
    let mut shown = "off".to_owned();
    let mut ready = bound.ready();
    let mut background = tokio::task::JoinSet::new();
    background.spawn(follow);
    if let Some((address, exporter)) = counting {
        let page = exporter.bind(address, engine.clone(), bound.ready()).await?;
        shown = page.addr.to_string();
        let page = page.run(std::future::pending());
        background.spawn(async {
            if let Err(error) = page.await {
                tracing::error!("{error}");
            }
        });
    }
    let options = WatchOptions {
        poll: config.reload.poll,
        debounce: config.reload.debounce,
    };
    let _watcher = Watcher::start(source, engine.policies().clone(), options);
    let http = bound.http_addr.map(|address| format!(" http={address}"));
    let line = format!(
        "signalbox ready grpc={} metrics={shown} policy={policy}{}\n",
        bound.grpc_addr,
        http.unwrap_or_default()
    );
    let serving = bound.run(stopped(stop));
    tokio::pin!(serving);
    // The guard of `wait_for` locks the channel: it must be gone before the server says that it is no longer ready.
    let is_ready = async { ready.wait_for(|ready| *ready).await.map(drop) };
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        _ = is_ready => None,
    };
    match ended {
        Some(ended) => ended?,
        None => {
            print(&line)?;
            serving.await?;
        }
    }
    if let Some(audit) = engine.audit() {
        audit.flush(FLUSH);
    }
    let shared = async {
        if let Some(shared) = engine.shared() {
            shared.flush(FLUSH).await;
        }
    };
    let traced = async {
        if let Some(traces) = &traces {
            traces.flush(FLUSH.min(config.stop_deadline)).await;
        }
    };
    tokio::join!(shared, traced);
    // Metrics and probes are answered to the end of the drain; a scraper that holds its connection does not delay the exit.
    background.abort_all();
    Ok(ExitCode::SUCCESS)
}

fn engine(config: &Config) -> anyhow::Result<Engine> {
    let ring = Arc::new(Ring::new(config.ring_size));
    let compiler = Compiler::new().context("the built-in embedding table")?;
    let last_good = config.reload.last_good.as_deref().map(LastGood::open).transpose();
    let last_good = last_good.context("reload.last_good")?;
    let policies = Arc::new(Policies::keeping(compiler, ring.clone(), last_good));
    let bounds = |store: StoreConfig| Bounds {
        max_entries: store.max_entries,
        max_bytes: store.max_bytes,
    };
    let cache = DecisionCache::new(bounds(config.cache), fresh_secret());
    let sessions = Sessions::new(bounds(config.sessions), fresh_secret());
    let near = Near::new(bounds(config.cache), fresh_secret());
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let engine = Engine::new(policies, cache, ring)
        .with_sessions(sessions)
        .with_near(near)
        .with_admission(Admission::new(config.limits.decisions, processors));
    Ok(match &config.audit {
        Some(audit) => engine.with_audit(Audit::start(audit.clone()).context("audit.path")?),
        None => engine,
    })
}

fn transport(config: &Config) -> anyhow::Result<Settings> {
    Ok(Settings {
        listen: config.listen,
        http: config.http,
        console: config.console,
        max_message_bytes: config.limits.message_bytes,
        drain: config.drain,
        stop_deadline: config.stop_deadline,
        allow_push: config.reload.allow_push,
        max_concurrent_streams: config.limits.max_concurrent_streams,
        keepalive: config.limits.keepalive,
        max_header_bytes: config.limits.header_bytes,
        max_connections: config.limits.connections,
        connection_age: config.limits.connection_age,
        handshake: config.limits.handshake,
        tls: config.tls.clone().map(Tls::load).transpose()?.map(Arc::new),
        traces: None,
        admin: admin(config)?,
    })
}

fn admin(config: &Config) -> anyhow::Result<Admin> {
    let AdminConfig {
        tokens_file,
        tokens_env,
        client_names,
    } = &config.admin;
    let variable = |name: &String| {
        std::env::var(name)
            .with_context(|| format!("admin.tokens_env: the environment variable `{name}` is not set"))
    };
    let variable = tokens_env.as_ref().map(variable).transpose()?;
    let mut tokens = None;
    if tokens_file.is_some() || variable.is_some() {
        tokens = Some(Arc::new(Tokens::load(tokens_file.clone(), variable.as_deref())?));
        let listeners = [Some(config.listen), config.http];
        let outside = listeners
            .iter()
            .flatten()
            .any(|address| !address.ip().is_loopback());
        if config.tls.is_none() && outside {
            tracing::warn!("tokens travel unencrypted without `tls.cert`");
        }
    }
    Ok(Admin {
        tokens,
        client_names: client_names.clone(),
    })
}

/// What is read again when its files change.
fn secrets(settings: &Settings) -> Vec<Arc<dyn Credentials>> {
    let tls = settings.tls.clone().map(|tls| tls as Arc<dyn Credentials>);
    let tokens = settings
        .admin
        .tokens
        .clone()
        .map(|tokens| tokens as Arc<dyn Credentials>);
    tls.into_iter().chain(tokens).collect()
}

/// Puts the first policies in force and gives the name of everyone's. With any problem in that one nothing starts, unless the
/// last good one was kept. A tenant's that is bad is no reason to leave the others without.
fn load(policies: &Policies, source: &PolicySource) -> anyhow::Result<String> {
    let everyone = policies.everyone();
    let (current, kept) = match first(everyone, source) {
        Ok(report) => (report.current, false),
        Err(error) => {
            let Some(report) = everyone.fall_back() else {
                return Err(error);
            };
            tracing::error!("{error:#}");
            report.current.iter().for_each(watcher::log_fallen_back);
            (report.current, true)
        }
    };
    match watcher::load_tenants(policies, source) {
        Err(error) if kept => watcher::fall_back_tenants(policies, &error.to_string()),
        other => other.context("policy")?,
    }
    let current = current.context("policy: none is in force")?;
    let checksum = current.checksum.get(..12).unwrap_or(&current.checksum);
    Ok(format!("{}@{checksum}", current.source))
}

/// Puts everyone's policy in force.
fn first(everyone: &Store, source: &PolicySource) -> anyhow::Result<ReloadReport> {
    let read = source.read().inspect_err(|error| {
        metrics::reload("unreadable");
        everyone.unreadable(watcher::unreadable(&error.to_string()));
    });
    let (bytes, name) = read.context("policy")?;
    match everyone.reload(&bytes, &name, &ReloadOptions::default()) {
        Ok(report) => {
            metrics::reload("applied");
            warn(&name, &report);
            Ok(report)
        }
        Err(error) => {
            metrics::reload(watcher::result_of(&error));
            let ReloadError::Invalid(diagnostics) = &error else {
                return Err(error.into());
            };
            let errors = diagnostics
                .iter()
                .filter(|found| found.severity == Severity::Error);
            let lines: Vec<String> = errors.map(|found| format!("\n  {name}:{found}")).collect();
            anyhow::bail!(
                "policy: {name}: {} error(s), nothing to serve:{}",
                lines.len(),
                lines.concat()
            )
        }
    }
}

fn warn(name: &str, report: &ReloadReport) {
    for found in report
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Warning)
    {
        tracing::warn!("policy: {name}:{found}");
    }
}

/// Turns true at SIGTERM or Ctrl-C. A second signal ends the process at once.
fn stop_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        for stopping in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stopping {
                tracing::warn!("stopped at once by a second signal");
                std::process::exit(1);
            }
            sender.send_replace(true);
        }
    });
    Ok(receiver)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // A dropped sender stops as well.
    let _ = stop.wait_for(|stop| *stop).await;
}
