//! The second look: what it promises, through the library's public door.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, LazyLock};

use signalbox_evidence::{
    Classifier, DEFAULT_THRESHOLD, Encoder, Role, RouteText, Scores, TrainingSet, Transformer, Turn, View,
};

static TABLE: LazyLock<Arc<Encoder>> = LazyLock::new(|| Encoder::builtin().unwrap());
static ENCODER: LazyLock<Arc<Transformer>> = LazyLock::new(|| Transformer::builtin().unwrap());
static DESCRIBED: LazyLock<Classifier> = LazyLock::new(|| compiled(&set(false)));
static TRAINED: LazyLock<Classifier> = LazyLock::new(|| compiled(&set(true)));

const MEDICINE: usize = 1;
const TRAVEL: usize = 2;
const COOKING: usize = 3;

fn compiled(set: &TrainingSet) -> Classifier {
    Classifier::compile(TABLE.clone(), set).with_encoder(ENCODER.clone(), set)
}

fn set(examples: bool) -> TrainingSet {
    let route = |name: &str, description: &str, list: [&str; 4]| RouteText {
        name: name.into(),
        description: description.into(),
        examples: list.map(str::to_owned).into_iter().filter(|_| examples).collect(),
    };
    TrainingSet {
        routes: vec![
            route(
                "payments",
                "bills, refunds and charges on a card",
                [
                    "I was charged twice",
                    "where is my refund",
                    "send me the invoice again",
                    "my card was declined",
                ],
            ),
            route(
                "medicine",
                "symptoms, illnesses and drugs",
                [
                    "my throat is sore",
                    "how much ibuprofen may I take",
                    "is this rash dangerous",
                    "what helps against a cold",
                ],
            ),
            route(
                "travel",
                "flights, hotels and trips",
                [
                    "book a flight to Porto",
                    "a hotel near the station",
                    "which trains go to Vienna",
                    "cancel my trip",
                ],
            ),
            route(
                "cooking",
                "recipes and meals",
                [
                    "how long does pasta boil",
                    "a recipe with apples",
                    "what can I cook tonight",
                    "how do I make bread",
                ],
            ),
        ],
        other_examples: Vec::new(),
    }
}

fn user(text: &str) -> Turn<'_> {
    Turn {
        role: Role::User,
        text,
    }
}

fn again(classifier: &Classifier, prompt: &str) -> Scores {
    classifier.look_again(&[user(prompt)]).unwrap()
}

#[test]
fn it_knows_meanings_where_the_first_look_knows_words() {
    for (prompt, wanted) in [
        ("what to do in Lisbon for two days", TRAVEL),
        ("what goes well with salmon", COOKING),
        ("my knee is swollen after running", MEDICINE),
    ] {
        let scores = again(&DESCRIBED, prompt);
        assert_eq!(scores.decide(DEFAULT_THRESHOLD), Some(wanted), "{prompt}");
    }
    for (prompt, wanted) in [
        ("a recipe with salmon and lemon", COOKING),
        ("which airline is the cheapest for Tokyo", TRAVEL),
        ("how dangerous is this sore knee", MEDICINE),
    ] {
        let scores = again(&TRAINED, prompt);
        assert_eq!(scores.decide(DEFAULT_THRESHOLD), Some(wanted), "{prompt}");
    }
    let first = DESCRIBED.classify(&[user("what to do in Lisbon for two days")]);
    assert_eq!(first.decide(DEFAULT_THRESHOLD), None);
}

#[test]
fn what_belongs_to_no_route_still_gets_none() {
    for prompt in [
        "who won the world cup in 1998",
        "thanks, that is all, goodbye",
        "tell me a joke about programmers",
    ] {
        let scores = again(&TRAINED, prompt);
        assert_eq!(scores.decide(DEFAULT_THRESHOLD), None, "{prompt}: {scores:?}");
    }
}

#[test]
fn probabilities_sum_to_one_whatever_the_text() {
    for prompt in ["a", "?!", "🦀", "明天会下雨吗", &"word ".repeat(5000)] {
        for classifier in [&*DESCRIBED, &*TRAINED] {
            let Some(scores) = classifier.look_again(&[user(prompt)]) else {
                continue;
            };
            let sum: f32 = scores.routes.iter().sum::<f32>() + scores.other;
            assert!((sum - 1.0).abs() < 1e-4, "{prompt}: {sum}");
        }
    }
}

#[test]
fn it_reads_the_view_that_decided_at_first() {
    let pasted = "The committee met on Tuesday and approved the minutes of its last meeting. ".repeat(40);
    let prompt = format!("Book me a flight to Lisbon.\n{pasted}");
    let first = TRAINED.classify(&[user(&prompt)]);
    let scores = again(&TRAINED, &prompt);
    assert_eq!((first.view, scores.view), (View::Head, View::Head));
    assert_eq!(scores.decide(DEFAULT_THRESHOLD), Some(TRAVEL));
}

#[test]
fn it_looks_at_no_conversation_and_at_nothing_without_words_or_encoder() {
    let turns = [
        user("book a hotel"),
        Turn {
            role: Role::Assistant,
            text: "Where?",
        },
        user("in Lisbon"),
    ];
    assert!(TRAINED.look_again(&turns).is_none());
    assert!(!TRAINED.classify(&turns).alone && TRAINED.classify(&turns[..1]).alone);
    assert!(!TRAINED.classify_after(&turns[..1], Some(TRAVEL)).alone);
    assert!(TRAINED.look_again(&[]).is_none() && TRAINED.look_again(&[user(" ")]).is_none());
    let without = Classifier::compile(TABLE.clone(), &set(false));
    assert!(!without.has_encoder() && without.look_again(&[user("book a hotel")]).is_none());
}

#[test]
fn the_first_look_is_the_same_with_and_without_an_encoder() {
    let without = Classifier::compile(TABLE.clone(), &set(true));
    for prompt in ["what to do in Lisbon for two days", "my throat is sore", "hello"] {
        assert_eq!(
            without.classify(&[user(prompt)]),
            TRAINED.classify(&[user(prompt)])
        );
    }
}

/// Every bit, whatever the machine, the build's target CPU and the number of cores that embedded the policy.
#[test]
fn the_same_bits_come_out_on_every_machine() {
    let mut hash = blake3::Hasher::new();
    for classifier in [&*DESCRIBED, &*TRAINED, &compiled(&set(true))] {
        for prompt in ["what to do in Lisbon for two days", "Wie wird das Wetter morgen?"] {
            let scores = again(classifier, prompt);
            for p in scores.routes.iter().chain([&scores.other]) {
                hash.update(&p.to_bits().to_le_bytes());
            }
        }
    }
    assert_eq!(&hash.finalize().to_hex()[..16], "7734a7f7d4fbdb9f");
}
