//! From settings to an engine.

use std::sync::Arc;

use signalbox_llm::prompt::Style;
use thiserror::Error;

use super::remote::{Endpoint, Remote, RemoteError};
use super::{Bounds, Engine, Llm, PROBE};
use crate::config::{EngineConfig, LlmConfig};

/// Why an engine could not even be begun.
#[derive(Debug, Error)]
pub enum StartError {
    /// The variable that is to hold the key is not there.
    #[error("llm.remote.api_key_env: the environment variable `{0}` is not set")]
    NoKey(String),
    /// The endpoint cannot be asked.
    #[error("llm.remote: {0}")]
    Remote(#[from] RemoteError),
    /// The system gives no thread.
    #[error("llm.path: no thread for the model: {0}")]
    Thread(#[from] std::io::Error),
    /// The path names no model.
    #[cfg(feature = "mistralrs")]
    #[error("llm.path: {0}")]
    Source(#[from] signalbox_llm::host::SourceError),
    /// This build hosts no model; the settings say so first.
    #[error("llm.path: this build hosts no language model")]
    NotHere,
}

/// Starts what the settings name, which is nothing by default. Needs a runtime; whether it works shows later.
///
/// # Errors
/// See [`StartError`].
pub fn start(config: &LlmConfig) -> Result<Option<Llm>, StartError> {
    let Some(engine) = &config.engine else {
        return Ok(None);
    };
    let style = Style {
        ascii: config.ascii,
        max_tokens: config.prompt_tokens,
        ..Style::default()
    };
    let engine: Arc<dyn Engine> = match engine {
        EngineConfig::Remote {
            url,
            model,
            api_key_env,
        } => {
            let read = |name: &String| std::env::var(name).map_err(|_| StartError::NoKey(name.clone()));
            Arc::new(Remote::new(Endpoint {
                url: url.clone(),
                model: model.clone(),
                key: api_key_env.as_ref().map(read).transpose()?,
                style,
            })?)
        }
        #[cfg(feature = "mistralrs")]
        EngineConfig::Hosted {
            path,
            gpu,
            quantize,
            cache_bytes,
        } => {
            use signalbox_llm::host::{Device, Settings};
            let mut settings = Settings::new(path.parse()?);
            settings.device = if *gpu { Device::Gpu } else { Device::Cpu };
            settings.quantize.clone_from(quantize);
            settings.style = style;
            settings.queue = config.queue;
            settings.cache_bytes = *cache_bytes;
            Arc::new(super::hosted::Hosted::start(settings)?)
        }
        #[cfg(not(feature = "mistralrs"))]
        EngineConfig::Hosted { .. } => return Err(StartError::NotHere),
    };
    let bounds = Bounds {
        queue: config.queue,
        probe: PROBE,
    };
    Ok(Some(Llm::start(engine, bounds)))
}
