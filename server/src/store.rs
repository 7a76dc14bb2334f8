//! The policy that decides right now, and how another takes its place. Reads are one atomic load; a reload is read,
//! checked and compiled off the request path, then swapped in whole. Whatever fails, the last good policy stays.
//! [`Policies`] holds one [`Store`] for everybody and one for each tenant with a policy of its own.

pub(crate) mod difficulty;
pub mod last_good;
pub mod policies;
pub(crate) mod shadow;
pub mod snapshot;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use signalbox_decide::policy::diff::{PolicyDiff, diff};
use signalbox_decide::{Diagnostic, Policy};
use thiserror::Error;

pub use policies::Policies;
pub use snapshot::{Compiler, Snapshot};

use crate::engine::ring::Ring;
use crate::policy_test::{self, TestReport};
use churn::{Churn, churn};
use last_good::LastGood;

pub(crate) mod churn;

/// The source of the example in the binary.
pub const BUILTIN_NAME: &str = "builtin";

/// The source of a policy that came with a call.
pub const PUSHED: &str = "rpc";

/// Policies kept after they were replaced, so that recent decisions can still be explained.
const KEPT: usize = 4;

/// Where a policy came from and when.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyInfo {
    /// The author's revision.
    pub version: u64,
    /// SHA-256 of the bytes, hex.
    pub checksum: String,
    /// When it took effect.
    pub load_time: SystemTime,
    /// A path, [`BUILTIN_NAME`] or [`PUSHED`].
    pub source: String,
    /// The tenant whose own it is; empty for everyone's.
    pub tenant: String,
}

/// The last policy that was refused.
#[derive(Clone, Debug)]
pub struct LastError {
    /// SHA-256 of the refused bytes; empty when they could not be read.
    pub checksum: String,
    /// When it was refused.
    pub time: SystemTime,
    /// Why.
    pub diagnostics: Vec<Diagnostic>,
}

/// How a reload is to be done.
#[derive(Clone, Debug, Default)]
pub struct ReloadOptions {
    /// Report everything, change nothing.
    pub dry_run: bool,
    /// Only replace the policy with this checksum; `None` replaces any.
    pub expected_checksum: Option<String>,
    /// Refuse a policy whose own tests fail.
    pub run_tests: bool,
}

/// What a reload did or would do.
#[derive(Debug)]
pub struct ReloadReport {
    /// Whether the policy now decides.
    pub applied: bool,
    /// The policy before.
    pub previous: Option<PolicyInfo>,
    /// The policy after; in a dry run, the one that would be.
    pub current: Option<PolicyInfo>,
    /// Errors, warnings and remarks.
    pub diagnostics: Vec<Diagnostic>,
    /// What was added, removed, changed; `None` when there is nothing to compare.
    pub diff: Option<PolicyDiff>,
    /// How recent decisions would have come out.
    pub churn: Churn,
    /// Results of the policy's own tests, if they were run.
    pub tests: Option<TestReport>,
}

/// Why a reload changed nothing.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The policy has errors; all of them are here.
    #[error("the policy has {} problem(s); the one in force stays", .0.len())]
    Invalid(Vec<Diagnostic>),
    /// Somebody else was faster.
    #[error("the policy in force is {current}, not {expected}; read it again and retry")]
    Conflict {
        /// What the caller expected.
        expected: String,
        /// What is in force.
        current: String,
    },
    /// The policy's own tests fail.
    #[error("{} of the policy's own tests fail; the one in force stays", .0.failed())]
    TestsFailed(TestReport),
}

/// The store of one policy. [`Policies`] makes it.
#[derive(Debug)]
pub struct Store {
    tenant: String,
    current: ArcSwapOption<Snapshot>,
    last_error: ArcSwapOption<LastError>,
    compiler: Arc<Compiler>,
    ring: Arc<Ring>,
    last_good: Option<LastGood>,
    /// Held through a reload: one at a time.
    kept: Mutex<VecDeque<Arc<Policy>>>,
}

impl Store {
    fn new(tenant: String, compiler: Arc<Compiler>, ring: Arc<Ring>, last_good: Option<LastGood>) -> Self {
        let (current, last_error) = (ArcSwapOption::empty(), ArcSwapOption::empty());
        Store {
            tenant,
            current,
            last_error,
            compiler,
            ring,
            last_good,
            kept: Mutex::default(),
        }
    }

    /// The tenant whose own policy this is; empty for everyone's.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The policy in force.
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    /// The last refusal since the last success, if any.
    pub fn last_error(&self) -> Option<Arc<LastError>> {
        self.last_error.load_full()
    }

    /// Compiles policies without putting them in force.
    pub fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    /// Remembers that the source could not even be read.
    pub fn unreadable(&self, diagnostic: Diagnostic) {
        let failure = LastError {
            checksum: String::new(),
            time: SystemTime::now(),
            diagnostics: vec![diagnostic],
        };
        self.last_error.store(Some(Arc::new(failure)));
    }

    /// Checks, compiles and, unless it is a dry run, puts a policy in force. Takes 0.1 s for a policy of usual size, and seconds
    /// where difficulty is learned from thousands of outcomes: call it off the async threads.
    ///
    /// # Errors
    /// See [`ReloadError`]; nothing has changed then. A dry run fails on a conflict only: problems are in the report.
    pub fn reload(
        &self,
        bytes: &[u8],
        source: &str,
        options: &ReloadOptions,
    ) -> Result<ReloadReport, ReloadError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current();
        self.expect(before.as_deref(), options)?;
        let previous = before.as_ref().map(|s| s.info.clone());
        let (mut snapshot, diagnostics) = match self.compiler.compile(bytes, source, before.as_deref()) {
            Ok(compiled) => compiled,
            Err(diagnostics) if options.dry_run => {
                let current = previous.clone();
                let churn = Churn::default();
                let tests = None;
                return Ok(ReloadReport {
                    applied: false,
                    previous,
                    current,
                    diagnostics,
                    diff: None,
                    churn,
                    tests,
                });
            }
            Err(diagnostics) => {
                let checksum = signalbox_decide::policy::checksum(bytes);
                let failure = LastError {
                    checksum,
                    time: SystemTime::now(),
                    diagnostics: diagnostics.clone(),
                };
                self.last_error.store(Some(Arc::new(failure)));
                return Err(ReloadError::Invalid(diagnostics));
            }
        };
        snapshot.info.tenant.clone_from(&self.tenant);
        let tests = options.run_tests.then(|| policy_test::run(&snapshot));
        if !options.dry_run
            && let Some(tests) = tests.as_ref().filter(|tests| tests.failed() > 0)
        {
            return Err(ReloadError::TestsFailed(tests.clone()));
        }
        let diff = before
            .as_ref()
            .map(|before| diff(&before.policy, &snapshot.policy));
        let churn = churn(&self.ring, &snapshot);
        let current = Some(snapshot.info.clone());
        if !options.dry_run {
            if let Some(before) = before {
                kept.push_back(before.policy.clone());
                while kept.len() > KEPT {
                    kept.pop_front();
                }
            }
            self.current.store(Some(Arc::new(snapshot)));
            self.last_error.store(None);
            if let Some(last_good) = &self.last_good {
                last_good.keep(&self.tenant, source, bytes);
            }
        }
        Ok(ReloadReport {
            applied: !options.dry_run,
            previous,
            current,
            diagnostics,
            diff,
            churn,
            tests,
        })
    }

    /// Puts the policy in force that served last, where there is one and none is in force. What was refused before stays noted:
    /// it still has to be mended. Takes as long as [`Store::reload`].
    pub fn fall_back(&self) -> Option<ReloadReport> {
        if self.current().is_some() {
            return None;
        }
        let (refused, cannot) = (self.last_error(), "the last good policy cannot be used");
        let (source, bytes) = match self.last_good.as_ref()?.read(&self.tenant) {
            Ok(kept) => kept?,
            Err(error) => {
                tracing::error!("{cannot}: {error}");
                return None;
            }
        };
        let report = self.reload(&bytes, &source, &ReloadOptions::default());
        self.last_error.store(refused);
        report
            .inspect_err(|error| tracing::error!("{cannot}: {source}: {error}"))
            .ok()
    }

    /// Compare-and-swap on the checksum.
    pub(super) fn expect(
        &self,
        before: Option<&Snapshot>,
        options: &ReloadOptions,
    ) -> Result<(), ReloadError> {
        let Some(expected) = &options.expected_checksum else {
            return Ok(());
        };
        let current = before.map_or("", |before| &before.policy.checksum);
        if expected == current {
            return Ok(());
        }
        Err(ReloadError::Conflict {
            expected: expected.clone(),
            current: current.to_owned(),
        })
    }
}
