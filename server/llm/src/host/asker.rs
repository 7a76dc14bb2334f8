//! One question after the other, from the prompt to the probabilities.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::engine::{Engine, Run, RunError};
use super::load::Loaded;
use super::pass::{End, Stop};
use super::words::Words;
use super::{AskError, Question, Reply, Settings};
use crate::prompt::{self, Style};
use crate::question::{Role, Route, Routes, Turn};
use crate::trie::{Trie, Walk};

/// Policies whose tries are kept.
const PLANS: usize = 16;

/// Deaths of the engine in a row after which it is given up.
const DEATHS: u32 = 3;

/// Tokens beyond the longest answer that a run may take: its end, and one that is overlooked.
const SPARE_STEPS: usize = 4;

/// How long the first question may take.
const WARM_UP: Duration = Duration::from_secs(3_600);

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// To this question.
    Question(AskError),
    /// To this one nor any other.
    Host(String),
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::Question(error)
    }
}

/// What is worked out for a policy.
struct Plan {
    routes: Arc<Routes>,
    trie: Arc<Trie>,
    /// The most tokens an answer has.
    longest: usize,
}

/// Asks the engine.
pub(super) struct Asker {
    runtime: Runtime,
    pub(super) engine: Engine,
    words: Words,
    style: Style,
    max_tokens: usize,
    /// The latest used first.
    plans: Vec<Arc<Plan>>,
    deaths: u32,
}

impl Asker {
    pub(super) fn new(runtime: Runtime, loaded: Loaded, settings: Settings) -> Result<Self, String> {
        let pipeline = Arc::clone(&loaded.pipeline);
        let pipeline = runtime.block_on(pipeline.lock());
        let words = Words::new(&*pipeline)?;
        let max_tokens = pipeline.get_metadata().max_seq_len;
        drop(pipeline);
        let engine = Engine::new(&runtime, loaded, &settings)?;
        let max_tokens = engine.room().map_or(max_tokens, |room| room.min(max_tokens));
        let mut style = settings.style;
        style.specials.extend(words.specials());
        Ok(Self {
            engine,
            runtime,
            words,
            style,
            max_tokens,
            plans: Vec::new(),
            deaths: 0,
        })
    }

    pub(super) fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    pub(super) fn bytes_per_token(&self) -> u64 {
        self.engine.bytes_per_token
    }

    /// Asks a question that any model can be asked.
    pub(super) fn warm_up(&mut self) -> Result<Reply, String> {
        let stop = Stop::new([(Instant::now() + WARM_UP, Arc::default())].into_iter());
        let reply = self.ask(&warm_up()?, &stop).map_err(|failure| match failure {
            Failure::Question(error) => error.to_string(),
            Failure::Host(poison) => poison,
        })?;
        self.settle()?;
        Ok(reply)
    }

    /// The probabilities of the routes of a question. The times of the reply are left to the caller.
    pub(super) fn ask(&mut self, question: &Question, stop: &Stop) -> Result<Reply, Failure> {
        let plan = self.plan(&question.routes)?;
        let count = |text: &str| self.words.count(text);
        let prompt =
            prompt::render(&question.routes, &question.turns, &self.style, &count).map_err(AskError::from)?;
        let shared = self
            .words
            .shared(&prompt.text, prompt.shared)
            .map_err(AskError::Engine)?;
        let message = self.words.prompt(&prompt.text).map_err(AskError::Engine)?;
        let mut walk = Walk::new(Arc::clone(&plan.trie));
        let mut reply = None;
        let mut passes = 0;
        while let Some(branch) = walk.next() {
            let run = Run {
                tokens: [message.as_slice(), &branch.path].concat(),
                shared,
                steps: plan.longest - branch.path.len() + SPARE_STEPS,
            };
            let tokens = run.tokens.len() + run.steps;
            if tokens > self.max_tokens {
                let max_tokens = self.max_tokens;
                return Err(AskError::TooLong { tokens, max_tokens }.into());
            }
            if stop.is_due() {
                return Err(AskError::Deadline.into());
            }
            reply.get_or_insert((run.tokens.len(), self.engine.known(&run.tokens)));
            passes += 1;
            walk = self.run(run, walk, stop)?;
        }
        let answer = walk
            .answer()
            .ok_or_else(|| AskError::Engine("no logits were seen".to_owned()))?;
        let (prompt_tokens, cached_tokens) = reply.unwrap_or_default();
        Ok(Reply {
            answer,
            prompt_tokens,
            cached_tokens,
            passes,
            dropped: prompt.dropped,
            trimmed: prompt.trimmed,
            queued: Duration::ZERO,
            computed: Duration::ZERO,
        })
    }

    fn run(&mut self, run: Run, walk: Walk, stop: &Stop) -> Result<Walk, Failure> {
        let end = self.engine.run(&self.runtime, run, walk, stop.clone());
        if !matches!(end, Err(RunError::Died(_))) {
            self.deaths = 0;
        }
        match end {
            Ok(End::Read(walk)) => Ok(walk),
            Ok(End::Stopped) => Err(AskError::Deadline.into()),
            Ok(End::Broken(logits)) => Err(AskError::Engine(logits.to_string()).into()),
            Err(RunError::Failed(error)) => Err(AskError::Engine(error).into()),
            Err(RunError::Died(error)) => {
                self.deaths += 1;
                if self.deaths >= DEATHS {
                    return Err(Failure::Host(format!("{error}, {DEATHS} times in a row")));
                }
                tracing::warn!(%error, deaths = self.deaths, "the engine is started anew");
                Err(AskError::Engine(error).into())
            }
            Err(RunError::Hopeless(error)) => Err(Failure::Host(error)),
        }
    }

    /// Waits until the engine is idle. An error is the end of the host.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        self.engine.settle(&self.runtime).map_err(|error| match error {
            RunError::Failed(error) | RunError::Died(error) | RunError::Hopeless(error) => error,
        })
    }

    /// Lets go of the engine; the next question starts another.
    pub(super) fn restart(&mut self) {
        self.engine.stop();
    }

    #[cfg(test)]
    pub(super) fn kill(&mut self) {
        self.engine.kill(&self.runtime);
    }

    fn plan(&mut self, routes: &Arc<Routes>) -> Result<Arc<Plan>, AskError> {
        let is_it = |plan: &Arc<Plan>| Arc::ptr_eq(&plan.routes, routes) || plan.routes == *routes;
        if let Some(at) = self.plans.iter().position(is_it) {
            self.plans[..=at].rotate_right(1);
            return Ok(Arc::clone(&self.plans[0]));
        }
        let answers: Result<Vec<_>, _> = routes
            .labels()
            .map(|label| self.words.encode(&self.style.answer(label)))
            .collect();
        let trie = Arc::new(Trie::new(answers.map_err(AskError::Engine)?)?);
        let longest = trie.answers().iter().map(Vec::len).max().unwrap_or(0);
        let plan = Arc::new(Plan {
            routes: Arc::clone(routes),
            trie,
            longest,
        });
        self.plans.truncate(PLANS - 1);
        self.plans.insert(0, Arc::clone(&plan));
        Ok(plan)
    }
}

fn warm_up() -> Result<Question, String> {
    let route = |name: &str, description: &str| Route {
        name: name.to_owned(),
        description: description.to_owned(),
    };
    let routes = vec![route("code", "writing programs"), route("chat", "small talk")];
    let said = Turn {
        role: Role::User,
        text: "hello".to_owned(),
    };
    Ok(Question {
        routes: Arc::new(Routes::new(routes).map_err(|error| error.to_string())?),
        turns: vec![said],
    })
}
