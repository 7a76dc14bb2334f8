//! A model in this process: the host of `signalbox_llm` as an engine.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use signalbox_llm::host::{self, AskError, Host, Settings, State};
use signalbox_llm::question::{Answer, Score};

use super::{Engine, Failure, Question, Reply};

/// Who asks gives up long before this and takes its question back, so the host's own limit is never met.
const FAR: Duration = Duration::from_secs(3600);

/// A hosted model.
#[derive(Debug)]
pub struct Hosted {
    host: Host,
}

impl Hosted {
    /// Begins to load a model.
    ///
    /// # Errors
    /// Only where the system gives no thread.
    pub fn start(settings: Settings) -> std::io::Result<Self> {
        let host = Host::start(settings)?;
        Ok(Hosted { host })
    }
}

impl Engine for Hosted {
    fn identity(&self) -> String {
        match &*self.host.state().borrow() {
            State::Ready(facts) => format!("hosted {}", facts.digest),
            // Until then it answers nothing that a decision could be kept for.
            State::Loading | State::Failed(_) | State::Poisoned(_) => "hosted".to_owned(),
        }
    }

    fn loaded(&self) -> BoxFuture<'_, Result<(), String>> {
        let mut state = self.host.state();
        async move {
            let known = state.wait_for(|state| *state != State::Loading).await;
            match known.as_deref() {
                Ok(State::Ready(_)) => Ok(()),
                Ok(State::Failed(error)) => Err(error.to_string()),
                Ok(State::Poisoned(why)) => Err(why.clone()),
                Ok(State::Loading) | Err(_) => Err("its thread has ended".to_owned()),
            }
        }
        .boxed()
    }

    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Reply, Failure>> {
        let Question { routes, turns } = question;
        async move {
            let question = host::Question { routes, turns };
            match self.host.ask(question, Instant::now() + FAR).await {
                Ok(reply) => Ok(answered(reply)),
                Err(AskError::NotReady | AskError::Poisoned) => {
                    Err(Failure::Unavailable("the model is not there any more".to_owned()))
                }
                Err(AskError::Overloaded) => Err(Failure::Overloaded),
                Err(AskError::Deadline) => Err(Failure::Deadline("it thought for an hour".to_owned())),
                Err(error) => Err(Failure::Failed(error.to_string())),
            }
        }
        .boxed()
    }
}

fn answered(reply: host::Reply) -> Reply {
    let mut shares = shares(&reply.answer);
    let other = shares.pop().unwrap_or_default();
    Reply {
        routes: shares,
        other,
        measured: true,
        prompt_tokens: Some(reply.prompt_tokens as u64),
        cached_tokens: Some(reply.cached_tokens as u64),
        queued: Some(reply.queued),
        computed: reply.computed,
    }
}

/// Of every route and of `other`, summing to 1. What the model was not asked to tell apart shares what the rest leaves, by the
/// most that each can have.
fn shares(answer: &Answer) -> Vec<f32> {
    let all: Vec<Score> = answer.routes.iter().copied().chain([answer.other]).collect();
    let sum = |exact: bool| -> f64 {
        let those = all.iter().filter(|score| score.exact == exact);
        those.map(|score| score.probability).sum()
    };
    let (known, bounds) = (sum(true), sum(false));
    let left = (1.0 - known).max(0.0);
    let share = |score: &Score| match score.exact {
        true => score.probability,
        false if bounds > 0.0 => score.probability / bounds * left,
        false => 0.0,
    };
    #[expect(clippy::cast_possible_truncation, reason = "probabilities")]
    let narrow = |score: &Score| share(score) as f32;
    all.iter().map(narrow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_told_apart_shares_what_is_left() {
        let score = |probability, exact| Score { probability, exact };
        let answer = Answer {
            routes: vec![score(0.7, true), score(0.2, false), score(0.2, false)],
            other: score(0.1, true),
            on_script: 1.0,
        };
        let shares: Vec<i32> = shares(&answer).iter().map(|p| (p * 1e3).round() as i32).collect();
        assert_eq!(shares, [700, 100, 100, 100]);
    }
}
