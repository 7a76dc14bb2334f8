//! Cost of the sentence encoder: of one text on one core, and of a policy's examples on all of them.
//!
//! `cargo bench -p signalbox-evidence --bench encoder`

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use signalbox_evidence::Transformer;

const VERBS: [&str; 12] = [
    "summarise",
    "translate",
    "check",
    "improve",
    "explain",
    "compare",
    "shorten",
    "rewrite",
    "draft",
    "review",
    "sort",
    "print",
];
const THINGS: [&str; 10] = [
    "letter", "contract", "report", "function", "recipe", "invoice", "poem", "plan", "query", "form",
];
const PLACES: [&str; 5] = ["Lisbon", "Vienna", "Oslo", "Dublin", "Porto"];

fn one_text(c: &mut Criterion) {
    let encoder = Transformer::builtin().expect("the built-in encoder is sound");
    let mut group = c.benchmark_group("text");
    for (name, text) in [
        ("9_tokens", "book a hotel room for two nights"),
        (
            "22_tokens",
            "please book a quiet hotel room for two nights near the central station and tell me what it costs",
        ),
        (
            "128_tokens",
            &"some of the dates are written in another way ".repeat(16),
        ),
    ] {
        group.bench_function(name, |b| b.iter(|| encoder.embed(black_box(text))));
    }
}

/// 600 texts of ten words each, none of them known.
fn policy(c: &mut Criterion) {
    let mut texts = Vec::new();
    for verb in VERBS {
        for thing in THINGS {
            for place in PLACES {
                texts.push(format!("please {verb} the {thing} that I got from {place} today"));
            }
        }
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut group = c.benchmark_group("policy");
    group.sample_size(10);
    group.bench_function("600_examples", |b| {
        b.iter_batched(
            || Transformer::builtin().expect("the built-in encoder is sound"),
            |encoder| encoder.remembered(black_box(&texts)),
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, one_text, policy);
criterion_main!(benches);
