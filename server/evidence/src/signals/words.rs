//! Words of a text in lower case, with the place of sentences lost: what languages and feelings are counted in.

use std::borrow::Cow;

use crate::text::lowered;

/// Words between what is no letter, digit or apostrophe, in lower case. Scripts without spaces give long words.
pub(super) fn words(text: &str) -> Vec<Cow<'_, str>> {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’');
    text.split(|c: char| !inside(c))
        .map(|word| word.trim_matches(['\'', '’']))
        .filter(|word| !word.is_empty())
        .map(|word| match lowered(word) {
            Cow::Owned(word) if word.contains('’') => word.replace('’', "'").into(),
            word => word,
        })
        .collect()
}

/// How many words a text has where scripts without spaces count two characters as one.
pub(super) fn count(words: &[Cow<'_, str>]) -> usize {
    words
        .iter()
        .map(|word| {
            let unspaced = word.chars().filter(|c| *c >= '\u{2E80}').count();
            unspaced.div_ceil(2).max(1)
        })
        .sum()
}
