//! An engine of mistral.rs over a loaded model: one run at a time, read to its end, restarted when it dies and before its
//! cache outgrows its budget.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mistralrs::core::{Response, SchedulerConfig};
use mistralrs::model_builder_trait::build_model_from_pipeline;
use mistralrs::{Model, NormalRequest, Request, RequestMessage, SamplingParams};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::timeout;

use super::Settings;
use super::load::{Loaded, caught, first_line};
use super::pass::{End, Pass, Stop};
use crate::trie::Walk;

/// mistral.rs makes room for attention state in steps of this many tokens.
const TOKENS_PER_STEP: u64 = 512;

/// Prompts that are looked at for how much of another is known on a GPU.
const KNOWN_PROMPTS: usize = 64;

/// What an engine may say of one run: an answer or an error, and the error again.
const ANSWERS: usize = 16;

/// How often a new engine is tried, and how long to wait between: the old one may hold the pipeline for a moment.
const STARTS: u32 = 20;
const START_PAUSE: Duration = Duration::from_millis(50);

/// Why a run gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunError {
    /// This run failed, the engine did not.
    Failed(String),
    /// The engine died.
    Died(String),
    /// The engine is silent, or no new one can be had.
    Hopeless(String),
}

/// A prompt to run.
pub(super) struct Run {
    /// Template, message, and the forced beginning of the answer.
    pub(super) tokens: Vec<u32>,
    /// How many of the first tokens are the policy's, about.
    pub(super) shared: usize,
    /// The most tokens the answer can have from there on.
    pub(super) steps: usize,
}

/// An engine at work. Its own channel is kept, because asking the model for it would restart a dead one unseen.
struct Running {
    _model: Model,
    requests: mpsc::Sender<Request>,
}

pub(super) struct Engine {
    loaded: Loaded,
    running: Option<Running>,
    /// What the engine still says of the last run.
    answers: Option<Receiver<Response>>,
    /// The prompts whose state it keeps; on a GPU the latest, of which some may be gone.
    kept: Vec<Vec<u32>>,
    /// Where attention is paged: the tokens there is room for, and those of a block.
    paged: Option<(usize, usize)>,
    pub(super) bytes_per_token: u64,
    cache_bytes: u64,
    end: u32,
    stall: Duration,
    #[cfg(test)]
    faults: super::tests::Faults,
}

impl Engine {
    /// No engine yet; [`Engine::run`] starts it.
    pub(super) fn new(runtime: &Runtime, loaded: Loaded, settings: &Settings) -> Result<Self, String> {
        let metadata = runtime.block_on(async { loaded.pipeline.lock().await.get_metadata() });
        let end = *metadata
            .eos_tok
            .first()
            .ok_or("it has no end-of-sequence token")?;
        let elements = metadata.model_metadata.as_ref().map_or(0, |model| {
            model.num_layers() * model.kv_cache_elements_per_token()
        });
        let paged = match &loaded.scheduler {
            SchedulerConfig::PagedAttentionMeta { config, .. } => {
                Some((config.num_gpu_blocks * config.block_size, config.block_size))
            }
            SchedulerConfig::DefaultScheduler { .. } => None,
        };
        Ok(Self {
            paged,
            bytes_per_token: (elements * metadata.activation_dtype.size_in_bytes()) as u64,
            loaded,
            running: None,
            answers: None,
            kept: Vec::new(),
            cache_bytes: settings.cache_bytes,
            end,
            stall: settings.stall,
            #[cfg(test)]
            faults: settings.faults.clone(),
        })
    }

    /// The most tokens a prompt and its answer can have for lack of memory, if that is a limit.
    pub(super) fn room(&self) -> Option<usize> {
        self.paged.map(|(room, _)| room)
    }

    /// How many of the first `tokens` the engine knows. On a CPU an identical prompt is not recognised by mistral.rs; on a
    /// GPU whole blocks are, but never the last token.
    pub(super) fn known(&self, tokens: &[u32]) -> usize {
        let shared = |kept: &Vec<u32>| kept.iter().zip(tokens).take_while(|(a, b)| a == b).count();
        let most = self.kept.iter().map(shared).max().unwrap_or(0);
        match self.paged {
            Some((_, block)) => most.min(tokens.len().saturating_sub(1)) / block * block,
            None if most == tokens.len() => 0,
            None => most,
        }
    }

    /// What the state of a prompt takes.
    fn bytes(&self, tokens: usize) -> u64 {
        (tokens as u64).next_multiple_of(TOKENS_PER_STEP) * self.bytes_per_token
    }

    /// What the state of the kept prompts takes.
    pub(super) fn kept_bytes(&self) -> u64 {
        self.kept.iter().map(|kept| self.bytes(kept.len())).sum()
    }

    /// Runs a prompt for a walk whose next branch it ends with. The first prompt of a policy is kept, others are
    /// forgotten: what they share is the policy's part, and state is large (28 KiB to 56 KiB per token of Arch-Router). On a
    /// GPU all are kept, in blocks of a memory set aside, the oldest making room.
    pub(super) fn run(
        &mut self,
        runtime: &Runtime,
        run: Run,
        walk: Walk,
        stop: Stop,
    ) -> Result<End, RunError> {
        self.settle(runtime)?;
        // Two tokens less: at the seam the tokenizer may join what it would not at the end of a text.
        let is_new = self.known(&run.tokens) + 2 < run.shared;
        let is_paged = self.paged.is_some();
        let keep = is_paged || (is_new && self.bytes(run.tokens.len()) <= self.cache_bytes);
        if keep && !is_paged && self.kept_bytes() + self.bytes(run.tokens.len()) > self.cache_bytes {
            tracing::info!("the prompts of earlier policies are forgotten");
            self.stop();
        }
        let requests = self.requests(runtime)?;
        let halt = is_paged.then_some(self.end);
        let (pass, ended) = Pass::new(walk, stop, keep.then_some(self.end), halt);
        #[cfg(test)]
        let pass = pass.suffering(self.faults.next());
        let (answer, answers) = mpsc::channel(ANSWERS);
        self.answers = Some(answers);
        let tokens = run.tokens.clone();
        let request = request(run, answer, pass);
        let sent = runtime.block_on(requests.send(request));
        let sent = sent.map_err(|_| RunError::Died("the engine is gone".to_owned()));
        let end = sent.and_then(
            |()| match runtime.block_on(async { timeout(self.stall, ended).await }) {
                Ok(Ok(end)) => Ok(end),
                // The run ended before a token was sampled: what the engine says of it tells why.
                Ok(Err(_)) => Err(self.reason(runtime)),
                Err(_) => Err(RunError::Hopeless("the engine is silent".to_owned())),
            },
        );
        match &end {
            Ok(End::Read(_)) if keep => {
                self.kept.push(tokens);
                if is_paged && self.kept.len() > KNOWN_PROMPTS {
                    self.kept.remove(0);
                }
            }
            // Its blocks would be found by later prompts.
            Ok(End::Broken(_)) if is_paged => self.stop(),
            Err(RunError::Failed(_) | RunError::Died(_)) => {
                // After an error of the model mistral.rs has forgotten everything anyway.
                self.stop();
            }
            _ => {}
        }
        end
    }

    /// Reads what the engine still has to say of the last run. Until then it may be at work.
    pub(super) fn settle(&mut self, runtime: &Runtime) -> Result<(), RunError> {
        let Some(mut answers) = self.answers.take() else {
            return Ok(());
        };
        let mut said = false;
        let drain = async {
            while answers.recv().await.is_some() {
                said = true;
            }
        };
        let stall = self.stall;
        let drained = runtime.block_on(async { timeout(stall, drain).await });
        if drained.is_err() {
            // Dropping the channel would kill the engine once it wakes up.
            self.answers = Some(answers);
            return Err(RunError::Hopeless(
                "the engine does not come to an end".to_owned(),
            ));
        }
        if !said {
            // It died over the end of the run, of which the answer was already known.
            self.stop();
        }
        Ok(())
    }

    /// Why the engine ended a run without an answer.
    fn reason(&mut self, runtime: &Runtime) -> RunError {
        let Some(mut answers) = self.answers.take() else {
            return RunError::Died("the engine died".to_owned());
        };
        let stall = self.stall;
        let last = runtime.block_on(async {
            let mut last = None;
            while let Ok(Some(answer)) = timeout(stall, answers.recv()).await {
                last = Some(answer);
            }
            last
        });
        match last {
            Some(Response::InternalError(error) | Response::ValidationError(error)) => {
                RunError::Failed(first_line(&error.to_string()))
            }
            Some(Response::CompletionModelError(error, _) | Response::ModelError(error, _)) => {
                RunError::Failed(first_line(&error))
            }
            Some(_) => RunError::Failed("the engine answered without sampling".to_owned()),
            None => RunError::Died("the engine died".to_owned()),
        }
    }

    /// Lets the engine go, and with it all that it keeps.
    pub(super) fn stop(&mut self) {
        self.kept.clear();
        self.running = None;
    }

    /// The way to a living engine, which is started if need be.
    fn requests(&mut self, runtime: &Runtime) -> Result<mpsc::Sender<Request>, RunError> {
        if self
            .running
            .as_ref()
            .is_some_and(|running| running.requests.is_closed())
        {
            tracing::warn!("the engine died and is started anew");
            self.stop();
        }
        let mut error = String::new();
        for _ in 0..STARTS {
            if let Some(running) = &self.running {
                return Ok(running.requests.clone());
            }
            match start(runtime, self.loaded.clone()) {
                Ok(running) => self.running = Some(running),
                Err(failed) => {
                    error = failed;
                    thread::sleep(START_PAUSE);
                }
            }
        }
        Err(RunError::Hopeless(format!(
            "no new engine can be started: {error}"
        )))
    }

    /// Ends the engine's thread without saying so here.
    #[cfg(test)]
    pub(super) fn kill(&mut self, runtime: &Runtime) {
        let requests = self.requests(runtime).unwrap();
        runtime.block_on(requests.send(Request::Terminate)).unwrap();
        while !requests.is_closed() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn start(runtime: &Runtime, loaded: Loaded) -> Result<Running, String> {
    let Loaded {
        pipeline,
        scheduler,
        config,
    } = loaded;
    let model = caught(|| runtime.block_on(build_model_from_pipeline(pipeline, scheduler, config)))?;
    let requests = model
        .inner()
        .get_sender(None)
        .map_err(|error| first_line(&format!("{error:?}")))?;
    Ok(Running {
        _model: model,
        requests,
    })
}

fn request(run: Run, response: mpsc::Sender<Response>, pass: Pass) -> Request {
    let sampling = SamplingParams {
        max_len: Some(run.steps),
        ..SamplingParams::deterministic()
    };
    let mut request = NormalRequest::new_simple(
        RequestMessage::CompletionTokens(run.tokens),
        sampling,
        response,
        0,
        None,
        None,
    );
    request.logits_processors = Some(vec![Arc::new(pass)]);
    Request::Normal(Box::new(request))
}
