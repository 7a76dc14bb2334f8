//! The pure core of Signalbox: which model should serve this request?
//!
//! [`decide`] is the heart. It reads a [`Policy`], a [`Query`] (the facts of one request, never its text) and the
//! [`Evidence`] gathered so far, and either asks for one more costly answer ([`Step::Ask`]) or is done. The caller
//! (the server's engine) answers probes until it is. No IO, no clock, no async, no randomness: the same three inputs
//! give the same answer in every process and on every CPU.
//!
//! Read in this order: [`query`], [`plan`], [`policy`], [`rule`], [`evidence`], [`health`], [`mod@decide`], [`explanation`].

pub mod canary;
pub mod candidates;
pub mod decide;
pub mod decision;
pub mod diagnostic;
pub mod evidence;
pub mod explanation;
pub mod health;
pub mod llm;
pub mod plan;
pub mod policy;
pub mod query;
pub mod rule;
pub mod session;
pub mod shadow;

pub use decide::{Step, decide};
pub use decision::{Decision, Refused, Source};
pub use diagnostic::{Diagnostic, Severity};
pub use evidence::{Answer, Evidence, Probe, RouteScores, Signals};
pub use explanation::{Explanation, explain};
pub use health::Health;
pub use llm::{Judgement, SaidTo};
pub use plan::Plan;
pub use policy::Policy;
pub use query::Query;
pub use session::{Held, Stay};
pub use shadow::Shadow;
