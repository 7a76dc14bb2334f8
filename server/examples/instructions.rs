//! What decisions cost in instructions: each case is a function of its own, and `server/scripts/instructions.py` has callgrind count
//! what is spent below it. Time is noisy where others use the machine, instructions are not.
//!
//! `cargo run --release -p signalbox --example instructions` only shows that it runs.

#![expect(clippy::print_stdout, reason = "it is read by a script")]

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Result, ensure};
use futures_util::FutureExt as _;
use signalbox_decide::policy::load;
use signalbox_decide::{Answer, Evidence, Query, RouteScores, Step, decide};
use signalbox_evidence::{Encoder, Likeness, Signals};
use signalbox_llm::prompt::{Style, render};
use signalbox_llm::question::{self, Routes};
use signalbox_server::conversation::Conversation;
use signalbox_server::engine::cache::{Bounds, DecisionCache};
use signalbox_server::engine::ring::Ring;
use signalbox_server::engine::{Asked, CacheMode, Engine};
use signalbox_server::store::{Compiler, Policies, ReloadOptions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Calls of each case, compiling aside.
const CALLS: usize = 200;
/// Some 300 bytes in three sentences.
const PROMPT: &str = "I have a list of customer records in a CSV file with names, e-mail addresses and signup dates. Some of the dates are \
    written as 2024-01-31 and some as 31/01/2024. Please write a Python script that reads the file, turns all dates into one format, \
    removes duplicates by e-mail address, and writes the result.";
const SHORT: &str = "Hi, could you please write a python function that parses dates in several formats?";

fn main() -> Result<()> {
    let engine = engine(include_str!("policies/example.yaml"))?;
    let engine = black_box(&engine);
    exact_hit(engine)?;
    bypassed(engine)?;
    given_embedding()?;
    let encoder = Encoder::builtin()?;
    embedding(&encoder);
    semantic_key(&encoder);
    signals();
    llm_prompt()?;
    compile(&Compiler::new()?)?;
    println!("{CALLS}");
    Ok(())
}

fn engine(policy: &str) -> Result<Engine> {
    let ring = Arc::new(Ring::new(100));
    let policies = Arc::new(Policies::new(Compiler::new()?, ring.clone()));
    policies
        .everyone()
        .reload(policy.as_bytes(), "example", &ReloadOptions::default())?;
    let bounds = Bounds {
        max_entries: 1000,
        max_bytes: 1 << 20,
    };
    Ok(Engine::new(policies, DecisionCache::new(bounds, [0; 32]), ring))
}

fn asked(prompt: &str, cache: CacheMode) -> Asked {
    Asked {
        query: Query {
            turns: 1,
            input_tokens: 100,
            ..Query::default()
        },
        conversation: Conversation::from_prompt(prompt),
        cache,
        ..Asked::default()
    }
}

/// One decision that is in the cache, without the network.
#[inline(never)]
fn exact_hit(engine: &Engine) -> Result<()> {
    for _ in 0..CALLS {
        let decided = engine.route(asked(PROMPT, CacheMode::Use)).now_or_never();
        ensure!(matches!(decided, Some(Ok(_))));
    }
    Ok(())
}

/// One decision made anew, without the network.
#[inline(never)]
fn bypassed(engine: &Engine) -> Result<()> {
    for _ in 0..CALLS {
        let decided = engine.route(asked(PROMPT, CacheMode::Bypass)).now_or_never();
        ensure!(matches!(decided, Some(Ok(_))));
    }
    Ok(())
}

/// The core alone: 100 rules and 30 routes, all evidence at hand.
#[inline(never)]
fn given_embedding() -> Result<()> {
    let mut text = String::from("schema: 1\ndefault: a\nmodels: [{id: a}, {id: b}]\nrules:\n");
    for n in 0..100 {
        text += &format!(
            "  - {{name: r{n}, when: 'caller.tier == \"t{n}\" && request.tokens > {n}', use: {{model: b}}}}\n"
        );
    }
    text += "routes:\n";
    for n in 0..30 {
        text += &format!("  - {{name: route_{n}, description: matters of kind {n}, models: [a, b]}}\n");
    }
    let policy = match load(text.as_bytes()) {
        Ok(loaded) => loaded.policy,
        Err(found) => anyhow::bail!("{found:?}"),
    };
    let mut scores = vec![0.001; 30];
    scores[7] = 0.95;
    let evidence = Evidence {
        cache: Answer::Got(None),
        embedding: Answer::Got(Arc::new(RouteScores {
            routes: scores,
            ..RouteScores::default()
        })),
        health: Answer::Got(Arc::default()),
        ..Evidence::default()
    };
    decided(&policy, &evidence)
}

#[inline(never)]
fn decided(policy: &signalbox_decide::Policy, evidence: &Evidence) -> Result<()> {
    let query = Query {
        input_tokens: 100,
        ..Query::default()
    };
    for _ in 0..CALLS {
        let step = decide(black_box(policy), black_box(&query), black_box(evidence));
        ensure!(matches!(step, Step::Done(Ok(_))), "{step:?}");
    }
    Ok(())
}

/// The sentence embedding of some 60 words.
#[inline(never)]
fn embedding(encoder: &Encoder) {
    for _ in 0..CALLS {
        black_box(encoder.embed(black_box(PROMPT)));
    }
}

/// What the semantic tier is keyed by, with two embeddings in it.
#[inline(never)]
fn semantic_key(encoder: &Encoder) {
    for _ in 0..CALLS {
        black_box(Likeness::of(encoder, black_box(SHORT), &[1; 32]));
    }
}

/// What rules may read off a prompt.
#[inline(never)]
fn signals() {
    for _ in 0..CALLS {
        black_box(Signals::of(black_box(PROMPT)));
    }
}

/// The language model's prompt for ten routes, tokens counted by the byte.
#[inline(never)]
fn llm_prompt() -> Result<()> {
    let route = |n: usize| question::Route {
        name: format!("route_{n}"),
        description: format!("matters of kind {n}, and what belongs to them"),
    };
    let routes = Routes::new((0..10).map(route).collect())?;
    let turns = [question::Turn {
        role: question::Role::User,
        text: PROMPT.to_owned(),
    }];
    for _ in 0..CALLS {
        let prompt = render(
            black_box(&routes),
            black_box(&turns),
            &Style::default(),
            &|text| text.len() / 4,
        );
        ensure!(prompt.is_ok());
    }
    Ok(())
}

/// A policy of ten routes with examples: parsed, checked, its classifier trained. Once.
#[inline(never)]
fn compile(compiler: &Compiler) -> Result<()> {
    let policy = include_bytes!("policies/example.yaml");
    let compiled = compiler.compile(policy, "example", None);
    ensure!(compiled.is_ok());
    Ok(())
}
