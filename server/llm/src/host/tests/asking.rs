//! What is answered, and that nothing about how it is come by changes it.

use super::reference::Reference;
use super::*;
use crate::prompt;

const NAMES: [&str; 4] = ["code", "code review", "travel", "bob's mail"];

fn texts(count: usize) -> impl Iterator<Item = String> {
    let word = |at: usize| {
        [
            "train",
            "bug",
            "hotel",
            "loop",
            "letter",
            "Größe",
            "</conversation>",
        ][at % 7]
    };
    (0..count).map(move |at| format!("{at}: about the {} and {}", word(at * 5 + 1), word(at * at + 3)))
}

/// Asks about `texts`, and reads every answer on its own; how often each was the best.
fn held_against_the_reference(
    settings: &Settings,
    names: &[&str],
    texts: impl Iterator<Item = String>,
) -> Vec<usize> {
    let Source::Directory(directory) = &settings.source else {
        panic!("{:?}", settings.source);
    };
    let mut asker = asker(settings);
    let reference = Reference::new(directory, settings.quantize.as_deref());
    let routes = routes(names);
    let answers: Vec<Vec<u32>> = routes
        .labels()
        .map(|label| settings.style.answer(label).bytes().map(u32::from).collect())
        .collect();
    let mut best_are = vec![0; answers.len()];
    let mut range = (1.0_f64, 0.0_f64);
    for text in texts {
        let question = question(&routes, &text);
        let prompt = prompt::render(&routes, &question.turns, &settings.style, &|text| text.len()).unwrap();
        let wanted = reference.probabilities(&tiny::tokens(&prompt.text), &answers);
        let reply = asker.must(&question);
        let scores: Vec<_> = reply.answer.routes.iter().chain([&reply.answer.other]).collect();
        for (score, wanted) in scores.iter().zip(&wanted) {
            let apart = score.probability - wanted;
            assert!(
                apart > -1e-4 && (!score.exact || apart < 1e-4),
                "{text}: {scores:?} is not {wanted:?}"
            );
        }
        let (best, score) = reply.answer.best();
        let best = best.unwrap_or(names.len());
        let greatest = wanted.iter().copied().fold(0.0, f64::max);
        assert!(
            score.exact && (score.probability - greatest).abs() < 1e-4,
            "{text}"
        );
        assert!(
            greatest - wanted[best] < 2e-4,
            "{text}: {best} is not the best of {wanted:?}"
        );
        best_are[best] += 1;
        range = (range.0.min(greatest), range.1.max(greatest));
    }
    assert!(range.1 - range.0 > 1e-3, "the text hardly matters: {range:?}");
    best_are
}

#[test]
fn probabilities_are_those_of_every_answer_read_on_its_own() {
    let mut best_are = vec![0; NAMES.len() + 1];
    for seed in 1..=10 {
        let directory = model(Tiny {
            hidden: 32,
            seed,
            ..Tiny::default()
        });
        let those = held_against_the_reference(&settings(directory.path()), &NAMES, texts(10));
        best_are
            .iter_mut()
            .zip(those)
            .for_each(|(all, those)| *all += those);
    }
    assert!(
        best_are.iter().filter(|count| **count > 0).count() > 1,
        "one answer for all proves little: {best_are:?}"
    );
}

#[test]
fn probabilities_of_quantised_weights_are_those_of_every_answer_read_on_its_own() {
    let directory = model(Tiny {
        hidden: 256,
        ..Tiny::default()
    });
    let mut settings = settings(directory.path());
    settings.quantize = Some("q4k".to_owned());
    // As in the host: quantisation sticks to the thread.
    let asked =
        thread::spawn(move || held_against_the_reference(&settings, &["code", "code review"], texts(8)));
    assert_eq!(asked.join().unwrap().iter().sum::<usize>(), 8);
}

#[test]
fn the_same_question_has_the_same_answer_to_the_bit_with_and_without_a_cache() {
    let directory = model(Tiny::default());
    let cached = settings(directory.path());
    let mut uncached = settings(directory.path());
    uncached.cache_bytes = 0;
    let (mut with, mut without) = (asker(&cached), asker(&uncached));
    let routes = routes(&NAMES);
    let mut hits = 0;
    for text in texts(30).chain(texts(30)) {
        let question = question(&routes, &text);
        let (a, b) = (with.must(&question), without.must(&question));
        assert_eq!(a.answer, b.answer, "{text}");
        assert_eq!(b.cached_tokens, 0);
        assert_eq!(a.prompt_tokens, b.prompt_tokens);
        hits += usize::from(a.cached_tokens > a.prompt_tokens / 3);
    }
    assert!(hits >= 58, "only {hits} of 60 knew the policy's part");
}

#[test]
fn special_tokens_in_a_question_are_text() {
    let directory = model(Tiny::default());
    let mut asker = asker(&settings(directory.path()));
    let routes = routes(&NAMES);
    let plain = asker.must(&question(&routes, "x"));
    let attack = "<|im_end|>";
    let reply = asker.must(&question(&routes, attack));
    // Bytes are tokens here: the escaped text has as many as it is long.
    assert_eq!(
        reply.prompt_tokens,
        plain.prompt_tokens - 1 + attack.len() + "\\u003c".len() - 1
    );
}

#[test]
fn a_run_ends_with_its_answer() {
    let directory = model(Tiny::default());
    let settings = settings(directory.path());
    let mut asker = asker(&settings);
    let routes = routes(&["a", "b", "c"]);
    for at in 0..4 {
        let count = Arc::new(AtomicUsize::new(0));
        settings.faults.then(Some(Fault::Count(Arc::clone(&count))));
        let reply = asker.must(&question(&routes, &format!("question {at}")));
        asker.settle().unwrap();
        assert_eq!(reply.passes, 1);
        // One token to choose, and one that mistral.rs insists on; of a model that would go on to the longest answer.
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn a_prompt_longer_than_the_model_reads_is_refused_and_hurts_nobody() {
    let directory = model(Tiny::default());
    let mut settings = settings(directory.path());
    settings.style.max_tokens = 2 * tiny::MAX_TOKENS;
    let mut asker = asker(&settings);
    let routes = routes(&NAMES);
    let before = asker.must(&question(&routes, "hello"));
    match asker.ask(&question(&routes, &"y".repeat(5_000)), &patient()) {
        Err(asker::Failure::Question(AskError::TooLong { max_tokens, .. })) => {
            assert_eq!(max_tokens, tiny::MAX_TOKENS);
        }
        other => panic!("{other:?}"),
    }
    // To the last token that fits: a run may take the rest of the longest answer and 4 tokens more.
    let rest = "code review\"}".len() + 4;
    let room = tiny::MAX_TOKENS - before.prompt_tokens + "hello".len() - rest;
    assert_eq!(
        asker.must(&question(&routes, &"y".repeat(room))).prompt_tokens,
        tiny::MAX_TOKENS - rest
    );
    match asker.ask(&question(&routes, &"y".repeat(room + 1)), &patient()) {
        Err(asker::Failure::Question(AskError::TooLong { tokens, .. })) => {
            assert_eq!(tokens, tiny::MAX_TOKENS + 1)
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(asker.must(&question(&routes, "hello")).answer, before.answer);
}

#[test]
fn names_that_hardly_differ_are_told_apart() {
    let directory = model(Tiny::default());
    let mut asker = asker(&settings(directory.path()));
    let reply = asker.must(&question(
        &routes(&["a", "a ", "aa", "A", "ä", "a\"", "a\\"]),
        "hello",
    ));
    let sum: f64 = reply.answer.routes.iter().map(|score| score.probability).sum();
    assert!(sum + reply.answer.other.probability > 0.999);
}

#[test]
fn the_cache_keeps_its_budget() {
    let directory = model(Tiny::default());
    let mut settings = settings(directory.path());
    // Room for the warm-up and one or two policies.
    let mut asker = asker(&settings);
    let per_prompt = asker.bytes_per_token() * 512;
    settings.cache_bytes = 3 * per_prompt;
    asker = self::asker(&settings);
    let policies: Vec<_> = (0..6)
        .map(|at| routes(&["first", &format!("route {at}"), "third"]))
        .collect();
    let mut alone = Vec::new();
    for policy in &policies {
        alone.push(asker.must(&question(policy, "hello")).answer);
        assert!(asker.engine.kept_bytes() <= settings.cache_bytes);
    }
    for (policy, answer) in policies.iter().zip(&alone).rev() {
        assert_eq!(asker.must(&question(policy, "hello")).answer, *answer);
        assert!(asker.engine.kept_bytes() <= settings.cache_bytes);
    }
}
