//! A request written down so that two which ask for the same with other manners are the same text. What could matter stays,
//! in its place: every content word, negations, numbers, names, question words, small words that give a direction. Code,
//! quotations and long or foreign texts stay as they are but for case and spaces.

mod words;

use std::borrow::Cow;

use crate::signals::code_and_language;
use crate::text::lowered;
use words::{Phrase, Word, known};

/// Bytes up to which a text is looked at word by word.
const SHORT: usize = 1_000;

/// The canonical form; empty for a text that says nothing.
pub(super) fn canonical(text: &str) -> String {
    let text = text.trim();
    if text.len() > SHORT || text.contains(['`', '\n', '{', '<']) {
        return spaced(text);
    }
    let (has_code, language) = code_and_language(text);
    if has_code {
        return spaced(text);
    }
    let tokens = tokens(text);
    if !matches!(language, "en" | "und") || !text.is_ascii_or_quoted() {
        return joined(tokens.iter().map(|token| &*token.text));
    }
    let asks = tokens.last().is_some_and(|token| token.text == "?");
    let (kept, was_polite) = without_manners(&tokens[..tokens.len() - usize::from(asks)]);
    let kept = turned(kept);
    let mut words = words_with_meaning(&kept);
    if asks && !was_polite && words.first().is_some_and(|first| !known(first).asks) {
        words.push("?".into());
    }
    joined(words.iter().map(|word| &**word))
}

/// A word of a text in lower case, a quotation, or a pause.
#[derive(Clone)]
struct Token<'a> {
    text: Cow<'a, str>,
    word: &'static Word,
}

impl<'a> Token<'a> {
    fn new(text: Cow<'a, str>) -> Self {
        let word = known(&text);
        Token { text, word }
    }

    fn is_pause(&self) -> bool {
        matches!(&*self.text, "," | ".")
    }
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
    joined(text.split_whitespace())
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for (at, word) in words.enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Lower-case words without the punctuation around them, quotations whole and as they are, contractions apart, `,` or `.` where
/// a pause follows, and a `?` at the end where there is one.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    for (at, part) in text.split(['"', '“', '”', '«', '»']).enumerate() {
        if at % 2 == 1 {
            out.push(Token::new(format!("\"{part}\"").into()));
            continue;
        }
        for word in part.split_whitespace() {
            match lowered(word) {
                Cow::Borrowed(word) => cut(word, |part| out.push(Token::new(part.into()))),
                Cow::Owned(word) => {
                    let word = word.replace(['’', '‘'], "'");
                    cut(&word, |part| out.push(Token::new(part.to_owned().into())));
                }
            }
        }
    }
    while out.last().is_some_and(Token::is_pause) {
        out.pop();
    }
    if text
        .trim_end_matches(['!', ' ', '"', '”', ')'])
        .ends_with(['?', '？'])
    {
        out.push(Token::new("?".into()));
    }
    out
}

/// Hands on what a word consists of: itself or the words of a contraction, and the pause after it.
fn cut<'a>(word: &'a str, mut sink: impl FnMut(&'a str)) {
    let word = word.trim_start_matches(['(', '[', '\'', '-', '–', '—', ',', ';', ':']);
    let bare = word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '\'', '…', '–', '—']);
    apart(bare)
        .into_iter()
        .filter(|part| !part.is_empty())
        .for_each(&mut sink);
    match &word[bare.len()..] {
        "" => {}
        "," => sink(","),
        _ => sink("."),
    }
}

/// `don't` as two words; of other contractions the first.
fn apart(word: &str) -> [&str; 2] {
    match word {
        "-" => return ["", ""],
        "can't" | "cannot" => return ["can", "not"],
        "won't" => return ["will", "not"],
        "dont" => return ["do", "not"],
        "let's" => return ["let", "us"],
        _ if !word.contains('\'') => return [word, ""],
        _ => {}
    }
    if let Some(verb) = word.strip_suffix("n't") {
        return [verb, "not"];
    }
    let endings = ["'s", "'m", "'re", "'ll", "'ve", "'d"];
    let stem = endings.iter().find_map(|ending| word.strip_suffix(ending));
    [stem.unwrap_or(word), ""]
}

/// Without the phrases of manners, and whether one was there that makes a request of a question.
fn without_manners<'a>(tokens: &[Token<'a>]) -> (Vec<Token<'a>>, bool) {
    let (mut kept, mut polite, mut at) = (Vec::with_capacity(tokens.len()), false, 0);
    while at < tokens.len() {
        let here = &tokens[at..];
        let begins = |phrase: &&Phrase| {
            let words = phrase.words.iter();
            phrase.words.len() <= here.len() && words.zip(here).all(|(word, token)| *word == token.text)
        };
        match here[0].word.manners.iter().find(begins) {
            Some(phrase) => {
                polite |= phrase.asks;
                at += phrase.words.len();
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
fn turned(mut tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    while tokens.last().is_some_and(Token::is_pause) {
        tokens.pop();
    }
    let first = tokens.iter().take_while(|token| token.is_pause()).count();
    tokens.drain(..first);
    let mut pauses = tokens.iter().enumerate().filter(|(_, token)| token.is_pause());
    if let (Some((at, pause)), None) = (pauses.next(), pauses.next())
        && pause.text == ","
        && tokens[0].word.adjunct
    {
        tokens.rotate_left(at + 1);
    }
    tokens.retain(|token| !token.is_pause());
    tokens
}

/// Without empty words, the rest in their plain form. The first word stays where it asks.
fn words_with_meaning<'a>(tokens: &'a [Token<'_>]) -> Vec<Cow<'a, str>> {
    let means = |(at, token): &(usize, &Token<'_>)| !token.word.empty || (*at == 0 && token.word.asks);
    let meaning = tokens.iter().enumerate().filter(means);
    meaning.map(|(_, token)| plain(token)).collect()
}

/// Digits for a number word, one word for those that mean the same, no plural, no `-ing`.
fn plain<'a>(token: &'a Token<'_>) -> Cow<'a, str> {
    let word = &*token.text;
    if let Some(number) = token.word.number {
        return number.into();
    }
    if word.len() < 4 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return token.word.same.unwrap_or(word).into();
    }
    let stem = stem(word);
    let stem = match known(&stem).same {
        Some(same) => same.into(),
        None => stem,
    };
    // `write` and `writ(ing)`.
    let short = stem.strip_suffix('e').map_or(0, str::len);
    match stem {
        Cow::Borrowed(stem) if short >= 3 => stem[..short].into(),
        Cow::Owned(stem) if short >= 3 => stem[..short].to_owned().into(),
        stem => stem,
    }
}

/// A word of four letters or more without its ending.
fn stem(word: &str) -> Cow<'_, str> {
    if let Some(stem) = word.strip_suffix("ies") {
        return format!("{stem}y").into();
    }
    if let Some(stem) = word.strip_suffix("ing")
        && stem.len() >= 3
        && stem.contains(VOWELS)
    {
        let bytes = stem.as_bytes();
        let doubled = bytes[bytes.len() - 1] == bytes[bytes.len() - 2] && !stem.ends_with(['l', 's', 'z']);
        return stem[..stem.len() - usize::from(doubled)].into();
    }
    let plural = word.ends_with('s') && !["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    word[..word.len() - usize::from(plural)].into()
}

const VOWELS: [char; 6] = ['a', 'e', 'i', 'o', 'u', 'y'];
