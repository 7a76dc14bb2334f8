//! Why the engine has no decision, in words for the caller.

use signalbox_decide::Refused;
use thiserror::Error;

use crate::engine::admission::Overloaded;

/// Why the engine has no decision.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Nothing was loaded yet.
    #[error("no policy is loaded yet; retry in a moment")]
    NoPolicy,
    /// The tenant's own policy cannot be used and none was good before. It is not served by somebody else's.
    #[error("the policy of tenant `{tenant}` does not load, and none was good before; `GetPolicy` says why")]
    NoTenantPolicy {
        /// The tenant.
        tenant: String,
    },
    /// This replica is behind the version asked for.
    #[error("this replica has policy version {have}, the request wants at least {want}; retry in a moment")]
    Behind {
        /// The version loaded.
        have: u64,
        /// The version wanted.
        want: u64,
    },
    /// This replica has another policy than the one asked for.
    #[error("this replica has policy {have}, the request is pinned to {want}; retry in a moment")]
    OtherPolicy {
        /// The checksum loaded.
        have: String,
        /// The checksum wanted.
        want: String,
    },
    /// Too many requests with routes of their own are being made ready.
    #[error("too many new sets of inline routes at once; retry in a moment")]
    InlineOverload,
    /// Making a request's own routes ready failed: a defect.
    #[error("the inline routes could not be made ready")]
    InlineFailed,
    /// Too many decisions are in progress.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The ladder refused.
    #[error(transparent)]
    Refused(#[from] Refused),
}
