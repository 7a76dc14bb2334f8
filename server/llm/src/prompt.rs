//! The text Arch-Router was trained on, byte for byte (model card of katanemo/Arch-Router-1.5B; arXiv 2506.16655).
//!
//! It is put together from fixed pieces in one pass and never searched for placeholders, so a description that contains
//! `{conversation}` stays what it is. What a user writes stands inside a JSON string: it can contain `</conversation>`
//! but not end the string. The result is one user message; the model's own chat template goes around it.

mod fit;

use std::fmt;

use thiserror::Error;

use crate::json::Escapes;
use crate::question::{Role, Route, Routes, Turn};

const HEAD: &str = "\n\
    You are a helpful assistant designed to find the best suited route.\n\
    You are provided with route description within <routes></routes> XML tags:\n\
    <routes>\n\n";

const MIDDLE: &str = "\n\n</routes>\n\n<conversation>\n\n";

const TAIL: &str = "\n\n</conversation>\n\n\
    Your task is to decide which route is best suit with user intent on the conversation in \
    <conversation></conversation> XML tags.  Follow the instruction:\n\
    1. If the latest intent from user is irrelevant or user intent is full filled, response with other route \
    {\"route\": \"other\"}.\n\
    2. You must analyze the route descriptions and find the best match route for user latest intent. \n\
    3. You only response the name of the route that best matches the user's request, use the exact name in the \
    <routes></routes>.\n\n\
    Based on your analysis, provide your response in the following JSON formats if you decide to match any route:\n\
    {\"route\": \"route_name\"} \n";

/// How the prompt is written. The defaults are those the model was trained and is run with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// Whether text outside ASCII is written as `\uXXXX`, as `json.dumps` does by default.
    pub ascii: bool,
    /// Tokens the whole text may have, routes included.
    pub max_tokens: usize,
    /// Characters a turn may have, of which more is cut out of its middle; the latest user turn is cut only to fit
    /// `max_tokens`. Bounds what one pasted file can push out of sight.
    pub older_turn_chars: usize,
    /// Special tokens of the model. Where one stands in a name, a description or a turn, its first character is written
    /// as `\uXXXX`: the same text to a reader of JSON, but not the token, so nobody can end the user's turn from within.
    pub specials: Vec<String>,
}

impl Style {
    fn escapes(&self) -> Escapes<'_> {
        Escapes {
            ascii: self.ascii,
            specials: &self.specials,
        }
    }

    /// The answer that names `label`, as the model writes it.
    #[must_use]
    pub fn answer(&self, label: &str) -> String {
        format!("{{\"route\": {}}}", self.escapes().string(label))
    }
}

impl Default for Style {
    fn default() -> Self {
        Self {
            ascii: true,
            max_tokens: 2_048,
            older_turn_chars: 1_000,
            specials: Vec::new(),
        }
    }
}

/// Why no prompt could be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PromptError {
    /// No turn of user or assistant has text.
    #[error("the conversation has no text of a user or assistant")]
    NoText,
    /// The routes leave no room for a conversation.
    #[error("the routes take {tokens} tokens of {max_tokens}, which leaves no room for a conversation")]
    NoRoom {
        /// Tokens of the prompt without a conversation.
        tokens: usize,
        /// Tokens the whole may have.
        max_tokens: usize,
    },
}

/// A prompt, and what had to be left out to make it fit.
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The content of the one user message.
    pub text: String,
    /// Bytes of the text that depend on the routes alone: what comes before the conversation.
    pub shared: usize,
    /// Its tokens, as counted; at most [`Style::max_tokens`].
    pub tokens: usize,
    /// Turns of user and assistant that did not fit, all older than those kept.
    pub dropped: usize,
    /// Turns that were cut in the middle.
    pub trimmed: usize,
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt")
            .field("tokens", &self.tokens)
            .field("dropped", &self.dropped)
            .field("trimmed", &self.trimmed)
            .finish_non_exhaustive()
    }
}

/// Writes the prompt for `routes` and a conversation (oldest turn first), with as many of the newest turns as fit.
/// `count` counts tokens of the model. Cost: one or two counts of the whole and one per kept turn, none of which is of
/// more than about 16 characters per token of the budget.
///
/// # Errors
/// See [`PromptError`].
pub fn render(
    routes: &Routes,
    turns: &[Turn],
    style: &Style,
    count: &dyn Fn(&str) -> usize,
) -> Result<Prompt, PromptError> {
    let said: Vec<&Turn> = turns.iter().filter(|turn| is_shown(turn)).collect();
    let routes = list(routes.as_slice(), |out, route| {
        push_route(out, route, style.escapes())
    });
    let write = |turns: &[fit::Kept<'_>]| {
        let turns = list(turns, |out, turn| {
            push_turn(out, turn.role, &turn.text, style.escapes())
        });
        [HEAD, &routes, MIDDLE, &turns, TAIL].concat()
    };
    let shared = HEAD.len() + routes.len() + MIDDLE.len();
    let fitted = fit::fit(&said, style, &write, count)?;
    Ok(Prompt { shared, ..fitted })
}

fn is_shown(turn: &Turn) -> bool {
    turn.role != Role::Other && !turn.text.trim().is_empty()
}

/// A JSON array with the separators of `json.dumps`.
fn list<T>(items: &[T], push: impl Fn(&mut String, &T)) -> String {
    let mut out = String::from("[");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        push(&mut out, item);
    }
    out.push(']');
    out
}

fn push_route(out: &mut String, route: &Route, escapes: Escapes<'_>) {
    out.push_str("{\"name\": ");
    escapes.push(out, &route.name);
    out.push_str(", \"description\": ");
    escapes.push(out, &route.description);
    out.push('}');
}

fn push_turn(out: &mut String, role: Role, text: &str, escapes: Escapes<'_>) {
    let role = if role == Role::Assistant {
        "assistant"
    } else {
        "user"
    };
    out.push_str(&format!("{{\"role\": \"{role}\", \"content\": "));
    escapes.push(out, text);
    out.push('}');
}
