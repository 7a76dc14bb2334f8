//! The files that are measured on: policies, examples, labelled conversations and text to paste.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use signalbox_evidence::{Role, RouteText, TrainingSet, Turn};

use super::changes::Random;

/// Exam questions that pasted text is made of.
const QUESTIONS: usize = 600;

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
pub(crate) struct Message {
    role: String,
    content: String,
}

/// A labelled conversation.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) policy: String,
    pub(crate) conversation: Vec<Message>,
    pub(crate) expected_route: String,
    #[serde(default)]
    pub(crate) conversation_id: Option<String>,
    #[serde(default)]
    pub(crate) turn: u32,
}

impl Case {
    /// Its last message.
    pub(crate) fn prompt(&self) -> &str {
        self.conversation.last().map_or("", |message| &message.content)
    }

    /// Its messages, with another text for the last.
    pub(crate) fn turns<'a>(&'a self, prompt: &'a str) -> Vec<Turn<'a>> {
        let mut turns: Vec<Turn<'_>> = self.conversation.iter().map(turn).collect();
        if let Some(last) = turns.last_mut() {
            last.text = prompt;
        }
        turns
    }
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

#[derive(Deserialize)]
struct Question {
    benchmark: String,
    prompt: String,
}

/// A directory of them.
pub(crate) struct Data {
    dir: PathBuf,
    pub(crate) questions: Vec<String>,
}

impl Data {
    /// Reads `questions` only where prompts are changed.
    pub(crate) fn new(dir: PathBuf, changed: bool) -> Self {
        let mut questions = Vec::new();
        if changed {
            let all: Vec<Question> = lines(&dir.join("dev/cost_quality.jsonl"));
            let exams = all.into_iter().filter(|question| question.benchmark == "mmlu");
            questions.extend(exams.take(QUESTIONS).map(|question| question.prompt));
        }
        Self { dir, questions }
    }

    pub(crate) fn cases(&self, set: &str) -> Vec<Case> {
        lines(&self.dir.join(format!("dev/{set}.jsonl")))
    }

    /// A policy's texts: without examples (`d`), with (`x`), with negatives too (`n`).
    pub(crate) fn training(
        &self,
        mode: &str,
        set: &str,
        policy: &str,
        examples: usize,
        draw: Option<u32>,
    ) -> TrainingSet {
        // The tasks policy occurs in the multilingual set too; its examples are its own.
        let source = if policy == "tasks" { "tasks" } else { set };
        let fit: Vec<Fit> = lines(&self.dir.join(format!("fit/{source}.jsonl")));
        let file = self.dir.join(format!("policies/{policy}.json"));
        let routes: Vec<Named> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let of = |route: &str| -> Vec<&str> {
            let lines = fit.iter();
            lines
                .filter(|line| line.policy == policy && line.route == route)
                .map(|line| line.text.as_str())
                .collect()
        };
        let most = if mode == "d" { 0 } else { examples };
        let others = if mode == "n" { of("other") } else { Vec::new() };
        TrainingSet {
            routes: routes
                .into_iter()
                .map(|route| RouteText {
                    examples: pick(&of(&route.name), most, &route.name, draw),
                    name: route.name,
                    description: route.description,
                })
                .collect(),
            other_examples: others.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// Evenly spaced texts of one route, or drawn ones.
fn pick(all: &[&str], most: usize, route: &str, draw: Option<u32>) -> Vec<String> {
    let n = all.len().min(most);
    let mut at: Vec<usize> = (0..n).map(|i| i * all.len() / n).collect();
    if let Some(draw) = draw {
        let mut random = Random::new(&format!("{draw}/{route}"));
        let mut left: Vec<usize> = (0..all.len()).collect();
        at = (0..n)
            .map(|_| left.swap_remove(random.below(left.len())))
            .collect();
        at.sort_unstable();
    }
    at.into_iter().map(|i| all[i].to_owned()).collect()
}

fn lines<T: for<'a> Deserialize<'a>>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
