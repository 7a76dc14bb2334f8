//! What a policy's `difficulty.outcomes` teaches: the file is read and learned from when the policy loads, once for each
//! pair of a strong and a weak model. Called by the compiler; `signalbox eval` reads the same files for learning curves.
//!
//! The file's lines are an author's prompts: no message here repeats a word of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use signalbox_decide::{Diagnostic, Policy, Severity};
use signalbox_evidence::difficulty::{Difficulty, LEAST_LABELS, Lesson};

/// Largest file that is read, in bytes.
const MOST_BYTES: u64 = 64 << 20;
/// Most lines; learning time grows with them.
const MOST_LINES: usize = 50_000;
/// Bad lines that are reported one by one.
const SHOWN: usize = 20;
/// Where problems belong in the policy.
const PATH: &str = "difficulty.outcomes";

/// One labelled prompt.
#[derive(Clone)]
pub(crate) struct Outcome {
    pub(crate) prompt: String,
    /// 0..=1 by model id.
    scores: BTreeMap<String, f64>,
}

impl Outcome {
    /// How much better the strong model did, where both were tried.
    fn gain(&self, strong: &str, weak: &str) -> Option<f64> {
        Some(self.scores.get(strong)? - self.scores.get(weak)?)
    }
}

/// What was learned for a policy.
#[derive(Clone, Debug, Default)]
pub(super) struct Learned {
    /// By route; `None` for a route without a pair.
    pub(super) by_route: Vec<Option<Arc<Difficulty>>>,
    /// Identity of outcomes and pairs: equal ones give equal scores.
    pub(super) fingerprint: [u8; 32],
}

/// Reads and learns; `before` lends what it learned from the same.
pub(super) fn learn(
    policy: &Policy,
    source: &str,
    before: Option<&Learned>,
) -> Result<Learned, Vec<Diagnostic>> {
    let Some(named) = &policy.difficulty else {
        return Ok(Learned::default());
    };
    let file = Path::new(source).parent().unwrap_or(Path::new("")).join(named);
    let bytes = read(&file).map_err(|message| vec![problem(message, "")])?;
    let fingerprint = fingerprint(policy, &bytes);
    if let Some(before) = before.filter(|before| before.fingerprint == fingerprint) {
        return Ok(before.clone());
    }
    let outcomes = parse(&bytes, named)?;
    let lesson = Lesson::new(outcomes.iter().map(|outcome| outcome.prompt.as_str()));
    let mut learned: BTreeMap<(&str, &str), Option<Arc<Difficulty>>> = BTreeMap::new();
    let (mut by_route, mut problems) = (Vec::with_capacity(policy.routes.len()), Vec::new());
    for route in &policy.routes {
        let Some(pair) = route.strong_weak else {
            by_route.push(None);
            continue;
        };
        let id = |model: usize| policy.models[model].id.as_str();
        let (strong, weak) = (id(pair.strong), id(pair.weak));
        let found = learned
            .entry((strong, weak))
            .or_insert_with(|| lesson.learn(&gains(&outcomes, strong, weak)).map(Arc::new));
        if found.is_none() {
            let labels = gains(&outcomes, strong, weak).len();
            let message = format!(
                "{labels} lines of {named} score both `{strong}` and `{weak}`, which route `{}` chooses between",
                route.name
            );
            let hint = format!("at least {LEAST_LABELS} are needed, and a few hundred to be of use");
            problems.push(problem(message, &hint));
        }
        by_route.push(found.clone());
    }
    if problems.is_empty() {
        Ok(Learned {
            by_route,
            fingerprint,
        })
    } else {
        Err(problems)
    }
}

/// (Index of an outcome, how much better the strong model did) for all that tried both.
pub(crate) fn gains(outcomes: &[Outcome], strong: &str, weak: &str) -> Vec<(usize, f64)> {
    let gains = outcomes.iter().enumerate();
    gains
        .filter_map(|(at, outcome)| Some((at, outcome.gain(strong, weak)?)))
        .collect()
}

/// The bytes of a file that is not too large.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    let found = std::fs::metadata(file).map_err(failed)?;
    // A device may have no end.
    if !found.is_file() {
        return Err(format!("{}: not a regular file", file.display()));
    }
    let size = found.len();
    if size > MOST_BYTES {
        return Err(format!(
            "{} has {size} bytes, at most {MOST_BYTES} are read",
            file.display()
        ));
    }
    std::fs::read(file).map_err(failed)
}

/// Every labelled prompt of a file, or every line that is none.
pub(crate) fn parse(bytes: &[u8], name: &str) -> Result<Vec<Outcome>, Vec<Diagnostic>> {
    let (mut outcomes, mut problems, mut bad) = (Vec::new(), Vec::new(), 0usize);
    for (number, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if outcomes.len() == MOST_LINES {
            let message = format!("{name}:{}: more than {MOST_LINES} lines", number + 1);
            problems.push(problem(message, "leave some out: a few thousand are plenty"));
            break;
        }
        match outcome(line) {
            Ok(outcome) => outcomes.push(outcome),
            Err(wrong) => {
                bad += 1;
                if bad <= SHOWN {
                    let hint = r#"write {"prompt": TEXT, "scores": {MODEL: 0..1}} on each line"#;
                    problems.push(problem(format!("{name}:{}: {wrong}", number + 1), hint));
                }
            }
        }
    }
    if bad > SHOWN {
        problems.push(problem(format!("{name}: and {} more bad lines", bad - SHOWN), ""));
    }
    if problems.is_empty() {
        Ok(outcomes)
    } else {
        Err(problems)
    }
}

fn outcome(line: &[u8]) -> Result<Outcome, String> {
    // Errors of the parser can hold pieces of the line; its column is enough.
    let mut value: Value = serde_json::from_slice(line)
        .map_err(|error| format!("is not JSON, from column {} on", error.column()))?;
    let prompt = match value.get_mut("prompt").map(Value::take) {
        Some(Value::String(prompt)) => prompt,
        Some(_) => return Err("`prompt` is not text".into()),
        None => return Err("there is no `prompt`".into()),
    };
    let scores = value
        .get("scores")
        .and_then(Value::as_object)
        .ok_or("there is no `scores`, or it is no mapping of models to numbers")?;
    let mut by_model = BTreeMap::new();
    for (model, score) in scores {
        let score = score.as_f64().filter(|score| (0.0..=1.0).contains(score));
        let score = score.ok_or_else(|| format!("the score of `{model}` is not a number from 0 to 1"))?;
        by_model.insert(model.clone(), score);
    }
    Ok(Outcome {
        prompt,
        scores: by_model,
    })
}

/// A hash of the outcomes and of who is compared where.
fn fingerprint(policy: &Policy, bytes: &[u8]) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    hash.update(blake3::hash(bytes).as_bytes());
    for (at, route) in policy.routes.iter().enumerate() {
        let Some(pair) = route.strong_weak else { continue };
        hash.update(&(at as u64).to_le_bytes());
        for model in [pair.strong, pair.weak] {
            let id = policy.models[model].id.as_bytes();
            hash.update(&(id.len() as u64).to_le_bytes());
            hash.update(id);
        }
    }
    *hash.finalize().as_bytes()
}

fn problem(message: String, hint: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "outcomes",
        path: PATH.to_owned(),
        line: 0,
        column: 0,
        message,
        hint: hint.to_owned(),
    }
}

#[cfg(test)]
mod tests;
