//! `grpc.health.v1`: what load balancers and probes are told.

use std::time::Duration;

use signalbox_api::SERVICE_NAME;
use signalbox_decide::Query;
use tokio::sync::watch;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::conversation::Conversation;
use crate::engine::{Engine, Live, settle};
use crate::llm::State;

/// The process answers, whatever it can decide.
const LIVENESS: &str = "liveness";

/// The language model.
const LLM: &str = "signalbox.llm";

/// What is ready when decisions are: the server as a whole, and its service.
const DECIDING: [&str; 2] = ["", SERVICE_NAME];

/// Between looks at the store, until it holds a policy.
const LOOK: Duration = Duration::from_millis(20);

/// The health of the server by service name.
#[derive(Clone, Debug)]
pub(super) struct Health {
    reporter: HealthReporter,
}

impl Health {
    /// Only `liveness` is SERVING.
    pub(super) async fn new() -> Self {
        // The reporter starts with "" as SERVING; nobody can ask before it is changed here.
        let health = Health {
            reporter: HealthReporter::new(),
        };
        health.not_serving().await;
        health
            .reporter
            .set_service_status(LIVENESS, ServingStatus::Serving)
            .await;
        health
    }

    pub(super) fn reporter(&self) -> HealthReporter {
        self.reporter.clone()
    }

    /// Nothing is to be sent here any more, or not yet.
    pub(super) async fn not_serving(&self) {
        self.set(ServingStatus::NotServing).await;
        self.reporter
            .set_service_status(LLM, ServingStatus::NotServing)
            .await;
    }

    /// Says of the language model what is so. Never returns.
    pub(super) async fn follow_llm(&self, engine: &Engine) {
        let Some(mut state) = engine.llm().map(crate::llm::Llm::state) else {
            return std::future::pending().await;
        };
        loop {
            let ready = *state.borrow_and_update() == State::Ready;
            let status = if ready {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            self.reporter.set_service_status(LLM, status).await;
            if state.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Waits for a policy, decides once to warm up, and says SERVING. Never returns: a policy, once loaded, stays.
    pub(super) async fn follow(&self, engine: &Engine, ready: &watch::Sender<bool>) {
        let snapshot = loop {
            match engine.store().current() {
                Some(snapshot) => break snapshot,
                None => tokio::time::sleep(LOOK).await,
            }
        };
        // Pages in the tables and the code. Cache and ring are left alone; a refusal warms as well.
        let _ = settle(
            &snapshot,
            &Query::default(),
            &Conversation::from_prompt("warm up"),
            Live::default(),
        );
        // This future stays around; the policy must not.
        drop(snapshot);
        self.set(ServingStatus::Serving).await;
        ready.send_replace(true);
        std::future::pending().await
    }

    async fn set(&self, status: ServingStatus) {
        for service in DECIDING {
            self.reporter.set_service_status(service, status).await;
        }
    }
}
