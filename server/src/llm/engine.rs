//! What answers questions about routes, wherever it runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use signalbox_api::codes::degraded;
use signalbox_decide::Policy;
use signalbox_llm::question::{Role as Speaker, Route, Routes, Turn};
use thiserror::Error;

use crate::conversation::{Conversation, Role};

/// A language model that can be asked.
pub trait Engine: fmt::Debug + Send + Sync {
    /// What answers: the digest of a model, or where it is and its name; and how it is asked. Engines with the same answer alike.
    fn identity(&self) -> String;

    /// Waits until questions can be put; a second call waits no longer.
    ///
    /// # Errors
    /// Why they never can.
    fn loaded(&self) -> BoxFuture<'_, Result<(), String>>;

    /// Asks. Dropping the future takes the question back.
    ///
    /// # Errors
    /// Why there is no answer; holds no text of the question.
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Reply, Failure>>;
}

/// A question.
#[derive(Clone, Debug)]
pub struct Question {
    /// The routes, the same `Arc` for the same policy.
    pub routes: Arc<Routes>,
    /// The conversation, oldest turn first.
    pub turns: Vec<Turn>,
}

impl Question {
    /// Which of the routes is a conversation about?
    pub fn new(routes: Arc<Routes>, conversation: &Conversation) -> Self {
        let turns = conversation.messages.iter().map(|message| Turn {
            role: match message.role {
                Role::User => Speaker::User,
                Role::Assistant => Speaker::Assistant,
                Role::System | Role::Tool => Speaker::Other,
            },
            text: message.content.clone(),
        });
        Question {
            routes,
            turns: turns.collect(),
        }
    }
}

/// The routes of a policy as a model is asked about them; `None` where the policy never asks one. A checked policy has nothing
/// that is refused here: names are unique, and none is `other`.
pub(crate) fn routes_of(policy: &Policy) -> Option<Arc<Routes>> {
    let routes = policy.llm.asks().then(|| policy.scored().iter())?;
    let routes = routes.map(|route| Route {
        name: route.name.clone(),
        description: route.description.clone(),
    });
    Routes::new(routes.collect()).map(Arc::new).ok()
}

/// An answer, and what it took.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The probability of each route, in their order, 0..=1.
    pub routes: Vec<f32>,
    /// That no route fits; all sum to 1.
    pub other: f32,
    /// Whether these are the model's probabilities; otherwise the name it wrote stands at 1.
    pub measured: bool,
    /// Tokens of the prompt, where known.
    pub prompt_tokens: Option<u64>,
    /// How many of them were known from an earlier prompt, where known.
    pub cached_tokens: Option<u64>,
    /// Time in the queue, where known.
    pub queued: Option<Duration>,
    /// Time from then to the answer.
    pub computed: Duration,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// There is nothing that can be asked, or not yet.
    #[error("the language model cannot be asked: {0}")]
    Unavailable(String),
    /// Too many questions wait.
    #[error("too many questions wait for the language model")]
    Overloaded,
    /// There was no time, or too little.
    #[error("the language model had no time: {0}")]
    Deadline(String),
    /// It failed, or its answer means nothing.
    #[error("the language model failed: {0}")]
    Failed(String),
}

impl Failure {
    /// The published code of a decision that had to do without.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::Unavailable(_) => degraded::LLM_UNAVAILABLE,
            Failure::Overloaded => degraded::LLM_OVERLOADED,
            Failure::Deadline(_) => degraded::LLM_DEADLINE,
            Failure::Failed(_) => degraded::LLM_FAILED,
        }
    }

    /// The word for metrics.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Failure::Unavailable(_) => "unavailable",
            Failure::Overloaded => "overloaded",
            Failure::Deadline(_) => "deadline",
            Failure::Failed(_) => "failed",
        }
    }
}
