//! A request written down so that two which ask for the same with other manners are the same text. What could matter stays,
//! in its place: every content word, negations, numbers, names, question words, small words that give a direction. Code,
//! quotations and long or foreign texts stay as they are but for case and spaces.

mod words;

use crate::signals::code_and_language;
use words::{ADJUNCTS, EMPTY, number, same};

/// Bytes up to which a text is looked at word by word.
const SHORT: usize = 1_000;

/// The canonical form; empty for a text that says nothing.
pub(super) fn canonical(text: &str) -> String {
    let text = text.trim();
    if text.len() > SHORT {
        return spaced(text);
    }
    let (has_code, language) = code_and_language(text);
    let english = matches!(language, "en" | "und") && text.is_ascii_or_quoted();
    if has_code || text.contains(['`', '\n', '{', '<']) {
        return spaced(text);
    }
    let tokens = tokens(text);
    if !english {
        return tokens.join(" ");
    }
    let asks = tokens.last().is_some_and(|token| token == "?");
    let (kept, was_polite) = without_manners(&tokens[..tokens.len() - usize::from(asks)]);
    let mut kept = words_with_meaning(&turned(kept));
    if asks && !was_polite && !kept.is_empty() && !kept.first().is_some_and(|word| words::asks(word)) {
        kept.push("?".to_owned());
    }
    kept.join(" ")
}

trait Plain {
    /// Whether there is nothing but ASCII and typographic quotation marks, dashes and dots.
    fn is_ascii_or_quoted(&self) -> bool;
}

impl Plain for str {
    fn is_ascii_or_quoted(&self) -> bool {
        self.chars()
            .all(|c| c.is_ascii() || matches!(c, '’' | '‘' | '“' | '”' | '–' | '—' | '…'))
    }
}

/// The text with its runs of white space as single spaces.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lower-case words without the punctuation around them, quotations whole and as they are, contractions apart, `,` or `.` where
/// a pause follows, and a `?` at the end where there is one.
fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (at, part) in text.split(['"', '“', '”', '«', '»']).enumerate() {
        if at % 2 == 1 {
            out.push(format!("\"{part}\""));
            continue;
        }
        for word in part.split_whitespace() {
            let word = crate::text::lower(word).replace(['’', '‘'], "'");
            let word = word.trim_start_matches(['(', '[', '\'', '-', '–', '—', ',', ';', ':']);
            let bare = word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '\'', '…', '–', '—']);
            apart(bare, &mut out);
            match &word[bare.len()..] {
                "" => {}
                "," => out.push(",".to_owned()),
                _ => out.push(".".to_owned()),
            }
        }
    }
    while out.last().is_some_and(|token| token == "." || token == ",") {
        out.pop();
    }
    if text
        .trim_end_matches(['!', ' ', '"', '”', ')'])
        .ends_with(['?', '？'])
    {
        out.push("?".to_owned());
    }
    out
}

/// `don't` as two words; of other contractions the first.
fn apart(word: &str, out: &mut Vec<String>) {
    let whole = match word {
        "" | "-" => return,
        "can't" | "cannot" => Some(["can", "not"]),
        "won't" => Some(["will", "not"]),
        "dont" => Some(["do", "not"]),
        "let's" => Some(["let", "us"]),
        _ => None,
    };
    let parts = match whole {
        Some(both) => both.to_vec(),
        None => match word.strip_suffix("n't") {
            Some(verb) => vec![verb, "not"],
            None => {
                let endings = ["'s", "'m", "'re", "'ll", "'ve", "'d"];
                let stem = endings.iter().find_map(|ending| word.strip_suffix(ending));
                vec![stem.unwrap_or(word)]
            }
        },
    };
    out.extend(
        parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(str::to_owned),
    );
}

/// Without the phrases of [`words::manners`], and whether one was there that makes a request of a question.
fn without_manners(tokens: &[String]) -> (Vec<String>, bool) {
    let (mut kept, mut polite, mut at) = (Vec::new(), false, 0);
    while at < tokens.len() {
        let here = &tokens[at..];
        let phrase = words::manners(&here[0]).iter().find(|phrase| {
            let words = phrase.split(' ');
            words.clone().count() <= here.len() && words.zip(here).all(|(word, token)| word == token)
        });
        match phrase {
            Some(phrase) => {
                polite |= phrase.contains("you") && !phrase.starts_with("thank") || phrase.contains("help");
                at += phrase.split(' ').count();
            }
            None => {
                kept.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    (kept, polite)
}

/// A request that begins with a clause and a comma, with that clause at its end: `in Python, sort it` and `sort it in Python`.
/// Only where that comma is the only pause.
fn turned(tokens: Vec<String>) -> Vec<String> {
    let pauses = |tokens: &[String]| tokens.iter().filter(|token| is_pause(token)).count();
    let first = tokens
        .iter()
        .position(|token| !is_pause(token))
        .unwrap_or(tokens.len());
    let mut tokens = tokens[first..].to_vec();
    while tokens.last().is_some_and(|token| is_pause(token)) {
        tokens.pop();
    }
    let comma = tokens.iter().position(|token| token == ",");
    if let Some(comma) = comma
        && pauses(&tokens) == 1
        && ADJUNCTS.contains(&tokens[0].as_str())
    {
        tokens.rotate_left(comma + 1);
    }
    tokens.retain(|token| !is_pause(token));
    tokens
}

fn is_pause(token: &str) -> bool {
    token == "," || token == "."
}

/// Without empty words, the rest in their plain form. The first word stays where it asks.
fn words_with_meaning(tokens: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let leads = at == 0 && words::asks(token);
        if !leads && EMPTY.contains(&token.as_str()) {
            continue;
        }
        out.push(plain(token));
    }
    out
}

/// Digits for a number word, one word for those that mean the same, no plural, no `-ing`.
fn plain(word: &str) -> String {
    if let Some(number) = number(word) {
        return number.to_string();
    }
    if word.len() < 4 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return same(word).to_owned();
    }
    let stem = if let Some(stem) = word.strip_suffix("ies") {
        format!("{stem}y")
    } else if let Some(stem) = word
        .strip_suffix("ing")
        .filter(|stem| stem.len() >= 3 && stem.contains(VOWELS))
    {
        let bytes = stem.as_bytes();
        let doubled = bytes[bytes.len() - 1] == bytes[bytes.len() - 2] && !stem.ends_with(['l', 's', 'z']);
        stem[..stem.len() - usize::from(doubled)].to_owned()
    } else if word.ends_with(['s']) && !word.ends_with("ss") && !word.ends_with("us") && !word.ends_with("is")
    {
        word[..word.len() - 1].to_owned()
    } else {
        word.to_owned()
    };
    let stem = same(&stem).to_owned();
    // `write` and `writ(ing)`.
    stem.strip_suffix('e')
        .filter(|short| short.len() >= 3)
        .map_or(stem.clone(), str::to_owned)
}

const VOWELS: [char; 6] = ['a', 'e', 'i', 'o', 'u', 'y'];
