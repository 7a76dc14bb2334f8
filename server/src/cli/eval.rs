//! `signalbox eval SET.jsonl --policy FILE`: how often a policy decides as its author says it should.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use signalbox_client::{Client, v1};

use crate::cli::route::{load, query_of};
use crate::cli::{cost_quality, print};
use crate::conversation::{Conversation, Role};
use crate::engine::{Live, settle};
use crate::eval::cost_quality::is_cost_quality;
use crate::eval::tune::Tuning;
use crate::eval::{Line, Prediction, Report, page, read_set};
use crate::store::Snapshot;

/// Arguments of `signalbox eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Labelled conversations, one JSON object a line: id, conversation, expected_route, tags, conversation_id, turn.
    /// Or, for the choice between a strong and a weak model: id, prompt, scores, cost_usd, strong, weak, benchmark.
    pub(super) set: PathBuf,
    /// The policy to judge, in process.
    #[arg(long, required_unless_present = "endpoint")]
    pub(super) policy: Option<PathBuf>,
    /// Ask this running server instead, for example http://127.0.0.1:50051.
    #[arg(long, conflicts_with = "policy")]
    endpoint: Option<String>,
    /// Only lines whose `policy` field has this name.
    #[arg(long)]
    filter_policy: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Write one line {id, route, confidence, latency_ms} for each conversation, or {id, score} for each prompt.
    #[arg(long)]
    pub(super) predictions: Option<PathBuf>,
    /// Say which `evidence.threshold`, `evidence.encoder_below` and `llm.ask_below` would do best.
    #[arg(long, conflicts_with = "endpoint")]
    tune: bool,
    /// With `--tune`: the share of what a language model is not asked about that is to be right.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = share)]
    aim: f64,
    /// Write the figures, pictures, the confusion matrix and the surest mistakes as one page of HTML; it quotes the prompts.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Of a strong and weak set: write the cost-quality curve as a picture, an SVG file.
    #[arg(long)]
    pub(super) curve: Option<PathBuf>,
    /// Of a strong and weak set: learn anew from this many of the policy's outcomes, and print what that gives.
    #[arg(long, value_delimiter = ',')]
    pub(super) labels: Vec<usize>,
}

/// Decides every line and prints the report.
///
/// # Errors
/// When a file cannot be read, or the server gives no decision for a line.
pub fn run(args: EvalArgs) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(&args.set).with_context(|| args.set.display().to_string())?;
    if is_cost_quality(&text) {
        return cost_quality::run(&args, &text);
    }
    let lines =
        read_set(&text, args.filter_policy.as_deref()).with_context(|| args.set.display().to_string())?;
    anyhow::ensure!(!lines.is_empty(), "{}: no line to evaluate", args.set.display());
    let mut progress = Progress::new(lines.len());
    let (predictions, tuning) = match &args.endpoint {
        Some(endpoint) => (remote(endpoint, &lines, &mut progress)?, None),
        None => {
            let snapshot = load(args.policy.as_ref(), "")?;
            let decided = lines.iter().map(|line| progress.after(local(&snapshot, line)));
            let decided: Vec<Prediction> = decided.collect();
            (
                decided,
                args.tune.then(|| Tuning::new(&snapshot, &lines, args.aim)),
            )
        }
    };
    progress.finish();
    if let Some(file) = &args.predictions {
        let rows = lines.iter().zip(&predictions).map(|(line, p)| {
            json!({"id": line.id, "route": p.route, "confidence": p.confidence, "latency_ms": p.latency_ms}).to_string()
        });
        std::fs::write(file, rows.collect::<Vec<_>>().join("\n") + "\n")
            .with_context(|| file.display().to_string())?;
    }
    let report = Report::new(&lines, &predictions);
    if let Some(file) = &args.report {
        let judged = args.policy.as_ref().map(|policy| policy.display().to_string());
        let judged = judged.or(args.endpoint).unwrap_or_default();
        let name = format!("{judged} on {}", args.set.display());
        let page = page::html(&name, &lines, &predictions, &report, tuning.as_ref());
        std::fs::write(file, page).with_context(|| file.display().to_string())?;
    }
    print(&if args.json {
        let mut json = report.json();
        if let Some(tuning) = &tuning {
            json["tuning"] = tuning.json();
        }
        format!("{json:#}\n")
    } else {
        report.text() + &tuning.map(|tuning| tuning.text()).unwrap_or_default()
    })?;
    Ok(ExitCode::SUCCESS)
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "give a number".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("give a share, 0 to 1".to_owned())
    }
}

fn local(snapshot: &Snapshot, line: &Line) -> Prediction {
    let start = Instant::now();
    let settled = settle(
        snapshot,
        &query_of(&line.conversation),
        &line.conversation,
        Live::default(),
    );
    let latency_ms = start.elapsed().as_secs_f64() * 1e3;
    match settled.outcome {
        Ok(decision) => Prediction {
            route: decision
                .route
                .map(|route| snapshot.policy.routes[route].name.clone()),
            confidence: decision.confidence.map(f64::from),
            latency_ms,
        },
        Err(_) => Prediction {
            route: None,
            confidence: None,
            latency_ms,
        },
    }
}

fn remote(endpoint: &str, lines: &[Line], progress: &mut Progress) -> anyhow::Result<Vec<Prediction>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = Client::connect(endpoint)?;
        let mut predictions = Vec::with_capacity(lines.len());
        for line in lines {
            let mut request = request_of(&line.conversation);
            if let Some((conversation, _)) = &line.turn {
                request
                    .caller
                    .get_or_insert_default()
                    .session_id
                    .clone_from(conversation);
            }
            let start = Instant::now();
            let decision = client
                .route(request)
                .await
                .with_context(|| format!("line {}", line.id))?;
            let latency_ms = start.elapsed().as_secs_f64() * 1e3;
            let route = Some(decision.route).filter(|route| !route.is_empty());
            predictions.push(progress.after(Prediction {
                route,
                confidence: decision.confidence,
                latency_ms,
            }));
        }
        Ok(predictions)
    })
}

fn request_of(conversation: &Conversation) -> v1::RouteRequest {
    let role = |role| match role {
        Role::System => v1::Role::System,
        Role::User => v1::Role::User,
        Role::Assistant => v1::Role::Assistant,
        Role::Tool => v1::Role::Tool,
    };
    let messages = conversation.messages.iter().map(|message| v1::Message {
        role: role(message.role).into(),
        content: message.content.clone(),
        ..v1::Message::default()
    });
    v1::RouteRequest {
        messages: messages.collect(),
        cache: v1::CacheMode::Bypass.into(),
        ..v1::RouteRequest::default()
    }
}

/// A line on standard error while it is a terminal.
struct Progress {
    total: usize,
    done: usize,
    shown: bool,
}

impl Progress {
    fn new(total: usize) -> Self {
        Progress {
            total,
            done: 0,
            shown: std::io::stderr().is_terminal(),
        }
    }

    fn after(&mut self, prediction: Prediction) -> Prediction {
        self.done += 1;
        if self.shown && (self.done.is_multiple_of(50) || self.done == self.total) {
            // Progress is a courtesy: a closed terminal does not matter.
            let _ = write!(std::io::stderr(), "\r{} of {}", self.done, self.total);
        }
        prediction
    }

    fn finish(&self) {
        if self.shown {
            let _ = writeln!(std::io::stderr());
        }
    }
}
