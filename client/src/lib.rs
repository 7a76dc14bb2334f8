//! The Rust client of Signalbox. Applications use it to ask which model should answer a request; `signalboxctl`
//! and the tests of the server are built on it.
//!
//! It promises three things: every call has a deadline, which also travels to the server; calls that may be
//! repeated are repeated when the server cannot be had; and an error is a type that can be matched on, not text.
//!
//! ```no_run
//! use signalbox_client::{Client, v1};
//!
//! # async fn example() -> Result<(), signalbox_client::Error> {
//! let client = Client::connect("http://127.0.0.1:50051")?;
//! let decision = client
//!     .route(v1::RouteRequest {
//!         messages: vec![v1::Message {
//!             role: v1::Role::User.into(),
//!             content: "reverse a linked list in Rust".into(),
//!             ..Default::default()
//!         }],
//!         ..Default::default()
//!     })
//!     .await?;
//! // Try these in turn.
//! for model in std::iter::once(&decision.model_id).chain(&decision.fallback_model_ids) {
//!     let _ = model;
//! }
//! # Ok(())
//! # }
//! ```

mod client;
mod error;
mod retry;
mod tls;

pub use client::{Client, Health, Options};
pub use error::{Error, FieldViolation, Rejection};
pub use signalbox_api::{codes, v1};
pub use tls::Tls;
pub use tonic::Code;
