//! How much a text demands: 0.40 × length + 0.15 × long sentences + 0.15 × long words + 0.20 × demands + 0.10 × code or
//! mathematics, each between 0 and 1.
//!
//! Length is logarithmic and full at 400 words; sentences are full at 30 words on average (readability formulas such as
//! Flesch's call that very difficult), words at 8 letters on average from 3 on; demands are list items, question marks
//! and words such as `then` or `compare`, full at six.

use std::borrow::Cow;

use super::{rounded, words};

const FULL_WORDS: f64 = 400.0;
const FULL_SENTENCE: f64 = 30.0;
const SHORT_WORD: f64 = 3.0;
const LONG_WORD: f64 = 8.0;
const FULL_DEMANDS: f64 = 6.0;

/// Words that add a step to do.
const STEPS: [&str; 30] = [
    "then",
    "also",
    "compare",
    "explain",
    "analyze",
    "analyse",
    "prove",
    "derive",
    "design",
    "optimize",
    "evaluate",
    "justify",
    "step",
    "steps",
    "finally",
    "without",
    "dann",
    "außerdem",
    "vergleiche",
    "erkläre",
    "beweise",
    "ensuite",
    "aussi",
    "compare",
    "explique",
    "luego",
    "también",
    "compara",
    "explica",
    "demuestra",
];

pub(super) fn complexity(text: &str, all: &[Cow<'_, str>], technical: bool) -> f64 {
    let count = words::count(all) as f64;
    if count == 0.0 {
        return 0.0;
    }
    let share = |value: f64| value.clamp(0.0, 1.0);
    let length = share(libm::log1p(count) / libm::log1p(FULL_WORDS));
    let ends = |c: char| matches!(c, '.' | '!' | '?' | '。' | '？' | '！' | '\n');
    let sentences = text
        .split(ends)
        .filter(|part| part.chars().any(char::is_alphabetic))
        .count();
    let sentence = share(count / sentences.max(1) as f64 / FULL_SENTENCE);
    // Scripts without spaces have no words to measure: they count as ordinary.
    let letters: usize = all.iter().map(|word| word.chars().count().min(20)).sum();
    let unspaced = text.chars().any(|c| c >= '\u{2E80}');
    let mean = if unspaced {
        5.0
    } else {
        letters as f64 / all.len() as f64
    };
    let long = share((mean - SHORT_WORD) / (LONG_WORD - SHORT_WORD));
    let demands = share(demands(text, all) as f64 / FULL_DEMANDS);
    let technical = f64::from(u8::from(technical));
    rounded(0.40 * length + 0.15 * sentence + 0.15 * long + 0.20 * demands + 0.10 * technical)
}

fn demands(text: &str, all: &[Cow<'_, str>]) -> usize {
    let item = |line: &&str| {
        let line = line.trim_start();
        let numbered = line.split_once(['.', ')']).is_some_and(|(number, _)| {
            !number.is_empty() && number.len() <= 2 && number.bytes().all(|b| b.is_ascii_digit())
        });
        numbered || line.starts_with("- ") || line.starts_with("* ") || line.starts_with("• ")
    };
    let items = text.lines().filter(item).count();
    let marks = text.chars().filter(|c| matches!(c, '?' | '？')).count();
    let steps = all.iter().filter(|word| STEPS.contains(&&***word)).count();
    items + marks + steps
}
