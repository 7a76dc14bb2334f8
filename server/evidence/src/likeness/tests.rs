//! What is the same, and above all what is not.

use super::canonical::canonical;
use super::{Likeness, signature};
use crate::encoder::Encoder;

#[test]
fn manners_and_inflection_are_not_what_is_asked() {
    let forms = [
        "translate this letter into German",
        "Translate this letter into German!",
        "Hi, could you please translate the letter into German? Thanks",
        "could you help me translating that letter into german",
        "Can you translate these letters into German?",
    ];
    let canonical: Vec<String> = forms.iter().map(|form| canonical(form)).collect();
    assert!(
        canonical.iter().all(|form| *form == canonical[0]),
        "{canonical:?}"
    );
}

#[test]
fn what_matters_keeps_requests_apart() {
    for (a, b) in [
        ("turn on the lights", "turn off the lights"),
        ("do include the tests", "don't include the tests"),
        ("cancel my order", "I cancelled my order"),
        (
            "translate from French to German",
            "translate from German to French",
        ),
        ("cancel my order", "how do I cancel my order"),
        ("summarise chapter 3", "summarise chapter 4"),
        ("wake me at seven", "wake me at eight"),
        ("does Anna owe Ben money", "does Ben owe Anna money"),
        ("what is `a == b`", "what is `a != b`"),
        ("search for \"blue whales\"", "search for \"Blue Wales\""),
        ("write it in C", "write it in C++"),
        ("is the shop open", "open the shop"),
        ("what's your name", "what's my name"),
        ("the bill is paid?", "the bill is paid"),
    ] {
        assert_ne!(canonical(a), canonical(b));
    }
}

#[test]
fn the_signature_is_that_of_what_is_asked_and_near_for_what_is_near() {
    let encoder = Encoder::builtin().unwrap();
    let read = |text: &str| Likeness::of(&encoder, text, &[1; 32]).unwrap();
    let (a, b, c) = (
        read("could you please turn on the lights"),
        read("Turn on the lights!"),
        read("a sonnet on the sea"),
    );
    assert_eq!(a.signature(), b.signature());
    assert!((a.signature() ^ c.signature()).count_ones() > 16);
    let vector = encoder.embed("turn on the lights");
    let opposite: Vec<f32> = vector.iter().map(|value| -value).collect();
    assert_eq!(signature(&vector), !signature(&opposite));
}

#[test]
fn what_is_mostly_manners_is_not_the_same_as_the_request_in_it() {
    let encoder = Encoder::builtin().unwrap();
    let read = |text: &str| Likeness::of(&encoder, text, &[1; 32]).unwrap();
    let long = format!(
        "{} sort it",
        "thank you very much, hello, good morning, ".repeat(20)
    );
    let (short, long) = (read("sort it"), read(&long));
    assert!(!short.same(&long), "{}", short.cosine(&long));
    assert_eq!(Likeness::of(&encoder, " ?! ", &[1; 32]), None);
}

#[test]
fn hashes_of_another_secret_are_others() {
    let encoder = Encoder::builtin().unwrap();
    let read = |secret: u8| Likeness::of(&encoder, "turn on the lights", &[secret; 32]).unwrap();
    assert!(read(1).same(&read(1)) && !read(1).same(&read(2)));
}
