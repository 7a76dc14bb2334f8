//! The model in this process: a bounded queue, and one thread that owns everything that belongs to mistral.rs.
//!
//! What [`Host::ask`] holds is a place in the queue and the end of a channel: dropping it at any time hurts nobody. The
//! thread asks one question at a time, because mistral.rs 0.8.1 mixes up sequences that run at once over its prefix
//! cache, and it reads every answer of the engine to the end, because an engine whose reader is gone panics.

mod asker;
mod digest;
mod dispatch;
mod engine;
mod hub;
mod load;
mod pass;
mod source;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::prompt::{PromptError, Style};
use crate::question::{Answer, Routes, Turn};
use crate::trie::TrieError;

pub use load::LoadError;
pub use source::{Source, SourceError};

use dispatch::{Job, Waiter};

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// On the processor, in F32.
    Cpu,
    /// On the first GPU, in BF16, with paged attention; needs a build with `cuda` or `metal`. Not yet proven on one.
    Gpu,
}

/// The memory of a GPU that attention state has, once for all prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paged {
    /// Tokens per block, the unit of sharing between prompts: 8, 16 or 32.
    pub block_tokens: usize,
    /// Bytes. Without: room for the longest prompt, which runs alone, and as much for what seven others leave.
    pub bytes: Option<u64>,
}

/// How a model is hosted.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The model.
    pub source: Source,
    /// Where it runs.
    pub device: Device,
    /// Quantise the weights while they load: `q4k`, `q6k`, `q8_0` and other names of mistral.rs. Not for GGUF files,
    /// which come quantised. On a CPU only `q4k` and `q6k` are fast, and only where the binary was built for AVX2.
    pub quantize: Option<String>,
    /// How the prompt is written. The model's special tokens are added to [`Style::specials`].
    pub style: Style,
    /// Questions that may wait; one more is refused.
    pub queue: usize,
    /// What the attention state of the policies' shared prompts may take, in bytes. When another would not fit, all are
    /// forgotten.
    pub cache_bytes: u64,
    /// On a GPU, in place of `cache_bytes`.
    pub paged: Paged,
    /// The longest the engine may be silent within one question before it is given up.
    pub stall: Duration,
    #[cfg(test)]
    faults: tests::Faults,
}

impl Settings {
    /// The defaults for `source`: on the CPU as it is, 64 waiting questions, 512 MiB of cache, 2 minutes of silence.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            device: Device::Cpu,
            quantize: None,
            style: Style::default(),
            queue: 64,
            cache_bytes: 512 << 20,
            paged: Paged {
                block_tokens: 32,
                bytes: None,
            },
            stall: Duration::from_secs(120),
            #[cfg(test)]
            faults: tests::Faults::default(),
        }
    }
}

/// What the host is up to.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// The model is being loaded; nothing is answered.
    Loading,
    /// A question was answered through the real path, and others will be.
    Ready(Facts),
    /// The model could not be loaded, or not be asked. Final.
    Failed(LoadError),
    /// The engine is beyond repair: it hangs, or dies again and again. Final; only a new process helps.
    Poisoned(String),
}

/// What is known of a loaded model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The answers' identity, 64 hexadecimal digits: the SHA-256 of everything that makes them, which is the contents and
    /// names of the model's files, the quantisation, the device and the style of the prompt. Models of one digest answer
    /// alike, up to the rounding of different processors.
    pub digest: String,
    /// Tokens a prompt and its answer may have together.
    pub max_tokens: usize,
    /// Bytes of attention state per token.
    pub bytes_per_token: u64,
    /// How long loading took, without the first question.
    pub load: Duration,
    /// How long the first question took.
    pub first_question: Duration,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The routes. Best the same `Arc` for the same policy: what is worked out for it is kept.
    pub routes: Arc<Routes>,
    /// The conversation, oldest turn first.
    pub turns: Vec<Turn>,
}

/// An answer, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What the model says.
    pub answer: Answer,
    /// Tokens of the prompt, chat template and forced beginning of the answer included.
    pub prompt_tokens: usize,
    /// How many of them were known from an earlier prompt.
    pub cached_tokens: usize,
    /// How often the prompt was run: once, and once more for every branch where the first reading did not lead.
    pub passes: usize,
    /// Turns that did not fit.
    pub dropped: usize,
    /// Turns that were cut.
    pub trimmed: usize,
    /// Time in the queue.
    pub queued: Duration,
    /// Time from then to the answer.
    pub computed: Duration,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AskError {
    /// The model is still loading, could not be loaded, or the host is shutting down; see [`Host::state`].
    #[error("the model is not ready")]
    NotReady,
    /// The queue is full.
    #[error("too many questions are waiting")]
    Overloaded,
    /// The deadline came first.
    #[error("there was no answer in time")]
    Deadline,
    /// No prompt could be written.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The names of the routes are the same to this model.
    #[error(transparent)]
    Names(#[from] TrieError),
    /// The prompt is longer than the model can read.
    #[error("the prompt has {tokens} tokens, and the model takes {max_tokens} with its answer")]
    TooLong {
        /// Tokens of the prompt and the answer.
        tokens: usize,
        /// What fits.
        max_tokens: usize,
    },
    /// The engine failed on this question; the next may go well.
    #[error("the engine failed: {0}")]
    Engine(String),
    /// The engine is beyond repair.
    #[error("the engine is beyond repair")]
    Poisoned,
}

/// A hosted model. Dropping it lets the thread end after what is running.
#[derive(Debug)]
pub struct Host {
    /// `None` once it is shut down.
    jobs: Mutex<Option<mpsc::UnboundedSender<Job>>>,
    /// One for every question that may wait.
    places: Arc<Semaphore>,
    state: watch::Receiver<State>,
    thread: JoinHandle<()>,
}

impl Host {
    /// Begins to load a model, in a thread of its own. Returns at once; see [`Host::state`].
    ///
    /// # Errors
    /// Only where the operating system refuses a thread.
    pub fn start(settings: Settings) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::unbounded_channel();
        let places = Arc::new(Semaphore::new(settings.queue.clamp(1, Semaphore::MAX_PERMITS)));
        let (report, state) = watch::channel(State::Loading);
        let run = move || dispatch::run(settings, queue, &report);
        let thread = thread::Builder::new().name("llm".to_owned()).spawn(run)?;
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            places,
            state,
            thread,
        })
    }

    /// What the host is up to, now and from now on.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Asks. Answers in the order of asking; who asks what is waiting or being asked already gets that answer. Questions
    /// whose deadline passed or whose future was dropped cost nothing if they still wait, and end at the next token if
    /// they run.
    ///
    /// # Errors
    /// See [`AskError`]. Never later than `deadline`, by more than the caller's own runtime adds.
    pub async fn ask(&self, question: Question, deadline: Instant) -> Result<Reply, AskError> {
        match &*self.state.borrow() {
            State::Ready(_) => {}
            State::Poisoned(_) => return Err(AskError::Poisoned),
            State::Loading | State::Failed(_) => return Err(AskError::NotReady),
        }
        let places = Arc::clone(&self.places);
        let place = places.try_acquire_owned().map_err(|_| AskError::Overloaded)?;
        let (reply, answer) = oneshot::channel();
        let abandoned = Abandoned::default();
        let waiter = Waiter {
            asked: Instant::now(),
            deadline,
            abandoned: Arc::clone(&abandoned.0),
            reply,
        };
        let job = Job {
            question,
            waiter,
            place,
        };
        let sent = self.jobs().as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if !sent {
            return Err(AskError::NotReady);
        }
        match tokio::time::timeout_at(deadline.into(), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(AskError::NotReady),
            Err(_) => Err(AskError::Deadline),
        }
    }

    /// Refuses new questions, answers those that wait, and ends; false if that took longer than `patience`, in which
    /// case it goes on without anybody waiting. A prompt that runs cannot be interrupted.
    pub async fn shut_down(&self, patience: Duration) -> bool {
        drop(self.jobs().take());
        let until = Instant::now() + patience;
        while !self.thread.is_finished() {
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }

    fn jobs(&self) -> MutexGuard<'_, Option<mpsc::UnboundedSender<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Set when whoever asked is gone.
#[derive(Default)]
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
