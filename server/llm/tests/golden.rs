//! The prompt, byte for byte: golden texts that Python wrote (`golden/make.py`), and their SHA-256.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use signalbox_llm::prompt::{self, Style};
use signalbox_llm::question::{Role, Route, Routes, Turn};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(rename = "about")]
    _about: String,
    ascii: Option<bool>,
    max_tokens: Option<usize>,
    #[serde(default)]
    specials: Vec<String>,
    routes: Vec<(String, String)>,
    turns: Vec<(String, String)>,
    shown: Vec<(String, String)>,
}

impl Case {
    fn style(&self) -> Style {
        let style = Style::default();
        Style {
            ascii: self.ascii.unwrap_or(style.ascii),
            max_tokens: self.max_tokens.unwrap_or(style.max_tokens),
            specials: self.specials.clone(),
            ..style
        }
    }

    fn routes(&self) -> Routes {
        let routes = self.routes.iter().cloned();
        Routes::new(
            routes
                .map(|(name, description)| Route { name, description })
                .collect(),
        )
        .unwrap()
    }

    fn turns(&self) -> Vec<Turn> {
        let role = |role: &str| match role {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => Role::Other,
        };
        let turn = |(by, text): &(String, String)| Turn {
            role: role(by),
            text: text.clone(),
        };
        self.turns.iter().map(turn).collect()
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn cases() -> Vec<Case> {
    serde_json::from_slice(&fs::read(folder().join("cases.json")).unwrap()).unwrap()
}

/// Four bytes to a token.
fn quarter(text: &str) -> usize {
    text.len().div_ceil(4)
}

#[test]
fn prompts_are_those_of_python_byte_for_byte() {
    for case in cases() {
        let golden = fs::read_to_string(folder().join(format!("{}.txt", case.name))).unwrap();
        let prompt = prompt::render(&case.routes(), &case.turns(), &case.style(), &quarter).unwrap();
        assert_eq!(prompt.text, golden, "{}", case.name);
        assert_eq!(prompt.tokens, quarter(&golden), "{}", case.name);
        assert!(golden[prompt.shared..].starts_with("[{\"role\""), "{}", case.name);
        let said = |(by, text): &&(String, String)| {
            ["user", "assistant"].contains(&by.as_str()) && !text.trim().is_empty()
        };
        let said = case.turns.iter().filter(said).count();
        assert_eq!(prompt.dropped, said - case.shown.len(), "{}", case.name);
    }
}

#[test]
fn golden_prompts_have_the_digests_they_had() {
    let sums = fs::read_to_string(folder().join("SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), cases().len());
    for line in sums.lines() {
        let (sum, file) = line.split_once("  ").unwrap();
        let digest = Sha256::digest(fs::read(folder().join(file)).unwrap());
        assert_eq!(hex::encode(digest), sum, "{file}");
    }
}
