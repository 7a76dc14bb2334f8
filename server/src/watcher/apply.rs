//! What is done about policies that were found: each is put in force, or refused and recorded, and counted and logged either
//! way. Several are compiled at once, as many as there are cores. Called by the watcher, and when the server starts.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use signalbox_decide::{Diagnostic, Severity};

use super::PolicySource;
use super::look::{Found, Look, Seen, SeenByTenant};
use crate::metrics;
use crate::store::{Policies, PolicyInfo, ReloadError, ReloadOptions, ReloadReport, Store};

/// Problems of one policy that are logged; `GetPolicy` has them all.
const LOGGED: usize = 10;

/// Loads every tenant's policy, as the server does before it is ready. One that is bad is logged and recorded, and its tenant
/// is then served by nothing else. Blocks, for the time that the policies take to compile.
///
/// # Errors
/// When the source cannot be looked into.
pub fn load_tenants(policies: &Policies, source: &PolicySource) -> std::io::Result<()> {
    let look = Look::at(source, &SeenByTenant::new())?;
    let tenants = look.found.into_iter().filter(|(tenant, _)| !tenant.is_empty());
    all(
        policies,
        tenants.map(|(tenant, found)| (tenant, found, true)).collect(),
    );
    Ok(())
}

/// What a tenant's policy was before the server was started, for every tenant that had one: for a source that cannot be looked
/// into, where who has one now is not known.
pub fn fall_back_tenants(policies: &Policies, why: &str) {
    for tenant in policies.kept() {
        let store = policies.own_or_new(&tenant);
        store.unreadable(unreadable(why));
        fall_back(&store);
        policies.add(&store);
    }
}

/// Where nothing is in force, what served last.
fn fall_back(store: &Store) {
    if let Some(info) = store.fall_back().and_then(|report| report.current) {
        log_fallen_back(&info);
    }
}

/// Says that the last good policy serves, and for whom.
pub fn log_fallen_back(info: &PolicyInfo) {
    let whose = match info.tenant.as_str() {
        "" => "everyone".to_owned(),
        tenant => format!("tenant `{tenant}`"),
    };
    tracing::error!(
        "policy: the last good one serves {whose}: version {}, checksum {}",
        info.version,
        info.checksum
    );
}

/// Puts policies in force, or records why not. With each stands whether a refusal is news to the log. Gives back those that
/// are in force now.
pub(super) fn all(policies: &Policies, found: Vec<(String, Found, bool)>) -> Vec<(String, Seen)> {
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(found.len());
    let (waiting, applied) = (Mutex::new(VecDeque::from(found)), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((tenant, found, first_time)) = next else {
                return;
            };
            let seen = found.seen.clone();
            if one(policies, &tenant, found, first_time) {
                let mut applied = applied.lock().unwrap_or_else(PoisonError::into_inner);
                applied.push((tenant, seen));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    applied.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the policy is in force now.
fn one(policies: &Policies, tenant: &str, found: Found, first_time: bool) -> bool {
    let Found { seen, bytes, name } = found;
    let store = policies.own_or_new(tenant);
    // Good or bad: from now on its tenant goes by nothing else.
    let added = |result: bool| {
        if !result {
            fall_back(&store);
        }
        policies.add(&store);
        result
    };
    if let Seen::Unreadable(error) = &seen {
        metrics::reload("unreadable");
        store.unreadable(unreadable(error));
        if first_time {
            tracing::error!("policy: {error}; the one in force stays");
        }
        return added(false);
    }
    // A panic in the compiler is a defect; the policy in force is untouched by it.
    let reload = || store.reload(&bytes, &name, &ReloadOptions::default());
    match catch_unwind(AssertUnwindSafe(reload)) {
        Ok(Ok(report)) => {
            metrics::reload("applied");
            log_applied(&report);
            added(true)
        }
        Ok(Err(error)) => {
            metrics::reload(result_of(&error));
            if first_time {
                log_refused(&name, &error);
            }
            added(false)
        }
        Err(_) => {
            metrics::reload("invalid");
            tracing::error!("policy: {name}: could not be compiled; the one in force stays");
            added(false)
        }
    }
}

/// The tenant's file is gone: it goes by everyone's policy.
pub(super) fn removed(policies: &Policies, tenant: &str) {
    if policies.remove(tenant) {
        tracing::warn!("policy: tenant `{tenant}` has none any more and goes by everyone's");
    }
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

/// Says which names in the directory are nobody's policy.
pub(super) fn log_ignored(names: &[String]) {
    for name in names.iter().take(LOGGED) {
        tracing::info!("policy: {name:?} is nobody's policy; a tenant's is NAME.yaml, of A-Z a-z 0-9 . _ -");
    }
    if names.len() > LOGGED {
        tracing::info!("policy: and {} more", names.len() - LOGGED);
    }
}

fn log_applied(report: &ReloadReport) {
    let Some(current) = &report.current else { return };
    let (changed, decisions) = (report.churn.changed, report.churn.decisions);
    tracing::info!(
        version = current.version,
        checksum = current.checksum,
        source = current.source,
        tenant = current.tenant,
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
