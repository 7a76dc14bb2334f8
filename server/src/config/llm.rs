//! The settings of the language model.

use super::Checker;

/// The language model, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmConfig {
    /// What answers; `None` is nothing.
    pub engine: Option<EngineConfig>,
    /// Whether to refuse to start without it.
    pub required: bool,
    /// Most different questions at once.
    pub queue: usize,
    /// Most tokens of a prompt.
    pub prompt_tokens: usize,
    /// Whether text outside ASCII is escaped in it.
    pub ascii: bool,
}

/// What answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineConfig {
    /// A model in this process.
    Hosted {
        /// A directory, a file, or `hf:org/name@revision`.
        path: String,
        /// Whether it runs on a GPU.
        gpu: bool,
        /// A way to quantise it while it loads.
        quantize: Option<String>,
        /// Most bytes of kept attention state.
        cache_bytes: u64,
    },
    /// A model behind an endpoint.
    Remote {
        /// The address.
        url: reqwest::Url,
        /// The model's name there.
        model: String,
        /// The variable that holds the key.
        api_key_env: Option<String>,
    },
}

pub(super) fn llm(checker: &mut Checker<'_>) -> LlmConfig {
    let own = |checker: &Checker<'_>, key| checker.text(key).map(str::to_owned);
    let hosted = hosted(checker);
    let remote = remote(checker);
    if hosted.is_some() && own(checker, "llm.remote.url").is_some() {
        let message = "`llm.remote.url` is set too, and only one model can answer; remove one of them";
        checker.problem("llm.path", message.to_owned());
    }
    let config = LlmConfig {
        engine: hosted.or(remote),
        required: checker.word("llm.required", &["true", "false"]) == "true",
        queue: checker.size("llm.queue"),
        prompt_tokens: checker.size("llm.prompt_tokens"),
        ascii: checker.word("llm.ascii", &["true", "false"]) == "true",
    };
    let named = own(checker, "llm.path").is_some() || own(checker, "llm.remote.url").is_some();
    if config.required && !named {
        let message = "there is no language model to require; set `llm.path` or `llm.remote.url`";
        checker.problem("llm.required", message.to_owned());
    }
    config
}

fn hosted(checker: &mut Checker<'_>) -> Option<EngineConfig> {
    let gpu = checker.one_of("llm.device") == "gpu";
    let cache_bytes = checker.integer("llm.cache_bytes");
    let path = checker.text("llm.path")?.to_owned();
    if !cfg!(feature = "mistralrs") {
        let message = format!(
            "`{path}` cannot be loaded: this build hosts no language model; build it without \
             `--no-default-features`, or set `llm.remote.url`"
        );
        checker.problem("llm.path", message);
    }
    Some(EngineConfig::Hosted {
        path,
        gpu,
        quantize: checker.text("llm.quantize").map(str::to_owned),
        cache_bytes,
    })
}

fn remote(checker: &mut Checker<'_>) -> Option<EngineConfig> {
    let text = |checker: &Checker<'_>, key| checker.text(key).map(str::to_owned);
    let model = text(checker, "llm.remote.model");
    let api_key_env = text(checker, "llm.remote.api_key_env");
    let Some(address) = text(checker, "llm.remote.url") else {
        for key in ["llm.remote.model", "llm.remote.api_key_env"] {
            if checker.text(key).is_some() {
                checker.problem(
                    key,
                    "means nothing without `llm.remote.url`; set that too".to_owned(),
                );
            }
        }
        return None;
    };
    let url = reqwest::Url::parse(&address).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if url.is_none() {
        let message = format!("`{address}` is no address of HTTP; give one such as http://vllm:8000/v1");
        checker.problem("llm.remote.url", message);
    }
    if model.is_none() {
        let message = "is missing; give the name that the endpoint knows the model by";
        checker.problem("llm.remote.model", message.to_owned());
    }
    Some(EngineConfig::Remote {
        url: url?,
        model: model?,
        api_key_env,
    })
}
