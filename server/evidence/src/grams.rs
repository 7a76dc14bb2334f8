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

/// Calls `sink` with every gram of 1 to 4 characters in each white-space separated word, the word padded with a
/// space on both sides.
pub(crate) fn characters(text: &str, mut sink: impl FnMut(u64)) {
    let mut padded: Vec<u64> = Vec::with_capacity(24);
    for word in text.split_whitespace() {
        padded.clear();
        padded.push(u64::from(b' '));
        padded.extend(word.chars().map(u64::from));
        padded.push(u64::from(b' '));
        for start in 0..padded.len() {
            let mut hash = MIX;
            for (length, &unit) in padded[start..].iter().take(LONGEST).enumerate() {
                hash = extend(hash, unit + 1);
                sink(finish(hash.wrapping_add(length as u64)));
            }
        }
    }
}

/// Calls `sink` with every word (letters, digits and `_`) and every pair of neighbouring words.
pub(crate) fn words(text: &str, mut sink: impl FnMut(u64)) {
    let mut previous: Option<u64> = None;
    let mut current: Option<u64> = None;
    for c in text.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_alphanumeric() || c == '_' => {
                current = Some(extend(current.unwrap_or(!MIX), u64::from(c) + 1));
            }
            _ => {
                if let Some(word) = current.take() {
                    sink(finish(word));
                    if let Some(before) = previous {
                        sink(finish(extend(before.rotate_left(17), word)));
                    }
                    previous = Some(word);
                }
            }
        }
    }
}
