//! Curves of one decision: over the number of routes, over the length of the conversation, hit beside miss, and what a
//! language model is asked.
//!
//! `cargo bench -p signalbox`

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use signalbox_decide::Query;
use signalbox_llm::prompt::{Style, render};
use signalbox_llm::question::{self, Routes};
use signalbox_server::conversation::{Conversation, Message, Role};
use signalbox_server::engine::cache::{Bounds, DecisionCache};
use signalbox_server::engine::ring::Ring;
use signalbox_server::engine::{Asked, CacheMode, Engine};
use signalbox_server::store::{Compiler, Policies, ReloadOptions};

const PROMPT: &str = "write a python function that parses dates in several formats and returns them sorted";

fn engine(policy: &str) -> Engine {
    let ring = Arc::new(Ring::new(1000));
    let compiler = Compiler::new().expect("the built-in table is sound");
    let policies = Arc::new(Policies::new(compiler, ring.clone()));
    policies
        .everyone()
        .reload(policy.as_bytes(), "bench", &ReloadOptions::default())
        .expect("the policy is sound");
    Engine::new(
        policies,
        DecisionCache::new(
            Bounds {
                max_entries: 10_000,
                max_bytes: 64 << 20,
            },
            [0; 32],
        ),
        ring,
    )
}

/// A policy of `routes` routes, each with a description of its own and one of four models.
fn policy(routes: usize) -> String {
    let topics = [
        "invoices",
        "python code",
        "poems",
        "travel",
        "contracts",
        "recipes",
        "medicine",
        "chess",
        "taxes",
    ];
    let mut text =
        String::from("schema: 1\ndefault: m0\nmodels: [{id: m0}, {id: m1}, {id: m2}, {id: m3}]\nroutes:\n");
    for number in 0..routes {
        let (first, second) = (topics[number % 9], topics[number / 9 % 9]);
        text += &format!(
            "  - {{name: route{number}, description: \"requests of kind {number} about {first} and {second}\", models: [m{}]}}\n",
            number % 4
        );
    }
    text
}

fn asked(conversation: Conversation, cache: CacheMode) -> Asked {
    let query = Query {
        turns: conversation.messages.len() as u32,
        input_tokens: 100,
        ..Query::default()
    };
    Asked {
        query,
        conversation,
        cache,
        ..Asked::default()
    }
}

fn by_routes(c: &mut Criterion) {
    let mut group = c.benchmark_group("routes");
    group.sample_size(20);
    for routes in [10, 30, 100, 1_000, 10_000] {
        let engine = engine(&policy(routes));
        let asked = asked(Conversation::from_prompt(PROMPT), CacheMode::Bypass);
        group.bench_function(BenchmarkId::from_parameter(routes), |b| {
            b.iter(|| engine.route(black_box(asked.clone())).now_or_never())
        });
    }
}

fn by_length(c: &mut Criterion) {
    let engine = engine(&policy(30));
    let mut group = c.benchmark_group("conversation_bytes");
    for bytes in [1 << 10, 10 << 10, 100 << 10, 1 << 20] {
        let roles = [Role::User, Role::Assistant];
        let message = |number: usize| Message {
            role: roles[number % 2],
            content: format!("{PROMPT}, please. Here is more about it, number {number}. ").repeat(8),
            has_tool_calls: false,
            attachments: Vec::new(),
        };
        let mut conversation = Conversation {
            messages: vec![message(0)],
        };
        while conversation
            .messages
            .iter()
            .map(|m| m.content.len())
            .sum::<usize>()
            < bytes
        {
            conversation.messages.push(message(conversation.messages.len()));
        }
        let asked = asked(conversation, CacheMode::Bypass);
        group.bench_function(BenchmarkId::from_parameter(bytes), |b| {
            b.iter(|| engine.route(black_box(asked.clone())).now_or_never())
        });
    }
}

fn by_cache(c: &mut Criterion) {
    let engine = engine(&policy(30));
    let mut group = c.benchmark_group("cache");
    for (name, mode) in [("exact_hit", CacheMode::Use), ("bypass", CacheMode::Bypass)] {
        let asked = asked(Conversation::from_prompt(PROMPT), mode);
        group.bench_function(name, |b| {
            b.iter(|| engine.route(black_box(asked.clone())).now_or_never())
        });
    }
}

/// The language model's prompt, tokens counted by the byte.
fn by_prompt(c: &mut Criterion) {
    let mut group = c.benchmark_group("llm_prompt_routes");
    let turns = [question::Turn {
        role: question::Role::User,
        text: PROMPT.to_owned(),
    }];
    let style = Style {
        max_tokens: 100_000,
        ..Style::default()
    };
    for routes in [10, 30, 100] {
        let route = |n: usize| question::Route {
            name: format!("route_{n}"),
            description: format!("matters of kind {n}, and what belongs to them"),
        };
        let set = Routes::new((0..routes).map(route).collect()).expect("every name is another");
        group.bench_function(BenchmarkId::from_parameter(routes), |b| {
            b.iter(|| render(black_box(&set), black_box(&turns), &style, &|text| text.len() / 4))
        });
    }
}

criterion_group!(benches, by_routes, by_length, by_cache, by_prompt);
criterion_main!(benches);
