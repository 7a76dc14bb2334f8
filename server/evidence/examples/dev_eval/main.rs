//! Measures the classifier on labelled conversations and prints a table.
//!
//! usage: dev_eval DIR [n|x|d ...] [--sets A,B] [--examples N,N] [--draw SEED] [--encoder LEAD] [--change NAME,NAME|all]
//! [--predictions DIR]
//!
//! DIR holds `policies/NAME.json` ([{name, description}]), `fit/SET.jsonl` ({policy, route, text}) and `dev/SET.jsonl`
//! ({id, policy, conversation, expected_route, tags}). Modes: `n` examples and negatives, `x` examples only, `d`
//! descriptions only. Examples are spaced evenly, or with `--draw` drawn at random. `--encoder` looks again where the
//! best class leads the next by less than LEAD; from 1 on always. `--change` changes prompts: see `changes.rs`; pasted text
//! is made of `dev/cost_quality.jsonl`. A cell is accuracy (in-scope recall / recall of `other`) and the expected
//! calibration error; for conversations also span and conversation accuracy. The last line is a digest of all
//! probabilities, bit for bit.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measuring tool for developers"
)]

mod changes;
mod data;
mod outcome;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use signalbox_evidence::{Classifier, DEFAULT_THRESHOLD, Encoder, Scores, Transformer, Turn};

use changes::Change;
use data::{Case, Data};
use outcome::Outcome;

const SETS: [&str; 6] = [
    "clinc_domain",
    "clinc_fine",
    "tasks",
    "multilingual",
    "sgd_turns",
    "sgd_fine",
];

struct Options {
    data: Data,
    modes: Vec<String>,
    sets: Vec<String>,
    examples: Vec<usize>,
    draw: Option<u32>,
    /// The lead below which the encoder is asked; none without it.
    lead: Option<f32>,
    changes: Vec<Change>,
    predictions: Option<PathBuf>,
}

fn main() {
    let options = options();
    let mut bench = Bench {
        table: Encoder::builtin().unwrap(),
        encoder: options.lead.map(|_| Transformer::builtin().unwrap()),
        digest: blake3::Hasher::new(),
        micros: Vec::new(),
    };
    for mode in &options.modes {
        let examples = if mode == "d" { &[0][..] } else { &options.examples };
        for &examples in examples {
            bench.rows(&options, mode, examples);
        }
    }
    bench.micros.sort_by(f64::total_cmp);
    let at = |share: f64| bench.micros[((bench.micros.len() - 1) as f64 * share) as usize];
    println!(
        "microseconds a decision: p50 {:.1}, p90 {:.1}, p99 {:.1}",
        at(0.5),
        at(0.9),
        at(0.99)
    );
    println!("digest {}", bench.digest.finalize().to_hex());
}

fn options() -> Options {
    let mut args = std::env::args().skip(1);
    let dir: PathBuf = args.next().expect("usage: dev_eval DIR [n|x|d ...]").into();
    let (mut modes, mut named) = (Vec::new(), BTreeMap::new());
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--") {
            Some(name) => drop(named.insert(name.to_owned(), args.next().expect("a value"))),
            None => modes.push(arg),
        }
    }
    if modes.is_empty() {
        modes = ["n", "x", "d"].map(str::to_owned).to_vec();
    }
    let mut take = |name: &str| named.remove(name);
    let list = |text: String| -> Vec<String> { text.split(',').map(str::to_owned).collect() };
    let changes: Vec<Change> =
        take("change").map_or_else(|| vec![Change::None], |names| wanted(&list(names)));
    let options = Options {
        data: Data::new(dir, changes != [Change::None]),
        modes,
        sets: take("sets").map_or_else(|| SETS.map(str::to_owned).to_vec(), list),
        examples: take("examples").map_or_else(
            || vec![20],
            |text| list(text).iter().map(|n| n.parse().unwrap()).collect(),
        ),
        draw: take("draw").map(|n| n.parse().unwrap()),
        lead: take("encoder").map(|lead| lead.parse().unwrap()),
        changes,
        predictions: take("predictions").map(PathBuf::from),
    };
    assert!(named.is_empty(), "unknown options: {named:?}");
    options
}

fn wanted(names: &[String]) -> Vec<Change> {
    let all = names.iter().any(|name| name == "all");
    let known = Change::ALL.iter();
    known
        .filter(|(name, _)| all || names.iter().any(|wanted| wanted == name))
        .map(|&(_, change)| change)
        .collect()
}

/// What measures, and what it has measured so far.
struct Bench {
    table: Arc<Encoder>,
    encoder: Option<Arc<Transformer>>,
    digest: blake3::Hasher,
    micros: Vec<f64>,
}

/// A compiled policy and the names of its routes.
struct Compiled {
    classifier: Classifier,
    names: Vec<String>,
}

impl Bench {
    /// One row for each set and change, and their means.
    fn rows(&mut self, options: &Options, mode: &str, examples: usize) {
        let mut all: BTreeMap<usize, Vec<Outcome>> = BTreeMap::new();
        for set in &options.sets {
            let cases = options.data.cases(set);
            let mut policies = BTreeMap::new();
            let mut seconds = 0.0;
            for case in &cases {
                policies.entry(case.policy.as_str()).or_insert_with(|| {
                    let start = Instant::now();
                    let compiled = self.compile(options, mode, set, &case.policy, examples);
                    seconds += start.elapsed().as_secs_f32();
                    compiled
                });
            }
            for (number, &change) in options.changes.iter().enumerate() {
                let mut file = options.predictions.as_ref().map(|dir| {
                    std::fs::create_dir_all(dir).unwrap();
                    File::create(dir.join(format!("{set}.{mode}.{}.jsonl", change.name()))).unwrap()
                });
                let mut outcome = Outcome::new(seconds);
                for case in &cases {
                    let compiled = &policies[case.policy.as_str()];
                    self.measure(options, case, change, compiled, &mut outcome, file.as_mut());
                }
                println!(
                    "{mode} {examples:2} {:11} {set:13} {}",
                    change.name(),
                    outcome.line()
                );
                all.entry(number).or_default().push(outcome);
            }
        }
        for (number, outcomes) in &all {
            let name = options.changes[*number].name();
            println!(
                "{mode} {examples:2} {name:11} mean          {}",
                outcome::mean(outcomes)
            );
        }
    }

    fn compile(&self, options: &Options, mode: &str, set: &str, policy: &str, examples: usize) -> Compiled {
        let training = options.data.training(mode, set, policy, examples, options.draw);
        let mut classifier = Classifier::compile(self.table.clone(), &training);
        if let Some(encoder) = &self.encoder {
            classifier = classifier.with_encoder(encoder.clone(), &training);
        }
        Compiled {
            classifier,
            names: training.routes.into_iter().map(|route| route.name).collect(),
        }
    }

    fn measure(
        &mut self,
        options: &Options,
        case: &Case,
        change: Change,
        compiled: &Compiled,
        outcome: &mut Outcome,
        file: Option<&mut File>,
    ) {
        let names: Vec<&str> = compiled.names.iter().map(String::as_str).collect();
        let (prompt, told) = change.of(case, &names, &options.data);
        let turns = case.turns(&prompt);
        let start = Instant::now();
        let (scores, asked) = scores(&compiled.classifier, &turns, options.lead);
        self.micros.push(start.elapsed().as_secs_f64() * 1e6);
        for p in scores.routes.iter().chain([&scores.other]) {
            self.digest.update(&p.to_bits().to_le_bytes());
        }
        let route = scores.decide(DEFAULT_THRESHOLD);
        let predicted = route.map_or("other", |route| names[route]);
        let confidence = scores.confidence(DEFAULT_THRESHOLD);
        outcome.add(case, predicted == case.expected_route, confidence);
        outcome.asked += usize::from(asked);
        outcome.obeyed += usize::from(told.is_some() && told == route);
        if let Some(file) = file {
            let line = serde_json::json!({"id": case.id, "route": predicted, "confidence": confidence});
            writeln!(file, "{line}").unwrap();
        }
    }
}

/// What the first tier says, or the encoder where that is unsure; and whether it was asked.
fn scores(classifier: &Classifier, turns: &[Turn<'_>], lead: Option<f32>) -> (Scores, bool) {
    let first = classifier.classify(turns);
    let mut sorted: Vec<f32> = first.routes.iter().copied().chain([first.other]).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let unsure = lead.is_some_and(|lead| lead >= 1.0 || sorted[0] - sorted[1] < lead);
    match unsure.then(|| classifier.look_again(turns)).flatten() {
        Some(again) => (again, true),
        None => (first, false),
    }
}
