//! The client and the compiled `signalboxctl` against a server whose answers the test writes.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod calls;
mod ctl;
mod ctl_requests;
mod fake;
