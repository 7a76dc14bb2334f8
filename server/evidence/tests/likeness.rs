//! Pairs of requests that ask for the same, and pairs that only look so, written by hand before the rules that tell them
//! apart. The rules were made on `tune.jsonl`; `aside.jsonl` was looked at when they were done.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "the counts by kind are what one runs it for")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use signalbox_evidence::{Encoder, Likeness};

#[derive(Deserialize)]
struct Pair {
    a: String,
    b: String,
    share: bool,
    kind: String,
}

fn pairs(name: &str) -> Vec<Pair> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/pairs")
        .join(name);
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn read(encoder: &Encoder, text: &str) -> Likeness {
    Likeness::of(encoder, text, &[7; 32]).unwrap()
}

/// How many pairs of a kind are held to be the same, and how many there are.
fn same(encoder: &Encoder, name: &str, share: bool) -> (usize, usize) {
    let pairs = pairs(name).into_iter().filter(|pair| pair.share == share);
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for Pair { a, b, kind, .. } in pairs {
        let same = read(encoder, &a).same(&read(encoder, &b));
        assert!(share || !same, "{kind}: `{a}` is not `{b}`");
        let count = kinds.entry(kind).or_default();
        *count = (count.0 + usize::from(same), count.1 + 1);
    }
    println!("{name}, share {share}: {kinds:?}");
    kinds
        .values()
        .fold((0, 0), |all, kind| (all.0 + kind.0, all.1 + kind.1))
}

#[test]
fn no_near_miss_is_the_same() {
    let encoder = Encoder::builtin().unwrap();
    for name in ["tune.jsonl", "aside.jsonl"] {
        assert_eq!(same(&encoder, name, false), (0, 120));
    }
}

#[test]
fn some_paraphrases_are_the_same() {
    let encoder = Encoder::builtin().unwrap();
    assert_eq!(same(&encoder, "tune.jsonl", true), (35, 116));
    assert_eq!(same(&encoder, "aside.jsonl", true), (18, 114));
}

/// Edits after which a request asks for something else: two words exchanged, one left out, one from elsewhere in its place, a
/// negation, another number.
fn edits(text: &str, elsewhere: &str) -> Vec<String> {
    let words: Vec<&str> = text.split(' ').collect();
    let long = |word: &str| word.len() >= 5 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let places: Vec<usize> = (1..words.len()).filter(|at| long(words[*at])).collect();
    let mut out = Vec::new();
    let mut edited = |change: &dyn Fn(&mut Vec<String>)| {
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        change(&mut words);
        out.push(words.join(" "));
    };
    if let [first, .., last] = places[..]
        && words[first] != words[last]
    {
        edited(&|words| words.swap(first, last));
    }
    if let Some(at) = places.get(places.len() / 2).copied() {
        edited(&|words| drop(words.remove(at)));
        edited(&|words| words.insert(at, "not".to_owned()));
        let other = elsewhere
            .split(' ')
            .filter(|word| long(word))
            .max_by_key(|word| word.len());
        if let Some(other) = other.filter(|other| !text.contains(other)) {
            edited(&|words| words[at] = other.to_owned());
        }
    }
    if let Some(at) = text.find(|c: char| c.is_ascii_digit()) {
        out.push(format!("{}7{}", &text[..at], &text[at..]));
    }
    out
}

#[test]
fn no_request_is_the_same_as_one_made_of_it_that_asks_for_something_else() {
    let encoder = Encoder::builtin().unwrap();
    // Words of manners say nothing, so their place or loss makes no other request.
    let manners = [
        "please", "could", "would", "thanks", "really", "morning", "alright", "kindly", "possible",
        "actually", "hello",
    ];
    let texts: Vec<String> = ["tune.jsonl", "aside.jsonl"]
        .into_iter()
        .flat_map(pairs)
        .flat_map(|pair| [pair.a, pair.b])
        .filter(|text| !manners.iter().any(|word| text.to_lowercase().contains(word)))
        .collect();
    let mut count = 0;
    for (at, text) in texts.iter().enumerate() {
        let own = read(&encoder, text);
        for edited in edits(text, &texts[(at + 7) % texts.len()]) {
            assert!(!own.same(&read(&encoder, &edited)), "`{text}` is not `{edited}`");
            count += 1;
        }
    }
    assert!(count >= 1_000, "{count}");
    println!("{count} generated near misses");
}
