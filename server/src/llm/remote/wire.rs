//! The part of OpenAI's chat completions that is used, and nothing that servers of it disagree about.

use serde::Deserialize;
use serde_json::json;

/// Alternatives asked for at each token; the most that OpenAI and vLLM give.
const ALTERNATIVES: u8 = 20;

/// A question as JSON.
pub(super) fn body(model: &str, prompt: &str, max_tokens: usize) -> Vec<u8> {
    json!({
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "max_tokens": max_tokens,
        "logprobs": true,
        "top_logprobs": ALTERNATIVES,
    })
    .to_string()
    .into_bytes()
}

#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    choices: Vec<Choice>,
    pub(super) usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Message,
    logprobs: Option<Logprobs>,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Logprobs {
    content: Option<Vec<Token>>,
}

/// A token that was written, and what else could have been.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Token {
    #[serde(flatten)]
    pub(super) own: Piece,
    #[serde(default)]
    pub(super) top_logprobs: Vec<Piece>,
}

/// A token's text and the natural logarithm of its probability.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Piece {
    token: String,
    #[serde(default)]
    pub(super) logprob: f64,
    /// Where the token is part of a character, only its bytes are right.
    bytes: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Usage {
    pub(super) prompt_tokens: Option<u64>,
    pub(super) prompt_tokens_details: Option<Details>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Details {
    pub(super) cached_tokens: Option<u64>,
}

impl Completion {
    /// The text of the first choice and its tokens.
    pub(super) fn into_text(self) -> Option<(String, Vec<Token>)> {
        let choice = self.choices.into_iter().next()?;
        let tokens = choice.logprobs.and_then(|logprobs| logprobs.content);
        Some((choice.message.content?, tokens.unwrap_or_default()))
    }
}

impl Piece {
    pub(super) fn text(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(self.token.as_bytes())
    }

    #[cfg(test)]
    pub(super) fn new(token: &str, probability: f64) -> Self {
        Piece {
            token: token.to_owned(),
            logprob: probability.ln(),
            bytes: None,
        }
    }
}
