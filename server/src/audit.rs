//! The audit log: one line of JSON for each decision, with the evidence it rests on and never with text. The engine offers
//! decisions; a thread of its own writes them. Nothing here makes a request wait or fail: a full queue drops and counts, and
//! so does a file that cannot be written, until it can be again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime};

use signalbox_decide::canary::{is_inside, point};
use signalbox_decide::{Decision, Evidence, Query, Refused};
use uuid::Uuid;

use crate::engine::CacheStatus;
use crate::engine::ring::Record;
use crate::metrics;
use crate::store::Snapshot;
use file::RotatingFile;

pub use line::{Line, schema};

mod evidence;
mod file;
pub mod line;
mod query;

/// Lines are written together up to this size: one system call for many of them under load.
const BATCH_BYTES: usize = 64 << 10;

/// How the log is written.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditConfig {
    /// The file; older ones stand beside it as `NAME.1`, `NAME.2` and so on.
    pub path: PathBuf,
    /// Share of the decisions that are written, 0..=1.
    pub sample: f64,
    /// A file of this many bytes is put aside.
    pub max_bytes: u64,
    /// Files kept, the one that is written among them.
    pub files: usize,
    /// Most decisions that wait to be written.
    pub queue: usize,
}

/// What there is to say of one decision.
#[derive(Debug)]
pub struct Entry {
    /// The policy that decided.
    pub snapshot: Arc<Snapshot>,
    /// What it decided, or why it would not.
    pub decided: Result<(Arc<Record>, CacheStatus), Denied>,
}

/// A refusal with what it rests on.
#[derive(Debug)]
pub struct Denied {
    /// UUIDv7.
    pub id: Uuid,
    /// When.
    pub time: SystemTime,
    /// The facts of the request.
    pub query: Query,
    /// The evidence.
    pub evidence: Evidence,
    /// Why.
    pub refused: Refused,
}

impl Entry {
    fn id(&self) -> Uuid {
        match &self.decided {
            Ok((record, _)) => record.id,
            Err(denied) => denied.id,
        }
    }

    /// The facts, the evidence, and the decision where there is one.
    fn parts(&self) -> (&Query, &Evidence, Result<&Decision, &Refused>) {
        match &self.decided {
            Ok((record, _)) => (&record.query, &record.evidence, Ok(&record.decision)),
            Err(denied) => (&denied.query, &denied.evidence, Err(&denied.refused)),
        }
    }
}

enum Job {
    Write(Box<Entry>),
    /// Answered once everything before it is written.
    Flush(SyncSender<()>),
}

/// The log as the engine sees it. The thread ends with it.
#[derive(Debug)]
pub struct Audit {
    queue: SyncSender<Job>,
    sample: f64,
}

impl Audit {
    /// Opens the file and starts the thread. Blocks.
    ///
    /// # Errors
    /// When the file cannot be opened now: a mistake in the settings is better found at the start. Later failures are
    /// counted, logged once, and end by themselves.
    pub fn start(config: AuditConfig) -> std::io::Result<Audit> {
        let file = RotatingFile::open(config.path, config.max_bytes, config.files)?;
        let (queue, jobs) = sync_channel(config.queue);
        let sample = config.sample;
        let thread = std::thread::Builder::new().name("audit".to_owned());
        thread.spawn(move || Writer::new(file, sample).work(&jobs))?;
        Ok(Audit { queue, sample })
    }

    /// Has a decision written, if it is in the sample: whether the point of its id under the name `audit` (see
    /// [`point`]) is in the share. Never waits.
    pub fn offer(&self, entry: Entry) {
        if self.sample < 1.0 && !is_inside(point("audit", &entry.id().to_string()), self.sample) {
            return;
        }
        match self.queue.try_send(Job::Write(Box::new(entry))) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => metrics::audit("dropped", 1),
        }
    }

    /// Waits until everything offered before is written, or for `limit`. Blocks.
    pub fn flush(&self, limit: Duration) {
        let (done, written) = sync_channel(1);
        if self.queue.try_send(Job::Flush(done)).is_ok() {
            let _ = written.recv_timeout(limit);
        }
    }
}

struct Writer {
    file: RotatingFile,
    sample: f64,
    batch: Vec<u8>,
    lines: u64,
    failing: bool,
}

impl Writer {
    fn new(file: RotatingFile, sample: f64) -> Self {
        Writer {
            file,
            sample,
            batch: Vec::with_capacity(BATCH_BYTES),
            lines: 0,
            failing: false,
        }
    }

    fn work(mut self, jobs: &Receiver<Job>) {
        loop {
            // Whatever waits is written together; nothing is kept back when nothing waits.
            let next = jobs.recv_timeout(if self.lines == 0 {
                Duration::MAX
            } else {
                Duration::ZERO
            });
            match next {
                Ok(Job::Write(entry)) => {
                    self.add(&entry);
                    if self.batch.len() >= BATCH_BYTES {
                        self.write();
                    }
                }
                Ok(Job::Flush(done)) => {
                    self.write();
                    let _ = done.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => self.write(),
                Err(RecvTimeoutError::Disconnected) => return self.write(),
            }
        }
    }

    fn add(&mut self, entry: &Entry) {
        let line = Line::of(entry, self.sample);
        let before = self.batch.len();
        // Fails only where a map has keys that are no text, and none has.
        match serde_json::to_writer(&mut self.batch, &line) {
            Ok(()) => {
                self.batch.push(b'\n');
                self.lines += 1;
            }
            Err(_) => self.batch.truncate(before),
        }
    }

    fn write(&mut self) {
        if self.lines == 0 {
            return;
        }
        match self.file.append(&self.batch) {
            Ok(()) => {
                metrics::audit("written", self.lines);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("audit: the log is written again");
                }
            }
            Err(error) => {
                metrics::audit("failed", self.lines);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(
                        "audit: {error}; decisions are lost to the log until it can be written again"
                    );
                }
            }
        }
        self.batch.clear();
        self.lines = 0;
    }
}

#[cfg(test)]
mod tests;
