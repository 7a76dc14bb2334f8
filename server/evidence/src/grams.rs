//! Hashed n-grams of a text: words and pairs of words, and 1 to 4 characters within a padded word.
//!
//! The features are those of scikit-learn's `\w+` word analyser and its `char_wb`. A gram is known by a 64-bit hash
//! alone; its text is never stored.

const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

/// The longest run of characters that makes a feature.
const LONGEST: usize = 4;

#[inline]
pub(crate) fn extend(hash: u64, unit: u64) -> u64 {
    let mixed = (hash ^ unit).wrapping_mul(MIX);
    mixed ^ (mixed >> 29)
}

#[inline]
pub(crate) fn finish(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    mixed ^ (mixed >> 32)
}

/// The hash of a white-space separated word as a whole.
pub(crate) fn token(word: &str) -> u64 {
    finish(word.chars().fold(MIX ^ 1, |hash, c| extend(hash, u64::from(c))))
}

/// The first and the last word within a white-space separated one: what pairs with its neighbours.
pub(crate) type Ends = Option<(u64, u64)>;

/// Calls `sink` with every gram of a white-space separated word, and whether it is a word or a pair of words.
pub(crate) fn within(token: &str, mut sink: impl FnMut(u64, bool)) -> Ends {
    let mut ends: Ends = None;
    words(token, |word| {
        sink(finish(word), true);
        if let Some((_, before)) = ends {
            sink(pair(before, word), true);
        }
        ends = Some((ends.map_or(word, |(first, _)| first), word));
    });
    characters(token, 1, |gram| sink(gram, false));
    ends
}

/// The gram of two neighbouring words.
pub(crate) fn pair(before: u64, word: u64) -> u64 {
    finish(extend(before.rotate_left(17), word))
}

/// Grams of `shortest` to 4 characters; a space stands before and after the token.
pub(crate) fn characters(token: &str, shortest: usize, mut sink: impl FnMut(u64)) {
    let space = u64::from(b' ');
    let units = std::iter::once(space)
        .chain(token.chars().map(u64::from))
        .chain([space]);
    // The grams that still grow: the oldest first, which has the most characters.
    let mut open = [MIX; LONGEST];
    for (seen, unit) in units.enumerate() {
        open.rotate_left(1);
        open[LONGEST - 1] = MIX;
        let growing = LONGEST.min(seen + 1);
        for (length, hash) in open.iter_mut().rev().take(growing).enumerate() {
            *hash = extend(*hash, unit + 1);
            if length + 1 >= shortest {
                sink(finish(hash.wrapping_add(length as u64)));
            }
        }
    }
}

/// Words, each as a hash that is not finished: letters, digits and `_`.
pub(crate) fn words(token: &str, mut sink: impl FnMut(u64)) {
    let mut current: Option<u64> = None;
    for c in token.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_alphanumeric() || c == '_' => {
                current = Some(extend(current.unwrap_or(!MIX), u64::from(c) + 1));
            }
            _ => {
                if let Some(word) = current.take() {
                    sink(word);
                }
            }
        }
    }
}
