//! The thread that owns the engine: loads the model, asks it once to see that it answers, then takes questions in order.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, watch};

use super::asker::{Asker, Failure};
use super::load::{LoadError, caught, load};
use super::pass::Stop;
use super::{AskError, Facts, Question, Reply, Settings, State};

/// A question in the queue.
pub(super) struct Job {
    pub(super) question: Question,
    pub(super) asked: Instant,
    pub(super) deadline: Instant,
    pub(super) abandoned: Arc<AtomicBool>,
    pub(super) reply: oneshot::Sender<Result<Reply, AskError>>,
}

/// The thread.
pub(super) fn run(settings: Settings, mut queue: mpsc::Receiver<Job>, state: &watch::Sender<State>) {
    let source = settings.source.to_string();
    let start = Instant::now();
    let ready = caught(|| ready(settings)).unwrap_or_else(|panic| Err(LoadError::Broken(panic)));
    let (mut asker, facts) = match ready {
        Ok(ready) => ready,
        Err(error) => {
            tracing::error!(%source, %error, "there is no router model");
            state.send_replace(State::Failed(error));
            return;
        }
    };
    tracing::info!(%source, took = ?start.elapsed(), "the router model answers");
    state.send_replace(State::Ready(facts));
    while let Some(job) = queue.blocking_recv() {
        if let Err(poison) = take(&mut asker, job) {
            tracing::error!(%source, %poison, "the router model is beyond repair");
            state.send_replace(State::Poisoned(poison));
            break;
        }
    }
    queue.close();
    while let Ok(job) = queue.try_recv() {
        // Whoever asked may be gone.
        let _ = job.reply.send(Err(AskError::Poisoned));
    }
}

/// A model that answered.
pub(super) fn ready(settings: Settings) -> Result<(Asker, Facts), LoadError> {
    let runtime = runtime().map_err(|error| LoadError::Broken(error.to_string()))?;
    let start = Instant::now();
    let loaded = load(&runtime, &settings)?;
    let mut asker = Asker::new(runtime, loaded, settings).map_err(LoadError::Broken)?;
    let load = start.elapsed();
    let start = Instant::now();
    asker.warm_up().map_err(LoadError::Mute)?;
    let facts = Facts {
        max_tokens: asker.max_tokens(),
        bytes_per_token: asker.bytes_per_token(),
        load,
        first_question: start.elapsed(),
    };
    Ok((asker, facts))
}

/// Everything of the engine is awaited on this thread. With one of many threads mistral.rs would also make a first run
/// of its own, of which nothing is known here.
fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Answers a job, if anybody still waits. An error is the end of the host.
fn take(asker: &mut Asker, job: Job) -> Result<(), String> {
    let start = Instant::now();
    let stop = Stop {
        deadline: job.deadline,
        abandoned: job.abandoned,
    };
    if stop.is_due() {
        // Whoever asked may be gone, here and below.
        let _ = job.reply.send(Err(AskError::Deadline));
        return Ok(());
    }
    let answer = caught(|| asker.ask(&job.question, &stop)).unwrap_or_else(|panic| {
        asker.restart();
        Err(Failure::Question(AskError::Engine(panic)))
    });
    let (answer, end) = match answer {
        Ok(reply) => (Ok(reply), Ok(())),
        Err(Failure::Question(error)) => (Err(error), Ok(())),
        Err(Failure::Host(poison)) => (Err(AskError::Poisoned), Err(poison)),
    };
    let timed = |reply| Reply {
        queued: start.duration_since(job.asked),
        computed: start.elapsed(),
        ..reply
    };
    let _ = job.reply.send(answer.map(timed));
    // The engine may be busy with the end of the run; only the next question has to wait for that.
    end.and_then(|()| asker.settle())
}
