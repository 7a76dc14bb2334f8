//! A model behind an endpoint that speaks OpenAI's protocol: vLLM, the server of mistral.rs, llama.cpp. Asked as the model was
//! trained to be asked; its answer is read as free text, and its log-probabilities become those of the routes.
//!
//! Neither proxies nor redirects are followed: prompts go where the operator said. Errors hold no text of either side.

use std::error::Error as _;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use signalbox_llm::answer::{Written, parse};
use signalbox_llm::prompt::{Style, render};
use signalbox_llm::question::Routes;
use thiserror::Error;

use crate::llm::{Engine, Failure, Question, Reply};

mod shares;
mod wire;

use wire::{Completion, Token};

/// Largest answer that is read; a right one has a few hundred bytes and as many for each of its tokens.
const MOST_BYTES: usize = 1 << 20;

/// The longest wait for a connection; the question itself is bounded by who asks.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection is kept without a question. Python's servers close theirs after 5 s, and a question that meets the
/// end of its connection is lost.
const IDLE: Duration = Duration::from_secs(4);

/// Special tokens of Qwen2.5, on which Arch-Router is built: nobody may write them into a prompt.
const SPECIALS: [&str; 3] = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"];

/// Where a model is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address up to and with its version: `http://vllm:8000/v1`.
    pub url: Url,
    /// The model's name there.
    pub model: String,
    /// What is sent as bearer token.
    pub key: Option<String>,
    /// How the prompt is written.
    pub style: Style,
}

/// Why an endpoint cannot be asked at all.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// The key cannot stand in a header.
    #[error("the API key has characters that no header may have")]
    Key,
    /// No client for TLS.
    #[error("no client can be made: {0}")]
    Client(reqwest::Error),
}

/// A model elsewhere.
#[derive(Debug)]
pub struct Remote {
    client: Client,
    url: Url,
    model: String,
    style: Style,
}

impl Remote {
    /// Connects with the first question.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn new(endpoint: Endpoint) -> Result<Self, RemoteError> {
        let Endpoint {
            mut url,
            model,
            key,
            mut style,
        } = endpoint;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| RemoteError::Key)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(RemoteError::Client)?;
        let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
        url.set_path(&path);
        style.specials.extend(SPECIALS.map(str::to_owned));
        Ok(Remote {
            client,
            url,
            model,
            style,
        })
    }

    async fn answer(&self, question: Question) -> Result<Reply, Failure> {
        let Question { routes, turns } = question;
        let prompt = render(&routes, &turns, &self.style, &tokens_of)
            .map_err(|error| Failure::Failed(error.to_string()))?;
        let longest = routes.labels().map(|label| self.style.answer(label).len()).max();
        // A byte is a token at worst.
        let body = wire::body(&self.model, &prompt.text, longest.unwrap_or_default());
        let start = Instant::now();
        let response = self.client.post(self.url.clone()).body(body).send().await;
        let response = response.map_err(|error| failed(&error))?;
        let bytes = read(refused(response)?).await?;
        let computed = start.elapsed();
        let completion: Completion = serde_json::from_slice(&bytes)
            .map_err(|_| Failure::Failed("its answer is not a chat completion".to_owned()))?;
        let usage = completion.usage.unwrap_or_default();
        let (text, tokens) = completion
            .into_text()
            .ok_or_else(|| Failure::Failed("its answer has no text".to_owned()))?;
        let (shares, measured) = read_off(&text, &tokens, &routes, &self.style)?;
        let (other, shares) = shares.split_last().unwrap_or((&1.0, &[]));
        #[expect(clippy::cast_possible_truncation, reason = "probabilities")]
        let narrow = |share: &f64| *share as f32;
        Ok(Reply {
            routes: shares.iter().map(narrow).collect(),
            other: narrow(other),
            measured,
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: usage
                .prompt_tokens_details
                .and_then(|details| details.cached_tokens),
            queued: None,
            computed,
        })
    }
}

impl Engine for Remote {
    fn identity(&self) -> String {
        format!("remote {} {} {:?}", self.url, self.model, self.style)
    }

    fn loaded(&self) -> BoxFuture<'_, Result<(), String>> {
        std::future::ready(Ok(())).boxed()
    }

    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Reply, Failure>> {
        self.answer(question).boxed()
    }
}

/// What the labels have by the written answer and its log-probabilities, in the order of the labels; false where only the
/// name is known.
fn read_off(
    text: &str,
    tokens: &[Token],
    routes: &Routes,
    style: &Style,
) -> Result<(Vec<f64>, bool), Failure> {
    let chosen = match parse(text, routes) {
        Written::Route(route) => route,
        Written::Other => routes.as_slice().len(),
        Written::NotUnderstood => {
            let why = "its answer names no route of the policy, or several";
            return Err(Failure::Failed(why.to_owned()));
        }
    };
    if let Some(shares) = shares::shares(tokens, chosen, routes, style) {
        return Ok((shares, true));
    }
    let mut shares = vec![0.0; routes.as_slice().len() + 1];
    shares[chosen] = 1.0;
    Ok((shares, false))
}

/// Tokens of a text by its bytes, rather too many than too few: there is no tokenizer here. Prose has four bytes a token, and
/// escaped text three.
fn tokens_of(text: &str) -> usize {
    text.len().div_ceil(3)
}

fn refused(response: Response) -> Result<Response, Failure> {
    match response.status() {
        StatusCode::OK => Ok(response),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Err(Failure::Overloaded),
        // The body may quote the prompt.
        status => Err(Failure::Failed(format!(
            "its endpoint answered HTTP {}",
            status.as_u16()
        ))),
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_BYTES {
            return Err(Failure::Failed(format!("its answer is above {MOST_BYTES} bytes")));
        }
    }
    Ok(bytes)
}

/// What the transport says, down to its cause; the address may hold a secret and is left out.
fn failed(error: &reqwest::Error) -> Failure {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    let what = if error.is_connect() {
        "its endpoint cannot be reached"
    } else {
        "its endpoint broke off"
    };
    Failure::Failed(match cause {
        Some(cause) => format!("{what}: {cause}"),
        None => what.to_owned(),
    })
}

#[cfg(test)]
mod tests;
