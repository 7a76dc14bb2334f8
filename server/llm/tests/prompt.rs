//! What holds of every prompt, whatever is in the conversation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use proptest::prelude::*;
use signalbox_llm::prompt::{self, PromptError, Style};
use signalbox_llm::question::{Role, Route, Routes, Turn};

fn routes(description: &str) -> Routes {
    let route = |name: &str| Route {
        name: name.to_owned(),
        description: description.to_owned(),
    };
    Routes::new(vec![route("code"), route("travel")]).unwrap()
}

fn user(text: &str) -> Turn {
    Turn {
        role: Role::User,
        text: text.to_owned(),
    }
}

fn bytes(text: &str) -> usize {
    text.len()
}

/// Counts unevenly, and more for a whole than for its parts: no tokenizer does, but nothing forbids it.
fn uneven(text: &str) -> usize {
    text.len() + text.matches("}, {").count() * 40
}

/// The parts of a prompt that were JSON.
fn parts(text: &str) -> (serde_json::Value, serde_json::Value) {
    let lines: Vec<&str> = text.split('\n').collect();
    (
        serde_json::from_str(lines[5]).unwrap(),
        serde_json::from_str(lines[11]).unwrap(),
    )
}

#[test]
fn nothing_said_is_no_prompt() {
    let silent = [
        user("  "),
        Turn {
            role: Role::Other,
            text: "be brief".to_owned(),
        },
    ];
    let prompt = prompt::render(&routes("d"), &silent, &Style::default(), &bytes);
    assert_eq!(prompt, Err(PromptError::NoText));
}

#[test]
fn what_was_said_is_not_shown_by_debug() {
    let turns = [user("a secret")];
    let prompt = prompt::render(&routes("d"), &turns, &Style::default(), &bytes).unwrap();
    assert!(!format!("{turns:?} {prompt:?}").contains("secret"));
}

#[test]
fn routes_count_in_the_budget_and_can_be_too_many_for_it() {
    let style = Style {
        max_tokens: 3_000,
        ..Style::default()
    };
    let prompt = prompt::render(&routes("short"), &[user(&"x".repeat(9_000))], &style, &bytes).unwrap();
    assert!((2_900..=3_000).contains(&prompt.tokens), "{}", prompt.tokens);
    assert_eq!((prompt.trimmed, prompt.dropped), (1, 0));
    let refused = prompt::render(&routes(&"long ".repeat(400)), &[user("hello")], &style, &bytes);
    assert!(matches!(
        refused,
        Err(PromptError::NoRoom {
            max_tokens: 3_000,
            ..
        })
    ));
}

#[test]
fn a_conversation_of_megabytes_is_not_counted_whole() {
    let counted = std::cell::Cell::new(0);
    let count = |text: &str| {
        counted.set(counted.get() + text.len());
        text.len() / 4
    };
    let turns: Vec<_> = (0..2_000)
        .map(|at| user(&format!("{at} {}", "word ".repeat(2_000))))
        .collect();
    let prompt = prompt::render(&routes("d"), &turns, &Style::default(), &count).unwrap();
    assert!(prompt.text.contains("1999 word"));
    assert!(counted.get() < 400_000, "{} bytes were counted", counted.get());
}

proptest! {
    #[test]
    fn any_prompt_keeps_its_budget_and_its_shape(
        turns in prop::collection::vec((0_usize..3, "(?s).{0,60}|[a-z ]{0,4000}"), 1..12),
        max_tokens in 1_500_usize..6_000,
        ascii: bool,
        spread: bool,
    ) {
        let role = [Role::User, Role::Assistant, Role::Other];
        let turns: Vec<_> = turns.into_iter().map(|(by, text)| Turn { role: role[by], text }).collect();
        let style = Style { max_tokens, ascii, ..Style::default() };
        let count: &dyn Fn(&str) -> usize = if spread { &uneven } else { &bytes };
        let Ok(prompt) = prompt::render(&routes("when {conversation}"), &turns, &style, count) else {
            return Ok(());
        };
        prop_assert!(prompt.tokens <= max_tokens);
        prop_assert_eq!(prompt.tokens, count(&prompt.text));
        prop_assert!(!ascii || prompt.text.is_ascii());
        let (routes, shown) = parts(&prompt.text);
        prop_assert_eq!(&routes[0]["description"], "when {conversation}");
        // What is shown are turns of the conversation in its order, whole or cut in the middle.
        let mut rest = turns.iter().filter(|turn| turn.role != Role::Other);
        for turn in shown.as_array().unwrap() {
            let text = turn["content"].as_str().unwrap();
            let by = if turn["role"] == "user" { Role::User } else { Role::Assistant };
            let cut = |said: &Turn| {
                text.match_indices(" ... ").any(|(at, mark)| {
                    said.text.starts_with(&text[..at]) && said.text.ends_with(&text[at + mark.len()..])
                })
            };
            prop_assert!(rest.any(|said| said.role == by && (said.text.starts_with(text) || cut(said))));
        }
    }
}
