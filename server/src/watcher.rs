//! Keeps the policy in force equal to its source while the server runs. Started by `signalbox serve`.
//!
//! Events of the file system in the policy's directory make it quick. What makes it sure is a look at the content, through
//! all links, every few seconds: a Kubernetes ConfigMap changes by renaming a link above the file, and network file systems
//! send no events at all. Bytes that did not change do nothing. Whatever fails, the last good policy stays, the failure is
//! recorded in the store, counted, and logged once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use signalbox_decide::policy::checksum;
use signalbox_decide::{Diagnostic, Severity};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::metrics;
use crate::store::{ReloadError, ReloadOptions, ReloadReport, Store};

pub use source::{BUILTIN, BUILTIN_NAME, PolicySource};

pub mod source;

/// Looks at a source that keeps changing, before it is taken as it is.
const ROUNDS: usize = 20;

/// Problems of one policy that are logged; `GetPolicy` has them all.
const LOGGED: usize = 10;

/// Failures that are remembered, so as not to be logged again.
const REMEMBERED: usize = 100;

/// How the source is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    /// Between two looks at the content.
    pub poll: Duration,
    /// How long a change must stay as it is: half a file is never taken for a whole one while its writer is at work.
    pub debounce: Duration,
}

/// A watch on a source; dropping it ends the watch.
#[derive(Debug)]
pub struct Watcher {
    task: JoinHandle<()>,
    now: Arc<Notify>,
}

impl Watcher {
    /// Watches `source`, and SIGHUP, which reloads at once. The policy in force is taken to be what the source held last.
    /// Call it inside a Tokio runtime.
    pub fn start(source: Arc<PolicySource>, store: Arc<Store>, options: WatchOptions) -> Self {
        let seen = store
            .current()
            .map(|snapshot| Seen::Content(snapshot.info.checksum.clone()));
        let watch = Watch {
            source,
            store,
            options,
            seen,
            logged: BTreeSet::new(),
        };
        let now = Arc::new(Notify::new());
        // Taken here and not in the task: a signal that nobody takes ends the process.
        let hangup = signal(SignalKind::hangup()).ok();
        let task = tokio::spawn(watch.run(now.clone(), hangup));
        Watcher { task, now }
    }

    /// Reads the source again at once, changed or not.
    pub fn reload_now(&self) {
        self.now.notify_one();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a look at the source shows, enough to tell it from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// Bytes, by their checksum.
    Content(String),
    /// Nothing, and why.
    Unreadable(String),
}

/// A look at the source.
struct Look {
    seen: Seen,
    bytes: Vec<u8>,
    name: String,
}

struct Watch {
    source: Arc<PolicySource>,
    store: Arc<Store>,
    options: WatchOptions,
    seen: Option<Seen>,
    logged: BTreeSet<Seen>,
}

impl Watch {
    async fn run(mut self, now: Arc<Notify>, mut hangup: Option<Signal>) {
        let changed = Arc::new(Notify::new());
        let _events = self.source.directory().and_then(|directory| {
            events(&directory, changed.clone())
                .inspect_err(
                    |error| tracing::warn!(%error, ?directory, "no file events; looking every few seconds"),
                )
                .ok()
        });
        let mut poll = interval(self.options.poll);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = poll.tick() => self.check().await,
                () = changed.notified() => self.check().await,
                () = received(&mut hangup) => self.reload().await,
                () = now.notified() => self.reload().await,
            }
        }
    }

    /// Takes over a change, once it stays as it is.
    async fn check(&mut self) {
        let mut look = self.look().await;
        for _ in 0..ROUNDS {
            if self.seen.as_ref() == Some(&look.seen) {
                return;
            }
            sleep(self.options.debounce).await;
            let before = std::mem::replace(&mut look, self.look().await);
            if before.seen == look.seen {
                break;
            }
        }
        if self.seen.as_ref() != Some(&look.seen) && !self.in_force(&look) {
            self.apply(look).await;
        }
    }

    /// Takes over what is there now.
    async fn reload(&mut self) {
        let look = self.look().await;
        self.logged.remove(&look.seen);
        self.apply(look).await;
    }

    async fn look(&self) -> Look {
        let source = self.source.clone();
        let read = spawn_blocking(move || source.read()).await;
        match read.unwrap_or_else(|stopped| Err(std::io::Error::other(stopped))) {
            Ok((bytes, name)) => Look {
                seen: Seen::Content(checksum(&bytes)),
                bytes,
                name,
            },
            Err(error) => Look {
                seen: Seen::Unreadable(error.to_string()),
                bytes: Vec::new(),
                name: String::new(),
            },
        }
    }

    /// Whether this is what decides already: somebody else was quicker, for example `ReloadPolicy`.
    fn in_force(&mut self, look: &Look) -> bool {
        let Some(current) = self.store.current() else {
            return false;
        };
        let same =
            look.seen == Seen::Content(current.info.checksum.clone()) && look.name == current.info.source;
        let in_force = same && self.store.last_error().is_none();
        if in_force {
            self.seen = Some(look.seen.clone());
        }
        in_force
    }

    async fn apply(&mut self, look: Look) {
        let Look { seen, bytes, name } = look;
        self.seen = Some(seen.clone());
        let first_time = self.logged.insert(seen.clone());
        if self.logged.len() > REMEMBERED {
            self.logged.pop_first();
        }
        if let Seen::Unreadable(error) = &seen {
            metrics::reload("unreadable");
            self.store.unreadable(unreadable(error));
            if first_time {
                tracing::error!("policy: {error}; the one in force stays");
            }
            return;
        }
        let store = self.store.clone();
        let source = name.clone();
        let done = spawn_blocking(move || store.reload(&bytes, &source, &ReloadOptions::default())).await;
        match done {
            Ok(Ok(report)) => {
                metrics::reload("applied");
                self.logged.remove(&seen);
                log_applied(&report);
            }
            Ok(Err(error)) => {
                metrics::reload(result_of(&error));
                if first_time {
                    log_refused(&name, &error);
                }
            }
            // A panic in the compiler is a defect; the policy in force is untouched by it.
            Err(stopped) => {
                metrics::reload("invalid");
                tracing::error!("policy: {name}: could not be compiled: {stopped}; the one in force stays");
            }
        }
    }
}

/// Reports changes in a directory. Reading a file there is an event as well, and must not count as one.
fn events(directory: &std::path::Path, changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let reading = event.is_ok_and(|event| match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => true,
            _ => false,
        });
        if !reading {
            changed.notify_one();
        }
    })?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

async fn received(hangup: &mut Option<Signal>) {
    if let Some(hangup) = hangup
        && hangup.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

/// The word for a refusal in `signalbox_policy_reloads_total`.
pub fn result_of(error: &ReloadError) -> &'static str {
    match error {
        ReloadError::Invalid(_) => "invalid",
        ReloadError::Conflict { .. } => "conflict",
        ReloadError::TestsFailed(_) => "tests_failed",
    }
}

/// A source that cannot be read, as the store keeps it.
pub fn unreadable(error: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "unreadable",
        path: String::new(),
        line: 0,
        column: 0,
        message: error.to_owned(),
        hint: String::new(),
    }
}

fn log_applied(report: &ReloadReport) {
    let Some(current) = &report.current else { return };
    let (changed, decisions) = (report.churn.changed, report.churn.decisions);
    tracing::info!(
        version = current.version,
        checksum = current.checksum,
        source = current.source,
        "policy in force; {changed} of the last {decisions} decisions would change"
    );
    for found in report
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Warning)
        .take(LOGGED)
    {
        tracing::warn!("policy: {}:{found}", current.source);
    }
}

fn log_refused(name: &str, error: &ReloadError) {
    tracing::error!("policy: {name}: {error}");
    let ReloadError::Invalid(diagnostics) = error else {
        return;
    };
    for found in diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .take(LOGGED)
    {
        tracing::error!("policy: {name}:{found}");
    }
}

#[cfg(test)]
mod tests;
