//! What a hit costs in both tiers of the cache, over the entries in it and the threads that ask: the exact tier, and the
//! semantic one beyond the embeddings it needs.
//!
//! `cargo bench -p signalbox --bench cache`

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use signalbox_decide::policy::SemanticSettings;
use signalbox_decide::{Decision, Evidence, Judgement, Query, RouteScores, Step, decide};
use signalbox_evidence::{Encoder, Likeness};
use signalbox_server::conversation::Conversation;
use signalbox_server::engine::cache::{Bounds, Cached, DecisionCache};
use signalbox_server::llm::Near;
use signalbox_server::store::{Compiler, Snapshot};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const POLICY: &str = "schema: 1\ndefault: a\nmodels: [{id: a}]\nllm: {mode: always}\ncache: {semantic: {enabled: true}}\n\
                      routes: [{name: lights, description: switching lights, models: [a]}]\n";
const PROMPT: &str = "Hi, could you please write a python function that parses dates in several formats?";
const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const HOUR: Duration = Duration::from_secs(3600);
const WIDE: Bounds = Bounds {
    max_entries: 2_000_000,
    max_bytes: 8 << 30,
};

fn snapshot() -> Snapshot {
    let compiled = Compiler::new().expect("the built-in table is sound");
    let compiled = compiled.compile(POLICY.as_bytes(), "bench", None);
    compiled.expect("the policy is sound").0
}

fn decision(snapshot: &Snapshot) -> Arc<Decision> {
    let query = Query {
        model: Some("a".to_owned()),
        ..Query::default()
    };
    match decide(&snapshot.policy, &query, &Evidence::default()) {
        Step::Done(Ok(decision)) => decision,
        other => panic!("a named model decides: {other:?}"),
    }
}

/// A question of its own for each number.
fn query(number: usize) -> Query {
    Query {
        input_tokens: number as u64,
        ..Query::default()
    }
}

/// The time of one call, while `threads` make it at once.
fn at_once(group: &mut BenchmarkGroup<'_, WallTime>, entries: usize, call: impl Fn(usize) + Sync) {
    for threads in [1, 2, 8] {
        let id = BenchmarkId::new(format!("{entries} entries"), format!("{threads} threads"));
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|rounds| {
                let barrier = Barrier::new(threads);
                std::thread::scope(|scope| {
                    let run = |thread: usize| {
                        let (barrier, call) = (&barrier, &call);
                        move || {
                            barrier.wait();
                            let start = Instant::now();
                            // Steps of a large prime touch entries all over the map.
                            let first = thread * 7_919;
                            (0..rounds as usize).for_each(|round| call((first + round * 104_729) % entries));
                            start.elapsed()
                        }
                    };
                    let running: Vec<_> = (0..threads).map(|thread| scope.spawn(run(thread))).collect();
                    let ended = running
                        .into_iter()
                        .map(|thread| thread.join().expect("no call panics"));
                    ended.max().unwrap_or_default()
                })
            });
        });
    }
}

fn exact(criterion: &mut Criterion) {
    let snapshot = snapshot();
    let (conversation, cached) = (
        Conversation::from_prompt(PROMPT),
        Cached::new(&decision(&snapshot), &Evidence::default()),
    );
    let mut group = criterion.benchmark_group("exact hit");
    for entries in SIZES {
        let cache = DecisionCache::new(WIDE, [1; 32]);
        let key = |number| cache.key(&query(number), &conversation, &snapshot, "engine");
        (0..entries).for_each(|number| cache.put(key(number), cached.clone(), HOUR));
        assert_eq!(cache.len(), entries);
        at_once(&mut group, entries, |number| {
            assert!(black_box(cache.get(&key(number))).is_some());
        });
    }
}

fn semantic(criterion: &mut Criterion) {
    let snapshot = snapshot();
    let conversation = Conversation::from_prompt(PROMPT);
    let encoder = Encoder::builtin().expect("the built-in table is sound");
    let settings = SemanticSettings {
        margin: 0.3,
        audit: 0.0,
        budget: 1.0,
    };
    let scores = RouteScores {
        routes: vec![0.9],
        other: 0.1,
        ..RouteScores::default()
    };
    let said = Arc::new(Judgement {
        scores: Arc::new(scores),
        measured: true,
        ..Judgement::default()
    });
    let mut group = criterion.benchmark_group("semantic hit");
    group.bench_function("one embedding", |b| b.iter(|| encoder.embed(black_box(PROMPT))));
    group.bench_function("likeness, two embeddings in it", |b| {
        b.iter(|| Likeness::of(&encoder, black_box(PROMPT), &[1; 32]));
    });
    for entries in SIZES {
        let near = Near::new(WIDE, [1; 32]);
        // Every tenant has places of its own.
        let spot = |number: usize| {
            let spot = near.spot(&snapshot, &conversation, &number.to_string(), "engine");
            spot.expect("there is a user turn")
        };
        (0..entries).for_each(|number| near.put(spot(number), &said, &settings, HOUR));
        assert_eq!(near.len(), entries);
        at_once(&mut group, entries, |number| {
            assert!(black_box(near.get(&spot(number))).is_some());
        });
    }
}

criterion_group!(benches, exact, semantic);
criterion_main!(benches);
