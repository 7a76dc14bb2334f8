//! Measures the classifier on labelled conversations and prints a table.
//!
//! usage: dev_eval DIR [n|x|d ...] [--predictions DIR] [--examples N]
//!
//! DIR holds `policies/NAME.json` ([{name, description}]), `fit/SET.jsonl` ({policy, route, text}) and `dev/SET.jsonl`
//! ({id, policy, conversation, expected_route, tags}). Modes: `n` examples and negatives, `x` examples only, `d`
//! descriptions only. A cell is accuracy (in-scope recall / recall of `other`) and the expected calibration error; for
//! conversations also span and conversation accuracy. The last line is a digest of all probabilities, bit for bit.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measuring tool for developers"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;
use signalbox_evidence::{
    Classifier, DEFAULT_THRESHOLD, Encoder, Role, RouteText, Scores, TrainingSet, Turn,
};

const SETS: [&str; 6] = [
    "clinc_domain",
    "clinc_fine",
    "tasks",
    "multilingual",
    "sgd_turns",
    "sgd_fine",
];

#[derive(Deserialize)]
struct Named {
    name: String,
    description: String,
}

#[derive(Deserialize)]
struct Fit {
    policy: String,
    route: String,
    text: String,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    policy: String,
    conversation: Vec<Message>,
    expected_route: String,
    #[serde(default)]
    conversation_id: Option<String>,
    #[serde(default)]
    turn: u32,
}

struct Options {
    dir: PathBuf,
    modes: Vec<String>,
    predictions: Option<PathBuf>,
    examples: usize,
}

fn main() {
    let options = options();
    let encoder = Encoder::builtin().unwrap();
    let mut digest = blake3::Hasher::new();
    let mut micros = Vec::new();
    for mode in &options.modes {
        for set in SETS {
            let result = evaluate(&options, mode, set, &encoder, &mut digest, &mut micros);
            println!("{mode} {set:13} {}", result.line());
        }
    }
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
    println!(
        "microseconds a decision: p50 {:.1}, p90 {:.1}, p99 {:.1}",
        at(0.5),
        at(0.9),
        at(0.99)
    );
    println!("digest {}", digest.finalize().to_hex());
}

fn options() -> Options {
    let mut args = std::env::args().skip(1);
    let dir = args.next().expect("usage: dev_eval DIR [n|x|d ...]").into();
    let mut options = Options {
        dir,
        modes: Vec::new(),
        predictions: None,
        examples: 20,
    };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--predictions" => options.predictions = args.next().map(PathBuf::from),
            "--examples" => options.examples = args.next().and_then(|n| n.parse().ok()).unwrap(),
            _ => options.modes.push(arg),
        }
    }
    if options.modes.is_empty() {
        options.modes = ["n", "x", "d"].map(str::to_owned).to_vec();
    }
    options
}

fn lines<T: for<'a> Deserialize<'a>>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Evenly spaced texts of one route.
fn pick(fit: &[Fit], policy: &str, route: &str, most: usize) -> Vec<String> {
    let all: Vec<&Fit> = fit
        .iter()
        .filter(|line| line.policy == policy && line.route == route)
        .collect();
    let n = all.len().min(most);
    (0..n).map(|i| all[i * all.len() / n].text.clone()).collect()
}

fn training_set(options: &Options, mode: &str, set: &str, policy: &str) -> TrainingSet {
    // The tasks policy occurs in the multilingual set too; its examples are its own.
    let source = if policy == "tasks" { "tasks" } else { set };
    let fit: Vec<Fit> = lines(&options.dir.join(format!("fit/{source}.jsonl")));
    let file = options.dir.join(format!("policies/{policy}.json"));
    let routes: Vec<Named> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let most = if mode == "d" { 0 } else { options.examples };
    TrainingSet {
        routes: routes
            .into_iter()
            .map(|route| RouteText {
                examples: pick(&fit, policy, &route.name, most),
                name: route.name,
                description: route.description,
            })
            .collect(),
        other_examples: if mode == "n" {
            pick(&fit, policy, "other", usize::MAX)
        } else {
            Vec::new()
        },
    }
}

#[derive(Default)]
struct Outcome {
    /// Per case: whether it was in scope, right, and how sure.
    cases: Vec<(bool, bool, f32)>,
    conversations: BTreeMap<String, Vec<(u32, bool, String)>>,
    compile_seconds: f32,
}

fn evaluate(
    options: &Options,
    mode: &str,
    set: &str,
    encoder: &Arc<Encoder>,
    digest: &mut blake3::Hasher,
    micros: &mut Vec<f64>,
) -> Outcome {
    let cases: Vec<Case> = lines(&options.dir.join(format!("dev/{set}.jsonl")));
    let mut outcome = Outcome::default();
    let mut compiled: BTreeMap<String, (Classifier, TrainingSet)> = BTreeMap::new();
    let mut out = options.predictions.as_ref().map(|dir| {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::File::create(dir.join(format!("{set}.{mode}.jsonl"))).unwrap()
    });
    for case in &cases {
        let (classifier, training) = compiled.entry(case.policy.clone()).or_insert_with(|| {
            let training = training_set(options, mode, set, &case.policy);
            let start = Instant::now();
            let classifier = Classifier::compile(encoder.clone(), &training);
            outcome.compile_seconds += start.elapsed().as_secs_f32();
            (classifier, training)
        });
        let turns: Vec<Turn<'_>> = case.conversation.iter().map(turn).collect();
        let start = Instant::now();
        let scores = classifier.classify(&turns);
        micros.push(start.elapsed().as_secs_f64() * 1e6);
        hash(&scores, digest);
        let predicted = scores
            .decide(DEFAULT_THRESHOLD)
            .map_or("other", |r| training.routes[r].name.as_str());
        let confidence = scores.confidence(DEFAULT_THRESHOLD);
        let right = predicted == case.expected_route;
        outcome
            .cases
            .push((case.expected_route != "other", right, confidence));
        if let Some(id) = &case.conversation_id {
            let turns = outcome.conversations.entry(id.clone()).or_default();
            turns.push((case.turn, right, case.expected_route.clone()));
        }
        if let Some(file) = &mut out {
            let line = serde_json::json!({"id": case.id, "route": predicted, "confidence": confidence});
            writeln!(file, "{line}").unwrap();
        }
    }
    outcome
}

fn turn(message: &Message) -> Turn<'_> {
    let role = match message.role.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => Role::System,
    };
    Turn {
        role,
        text: &message.content,
    }
}

fn hash(scores: &Scores, digest: &mut blake3::Hasher) {
    for p in scores.routes.iter().chain([&scores.other]) {
        digest.update(&p.to_bits().to_le_bytes());
    }
}

fn percent(right: usize, all: usize) -> f64 {
    100.0 * right as f64 / all.max(1) as f64
}

impl Outcome {
    fn line(&self) -> String {
        let count = |scope: Option<bool>, right: bool| {
            let wanted = |case: &&(bool, bool, f32)| scope.is_none_or(|s| s == case.0) && (case.1 || !right);
            self.cases.iter().filter(wanted).count()
        };
        let share = |scope| percent(count(scope, true), count(scope, false));
        let mut line = format!(
            "accuracy {:5.1} (in scope {:5.1}, other {:5.1})  ECE {:.3}  compile {:.2} s",
            share(None),
            share(Some(true)),
            share(Some(false)),
            self.calibration_error(),
            self.compile_seconds,
        );
        if !self.conversations.is_empty() {
            let (spans, right, whole) = self.spans();
            line += &format!(
                "  span {:.1}, conversation {:.1}",
                percent(right, spans),
                percent(whole, self.conversations.len())
            );
        }
        line
    }

    /// Ten bins of equal width.
    fn calibration_error(&self) -> f64 {
        let mut bins = [(0f64, 0f64); 10];
        for &(_, right, confidence) in &self.cases {
            let bin = &mut bins[((confidence * 10.0) as usize).min(9)];
            bin.0 += f64::from(confidence);
            bin.1 += f64::from(u8::from(right));
        }
        bins.iter().map(|(sure, right)| (sure - right).abs()).sum::<f64>() / self.cases.len() as f64
    }

    /// Runs of turns on one route: how many, how many all right; and conversations all right.
    fn spans(&self) -> (usize, usize, usize) {
        let (mut spans, mut right, mut whole) = (0, 0, 0);
        for turns in self.conversations.values() {
            let mut turns = turns.clone();
            turns.sort();
            whole += usize::from(turns.iter().all(|turn| turn.1));
            for span in turns.chunk_by(|a, b| a.2 == b.2) {
                spans += 1;
                right += usize::from(span.iter().all(|turn| turn.1));
            }
        }
        (spans, right, whole)
    }
}
