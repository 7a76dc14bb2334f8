//! How a prompt is cut before it is looked at: bounded, lower-cased views of its whole, its head and its tail.
//!
//! A request often stands before or after a pasted text. Whatever a prompt's length, no function here looks at more
//! than its first and last 1,200 characters.

use std::borrow::Cow;

/// Characters kept from either end of a text.
const WINDOW: usize = 1200;
/// Characters kept from either end for the view of the whole.
pub(crate) const HALF: usize = 200;
/// The longest head or tail view, in characters.
pub(crate) const VIEW: usize = 200;
/// Sentences are added to a head or tail view until it has this many characters.
const VIEW_MIN: usize = 20;

/// The first `n` characters of a text.
pub(crate) fn first(text: &str, n: usize) -> &str {
    text.char_indices().nth(n).map_or(text, |(at, _)| &text[..at])
}

/// The last `n` characters of a text.
pub(crate) fn last(text: &str, n: usize) -> &str {
    if n == 0 {
        return "";
    }
    text.char_indices()
        .rev()
        .nth(n - 1)
        .map_or(text, |(at, _)| &text[at..])
}

/// Whether a text has more than `n` characters.
pub(crate) fn longer_than(text: &str, n: usize) -> bool {
    text.len() > n && text.char_indices().nth(n).is_some()
}

/// Lower-cases a text, sign by sign.
pub(crate) fn lower(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c.to_ascii_lowercase());
        } else {
            out.extend(c.to_lowercase());
        }
    }
    out
}

/// The same without a copy where nothing changes, of ASCII.
pub(crate) fn lowered(text: &str) -> Cow<'_, str> {
    let is_lower = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if text.bytes().all(is_lower) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(lower(text))
    }
}

/// The view of the whole text: both ends of a long one, lower-cased.
pub(crate) fn whole(text: &str) -> String {
    if !longer_than(text, 2 * HALF) {
        return lower(text);
    }
    let (head, tail) = (first(text, HALF), last(text, HALF));
    let head = head.rfind(' ').map_or(head, |at| &head[..at]);
    let tail = tail.find(' ').map_or(tail, |at| &tail[at + 1..]);
    lower(&format!("{head} {tail}"))
}

/// The text itself, or its two ends when it is long: all that the views of a prompt are made from.
pub(crate) fn bounded(text: &str) -> Cow<'_, str> {
    if longer_than(text, 2 * WINDOW) {
        Cow::Owned(format!("{}\n{}", first(text, WINDOW), last(text, WINDOW)))
    } else {
        Cow::Borrowed(text)
    }
}

/// Splits a text after `.`, `!`, `?` (and their wide forms) or `:` before white space, and at line ends.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut previous = '\0';
    for (at, c) in text.char_indices() {
        let ended = matches!(previous, '.' | '!' | '?' | '。' | '？' | '！' | ':') && c.is_whitespace();
        if c == '\n' || ended {
            out.push(text[start..at].trim());
            start = at + c.len_utf8();
        }
        previous = c;
    }
    out.push(text[start..].trim());
    out.retain(|sentence| !sentence.is_empty());
    out
}

/// How many sentences from the front (or, of a reversed list, from the back) make a view: until 20 characters.
pub(crate) fn enough<'a>(sentences: impl Iterator<Item = &'a str>) -> usize {
    let (mut count, mut length) = (0, 0);
    for sentence in sentences {
        length += sentence.chars().count() + usize::from(count > 0);
        count += 1;
        if length >= VIEW_MIN {
            break;
        }
    }
    count
}

/// The first sentences as a view: at most 200 characters.
pub(crate) fn head(sentences: &[&str]) -> String {
    let count = enough(sentences.iter().copied());
    lower(first(&sentences[..count].join(" "), VIEW))
}

/// The last sentences as a view: at most 200 characters.
pub(crate) fn tail(sentences: &[&str]) -> String {
    let count = enough(sentences.iter().rev().copied());
    lower(last(&sentences[sentences.len() - count..].join(" "), VIEW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_in_the_middle_at_white_space() {
        let text = "word ".repeat(100) + "end";
        let whole = whole(&text);
        assert!(whole.starts_with("word word") && whole.ends_with("word end"));
        assert!(whole.len() <= 2 * HALF + 1);
        assert!(whole.split(' ').all(|word| word == "word" || word == "end"));
    }

    #[test]
    fn a_text_without_white_space_is_cut_between_characters() {
        let whole = whole(&"雨".repeat(1000));
        assert_eq!(whole.chars().count(), 2 * HALF + 1);
    }

    #[test]
    fn sentences_end_at_marks_before_white_space_and_at_lines() {
        assert_eq!(
            sentences("One 1.5 two. Three?\n\nFour: five。六 "),
            ["One 1.5 two.", "Three?", "Four:", "five。六"]
        );
    }

    #[test]
    fn views_take_whole_sentences_until_they_say_enough() {
        let sentences = [
            "Hi.",
            "Please sum up the following text.",
            "Long.",
            "Thanks a lot for this!",
        ];
        assert_eq!(head(&sentences), "hi. please sum up the following text.");
        assert_eq!(tail(&sentences), "thanks a lot for this!");
    }

    #[test]
    fn whatever_its_length_a_text_is_bounded() {
        assert!(bounded(&"a. ".repeat(1_000_000)).len() <= 2 * WINDOW + 1);
    }
}
