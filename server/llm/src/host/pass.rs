//! One run of the engine over a prompt: it is held to the trie, and its logits go to the walk.
//!
//! mistral.rs calls [`CustomLogitsProcessor::apply`] once per token it is to sample. There the walk takes the logits and
//! the one token that goes on is forced. When the walk ends, or goes on elsewhere in the trie, the run is of no more use;
//! it then ends in one of two ways: with the end-of-sequence token, after which mistral.rs keeps the prompt's state for
//! later prompts, or with an error, after which it forgets it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use mistralrs::{CustomLogitsProcessor, Tensor};
use tokio::sync::oneshot;

use crate::trie::{LogitsError, Walk};

/// A logit no sampler picks; -inf would make a softmax of it NaN.
const NEVER: f32 = -1e30;

/// When a run is to end early: when nobody waits for it any more.
#[derive(Debug, Clone)]
pub(super) struct Stop(Vec<(Instant, Arc<AtomicBool>)>);

impl Stop {
    /// For those who wait until an instant, or until their flag is set.
    pub(super) fn new(waiters: impl Iterator<Item = (Instant, Arc<AtomicBool>)>) -> Self {
        Self(waiters.collect())
    }

    /// Whether nobody waits any more.
    pub(super) fn is_due(&self) -> bool {
        let now = Instant::now();
        let is_gone = |(deadline, abandoned): &(Instant, Arc<AtomicBool>)| {
            abandoned.load(Ordering::Relaxed) || now >= *deadline
        };
        self.0.iter().all(is_gone)
    }
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum End {
    /// The walk is over, or goes on where this run cannot.
    Read(Walk),
    /// Nobody waits any more.
    Stopped,
    /// The logits say nothing.
    Broken(LogitsError),
}

/// The state of a run; the engine holds the only reference, so that its end is the end of the channel.
pub(super) struct Pass {
    run: Mutex<Run>,
    stop: Stop,
    /// Whether the prompt's state is to be kept, and the token that ends a sequence.
    keep: Option<u32>,
    /// The token that ends a sequence, where an error does not: with paged attention mistral.rs goes on after one.
    halt: Option<u32>,
    #[cfg(test)]
    fault: Option<super::tests::Fault>,
}

struct Run {
    /// Until the run ended.
    going: Option<(Walk, oneshot::Sender<End>)>,
    /// Tokens of the answer so far: those that were part of the prompt, then those forced.
    path: Vec<u32>,
    /// A token that is not the end of a sequence.
    filler: u32,
    is_first: bool,
    /// What every token after the end is; `None` is an error.
    tail: Option<u32>,
}

/// What logits lead to.
enum Step {
    On(u32),
    Over,
    Broken(LogitsError),
}

impl Pass {
    /// A run whose prompt ends with the path of the walk's next branch.
    pub(super) fn new(
        walk: Walk,
        stop: Stop,
        keep: Option<u32>,
        halt: Option<u32>,
    ) -> (Self, oneshot::Receiver<End>) {
        let (end, ended) = oneshot::channel();
        let (path, filler) = match walk.next() {
            Some(branch) => (branch.path.clone(), branch.children[0].token),
            None => (Vec::new(), 0),
        };
        let run = Run {
            going: Some((walk, end)),
            path,
            filler,
            is_first: true,
            tail: None,
        };
        let pass = Self {
            run: Mutex::new(run),
            stop,
            keep,
            halt,
            #[cfg(test)]
            fault: None,
        };
        (pass, ended)
    }

    #[cfg(test)]
    pub(super) fn suffering(self, fault: Option<super::tests::Fault>) -> Self {
        Self { fault, ..self }
    }

    /// The token that follows `logits`; `None` ends the run without a trace.
    fn token(&self, logits: &[f32]) -> Option<u32> {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = std::mem::take(&mut run.is_first);
        if run.going.is_none() {
            return run.tail;
        }
        if self.stop.is_due() {
            run.tail = self.halt;
            run.end(|_| End::Stopped);
            return self.halt;
        }
        match run.step(logits) {
            Step::On(token) => Some(token),
            Step::Broken(broken) => {
                run.tail = self.halt;
                run.end(|_| End::Broken(broken));
                self.halt
            }
            Step::Over => {
                run.tail = self.keep;
                run.end(End::Read);
                // An end as the very first token is overlooked by mistral.rs, which then goes on to the longest answer.
                // Any other token is none; the end follows. (An error is overlooked too, but comes again.)
                if is_first {
                    self.keep.and(Some(run.filler))
                } else {
                    self.keep
                }
            }
        }
    }
}

impl Run {
    fn step(&mut self, logits: &[f32]) -> Step {
        let Some((walk, _)) = &mut self.going else {
            return Step::Over;
        };
        if walk.next().is_some_and(|branch| branch.path == self.path)
            && let Err(broken) = walk.observe(logits)
        {
            return Step::Broken(broken);
        }
        let on = walk.next().filter(|branch| branch.path.starts_with(&self.path));
        match on.and_then(|branch| branch.path.get(self.path.len())) {
            Some(&token) => {
                self.path.push(token);
                Step::On(token)
            }
            None => Step::Over,
        }
    }

    fn end(&mut self, end: impl FnOnce(Walk) -> End) {
        if let Some((walk, ended)) = self.going.take() {
            // Nobody reads it when the host gave the engine up.
            let _ = ended.send(end(walk));
        }
    }
}

impl CustomLogitsProcessor for Pass {
    fn apply(&self, logits: &Tensor, _context: &[u32]) -> mistralrs::Result<Tensor> {
        #[cfg(test)]
        if let Some(fault) = &self.fault {
            fault.strike();
        }
        let values: Vec<f32> = logits.to_vec1()?;
        let size = values.len();
        let token = self
            .token(&values)
            .map(|token| token as usize)
            .filter(|token| *token < size);
        let Some(token) = token else {
            return Err(std::io::Error::other(END).into());
        };
        let mut forced = vec![NEVER; size];
        forced[token] = 0.0;
        Tensor::from_vec(forced, size, logits.device())
    }
}

/// The error that ends a run; nobody is shown it.
const END: &str = "the run is over";
