//! From a model's files to a pipeline of mistral.rs. Its loader panics on some malformed files; here that is an error.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use mistralrs::core::{AddModelConfig, Pipeline, SchedulerConfig};
use mistralrs::model_builder_trait::{build_gguf_pipeline, build_text_pipeline};
use mistralrs::{GgufModelBuilder, IsqType, ModelDType, TextModelBuilder, TokenSource, parse_isq_value};
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use super::{Device, Settings, Source, SourceError};

/// Prompts whose state a GPU keeps; on a CPU mistral.rs keeps all, and the host counts their bytes.
const CACHED_PROMPTS: usize = 16;

/// Why a model could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoadError {
    /// The files are not there.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A setting does not fit the model or this build.
    #[error("{0}")]
    Setting(String),
    /// The files are there, but are not a model that can be run.
    #[error("the model cannot be loaded: {0}")]
    Broken(String),
    /// It was loaded, but does not answer.
    #[error("the model was loaded, but its first question failed: {0}")]
    Mute(String),
}

/// A loaded model: weights, tokenizer and template; engines are made from it.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) pipeline: Arc<Mutex<dyn Pipeline>>,
    pub(super) scheduler: SchedulerConfig,
    pub(super) config: AddModelConfig,
}

/// Loads the model of `settings`. To be called in a thread that loads no other model: mistral.rs keeps the quantisation
/// of one load for the next on the same thread.
pub(super) fn load(runtime: &Runtime, settings: &Settings) -> Result<Loaded, LoadError> {
    settings.source.check()?;
    let cpu = settings.device == Device::Cpu;
    if !cpu && !cfg!(any(feature = "cuda", feature = "metal")) {
        return Err(LoadError::Setting(
            "this build has neither `cuda` nor `metal`".to_owned(),
        ));
    }
    let isq = match &settings.quantize {
        Some(name) => Some(parse_isq_value(name, None).map_err(LoadError::Setting)?),
        None => None,
    };
    let built = match &settings.source {
        Source::Directory(directory) => {
            let directory = absolute(directory)?;
            let builder = text(directory, cpu, isq).with_token_source(TokenSource::None);
            caught(|| runtime.block_on(build_text_pipeline(builder)))
        }
        Source::Hub { name, revision } => {
            let mut builder = text(name.clone(), cpu, isq);
            if let Some(revision) = revision {
                builder = builder.with_hf_revision(revision);
            }
            caught(|| runtime.block_on(build_text_pipeline(builder)))
        }
        Source::Gguf { .. } if isq.is_some() => {
            return Err(LoadError::Setting(
                "a GGUF file comes quantised and cannot be quantised again".to_owned(),
            ));
        }
        Source::Gguf { file, tokenizer } => {
            let builder = gguf(file, tokenizer, cpu)?;
            caught(|| runtime.block_on(build_gguf_pipeline(builder)))
        }
    };
    let (pipeline, scheduler, config) = built
        .and_then(|built| built.map_err(|error| first_line(&format!("{error:#}"))))
        .map_err(LoadError::Broken)?;
    Ok(Loaded {
        pipeline,
        scheduler,
        config,
    })
}

fn text(model: String, cpu: bool, isq: Option<IsqType>) -> TextModelBuilder {
    let mut builder = TextModelBuilder::new(model)
        .with_dtype(if cpu { ModelDType::F32 } else { ModelDType::BF16 })
        .with_max_num_seqs(1)
        .with_prefix_cache_n(Some(CACHED_PROMPTS));
    if cpu {
        builder = builder.with_force_cpu();
    }
    match isq {
        Some(isq) => builder.with_isq(isq),
        None => builder,
    }
}

fn gguf(file: &Path, tokenizer: &Path, cpu: bool) -> Result<GgufModelBuilder, LoadError> {
    let file = absolute(file)?;
    let (directory, name) = file.rsplit_once('/').unwrap_or(("", &file));
    let builder = GgufModelBuilder::new(directory, vec![name])
        .with_tok_model_id(absolute(tokenizer)?)
        .with_token_source(TokenSource::None)
        .with_max_num_seqs(1)
        .with_prefix_cache_n(Some(CACHED_PROMPTS));
    Ok(if cpu { builder.with_force_cpu() } else { builder })
}

fn absolute(path: &Path) -> Result<String, LoadError> {
    let path = std::fs::canonicalize(path)
        .map_err(|error| LoadError::Broken(format!("`{}`: {error}", path.display())))?;
    let name = path.to_str().map(str::to_owned);
    name.ok_or_else(|| LoadError::Setting(format!("`{}` is not UTF-8", path.display())))
}

/// What `work` gives, or how it panicked.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| first_line(message(&*panic)))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
}

/// The first line of an error, and not too much of it: with RUST_BACKTRACE candle puts a backtrace into the text.
pub(super) fn first_line(text: &str) -> String {
    text.trim()
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(300)
        .collect()
}
