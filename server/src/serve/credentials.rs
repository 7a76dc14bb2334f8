//! What proves who somebody is, kept equal to its files while the server runs: certificates and tokens. A change that
//! cannot be used keeps what was in force, is logged once and counted; nothing that is read here is ever shown.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::metrics;

/// Something read from files.
pub trait Credentials: Send + Sync {
    /// What it is, for the log and the metric.
    fn what(&self) -> &'static str;

    /// A hash of what the files hold now. Blocks.
    fn fingerprint(&self) -> [u8; 32];

    /// Reads the files and puts what they hold in force. Blocks.
    ///
    /// # Errors
    /// Why what was in force stays.
    fn reload(&self) -> Result<(), String>;
}

/// A hash over the content of files; one that cannot be read counts as its error.
pub fn fingerprint<'a>(files: impl IntoIterator<Item = impl AsRef<Path> + 'a>) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    for file in files {
        let content = fs::read(file).unwrap_or_else(|error| error.to_string().into_bytes());
        hash.update(&(content.len() as u64).to_le_bytes());
        hash.update(&content);
    }
    *hash.finalize().as_bytes()
}

/// Takes over each change of the files once it stays as it is for `debounce`, and everything at SIGHUP. Never returns. The
/// content is looked at through all links: a mounted Secret changes by renaming a link above the files.
pub async fn follow(all: Vec<Arc<dyn Credentials>>, poll: Duration, debounce: Duration) {
    if all.is_empty() {
        return std::future::pending().await;
    }
    let mut hangup = signal(SignalKind::hangup()).ok();
    let mut seen = look(&all).await;
    let mut poll = interval(poll);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let forced = async {
            let heard = match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => None,
            };
            if heard.is_none() {
                std::future::pending().await
            }
        };
        let forced = tokio::select! {
            () = forced => true,
            _ = poll.tick() => false,
        };
        let mut found = look(&all).await;
        if !forced && found != seen {
            // Half a file, or a certificate before its key, is not taken while its writer is at work.
            sleep(debounce).await;
            let again = look(&all).await;
            if again != found {
                continue;
            }
            found = again;
        }
        for (index, credentials) in all.iter().enumerate() {
            if forced || found.get(index) != seen.get(index) {
                take(credentials).await;
            }
        }
        seen = found;
    }
}

async fn look(all: &[Arc<dyn Credentials>]) -> Vec<[u8; 32]> {
    let all = all.to_vec();
    let look = spawn_blocking(move || all.iter().map(|one| one.fingerprint()).collect());
    look.await.unwrap_or_default()
}

async fn take(credentials: &Arc<dyn Credentials>) {
    let (what, own) = (credentials.what(), credentials.clone());
    let done = spawn_blocking(move || own.reload()).await;
    match done.unwrap_or_else(|_| Err("could not be read".to_owned())) {
        Ok(()) => {
            metrics::credentials(what, "applied");
            tracing::info!("{what}: read again and in force");
        }
        Err(why) => {
            metrics::credentials(what, "invalid");
            tracing::error!("{what}: {why}; what was in force stays");
        }
    }
}
