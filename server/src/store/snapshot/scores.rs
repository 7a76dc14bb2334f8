//! What a snapshot's classifier says of a conversation: at first sight, and on a second look.

use std::sync::Arc;

use signalbox_api::codes::degraded;
use signalbox_decide::{Answer, RouteScores, Signals};
use signalbox_evidence::{DEFAULT_THRESHOLD, Role as Speaker, Scores, Turn};

use super::Snapshot;
use super::classifiers::Trained;
use crate::conversation::{Conversation, Message, Role};

impl Snapshot {
    /// The probabilities of the policy's routes for a conversation that was on route `held` before, where that is known.
    pub fn scores(&self, conversation: &Conversation, held: Option<&str>) -> Answer<Arc<RouteScores>> {
        let Some(classifier) = self.classifier.as_ref().and_then(|trained| trained.get()) else {
            return Answer::Failed {
                code: "embedding_failed",
                detail: "the policy has no routes to score".into(),
            };
        };
        let messages = conversation.messages.iter();
        let turns: Vec<Turn<'_>> = messages
            .map(|m| Turn {
                role: speaker(m.role),
                text: &m.content,
            })
            .collect();
        let held = held.and_then(|name| self.policy.scored().iter().position(|route| route.name == name));
        let scores = classifier.classify_after(&turns, held);
        let second_look = scores.alone && classifier.has_encoder();
        Answer::Got(Arc::new(route_scores(scores, second_look)))
    }

    /// What the sentence encoder is to look at again; `None` where the policy has none.
    pub fn second_look(&self, conversation: &Conversation) -> Option<SecondLook> {
        let classifier = self.classifier.clone()?;
        let said = |message: &&Message| message.role == Role::User;
        let prompt = conversation.messages.iter().rev().find(said)?.content.clone();
        Some(SecondLook { classifier, prompt })
    }
}

/// A request that the sentence encoder looks at again. Holds its text, and can be taken to another thread.
#[derive(Debug)]
pub struct SecondLook {
    classifier: Trained,
    prompt: String,
}

impl SecondLook {
    /// Milliseconds of one core.
    pub fn answer(&self) -> Answer<Arc<RouteScores>> {
        let turn = Turn {
            role: Speaker::User,
            text: &self.prompt,
        };
        let scores = self
            .classifier
            .get()
            .and_then(|classifier| classifier.look_again(&[turn]));
        scores.map_or_else(no_second_look, |scores| {
            Answer::Got(Arc::new(route_scores(scores, true)))
        })
    }
}

/// What a policy gets that asks for one where there is none, which the ladder does not do.
pub(crate) fn no_second_look() -> Answer<Arc<RouteScores>> {
    Answer::Failed {
        code: degraded::ENCODER_FAILED,
        detail: "the encoder has nothing to look at".into(),
    }
}

fn route_scores(scores: Scores, second_look: bool) -> RouteScores {
    RouteScores {
        routes: scores.routes,
        other: scores.other,
        default_threshold: DEFAULT_THRESHOLD,
        held: scores.held,
        closing: scores.closing,
        view: scores.view.as_str(),
        second_look,
    }
}

/// What rules may read of a conversation's text: of its last user turn, else of its last message.
pub fn signals(conversation: &Conversation) -> Signals {
    let messages = &conversation.messages;
    let users = |message: &&Message| message.role == Role::User;
    let asked = messages.iter().rev().find(users).or(messages.last());
    let read = signalbox_evidence::Signals::of(asked.map_or("", |message| &message.content));
    Signals {
        has_code: read.has_code,
        has_math: read.has_math,
        is_question: read.is_question,
        language: read.language,
        complexity: read.complexity,
        sentiment: read.sentiment,
    }
}

/// Who speaks, as the classifier tells them apart: it reads users, and tools as little as the system.
fn speaker(role: Role) -> Speaker {
    match role {
        Role::User => Speaker::User,
        Role::Assistant => Speaker::Assistant,
        Role::System | Role::Tool => Speaker::System,
    }
}
