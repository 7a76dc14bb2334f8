use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::question::Answer;

const VOCABULARY: usize = 128;

/// Bytes as tokens.
fn trie(answers: &[&str]) -> Trie {
    build(answers).unwrap()
}

fn build(answers: &[&str]) -> Result<Trie, TrieError> {
    Trie::new(
        answers
            .iter()
            .map(|answer| answer.bytes().map(u32::from).collect())
            .collect(),
    )
}

/// Asks `model` (logits after a path) until the walk ends; also how often it was asked.
fn walk(trie: &Arc<Trie>, model: &dyn Fn(&[u32]) -> Vec<f32>) -> (Answer, usize) {
    let mut walk = Walk::new(Arc::clone(trie));
    let mut asked = 0;
    while let Some(branch) = walk.next() {
        let logits = model(&branch.path);
        walk.observe(&logits).unwrap();
        asked += 1;
    }
    (walk.answer().unwrap(), asked)
}

/// Logits that depend on the path and the token in a way nobody would guess.
fn noise(seed: u32, width: f32) -> impl Fn(&[u32]) -> Vec<f32> {
    move |path| {
        let mix = |state: u32, value: u32| (state ^ value).wrapping_mul(0x9E37_79B1).rotate_left(13);
        let state = path.iter().fold(seed, |state, token| mix(state, *token));
        let logit = |token: u32| (mix(mix(state, token), 77) % 10_000) as f32 / 10_000.0 * width;
        (0..VOCABULARY as u32).map(logit).collect()
    }
}

/// The probability of every answer, each followed token by token on its own.
fn teacher_forced(trie: &Trie, model: &dyn Fn(&[u32]) -> Vec<f32>) -> Vec<f64> {
    let one = |answer: &Vec<u32>| {
        let mut probability = 1.0;
        for at in 0..answer.len() {
            let here = &answer[..at];
            let mut allowed: Vec<u32> = trie
                .answers()
                .iter()
                .filter(|other| other.starts_with(here))
                .filter_map(|other| other.get(at).copied())
                .collect();
            allowed.sort_unstable();
            allowed.dedup();
            let logits = model(here);
            let weight = |token: &u32| f64::from(logits[*token as usize]).exp();
            probability *= weight(&answer[at]) / allowed.iter().map(weight).sum::<f64>();
        }
        probability
    };
    trie.answers().iter().map(one).collect()
}

#[test]
fn forced_tokens_are_known_and_only_branches_are_asked() {
    let trie = Arc::new(trie(&["<code>", "<code-review>", "<travel>", "<other>"]));
    assert_eq!(trie.branches(), 2);
    assert_eq!(trie.branch(0).path, b"<".map(u32::from));
    assert_eq!(trie.branch(1).path, b"<code".map(u32::from));
    let tokens: Vec<u32> = trie.branch(0).children.iter().map(|child| child.token).collect();
    assert_eq!(tokens, b"cto".map(u32::from));
    let model = |_: &[u32]| {
        let mut logits = vec![0.0; VOCABULARY];
        logits[usize::from(b't')] = 9.0;
        logits
    };
    let (answer, asked) = walk(&trie, &model);
    assert_eq!(asked, 1);
    let (best, score) = answer.best();
    assert_eq!(best, Some(2));
    assert!(score.exact && score.probability > 0.99);
    assert!(!answer.routes[0].exact && !answer.routes[1].exact && answer.other.exact);
    assert_eq!(answer.routes[0], answer.routes[1]);
}

#[test]
fn the_best_answer_is_the_best_of_all_and_not_that_of_a_greedy_reading() {
    // `a` leads with 0.5, but its two answers share that; `b` has 0.4 to itself.
    let trie = Arc::new(trie(&["ax", "ay", "b", "c"]));
    let model = |path: &[u32]| {
        let mut logits = vec![-50.0; VOCABULARY];
        if path.is_empty() {
            for (token, share) in [(b'a', 0.5_f32), (b'b', 0.4), (b'c', 0.1)] {
                logits[usize::from(token)] = share.ln();
            }
        }
        logits
    };
    let (answer, asked) = walk(&trie, &model);
    assert_eq!((answer.best().0, asked), (Some(2), 2));
    assert!((answer.margin() - 0.15).abs() < 1e-6);
}

#[test]
fn equal_answers_are_decided_by_the_order_of_the_policy() {
    let trie = Arc::new(trie(&["ax", "ay", "bx", "by", "c"]));
    let (answer, _) = walk(&trie, &|_| vec![1.5; VOCABULARY]);
    assert_eq!(answer.best().0, None);
    assert_eq!(answer.runner_up().0, Some(0));
    let trie = Arc::new(self::trie(&["b", "a", "c"]));
    let (answer, _) = walk(&trie, &|_| vec![-3.0; VOCABULARY]);
    assert_eq!((answer.best().0, answer.runner_up().0), (Some(0), Some(1)));
    assert!((answer.on_script - 3.0 / 128.0).abs() < 1e-12);
}

#[test]
fn logits_that_say_nothing_are_an_error_and_change_nothing() {
    let trie = Arc::new(trie(&["a", "b"]));
    for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for at in [usize::from(b'a'), 3] {
            let mut logits = vec![0.0; VOCABULARY];
            logits[at] = broken;
            let mut walk = Walk::new(Arc::clone(&trie));
            assert_eq!(walk.observe(&logits), Err(LogitsError::NotFinite));
            assert_eq!(walk.answer(), None);
            assert!(walk.next().is_some());
        }
    }
    let mut walk = Walk::new(trie);
    assert_eq!(walk.observe(&[0.0; 98]), Err(LogitsError::TooFew(98)));
}

#[test]
fn logits_of_any_size_are_added_without_overflow() {
    let trie = Arc::new(trie(&["a", "b", "c"]));
    for offset in [-3e38_f32, -1e4, 0.0, 1e4, 3e38] {
        let (answer, _) = walk(&trie, &|_| vec![offset; VOCABULARY]);
        assert!(
            (answer.best().1.probability - 1.0 / 3.0).abs() < 1e-12,
            "{offset}"
        );
    }
}

#[test]
fn answers_that_are_the_same_to_a_tokenizer_are_refused() {
    assert_eq!(build(&["a"]), Err(TrieError::TooFew));
    assert_eq!(build(&["a", "b", "a"]), Err(TrieError::Ambiguous(0, 2)));
    assert_eq!(build(&["b", "ab", "a"]), Err(TrieError::Ambiguous(1, 2)));
}

proptest! {
    #[test]
    fn what_a_walk_finds_is_what_every_answer_scores_on_its_own(
        names in prop::collection::btree_set("[abc]{0,5}", 2..9),
        seed: u32,
        width in 0.1_f32..20.0,
    ) {
        let answers: Vec<String> = names.iter().map(|name| format!("<{name}>")).collect();
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let trie = Arc::new(trie(&answers));
        let model = noise(seed, width);
        let wanted = teacher_forced(&trie, &model);
        let (answer, asked) = walk(&trie, &model);
        prop_assert!(asked <= trie.branches());
        let scores: Vec<_> = answer.routes.iter().chain([&answer.other]).collect();
        for (score, wanted) in scores.iter().zip(&wanted) {
            if score.exact {
                prop_assert!((score.probability - wanted).abs() < 1e-9);
            } else {
                prop_assert!(score.probability >= wanted - 1e-9);
                prop_assert!(score.probability <= answer.best().1.probability);
            }
        }
        let most = wanted.iter().copied().fold(0.0, f64::max);
        prop_assert!((answer.best().1.probability - most).abs() < 1e-9);
        prop_assert!(answer.best().1.exact);
        prop_assert!((0.0..=1.0).contains(&answer.on_script));
    }
}
