//! Cost of one classification and of compiling a policy, over what each grows with.
//!
//! `cargo bench -p signalbox-evidence`

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use signalbox_evidence::{Classifier, Encoder, Role, RouteText, TrainingSet, Turn};

const TOPICS: [&str; 12] = [
    "generating new code, scripts and functions",
    "finding and fixing errors in existing code",
    "poems, stories and other creative writing",
    "business letters and e-mails",
    "summaries of long texts",
    "translations between languages",
    "mathematical problems and proofs",
    "questions about contracts and law",
    "symptoms, drugs and treatments",
    "extracting fields and tables from documents",
    "plans for travel, hotels and flights",
    "orders, refunds and deliveries",
];

const SENTENCE: &str =
    "I have a list of customer records in a CSV file with names, e-mail addresses and signup dates.";

/// `routes` routes with a description of their own and `examples` examples each.
fn set(routes: usize, examples: usize) -> TrainingSet {
    let route = |number: usize| {
        let (first, second) = (TOPICS[number % 12], TOPICS[number / 12 % 12]);
        RouteText {
            name: format!("route_{number}"),
            description: format!("{first}, of kind {number}, or else {second}"),
            examples: (0..examples)
                .map(|n| format!("please help me with {first}, case {n} of {number}"))
                .collect(),
        }
    };
    TrainingSet {
        routes: (0..routes).map(route).collect(),
        other_examples: Vec::new(),
    }
}

fn by_length(c: &mut Criterion) {
    let encoder = Encoder::builtin().expect("the built-in table is sound");
    let classifier = Classifier::compile(encoder, &set(12, 10));
    let mut group = c.benchmark_group("prompt");
    for (name, text) in [
        ("40_bytes", "write a python function that parses dates".to_owned()),
        (
            "300_bytes",
            format!(
                "{SENTENCE} Some of the dates are written as 2024-01-31 and some as 31/01/2024. Please write a Python script \
                 that reads the file, turns all dates into one format, removes duplicates by e-mail address, and writes the \
                 result."
            ),
        ),
        ("3_kB", format!("{SENTENCE} ").repeat(32)),
    ] {
        let turns = [Turn {
            role: Role::User,
            text: &text,
        }];
        group.bench_function(name, |b| b.iter(|| classifier.classify(black_box(&turns))));
    }
}

fn by_routes(c: &mut Criterion) {
    let encoder = Encoder::builtin().expect("the built-in table is sound");
    let mut group = c.benchmark_group("compile");
    group.sample_size(10);
    for (routes, examples) in [(12, 0), (12, 20), (34, 20), (10_000, 0)] {
        let set = set(routes, examples);
        let id = BenchmarkId::from_parameter(format!("{routes}_routes_{examples}_examples"));
        group.bench_function(id, |b| {
            b.iter(|| Classifier::compile(encoder.clone(), black_box(&set)))
        });
    }
}

criterion_group!(benches, by_length, by_routes);
criterion_main!(benches);
