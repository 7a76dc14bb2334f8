//! The thread that owns the engine: loads the model, asks it once to see that it answers, then takes questions in order.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::asker::{Asker, Failure};
use super::load::{LoadError, caught, load};
use super::pass::Stop;
use super::{AskError, Facts, Question, Reply, Settings, State};

/// A question in the queue.
pub(super) struct Job {
    pub(super) question: Question,
    pub(super) waiter: Waiter,
    /// Its place in the queue, free for another once it is asked.
    pub(super) place: OwnedSemaphorePermit,
}

/// Somebody who waits for an answer.
pub(super) struct Waiter {
    pub(super) asked: Instant,
    pub(super) deadline: Instant,
    pub(super) abandoned: Arc<AtomicBool>,
    pub(super) reply: oneshot::Sender<Result<Reply, AskError>>,
}

impl Waiter {
    fn answer(self, answer: Result<Reply, AskError>) {
        // Whoever asked may be gone.
        let _ = self.reply.send(answer);
    }
}

/// The thread.
pub(super) fn run(settings: Settings, queue: UnboundedReceiver<Job>, state: &watch::Sender<State>) {
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
    let mut line = Line {
        queue,
        waiting: VecDeque::new(),
    };
    while let Some((question, waiters)) = line.next() {
        if let Err(poison) = take(&mut asker, &question, waiters, &mut line) {
            tracing::error!(%source, %poison, "the router model is beyond repair");
            state.send_replace(State::Poisoned(poison));
            break;
        }
    }
    line.close();
}

/// Those who wait, in the order of asking.
struct Line {
    queue: UnboundedReceiver<Job>,
    waiting: VecDeque<Job>,
}

impl Line {
    /// The next question, and everybody who asks it; `None` when nobody can ask any more.
    fn next(&mut self) -> Option<(Question, Vec<Waiter>)> {
        let first = match self.waiting.pop_front() {
            Some(first) => first,
            None => self.queue.blocking_recv()?,
        };
        drop(first.place);
        let mut waiters = self.also(&first.question);
        waiters.insert(0, first.waiter);
        Some((first.question, waiters))
    }

    /// Takes out whoever else asks `question`.
    fn also(&mut self, question: &Question) -> Vec<Waiter> {
        while let Ok(job) = self.queue.try_recv() {
            self.waiting.push_back(job);
        }
        let asks = |job: &Job| job.question == *question;
        if !self.waiting.iter().any(asks) {
            return Vec::new();
        }
        let (same, others) = mem::take(&mut self.waiting)
            .into_iter()
            .partition::<VecDeque<_>, _>(asks);
        self.waiting = others;
        same.into_iter().map(|job| job.waiter).collect()
    }

    fn close(mut self) {
        self.queue.close();
        while let Ok(job) = self.queue.try_recv() {
            self.waiting.push_back(job);
        }
        for job in self.waiting {
            job.waiter.answer(Err(AskError::Poisoned));
        }
    }
}

/// A model that answered.
pub(super) fn ready(settings: Settings) -> Result<(Asker, Facts), LoadError> {
    let runtime = runtime().map_err(|error| LoadError::Broken(error.to_string()))?;
    let start = Instant::now();
    let (loaded, digest) = load(&runtime, &settings)?;
    let mut asker = Asker::new(runtime, loaded, settings).map_err(LoadError::Broken)?;
    let load = start.elapsed();
    let start = Instant::now();
    asker.warm_up().map_err(LoadError::Mute)?;
    let facts = Facts {
        digest,
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

/// Asks a question, if anybody still waits, and tells all who ask it, also those who came while it was asked. An error is
/// the end of the host.
fn take(
    asker: &mut Asker,
    question: &Question,
    mut waiters: Vec<Waiter>,
    line: &mut Line,
) -> Result<(), String> {
    let start = Instant::now();
    let stop = Stop::new(
        waiters
            .iter()
            .map(|waiter| (waiter.deadline, Arc::clone(&waiter.abandoned))),
    );
    let answer = if stop.is_due() {
        Err(Failure::Question(AskError::Deadline))
    } else {
        caught(|| asker.ask(question, &stop)).unwrap_or_else(|panic| {
            asker.restart();
            Err(Failure::Question(AskError::Engine(panic)))
        })
    };
    let (answer, end) = match answer {
        Ok(reply) => (Ok(reply), Ok(())),
        Err(Failure::Question(error)) => (Err(error), Ok(())),
        Err(Failure::Host(poison)) => (Err(AskError::Poisoned), Err(poison)),
    };
    if answer != Err(AskError::Deadline) {
        waiters.extend(line.also(question));
    }
    for waiter in waiters {
        let timed = |reply| Reply {
            queued: start.saturating_duration_since(waiter.asked),
            computed: start.elapsed(),
            ..reply
        };
        let answer = answer.clone().map(timed);
        waiter.answer(answer);
    }
    // The engine may be busy with the end of the run; only the next question has to wait for that.
    end.and_then(|()| asker.settle())
}
