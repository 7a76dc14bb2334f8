//! What an engine that cannot be held to the protocol wrote: single quotes, code fences, words around the answer.
//!
//! Names are only ever compared whole and exactly; nothing is guessed. An engine whose logits are at hand is held to
//! the names by [`trie`](crate::trie) instead.

use crate::json::Escapes;
use crate::question::Routes;

/// A written answer, as understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The route of this index in the policy's order.
    Route(usize),
    /// No route fits.
    Other,
    /// No known name, none at all, or two different ones.
    NotUnderstood,
}

/// Reads `text` as an answer to a question with `routes`. Understood are `{"route": "NAME"}` anywhere in the text, with
/// single or double quotes, any spacing, names escaped as in JSON or Python or not at all; and a text that is a name and
/// nothing else. O(text × routes).
#[must_use]
pub fn parse(text: &str, routes: &Routes) -> Written {
    let labels: Vec<Vec<String>> = routes.labels().map(spellings).collect();
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((quote, value)) = next_value(rest) {
        match label_of(value, quote, &labels) {
            Some(label) => found.push(label),
            // A route that is none of ours.
            None => return Written::NotUnderstood,
        }
        rest = value;
    }
    if found.is_empty() {
        let bare = bare(text);
        found.extend(routes.labels().position(|label| label == bare));
    }
    let Some(&first) = found.first() else {
        return Written::NotUnderstood;
    };
    match found.iter().all(|label| *label == first) {
        true if first == routes.as_slice().len() => Written::Other,
        true => Written::Route(first),
        false => Written::NotUnderstood,
    }
}

/// The ways in which a name may stand between quotes.
fn spellings(label: &str) -> Vec<String> {
    let inner = |ascii| {
        let quoted = Escapes { ascii, specials: &[] }.string(label);
        quoted[1..quoted.len() - 1].to_owned()
    };
    let mut all = vec![
        label.to_owned(),
        inner(true),
        inner(false),
        label.replace('\\', "\\\\").replace('\'', "\\'"),
    ];
    all.dedup();
    all
}

/// What follows the opening quote of the next value of a key `route`, and that quote.
fn next_value(text: &str) -> Option<(char, &str)> {
    text.match_indices("route").find_map(|(at, word)| {
        let key = text[..at].chars().next_back()?;
        let rest = text[at + word.len()..].strip_prefix(key)?.trim_start();
        let rest = rest.strip_prefix(':')?.trim_start();
        let quote = rest.chars().next()?;
        (is_quote(key) && is_quote(quote)).then(|| (quote, &rest[1..]))
    })
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}

/// The label that stands before the closing quote, to which an end of the object must follow. An apostrophe inside a
/// name is therefore no end of it.
fn label_of(value: &str, quote: char, labels: &[Vec<String>]) -> Option<usize> {
    let value = value.trim_start();
    let closes = |spelling: &String| {
        let rest = value.strip_prefix(spelling.as_str())?.trim_start();
        let rest = rest.strip_prefix(quote)?.trim_start();
        (rest.is_empty() || rest.starts_with(['}', ',', '`'])).then_some(())
    };
    labels
        .iter()
        .position(|spellings| spellings.iter().any(|spelling| closes(spelling).is_some()))
}

/// The text without fences, quotes and blanks around it.
fn bare(text: &str) -> &str {
    let text = text.trim().trim_matches('`');
    let text = text.strip_prefix("json").unwrap_or(text).trim();
    let quoted = |quote| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    quoted('"').or(quoted('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::Route;

    fn read(text: &str) -> Written {
        let names = [
            "Image generation",
            "code",
            "code-review",
            "bob's desk",
            "say \"hi\"",
            "it's', 'or",
            "über",
            "json",
        ];
        let route = |name: &&str| Route {
            name: (*name).to_owned(),
            description: String::new(),
        };
        parse(text, &Routes::new(names.iter().map(route).collect()).unwrap())
    }

    #[test]
    fn answers_as_the_protocol_wants_them_are_understood() {
        assert_eq!(read(r#"{"route": "Image generation"}"#), Written::Route(0));
        assert_eq!(read(r#"{"route": "code"}"#), Written::Route(1));
        assert_eq!(read(r#"{"route": "code-review"}"#), Written::Route(2));
        assert_eq!(read(r#"{"route": "other"}"#), Written::Other);
    }

    #[test]
    fn quotes_fences_spacing_and_words_around_do_not_matter() {
        for text in [
            "{'route': 'code'}",
            "{'route': 'code'}\\n",
            "```json\n{\"route\": \"code\"}\n```",
            "```\n{'route':'code'}```",
            "  {\n  \"route\"  :  \" code \"\n}\n",
            "The best route is {\"route\": \"code\"}. I hope that helps",
            "{\"route\": \"code\", \"why\": \"it's a program\"}",
            "{\"route\": \"code\"",
            "{\"route\": \"code\"} {\"route\": 'code'}",
            "code",
            " \"code\"\n",
            "`code`",
        ] {
            assert_eq!(read(text), Written::Route(1), "{text}");
        }
    }

    #[test]
    fn apostrophes_and_quotes_in_names_are_part_of_the_name() {
        for text in [
            "{'route': 'bob's desk'}",
            "{\"route\": \"bob's desk\"}",
            "{'route': 'bob\\'s desk'}",
            "{'route': \"bob's desk\"}",
            "bob's desk",
        ] {
            assert_eq!(read(text), Written::Route(3), "{text}");
        }
        assert_eq!(read(r#"{"route": "say \"hi\""}"#), Written::Route(4));
        assert_eq!(read(r#"{'route': 'say "hi"'}"#), Written::Route(4));
        assert_eq!(read("{'route': 'it's', 'or'}"), Written::Route(5));
        assert_eq!(read(r#"{"route": "\u00fcber"}"#), Written::Route(6));
        assert_eq!(read(r#"{"route": "über"}"#), Written::Route(6));
        assert_eq!(read(r#"{"route": "json"}"#), Written::Route(7));
    }

    #[test]
    fn what_names_no_route_or_two_is_not_understood() {
        for text in [
            "",
            "{}",
            "no",
            r#"{"route": ""}"#,
            r#"{"route": null}"#,
            r#"{"route": "Code"}"#,
            r#"{"route": "code-revie"}"#,
            r#"{"route": "code" or "code-review"}"#,
            r#"{"route": "code"} or {"route": "code-review"}"#,
            r#"{"route": "code"} or {"route": "magic"}"#,
            r#"{"path": "code"}"#,
            "code, I think",
            "route: code",
            "\"route\"",
            "route",
        ] {
            assert_eq!(read(text), Written::NotUnderstood, "{text}");
        }
    }
}
