//! Keeps the policies in force equal to their source while the server runs. Started by `signalbox serve`.
//!
//! Events of the file system in the policies' directory make it quick. What makes it sure is a look at the content, through
//! all links, every few seconds: a Kubernetes ConfigMap changes by renaming a link above the file, and network file systems
//! send no events at all. Bytes that did not change do nothing. Whatever fails, the last good policy stays, the failure is
//! recorded in the store, counted, and logged once. A change of one tenant's file is nothing to the others; a file that is
//! gone gives its tenant to everyone's policy, whereas a directory that cannot be looked into takes nothing away.
//!
//! `watcher/look.rs` is what the source shows, `watcher/apply.rs` what is done about it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::background;
use crate::store::Policies;
use look::{Look, Seen, SeenByTenant};

pub use apply::{fall_back_tenants, load_tenants, log_fallen_back, result_of, unreadable};
pub use source::{BUILTIN, BUILTIN_NAME, PolicySource};

mod apply;
mod look;
pub mod source;

/// Looks at a source that keeps changing, before it is taken as it is.
const ROUNDS: usize = 20;

/// Failures that are remembered at least, so as not to be logged again.
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
    /// Watches `source`, and SIGHUP, which reloads at once. The policies in force, and the last ones refused, are taken to
    /// be what the source held last. Call it inside a Tokio runtime.
    pub fn start(source: Arc<PolicySource>, policies: Arc<Policies>, options: WatchOptions) -> Self {
        let stores = policies.all();
        let seen = stores
            .iter()
            .filter_map(|store| Some((store.tenant().to_owned(), Seen::last_of(store)?)))
            .collect();
        let watch = Watch {
            source,
            policies,
            options,
            seen,
            ignored: Vec::new(),
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

struct Watch {
    source: Arc<PolicySource>,
    policies: Arc<Policies>,
    options: WatchOptions,
    /// By tenant, what was taken over or refused last.
    seen: SeenByTenant,
    /// What was in the directory and nobody's policy.
    ignored: Vec<String>,
    logged: BTreeSet<(String, Seen)>,
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

    /// Takes over each change, once it stays as it is.
    async fn check(&mut self) {
        let mut look = self.look(self.seen.clone()).await;
        for round in 1..=ROUNDS {
            if look.changed(&self.seen).is_empty() {
                return;
            }
            sleep(self.options.debounce).await;
            let before = std::mem::replace(&mut look, self.look(self.seen.clone()).await);
            let mut changed = look.changed(&self.seen);
            if round < ROUNDS {
                changed.retain(|tenant| before.seen_of(tenant) == look.seen_of(tenant));
            }
            changed.retain(|tenant| !self.in_force(tenant, &look));
            self.apply(changed, &mut look).await;
        }
    }

    /// Takes over what is there now, and nothing else stays: policies that were pushed go.
    async fn reload(&mut self) {
        let mut look = self.look(SeenByTenant::new()).await;
        let stores = self.policies.all();
        let held = stores.iter().map(|store| store.tenant().to_owned());
        let known = held.map(|tenant| (tenant, Seen::Unreadable(String::new())));
        let all = look.changed(&known.collect());
        for tenant in &all {
            if let Some(seen) = look.seen_of(tenant) {
                self.logged.remove(&(tenant.clone(), seen));
            }
        }
        self.apply(all, &mut look).await;
    }

    async fn look(&mut self, known: SeenByTenant) -> Look {
        let source = self.source.clone();
        let look = spawn_blocking(move || Look::at(&source, &known)).await;
        let look = look.unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)));
        let look = look.unwrap_or_else(|error| Look::failed(&error.to_string()));
        if look.complete && look.ignored != self.ignored {
            self.ignored.clone_from(&look.ignored);
            apply::log_ignored(&look.ignored);
        }
        look
    }

    /// Whether this is what decides already: somebody else was quicker, for example `ReloadPolicy`.
    fn in_force(&mut self, tenant: &str, look: &Look) -> bool {
        let (Some(store), Some(found)) = (self.policies.own(tenant), look.found.get(tenant)) else {
            return false;
        };
        let in_force = store.last_error().is_none()
            && store
                .current()
                .is_some_and(|current| found.seen == Seen::of(&current) && found.name == current.info.source);
        if in_force {
            self.seen.insert(tenant.to_owned(), found.seen.clone());
        }
        in_force
    }

    /// Takes over what was found of these tenants, or that nothing was.
    async fn apply(&mut self, tenants: Vec<String>, look: &mut Look) {
        let mut found = Vec::new();
        for tenant in tenants {
            let Some(one) = look.take(&tenant) else {
                self.seen.remove(&tenant);
                apply::removed(&self.policies, &tenant);
                continue;
            };
            self.seen.insert(tenant.clone(), one.seen.clone());
            let first_time = self.logged.insert((tenant.clone(), one.seen.clone()));
            if self.logged.len() > REMEMBERED.max(2 * self.seen.len()) {
                self.logged.pop_first();
            }
            found.push((tenant, one, first_time));
        }
        let policies = self.policies.clone();
        let applied = background::spawn(move || apply::all(&policies, found)).await;
        for applied in applied.unwrap_or_default() {
            self.logged.remove(&applied);
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

#[cfg(test)]
mod tests;
