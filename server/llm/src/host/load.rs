//! From a model's files to a pipeline of mistral.rs. Its loader panics on some malformed files; here that is an error.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use mistralrs::core::{AddModelConfig, Pipeline, SchedulerConfig};
use mistralrs::model_builder_trait::{build_gguf_pipeline, build_text_pipeline};
use mistralrs::{
    GgufModelBuilder, IsqType, MemoryGpuConfig, ModelDType, PagedAttentionConfig, PagedAttentionMetaBuilder,
    TextModelBuilder, TokenSource, parse_isq_value,
};
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use super::digest::digest;
use super::hub::Hub;
use super::{Device, Settings, Source, SourceError};

/// Prompts whose state a GPU has room for, the running one among them. (The number means nothing to mistral.rs: on a CPU
/// it keeps all, and the host counts their bytes; on a GPU its memory is the bound.)
const KEPT_PROMPTS: usize = 8;

/// Tokens beside the prompt: the template around it, and the answer.
const BESIDE: usize = 512;

/// Why a model could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoadError {
    /// The files are not there.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A setting does not fit the model or this build.
    #[error("{0}")]
    Setting(String),
    /// The Hugging Face hub did not give the files.
    #[error("the hub does not give {0}")]
    Hub(String),
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

/// Loads the model of `settings`, and says what its digest is. To be called in a thread that loads no other model:
/// mistral.rs keeps the quantisation of one load for the next on the same thread.
pub(super) fn load(runtime: &Runtime, settings: &Settings) -> Result<(Loaded, String), LoadError> {
    let isq = fitting(settings)?;
    let source = match &settings.source {
        Source::Hub { name, revision } => Hub::from_env().fetch(name, revision.as_deref())?,
        here => here.clone(),
    };
    source.check()?;
    tracing::info!(source = %settings.source, files = %source, "the router model is being read");
    let digest = digest(&source, settings).map_err(|error| LoadError::Broken(error.to_string()))?;
    tracing::info!(%digest, "the router model is being loaded");
    let built = match &source {
        Source::Gguf { file, tokenizer } => {
            let builder = gguf(file, tokenizer, settings)?;
            caught(|| runtime.block_on(build_gguf_pipeline(builder)))
        }
        Source::Directory(directory) => {
            let builder = text(directory, isq, settings)?;
            caught(|| runtime.block_on(build_text_pipeline(builder)))
        }
        Source::Hub { .. } => Err("it is not on this machine".to_owned()),
    };
    let (pipeline, scheduler, config) = built
        .and_then(|built| built.map_err(|error| first_line(&format!("{error:#}"))))
        .map_err(LoadError::Broken)?;
    let loaded = Loaded {
        pipeline,
        scheduler,
        config,
    };
    Ok((loaded, digest))
}

/// Whether the settings fit each other and this build; and what to quantise to.
fn fitting(settings: &Settings) -> Result<Option<IsqType>, LoadError> {
    let is_gguf = matches!(settings.source, Source::Gguf { .. });
    let wrong = |what: &str| Err(LoadError::Setting(what.to_owned()));
    if settings.device == Device::Gpu && !cfg!(any(feature = "cuda", feature = "metal")) {
        return wrong("this build has neither `cuda` nor `metal`");
    }
    if is_gguf && settings.quantize.is_some() {
        return wrong("a GGUF file comes quantised and cannot be quantised again");
    }
    if ![8, 16, 32].contains(&settings.paged.block_tokens) {
        return wrong("a block of paged attention has 8, 16 or 32 tokens");
    }
    let slow = cfg!(target_arch = "x86_64") && !cfg!(target_feature = "avx2");
    if settings.device == Device::Cpu && (is_gguf || settings.quantize.is_some()) && slow {
        tracing::warn!("quantised weights are slow in this build: it was not made for x86-64-v3 (AVX2)");
    }
    let isq = settings.quantize.as_deref();
    isq.map(|name| parse_isq_value(name, None).map_err(LoadError::Setting))
        .transpose()
}

fn text(directory: &Path, isq: Option<IsqType>, settings: &Settings) -> Result<TextModelBuilder, LoadError> {
    let cpu = settings.device == Device::Cpu;
    let mut builder = TextModelBuilder::new(absolute(directory)?)
        .with_dtype(if cpu { ModelDType::F32 } else { ModelDType::BF16 })
        .with_token_source(TokenSource::None)
        .with_max_num_seqs(1)
        .with_prefix_cache_n(Some(KEPT_PROMPTS));
    if let Some(isq) = isq {
        builder = builder.with_isq(isq);
    }
    Ok(if cpu {
        builder.with_force_cpu()
    } else {
        builder.with_paged_attn(paged(settings)?)
    })
}

fn gguf(file: &Path, tokenizer: &Path, settings: &Settings) -> Result<GgufModelBuilder, LoadError> {
    let file = absolute(file)?;
    let (directory, name) = file.rsplit_once('/').unwrap_or(("", &file));
    let builder = GgufModelBuilder::new(directory, vec![name])
        .with_tok_model_id(absolute(tokenizer)?)
        .with_token_source(TokenSource::None)
        .with_max_num_seqs(1)
        .with_prefix_cache_n(Some(KEPT_PROMPTS));
    Ok(if settings.device == Device::Cpu {
        builder.with_force_cpu()
    } else {
        builder.with_paged_attn(paged(settings)?)
    })
}

/// The memory of attention state on a GPU. Not proven on one.
fn paged(settings: &Settings) -> Result<PagedAttentionConfig, LoadError> {
    let memory = match settings.paged.bytes {
        Some(bytes) => MemoryGpuConfig::MbAmount(usize::try_from(bytes >> 20).unwrap_or(usize::MAX)),
        None => MemoryGpuConfig::ContextSize((settings.style.max_tokens + BESIDE) * KEPT_PROMPTS),
    };
    PagedAttentionMetaBuilder::default()
        .with_block_size(settings.paged.block_tokens)
        .with_gpu_memory(memory)
        .build()
        .map_err(|error| LoadError::Setting(error.to_string()))
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
