//! What can be read off a text without a model: code, mathematics, a question, its language, how much it demands and how
//! it feels. Asked for by the server where a rule of the policy needs it. Lexical, so cheap and the same everywhere:
//! good enough to choose a dearer or a cheaper model, never to keep somebody out.
//!
//! Whatever its length, only the first and last 4 KiB of a text are looked at. Every formula stands where it is computed;
//! sums have a fixed order and logarithms come from `libm`, so the same text gives the same bits on every CPU.

mod complexity;
mod kinds;
mod language;
mod sentiment;
mod words;

use std::borrow::Cow;

/// Bytes kept from either end of a text.
const WINDOW: usize = 4 << 10;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signals {
    /// Whether the text contains code: a fence, a stack trace, or two signs of it. Asking for code is not enough.
    pub has_code: bool,
    /// Whether it contains mathematics: a formula, a sum to do, or two words of the trade.
    pub has_math: bool,
    /// Whether it asks: a question mark at the end of a word, or a question word at its beginning.
    pub is_question: bool,
    /// ISO 639-1 code, `und` when the script or the common words do not tell.
    pub language: &'static str,
    /// How much it demands, 0..=1, in steps of 1e-4.
    pub complexity: f64,
    /// How it feels, from -1 (bad) over 0 (neutral) to 1 (good), in steps of 1e-4.
    pub sentiment: f64,
}

impl Signals {
    /// Reads a text. About 5 µs for a short prompt, 2 ms at most.
    pub fn of(text: &str) -> Self {
        let text = &*ends(text);
        let words = words::words(text);
        let language = language::language(text, &words);
        let (has_code, has_math) = (kinds::has_code(text), kinds::has_math(text, &words));
        Signals {
            has_code,
            has_math,
            is_question: kinds::is_question(text, &words, language),
            language,
            complexity: complexity::complexity(text, &words, has_code || has_math),
            sentiment: sentiment::sentiment(text, &words),
        }
    }
}

/// What [`Signals`] says of code and of the language, without the rest.
pub(crate) fn code_and_language(text: &str) -> (bool, &'static str) {
    let text = &*ends(text);
    (
        kinds::has_code(text),
        language::language(text, &words::words(text)),
    )
}

/// Four decimals.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// A text, or its two ends when it is long.
fn ends(text: &str) -> Cow<'_, str> {
    if text.len() <= 2 * WINDOW {
        return Cow::Borrowed(text);
    }
    let head = &text[..text.floor_char_boundary(WINDOW)];
    let tail = &text[text.ceil_char_boundary(text.len() - WINDOW)..];
    Cow::Owned(format!("{head}\n{tail}"))
}

#[cfg(test)]
mod tests;
