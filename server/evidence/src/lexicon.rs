//! English words for words of other languages and for terms of common trades.
//!
//! The embedding and the descriptions are mostly English. A prompt in another language, or one that speaks of
//! ibuprofen and never of medicine, gets the English words of the concepts it touches added at its end. The list is
//! short and general; it knows no policy.

use std::sync::LazyLock;

use crate::grams::{extend, finish};
use crate::table::Table;

static LINES: &str = include_str!("../assets/lexicon.tsv");
/// From here on scripts are written without spaces, or with endings joined to the word: terms match anywhere.
const UNSPACED: char = '\u{2E80}';
/// The longest unspaced term, in characters.
const LONGEST: usize = 5;
const START: u64 = 0x51_7C_C1_B7_27_22_0A_95;
/// A text reads as English when this share of its words are among its most common ones.
const ENGLISH: f32 = 0.25;
const WHOLE: u64 = 1;
const STEM: u64 = 2;
const INFIX: u64 = 3;
/// Characters that every stem has at least: a word whose beginning starts no stem is not looked up again.
const BEGINNING: usize = 3;

struct Lexicon {
    concepts: Vec<&'static str>,
    terms: Table,
    /// The concepts of each term, and whether the term is English.
    targets: Vec<Vec<(u16, bool)>>,
    /// The first characters of all stems.
    beginnings: Table,
    /// Words that tell English, by hash.
    common: Table,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::new);

fn hash(word: &str) -> u64 {
    word.chars().fold(START, |hash, c| extend(hash, u64::from(c)))
}

impl Lexicon {
    fn new() -> Self {
        let mut lexicon = Self {
            concepts: Vec::new(),
            terms: Table::new(),
            targets: Vec::new(),
            beginnings: Table::new(),
            common: Table::new(),
        };
        for line in LINES.lines().filter(|line| !line.starts_with('#')) {
            let mut cells = line.split('\t');
            let (Some(kind), Some(concept), Some(terms)) = (cells.next(), cells.next(), cells.next()) else {
                continue;
            };
            if kind == "common" {
                for word in terms.split(' ') {
                    lexicon.common.insert(finish(hash(word)));
                }
                continue;
            }
            let number = lexicon.concepts.len() as u16;
            lexicon.concepts.push(concept);
            for term in terms.split(' ') {
                lexicon.add(term, number, kind == "english");
            }
        }
        lexicon
    }

    fn add(&mut self, term: &str, concept: u16, english: bool) {
        let kind = match term.chars().next() {
            Some(c) if c >= UNSPACED => INFIX,
            _ if term.ends_with('*') => STEM,
            _ => WHOLE,
        };
        if kind == STEM {
            let beginning: String = term.chars().take(BEGINNING).collect();
            self.beginnings.insert(finish(hash(&beginning)));
        }
        let (id, new) = self.terms.insert(finish(hash(term.trim_end_matches('*')) ^ kind));
        if new {
            self.targets.push(Vec::new());
        }
        self.targets[id as usize].push((concept, english));
    }

    fn note(&self, hash: u64, word: &str, found: &mut Vec<(u16, bool)>) {
        let Some(id) = self.terms.get(finish(hash)) else {
            return;
        };
        for &(concept, english) in &self.targets[id as usize] {
            let known = self.concepts[concept as usize]
                .split(' ')
                .any(|w| word.starts_with(w));
            let sure = english || !word.is_ascii();
            if !known {
                merge(found, concept, sure);
            }
        }
    }
}

/// What a text has to do with the lexicon.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched {
    /// Concepts in the order in which they are first touched, and whether that alone is enough to add their words.
    concepts: Vec<(u16, bool)>,
    words: u32,
    /// Words that are among the most common ones of English.
    common: u32,
}

/// The concepts that a lower-cased text touches.
pub(crate) fn touched(text: &str) -> Touched {
    let lexicon = &*LEXICON;
    let mut touched = Touched::default();
    let edge = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '#' | '\'' | '.'));
    for word in text.split(edge) {
        let word = word.trim_matches(['.', '-', '\'']);
        if word.is_empty() {
            continue;
        }
        let mut hash = START;
        let mut begun = false;
        for (number, (at, c)) in word.char_indices().enumerate() {
            hash = extend(hash, u64::from(c));
            if number + 1 == BEGINNING {
                begun = lexicon.beginnings.get(finish(hash)).is_some();
            }
            if begun {
                lexicon.note(hash ^ STEM, word, &mut touched.concepts);
            }
            if c >= UNSPACED {
                let mut infix = START;
                for c in word[at..].chars().take(LONGEST) {
                    infix = extend(infix, u64::from(c));
                    lexicon.note(infix ^ INFIX, word, &mut touched.concepts);
                }
            }
        }
        lexicon.note(hash ^ WHOLE, word, &mut touched.concepts);
        touched.words += 1;
        touched.common += u32::from(lexicon.common.get(finish(hash)).is_some());
    }
    touched
}

/// The English words of every concept, by its number.
pub(crate) fn concepts() -> &'static [&'static str] {
    &LEXICON.concepts
}

/// The concepts whose English words are to be added to neighbouring texts.
pub(crate) fn added<'a>(parts: impl Iterator<Item = &'a Touched>) -> Vec<usize> {
    let mut all = Touched::default();
    for part in parts {
        all.words += part.words;
        all.common += part.common;
        for &(concept, sure) in &part.concepts {
            merge(&mut all.concepts, concept, sure);
        }
    }
    let english = all.common as f32 >= ENGLISH * all.words as f32;
    all.concepts
        .iter()
        .filter(|&&(_, sure)| sure || !english)
        .map(|&(concept, _)| usize::from(concept))
        .collect()
}

fn merge(concepts: &mut Vec<(u16, bool)>, concept: u16, sure: bool) {
    match concepts.iter_mut().find(|seen| seen.0 == concept) {
        Some(seen) => seen.1 |= sure,
        None => concepts.push((concept, sure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_added(text: &str) -> String {
        let words = added([touched(text)].iter())
            .into_iter()
            .map(|number| concepts()[number]);
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_stem_is_found_in_its_words_and_is_as_long_as_a_beginning() {
        for line in LINES.lines().filter(|line| !line.starts_with('#')) {
            for term in line
                .split('\t')
                .nth(2)
                .unwrap()
                .split(' ')
                .filter(|term| term.ends_with('*'))
            {
                if term.chars().next().is_some_and(|c| c < UNSPACED) {
                    assert!(term.chars().count() > BEGINNING, "{term} is too short for a stem");
                }
            }
        }
        assert!(words_added("der wecker und die weckrufe").contains("alarm"));
    }

    #[test]
    fn foreign_words_count_only_where_a_text_is_not_english() {
        assert!(words_added("regen morgen").contains("rain"));
        assert!(!words_added("what is the regen of this car and how do i fix it").contains("rain"));
        assert!(words_added("明天下雨吗").contains("rain"));
    }
}
