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
        let counts = vocabulary.count(&text);
        prop_assert!(counts.words.iter().all(|&(id, _)| vocabulary.is_word(id)));
        prop_assert!(!counts.characters.iter().any(|&(id, _)| vocabulary.is_word(id)));
        let mut known = [counts.words, counts.characters].concat();
        known.sort_unstable();
        prop_assert_eq!((known, counts.grams, counts.unknown), slowly(&vocabulary, &text));
    }

    #[test]
    fn two_parts_count_like_the_text_that_they_make(a in "[a-d]{1,4}( [a-d]{1,5}){0,5}", b in "[a-d]{1,4}( [a-d]{1,5}){0,5}") {
        let text = format!("{a} {b}");
        let vocabulary = of(&text);
        let whole = vocabulary.count(&text);
        let joined = vocabulary.join(&[&vocabulary.count(&a), &vocabulary.count(&b)]);
        prop_assert_eq!((whole.grams, whole.unknown), (joined.grams, joined.unknown));
        let sorted = |counts| {
            let mut sparse = vocabulary.weigh(counts);
            sparse.sort_by_key(|&(id, _)| id);
            sparse
        };
        let (whole, joined) = (sorted(&whole), sorted(&joined));
        prop_assert_eq!(whole.len(), joined.len());
        for (one, other) in whole.iter().zip(&joined) {
            prop_assert!(one.0 == other.0 && (one.1 - other.1).abs() < 1e-6);
        }
    }

    #[test]
    fn a_product_is_that_of_the_vector(known in "[a-d.]{1,9}( [a-d.]{1,5}){0,9}", text in "[a-e]{0,3}( [a-e.-]{1,5}){0,12}") {
        let vocabulary = of(&known);
        let counts = vocabulary.count(&text);
        let mut weights = Linear::new(21, 0, vocabulary.len());
        for gram in 0..vocabulary.len() as u32 {
            for class in 0..21 {
                weights.add_sparse(gram, class, ((gram * 31 + class * 7) % 13) as f32 - 6.0);
            }
        }
        let x = Features { dense: Vec::new(), sparse: vocabulary.weigh(&counts) };
        let (mut of_vector, mut of_counts) = (vec![0.0; weights.width()], vec![0.0; weights.width()]);
        weights.apply(&x, &mut of_vector);
        vocabulary.add_product(&counts, &weights, &mut of_counts);
        for (one, other) in of_vector.iter().zip(&of_counts) {
            prop_assert!((one - other).abs() < 1e-4, "{} and {}", one, other);
        }
        let second: Vec<f32> = (0..vocabulary.len()).map(|gram| ((gram * 31 + 7) % 13) as f32 - 6.0).collect();
        prop_assert!((vocabulary.project(&counts, &second) - of_vector[1]).abs() < 1e-4);
    }
}

#[test]
fn both_blocks_have_their_lengths() {
    let vocabulary = of("a text of six small words");
    let x = vocabulary.weigh(&vocabulary.count("six small words, unknown ones too"));
    let length = |words: bool| {
        let squares = x.iter().filter(|(id, _)| vocabulary.is_word(*id) == words);
        squares.map(|(_, value)| value * value).sum::<f32>().sqrt()
    };
    assert!((length(true) - HALF).abs() < 1e-6);
    assert!((length(false) - ROOT_HALF).abs() < 1e-6);
}
