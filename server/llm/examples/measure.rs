//! What a question to a router model takes on this machine, with and without what is kept of a policy's prompt, and
//! beside a plain chat request of mistral.rs with the same prompt.
//!
//!     cargo run --release -p signalbox-llm --features mistralrs --example measure -- MODEL [QUANTISATION|- [QUESTIONS]]
//!
//! MODEL is what `llm.path` may be: a directory, a GGUF file, or `hf:org/name@revision`.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mistralrs::{
    GgufModelBuilder, Model, ModelDType, RequestBuilder, TextMessageRole, TextModelBuilder, TokenSource,
    parse_isq_value,
};
use signalbox_llm::host::{Host, Question, Reply, Settings, Source, State};
use signalbox_llm::prompt;
use signalbox_llm::question::{Role, Route, Routes, Turn};

const ROUTES: [(&str, &str); 8] = [
    (
        "code generation",
        "writing new programs, functions, scripts or queries from a description",
    ),
    (
        "code review",
        "finding bugs in code that is shown, explaining errors and stack traces, tests",
    ),
    (
        "travel",
        "planning trips, flights, trains, hotels, visas and what to see in a place",
    ),
    (
        "cooking",
        "recipes, ingredients, what to cook and how long, kitchen equipment",
    ),
    (
        "banking",
        "accounts, cards, transfers, loans, exchange rates and fees of a bank",
    ),
    (
        "health",
        "symptoms, medicines, diets and exercise, when to see a doctor",
    ),
    (
        "small talk",
        "greetings, jokes, weather, how the assistant feels and what it likes",
    ),
    (
        "translation",
        "turning a text from one language into another, the meaning of words",
    ),
];

const ASKED: [&str; 12] = [
    "Write a function in Rust that merges two sorted lists.",
    "Which trains go from Hamburg to Rome overnight?",
    "How long does a soft boiled egg take?",
    "My card was declined in a shop, what can I do?",
    "I have had a headache for three days.",
    "Tell me a joke about penguins.",
    "What does `Weltschmerz` mean in English?",
    "Why does this loop never end: while (i < 10) { j++; }",
    "Do I need a visa for Japan?",
    "Can I use yoghurt in place of cream in a sauce?",
    "What is the fee for a transfer to another country?",
    "Translate to French: the meeting is moved to Tuesday.",
];

/// The most tokens of a plain answer: `{"route": "code generation"}` and its end have about as many.
const ANSWER_TOKENS: usize = 12;

fn question(routes: &Arc<Routes>, text: &str) -> Question {
    Question {
        routes: Arc::clone(routes),
        turns: vec![Turn {
            role: Role::User,
            text: text.to_owned(),
        }],
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let source: Source = arguments.next().context("which model?")?.parse()?;
    let mut settings = Settings::new(source);
    settings.quantize = arguments.next().filter(|name| name != "-");
    let route = |(name, description): &(&str, &str)| Route {
        name: (*name).to_owned(),
        description: (*description).to_owned(),
    };
    let routes = Arc::new(Routes::new(ROUTES.iter().map(route).collect())?);

    let asked = arguments
        .next()
        .map_or(Ok(ASKED.len()), |count| count.parse())?
        .clamp(2, ASKED.len());
    let asked = &ASKED[..asked];
    let kept = hosted(settings.clone(), &routes, asked, true).await?;
    settings.cache_bytes = 0;
    let anew = hosted(settings.clone(), &routes, asked, false).await?;
    let tokens = |replies: &[Reply]| replies.iter().map(|reply| reply.prompt_tokens).sum::<usize>() as f64;
    let seconds = |replies: &[Reply]| {
        replies
            .iter()
            .map(|reply| reply.computed.as_secs_f64())
            .sum::<f64>()
    };
    // The first question of a policy finds nothing.
    let (kept, anew) = (&kept[1..], &anew[1..]);
    let known = kept.iter().map(|reply| reply.cached_tokens).sum::<usize>() as f64 / tokens(kept);
    let saved = 1.0 - seconds(kept) / seconds(anew);
    println!(
        "prompt tokens per second: {:.0} with the policy's part kept, {:.0} without",
        tokens(kept) / seconds(kept),
        tokens(anew) / seconds(anew)
    );
    println!(
        "tokens that are kept: {:.1} %; time saved: {:.1} %, which is {:.0} % of that",
        known * 100.0,
        saved * 100.0,
        saved / known * 100.0
    );
    for (text, (a, b)) in asked[1..].iter().zip(kept.iter().zip(anew)) {
        if a.answer != b.answer {
            bail!("what is kept changed the answer to {text:?}");
        }
    }
    plain(&settings, &routes, asked).await
}

/// Asks a host everything, in order.
async fn hosted(
    settings: Settings,
    routes: &Arc<Routes>,
    asked: &[&str],
    show: bool,
) -> anyhow::Result<Vec<Reply>> {
    let host = Host::start(settings)?;
    let mut state = host.state();
    let state = state.wait_for(|state| *state != State::Loading).await?.clone();
    let State::Ready(facts) = state else {
        bail!("{state:?}");
    };
    if show {
        println!("{facts:?}");
    }
    let mut replies = Vec::new();
    for text in asked {
        let deadline = Instant::now() + Duration::from_secs(3_600);
        let reply = host.ask(question(routes, text), deadline).await?;
        if show {
            let (best, score) = reply.answer.best();
            println!(
                "{text}\n    -> {} ({:.3}, ahead by {:.3}; on script {:.3}); {} of {} tokens known, {} runs, {:.2?}",
                best.map_or("other", |at| ROUTES[at].0),
                score.probability,
                reply.answer.margin(),
                reply.answer.on_script,
                reply.cached_tokens,
                reply.prompt_tokens,
                reply.passes,
                reply.computed,
            );
        }
        replies.push(reply);
    }
    let times = |replies: &[Reply]| {
        let mut times: Vec<_> = replies[1..].iter().map(|reply| reply.computed).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    let what = if show { "kept" } else { "not kept" };
    println!(
        "median decision, the policy's part {what}: {:.2?} (first {:.2?})",
        times(&replies),
        replies[0].computed
    );
    host.shut_down(Duration::from_secs(60)).await;
    Ok(replies)
}

/// Sends the same prompts as chat requests.
async fn plain(settings: &Settings, routes: &Arc<Routes>, asked: &[&str]) -> anyhow::Result<()> {
    let model = chat_model(settings).await?;
    let mut times = Vec::new();
    for text in asked {
        let turns = question(routes, text).turns;
        let prompt = prompt::render(routes, &turns, &settings.style, &|text| text.len() / 4)?;
        let request = RequestBuilder::new()
            .add_message(TextMessageRole::User, prompt.text)
            .set_sampler_max_len(ANSWER_TOKENS);
        let start = Instant::now();
        let answer = model.send_chat_request(request).await?;
        times.push(start.elapsed());
        let said = answer.choices[0].message.content.clone().unwrap_or_default();
        println!(
            "plain: {} + {} tokens: {said:?}",
            answer.usage.prompt_tokens, answer.usage.completion_tokens
        );
    }
    let first = times.remove(0);
    times.sort_unstable();
    println!(
        "median plain chat request: {:.2?} (first {first:.2?})",
        times[times.len() / 2]
    );
    Ok(())
}

async fn chat_model(settings: &Settings) -> anyhow::Result<Model> {
    let name = |path: &Path| path.display().to_string();
    let model = match &settings.source {
        Source::Gguf { file, tokenizer } => {
            let directory = file.parent().context("where is it?")?;
            let file = file.file_name().context("what is it?")?;
            GgufModelBuilder::new(name(directory), vec![file.to_string_lossy()])
                .with_tok_model_id(name(tokenizer))
                .with_force_cpu()
                .with_token_source(TokenSource::None)
                .build()
                .await?
        }
        Source::Directory(directory) => {
            let builder = TextModelBuilder::new(name(directory))
                .with_dtype(ModelDType::F32)
                .with_force_cpu()
                .with_token_source(TokenSource::None);
            let isq = settings
                .quantize
                .as_deref()
                .map(|name| parse_isq_value(name, None));
            match isq.transpose().map_err(anyhow::Error::msg)? {
                Some(isq) => builder.with_isq(isq).build().await?,
                None => builder.build().await?,
            }
        }
        Source::Hub { .. } => bail!("a plain request needs a path"),
    };
    Ok(model)
}
