//! What both tiers of the cache take in memory while ten million different requests pass through them, within the usual bounds.
//!
//! `cargo run --release -p signalbox --example many_keys [KEYS]`; Linux.

#![expect(clippy::print_stdout, reason = "it reports to a terminal")]

use std::sync::Arc;
use std::time::Duration;

use signalbox_decide::policy::SemanticSettings;
use signalbox_decide::{Decision, Evidence, Judgement, Query, RouteScores, Step, decide};
use signalbox_server::conversation::Conversation;
use signalbox_server::engine::bounded::USUAL;
use signalbox_server::engine::cache::{Cached, DecisionCache};
use signalbox_server::llm::Near;
use signalbox_server::store::{Compiler, Snapshot};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const POLICY: &str = "schema: 1\ndefault: a\nmodels: [{id: a}]\nllm: {mode: always}\ncache: {semantic: {enabled: true}}\n\
                      routes: [{name: lights, description: switching lights, models: [a]}]\n";
const HOUR: Duration = Duration::from_secs(3600);
const SETTINGS: SemanticSettings = SemanticSettings {
    margin: 0.3,
    audit: 0.0,
    budget: 1.0,
};

/// Resident memory of this process, in MiB.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line.unwrap_or_default().trim().trim_end_matches(" kB").parse()?;
    Ok(kib >> 10)
}

/// A decision of its own, as a request makes it.
fn decision(snapshot: &Snapshot, number: usize) -> anyhow::Result<Arc<Decision>> {
    let query = Query {
        model: Some("a".to_owned()),
        input_tokens: number as u64,
        ..Query::default()
    };
    match decide(&snapshot.policy, &query, &Evidence::default()) {
        Step::Done(decision) => Ok(decision?),
        Step::Ask(probe) => anyhow::bail!("a named model decides, and {probe:?} was asked"),
    }
}

fn said() -> Arc<Judgement> {
    let scores = RouteScores {
        routes: vec![0.9],
        other: 0.1,
        ..RouteScores::default()
    };
    Arc::new(Judgement {
        scores: Arc::new(scores),
        measured: true,
        ..Judgement::default()
    })
}

fn main() -> anyhow::Result<()> {
    let keys = std::env::args()
        .nth(1)
        .map_or(Ok(10_000_000), |keys| keys.parse())?;
    let snapshot = Compiler::new()?
        .compile(POLICY.as_bytes(), "example", None)
        .map_err(|found| anyhow::anyhow!("{found:?}"))?
        .0;
    println!("tier      keys       entries  counted MiB  resident MiB");
    let tell = |tier: &str, number: usize, entries: usize, bytes: usize| -> anyhow::Result<()> {
        // 0, and every power of ten from a thousand.
        if number == 0 || number >= 1_000 && number.to_string().trim_end_matches('0') == "1" {
            println!(
                "{tier:<9} {number:<10} {entries:<8} {:<12} {}",
                bytes >> 20,
                resident()?
            );
        }
        Ok(())
    };
    let near = Near::new(USUAL, [1; 32]);
    for number in 0..=keys {
        tell("semantic", number, near.len(), near.bytes())?;
        let prompt = Conversation::from_prompt(format!("turn on light {number}"));
        if let Some(spot) = near.spot(&snapshot, &prompt, "", "engine") {
            near.put(spot, &said(), &SETTINGS, HOUR);
        }
    }
    let cache = DecisionCache::new(USUAL, [1; 32]);
    let prompt = Conversation::from_prompt("turn on the lights");
    for number in 0..=keys {
        tell("exact", number, cache.len(), cache.bytes())?;
        let query = Query {
            input_tokens: number as u64,
            ..Query::default()
        };
        let key = cache.key(&query, &prompt, &snapshot, "engine");
        let cached = Cached::new(&decision(&snapshot, number)?, &Evidence::default());
        cache.put(key, cached, HOUR);
    }
    anyhow::ensure!(near.len() <= USUAL.max_entries && near.bytes() <= USUAL.max_bytes);
    anyhow::ensure!(cache.len() <= USUAL.max_entries && cache.bytes() <= USUAL.max_bytes);
    Ok(())
}
