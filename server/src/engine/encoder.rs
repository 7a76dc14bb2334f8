//! The sentence encoder's turn: it fills a core for milliseconds, so requests wait in line for one, on threads where they hold
//! nobody up. Who would wait too long is decided without it, and the decision says so.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use signalbox_api::codes::degraded;
use signalbox_decide::{Answer, RouteScores};
use tokio::sync::Semaphore;

use crate::metrics;
use crate::store::snapshot::{SecondLook, no_second_look};

/// The longest wait for a turn: what about ten short prompts take on one core. Past that there is more work than cores.
const PATIENCE: Duration = Duration::from_millis(50);
/// Kept of a caller's time for the decision itself and the way back.
const RESERVE: Duration = Duration::from_millis(5);

/// Turns, one for each core.
#[derive(Debug)]
pub struct Turns {
    cores: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Turns {
            cores: Arc::new(Semaphore::new(cores)),
        }
    }
}

impl Turns {
    /// Has the encoder look, unless its turn does not come or `deadline` passes before.
    pub async fn look(
        &self,
        look: Option<SecondLook>,
        deadline: Option<Instant>,
    ) -> Answer<Arc<RouteScores>> {
        let Some(look) = look else {
            return no_second_look();
        };
        let (result, answer) = match self.within(look, deadline).await {
            Ok(answer) => ("answered", answer),
            Err((result, code, detail)) => (
                result,
                Answer::Failed {
                    code,
                    detail: detail.into(),
                },
            ),
        };
        metrics::encoder_question(result);
        answer
    }

    async fn within(
        &self,
        look: SecondLook,
        deadline: Option<Instant>,
    ) -> Result<Answer<Arc<RouteScores>>, (&'static str, &'static str, &'static str)> {
        let late = (
            "deadline",
            degraded::ENCODER_DEADLINE,
            "the caller's time would not do for the encoder",
        );
        let now = Instant::now();
        let left = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(now);
            left.saturating_sub(RESERVE)
        });
        if left.is_some_and(|left| left.is_zero()) {
            return Err(late);
        }
        let wait = left.map_or(PATIENCE, |left| left.min(PATIENCE));
        let turn = tokio::time::timeout(wait, self.cores.clone().acquire_owned()).await;
        // The semaphore is never closed.
        let Ok(Ok(turn)) = turn else {
            return Err(if wait < PATIENCE {
                late
            } else {
                (
                    "overloaded",
                    degraded::ENCODER_OVERLOADED,
                    "too many requests wait for the encoder",
                )
            });
        };
        // Whoever gives up leaves the work to its end, and the turn is over only then.
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let start = Instant::now();
            let answer = look.answer();
            metrics::encoder_time(start.elapsed());
            answer
        });
        let done = match left {
            Some(left) => tokio::time::timeout_at((now + left).into(), work)
                .await
                .map_err(|_| late)?,
            None => work.await,
        };
        // What a panic says may quote a prompt.
        done.map_err(|_| ("failed", degraded::ENCODER_FAILED, "the encoder panicked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Conversation;
    use crate::store::Compiler;

    fn look() -> Option<SecondLook> {
        let policy = "{schema: 1, version: 1, default: a, models: [{id: a}], evidence: {encoder: builtin}, routes: [{name: weather, \
                      description: rain and sun, models: [a]}]}";
        let (snapshot, _) = Compiler::new()
            .unwrap()
            .compile(policy.as_bytes(), "test", None)
            .unwrap();
        snapshot.second_look(&Conversation::from_prompt("will it rain"))
    }

    fn code(answer: &Answer<Arc<RouteScores>>) -> &'static str {
        match answer {
            Answer::NotAsked => "",
            Answer::Got(_) => "answered",
            Answer::Failed { code, .. } => code,
        }
    }

    #[tokio::test]
    async fn an_answer_comes_where_there_is_time_and_a_reason_where_there_is_none() {
        let turns = Turns::default();
        assert_eq!(code(&turns.look(look(), None).await), "answered");
        let soon = Instant::now() + Duration::from_millis(2);
        assert_eq!(code(&turns.look(look(), Some(soon)).await), "encoder_deadline");
        let past = Instant::now() - Duration::from_millis(2);
        assert_eq!(code(&turns.look(look(), Some(past)).await), "encoder_deadline");
    }

    #[tokio::test]
    async fn who_finds_no_turn_is_decided_without() {
        let turns = Turns {
            cores: Arc::new(Semaphore::new(0)),
        };
        assert_eq!(code(&turns.look(look(), None).await), "encoder_overloaded");
        let soon = Instant::now() + Duration::from_millis(20);
        assert_eq!(code(&turns.look(look(), Some(soon)).await), "encoder_deadline");
    }
}
