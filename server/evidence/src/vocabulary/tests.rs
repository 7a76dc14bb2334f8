//! Counting and weighing, the fast way beside the slow one.

use proptest::prelude::*;

use super::*;

/// A vocabulary of one text.
fn of(text: &str) -> Vocabulary {
    let mut builder = Builder::new();
    builder.add(&[text]);
    builder.finish()
}

/// What a text has of a vocabulary, gram by gram.
fn slowly(vocabulary: &Vocabulary, text: &str) -> (Vec<(u32, u16)>, u32, u32) {
    let mut all = Vec::new();
    let mut before = None;
    for token in text.split_whitespace() {
        let ends = grams::within(token, |hash, _| all.push(hash));
        if let Some((first, last)) = ends {
            all.extend(before.map(|before| grams::pair(before, first)));
            before = Some(last);
        }
    }
    let ids: Vec<u32> = all
        .iter()
        .filter_map(|&hash| vocabulary.table.get(hash))
        .collect();
    let mut counts: Vec<(u32, u16)> = Vec::new();
    for &id in &ids {
        match counts.iter_mut().find(|seen| seen.0 == id) {
            Some(seen) => seen.1 += 1,
            None => counts.push((id, 1)),
        }
    }
    counts.sort_unstable();
    (counts, all.len() as u32, (all.len() - ids.len()) as u32)
}

proptest! {
    #[test]
    fn a_word_of_the_policy_counts_like_any_other(known in "[a-d.]{0,9}( [a-d.]{1,5}){0,9}", text in "[a-e]{0,3}( [a-e.-]{1,5}){0,12}") {
        let vocabulary = of(&known);
        let mut counts = vocabulary.count(&text);
        counts.known.sort_unstable();
        prop_assert_eq!((counts.known, counts.grams, counts.unknown), slowly(&vocabulary, &text));
    }

    #[test]
    fn two_parts_count_like_the_text_that_they_make(a in "[a-d]{1,4}( [a-d]{1,5}){0,5}", b in "[a-d]{1,4}( [a-d]{1,5}){0,5}") {
        let text = format!("{a} {b}");
        let vocabulary = of(&text);
        let whole = vocabulary.weigh(&[&vocabulary.count(&text)]);
        let joined = vocabulary.weigh(&[&vocabulary.count(&a), &vocabulary.count(&b)]);
        prop_assert_eq!((whole.grams, whole.unknown), (joined.grams, joined.unknown));
        for mut pair in [(whole.sparse, joined.sparse)] {
            pair.0.sort_by_key(|&(id, _)| id);
            pair.1.sort_by_key(|&(id, _)| id);
            for (one, other) in pair.0.iter().zip(&pair.1) {
                prop_assert!(one.0 == other.0 && (one.1 - other.1).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn both_blocks_have_their_lengths() {
    let vocabulary = of("a text of six small words");
    let x = vocabulary.weigh(&[&vocabulary.count("six small words, unknown ones too")]);
    let length = |words: bool| {
        let squares = x.sparse.iter().filter(|(id, _)| vocabulary.is_word(*id) == words);
        squares.map(|(_, value)| value * value).sum::<f32>().sqrt()
    };
    assert!((length(true) - HALF).abs() < 1e-6);
    assert!((length(false) - ROOT_HALF).abs() < 1e-6);
}
