//! The Signalbox server: which model should serve this request?
//!
//! One `Route` request, in order: `grpc` (ids, deadline, metrics) → `grpc::from_proto` (all field violations together, or
//! an [`engine::Asked`]) → [`engine`] (policy snapshot, admission, ask-and-answer loop) → `signalbox_decide` (done, or ask this) → a
//! probe ([`engine::cache`], [`engine::sessions`], [`store::Snapshot::scores`], [`llm`], [`health`]) → `grpc::to_proto`. What
//! sessions and language model learn, replicas tell each other through [`shared`].

pub mod audit;
mod background;
pub mod cli;
pub mod config;
pub mod conversation;
pub mod engine;
pub mod eval;
pub mod grpc;
pub mod health;
pub mod llm;
pub mod logs;
pub mod metrics;
pub mod policy_test;
pub mod replay;
pub mod serve;
pub mod shared;
pub mod store;
pub mod suggest;
pub mod traces;
pub mod watcher;
