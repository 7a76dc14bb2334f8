//! The service as its callers see it: every test starts the real server on a free port and talks to it over the network.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod connections;
mod console;
mod encoder;
mod errors;
mod explain;
mod health;
mod inline;
mod json;
mod llm;
mod llm_remote;
mod outcomes;
mod overload;
mod policy;
mod reflection;
mod reload;
mod route;
mod rules;
mod scripted;
mod semantic;
mod sessions;
mod shadow;
mod shared;
mod store;
mod support;
mod tenants;
mod tls;
