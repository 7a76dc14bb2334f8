//! Decides 10,000 made-up requests and prints one SHA-256 over all decisions, ids and times aside. Equal sums in several
//! processes and on several builds show that decisions do not depend on either.
//!
//! `cargo run --release -p signalbox --example decisions [POLICY]`

use std::sync::Arc;

use futures_util::FutureExt as _;
use signalbox_decide::Query;
use signalbox_server::conversation::Conversation;
use signalbox_server::engine::cache::{Bounds, DecisionCache};
use signalbox_server::engine::ring::Ring;
use signalbox_server::engine::{Asked, CacheMode, Engine};
use signalbox_server::store::{Compiler, Policies, ReloadOptions};

const WORDS: &str = "write fix explain translate summarise book cancel a the my this python rust function flight table poem \
    contract invoice error story email about into german french quickly please thanks why how 42 2024-01-31 “quoted” naïve";

fn main() -> anyhow::Result<()> {
    let policy = match std::env::args().nth(1) {
        Some(path) => std::fs::read(path)?,
        None => include_bytes!("policies/example.yaml").to_vec(),
    };
    let ring = Arc::new(Ring::new(0));
    let policies = Arc::new(Policies::new(Compiler::new()?, ring.clone()));
    policies
        .everyone()
        .reload(&policy, "example", &ReloadOptions::default())?;
    let engine = Engine::new(
        policies,
        DecisionCache::new(
            Bounds {
                max_entries: 0,
                max_bytes: 0,
            },
            [0; 32],
        ),
        ring,
    );
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut state = 1u64;
    let mut next = |below: usize| {
        // Knuth's MMIX generator; the high bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut all = String::new();
    for _ in 0..10_000 {
        let prompt: Vec<&str> = (0..2 + next(40)).map(|_| words[next(words.len())]).collect();
        let mut query = Query {
            turns: 1,
            input_tokens: 1 + next(5000) as u64,
            ..Query::default()
        };
        query.requirements.max_cost_usd = (next(4) == 0).then(|| next(1000) as f64 / 1e5);
        let conversation = Conversation::from_prompt(prompt.join(" "));
        let outcome = engine
            .route(Asked {
                query,
                conversation,
                cache: CacheMode::Bypass,
                ..Asked::default()
            })
            .now_or_never()
            .expect("only a language model is waited for");
        match outcome {
            Ok(decided) => all += &format!("{:?}\n", decided.decision),
            Err(error) => all += &format!("{error}\n"),
        }
    }
    #[expect(clippy::print_stdout, reason = "this is what the program is for")]
    {
        println!("{}", signalbox_decide::policy::checksum(all.as_bytes()));
    }
    Ok(())
}
