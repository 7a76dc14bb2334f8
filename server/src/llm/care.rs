//! Brings an engine up and looks after it: the task behind [`Llm`](super::Llm).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use signalbox_llm::question::{Route, Routes};

use super::{Failure, Inner, PATIENCE, Question, State, lock};
use crate::conversation::Conversation;

/// What is asked; a question like any other.
const PROMPT: &str = "write a python function that reverses a list";

/// Until the engine is beyond hope: waits until it can be asked, asks, and asks again whenever it is in doubt.
pub(super) async fn take(inner: Arc<Inner>) {
    loop {
        if let Err(why) = inner.engine.loaded().await {
            tracing::error!("llm: {why}; decisions are made without it");
            inner.state.send_replace(State::Unusable(why));
            return;
        }
        // The first question pays for connections and caches, too: the next one tells what is to be expected.
        let was_ready = *inner.state.borrow() == State::Ready;
        let mut found = inner.probe().await;
        if !was_ready && found.is_ok() {
            found = inner.probe().await;
        }
        let state = match found {
            Ok(()) => State::Ready,
            Err(failure) => State::Unusable(failure.to_string()),
        };
        let before = inner.state.send_replace(state.clone());
        match state {
            State::Unusable(why) if before != State::Unusable(why.clone()) => {
                tracing::warn!("llm: {why}; decisions are made without it until it answers");
            }
            State::Ready if before != State::Ready => tracing::info!("llm: ready"),
            _ => {}
        }
        loop {
            tokio::time::sleep(inner.bounds.probe).await;
            let doubt = inner.doubt.swap(false, Ordering::Relaxed);
            if doubt || *inner.state.borrow() != State::Ready {
                break;
            }
        }
    }
}

impl Inner {
    /// Asks about the routes that were asked about last.
    async fn probe(&self) -> Result<(), Failure> {
        let routes = lock(&self.routes).clone();
        let routes = match routes {
            Some(routes) => routes,
            None => usual().map_err(|error| Failure::Failed(error.to_string()))?,
        };
        let question = Question::new(routes, &Conversation::from_prompt(PROMPT));
        let start = Instant::now();
        match tokio::time::timeout(PATIENCE, self.put(question)).await {
            Ok(answer) => {
                answer?;
                self.pace.reset(start.elapsed());
                self.doubt.store(false, Ordering::Relaxed);
                Ok(())
            }
            Err(_) => Err(Failure::Deadline(format!(
                "it gave no answer within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }
}

/// Routes to ask about before anybody brought some.
fn usual() -> Result<Arc<Routes>, signalbox_llm::question::RoutesError> {
    let route = |name: &str, description: &str| Route {
        name: name.to_owned(),
        description: description.to_owned(),
    };
    let routes = vec![
        route("code", "writing and explaining source code"),
        route("prose", "writing letters, stories and other texts"),
    ];
    Routes::new(routes).map(Arc::new)
}
