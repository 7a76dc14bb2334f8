//! What the classifier promises, through its public door.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use signalbox_evidence::{
    Classifier, DEFAULT_THRESHOLD, Encoder, Role, RouteText, Scores, TrainingSet, Turn, View,
};

static ENCODER: LazyLock<Arc<Encoder>> = LazyLock::new(|| Encoder::builtin().unwrap());
static DESCRIBED: LazyLock<Classifier> = LazyLock::new(|| Classifier::compile(ENCODER.clone(), &set(false)));
static TRAINED: LazyLock<Classifier> = LazyLock::new(|| Classifier::compile(ENCODER.clone(), &set(true)));

const CODE: usize = 0;
const WEATHER: usize = 1;
const MUSIC: usize = 2;
const TRAVEL: usize = 3;

fn set(examples: bool) -> TrainingSet {
    let route = |name: &str, description: &str, list: &[&str]| RouteText {
        name: name.into(),
        description: description.into(),
        examples: if examples {
            list.iter().map(|&text| text.to_owned()).collect()
        } else {
            Vec::new()
        },
    };
    TrainingSet {
        routes: vec![
            route(
                "code",
                "writing and fixing source code, scripts and functions",
                &[
                    "write a function that sorts a list of numbers",
                    "why does this loop never end",
                    "a shell script that renames all files in a folder",
                    "fix the null pointer in this class",
                ],
            ),
            route(
                "weather",
                "weather forecasts: rain, sun, wind and temperature",
                &[
                    "will it rain tomorrow in Oslo",
                    "how hot is it going to be on Sunday",
                    "do I need an umbrella this afternoon",
                    "when does the storm reach the coast",
                ],
            ),
            route(
                "music",
                "songs, albums and playlists to play",
                &[
                    "play something by Miles Davis",
                    "put on my running playlist",
                    "skip this song",
                    "turn the volume of the music down",
                ],
            ),
            route(
                "travel",
                "flights, trains and hotels to book",
                &[
                    "book a flight from Lyon to Porto",
                    "find me a hotel near the station",
                    "which trains go to Vienna on Friday",
                    "cancel my room for next week",
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

fn assistant(text: &str) -> Turn<'_> {
    Turn {
        role: Role::Assistant,
        text,
    }
}

fn route(classifier: &Classifier, turns: &[Turn<'_>]) -> Option<usize> {
    classifier.classify(turns).decide(DEFAULT_THRESHOLD)
}

fn pasted(sentence: &str, times: usize) -> String {
    format!("{sentence} ").repeat(times)
}

#[test]
fn a_request_finds_its_route_with_descriptions_alone() {
    for (prompt, wanted) in [
        ("write a python function that parses dates", CODE),
        ("is it going to rain in Bergen this weekend?", WEATHER),
        ("play the new album of that singer", MUSIC),
        ("I need a hotel in Rome for two nights", TRAVEL),
    ] {
        assert_eq!(route(&DESCRIBED, &[user(prompt)]), Some(wanted), "{prompt}");
    }
    assert!(!DESCRIBED.is_trained());
}

#[test]
fn a_request_finds_its_route_with_examples() {
    for (prompt, wanted) in [
        ("sort these numbers with a small function", CODE),
        ("do I need an umbrella on Sunday", WEATHER),
        ("skip to the next song please", MUSIC),
        ("cancel the hotel room in Vienna", TRAVEL),
    ] {
        assert_eq!(route(&TRAINED, &[user(prompt)]), Some(wanted), "{prompt}");
    }
    assert!(TRAINED.is_trained());
}

#[test]
fn what_belongs_to_no_route_gets_none() {
    for prompt in ["what is the capital of Mongolia?", "hello there, how are you?"] {
        assert_eq!(route(&TRAINED, &[user(prompt)]), None, "{prompt}");
    }
}

#[test]
fn another_language_finds_its_route() {
    assert_eq!(
        route(&DESCRIBED, &[user("Wie wird das Wetter morgen in Köln?")]),
        Some(WEATHER)
    );
    assert_eq!(route(&DESCRIBED, &[user("明天会下雨吗")]), Some(WEATHER));
}

#[test]
fn a_request_before_or_after_a_pasted_text_is_found() {
    let text = pasted(
        "The committee met on Tuesday and approved the minutes of its last meeting.",
        40,
    );
    let before = format!("Write a function that counts the words of this text.\n{text}");
    let after = format!("{text}\nWrite a function that counts the words of this text.");
    let scores = TRAINED.classify(&[user(&before)]);
    assert_eq!(
        (scores.decide(DEFAULT_THRESHOLD), scores.view),
        (Some(CODE), View::Head)
    );
    let scores = TRAINED.classify(&[user(&after)]);
    assert_eq!(
        (scores.decide(DEFAULT_THRESHOLD), scores.view),
        (Some(CODE), View::Tail)
    );
}

#[test]
fn a_request_between_pasted_texts_is_found_by_its_paragraph() {
    let text = pasted(
        "The committee met on Tuesday and approved the minutes of its last meeting.",
        15,
    );
    let request = "Write a function that counts the words of this text.";
    let scores = TRAINED.classify(&[user(&format!("{text}\n\n{request}\n\n{text}"))]);
    assert_eq!(
        (scores.decide(DEFAULT_THRESHOLD), scores.view),
        (Some(CODE), View::Middle)
    );
    let scores = TRAINED.classify(&[user(&format!("{text}\n\n{text}\n\n{text}"))]);
    assert_eq!(scores.decide(DEFAULT_THRESHOLD), None);
}

#[test]
fn instructions_about_the_answer_do_not_decide() {
    let prompt = "You are a helpful assistant. Answer concisely. Will it rain in Oslo tomorrow?";
    assert_eq!(route(&TRAINED, &[user(prompt)]), Some(WEATHER));
}

#[test]
fn a_reply_stays_on_the_route_of_the_conversation() {
    let turns = [
        user("find me a hotel near the station in Porto"),
        assistant("For which nights?"),
        user("from the third to the fifth"),
    ];
    let scores = TRAINED.classify(&turns);
    assert_eq!(
        (scores.held, scores.decide(DEFAULT_THRESHOLD)),
        (Some(TRAVEL), Some(TRAVEL))
    );
}

#[test]
fn a_reply_alone_stays_on_a_route_that_is_known_from_elsewhere() {
    let reply = [user("from the third to the fifth")];
    assert_ne!(TRAINED.classify(&reply).decide(DEFAULT_THRESHOLD), Some(TRAVEL));
    let scores = TRAINED.classify_after(&reply, Some(TRAVEL));
    assert_eq!(
        (scores.held, scores.decide(DEFAULT_THRESHOLD)),
        (Some(TRAVEL), Some(TRAVEL))
    );
    let new = [user("will it rain tomorrow in Porto, do I need an umbrella")];
    let scores = TRAINED.classify_after(&new, Some(TRAVEL));
    assert_eq!(scores.decide(DEFAULT_THRESHOLD), Some(WEATHER));
    // A route that is none says nothing.
    assert_eq!(TRAINED.classify_after(&reply, Some(99)), TRAINED.classify(&reply));
}

#[test]
fn a_new_request_leaves_the_route_of_the_conversation() {
    let turns = [
        user("find me a hotel near the station in Porto"),
        assistant("The Star has rooms."),
        user("will it rain tomorrow in Porto, do I need an umbrella"),
    ];
    assert_eq!(route(&TRAINED, &turns), Some(WEATHER));
}

#[test]
fn the_end_of_a_conversation_belongs_to_no_route() {
    let turns = [
        user("find me a hotel near the station in Porto"),
        assistant("I booked the Star. Anything else?"),
        user("no, that is all, thank you, goodbye"),
    ];
    let scores = TRAINED.classify(&turns);
    assert!(scores.closing);
    assert_eq!(scores.decide(DEFAULT_THRESHOLD), None);
}

#[test]
fn what_the_system_or_a_tool_says_changes_nothing() {
    let system = Turn {
        role: Role::System,
        text: "play music, songs and playlists",
    };
    let alone = TRAINED.classify(&[user("will it rain")]);
    assert_eq!(TRAINED.classify(&[system, user("will it rain"), system]), alone);
}

#[test]
fn without_words_there_is_no_route() {
    for turns in [&[][..], &[user("")], &[user("  \n ")], &[assistant("hello")]] {
        assert_eq!(route(&TRAINED, turns), None);
    }
    let none = Classifier::compile(ENCODER.clone(), &TrainingSet::default());
    assert_eq!(none.classify(&[user("hello")]).other, 1.0);
}

#[test]
fn a_route_needs_the_threshold_and_more_than_none() {
    let mut scores = Scores {
        routes: vec![0.3, 0.4],
        other: 0.3,
        ..TRAINED.classify(&[user("rain")])
    };
    assert_eq!(scores.decide(0.4), Some(1));
    assert_eq!(scores.decide(0.41), None);
    scores.other = 0.4;
    assert_eq!(scores.decide(0.2), None);
    assert_eq!(scores.confidence(0.2), 0.4);
}

#[test]
fn the_order_of_routes_changes_their_places_and_nothing_else() {
    let mut reversed = set(false);
    reversed.routes.reverse();
    let reversed = Classifier::compile(ENCODER.clone(), &reversed);
    for prompt in ["play a song", "rain and wind", "book a train", "hello"] {
        let (a, mut b) = (
            DESCRIBED.classify(&[user(prompt)]),
            reversed.classify(&[user(prompt)]),
        );
        b.routes.reverse();
        for (a, b) in a.routes.iter().zip(&b.routes) {
            assert!((a - b).abs() < 1e-5, "{prompt}");
        }
    }
}

/// Every bit of every probability, whatever the machine and whatever the build's target CPU. When a change of the
/// classifier is meant to change its answers, the new digest is the one that this test prints.
#[test]
fn the_same_bits_come_out_on_every_machine() {
    let mut hash = blake3::Hasher::new();
    for classifier in [&*DESCRIBED, &*TRAINED] {
        for prompt in [
            "write a python function that parses dates",
            "Wie wird das Wetter morgen? 明天会下雨吗",
            "I have a list of trains. Some are late! Which of them goes to Vienna: the first one?",
        ] {
            let scores = classifier.classify(&[user("play a song"), assistant("Which?"), user(prompt)]);
            let one = classifier.classify(&[user(prompt)]);
            for p in [&scores, &one]
                .iter()
                .flat_map(|s| s.routes.iter().chain([&s.other]))
            {
                hash.update(&p.to_bits().to_le_bytes());
            }
        }
    }
    let digest = hash.finalize().to_hex();
    assert_eq!(&digest[..16], "f3b5f24bbca5a527");
}

#[test]
fn ten_thousand_routes_are_compiled_and_told_apart() {
    let words = [
        "alpha", "bravo", "carrot", "delta", "ember", "falcon", "garnet", "harbour", "island", "jungle",
    ];
    let route = |n: usize| {
        let digit = |place: u32| words[n / 10_usize.pow(place) % 10];
        RouteText {
            name: format!("route {n}"),
            description: format!("{} under{} over{} out{}", digit(0), digit(1), digit(2), digit(3)),
            examples: Vec::new(),
        }
    };
    let set = TrainingSet {
        routes: (0..10_000).map(route).collect(),
        other_examples: Vec::new(),
    };
    let classifier = Classifier::compile(ENCODER.clone(), &set);
    let scores = classifier.classify(&[user("delta underfalcon overisland outcarrot")]);
    assert_eq!(scores.best().unwrap().0, 2853);
}

fn any_turns() -> impl Strategy<Value = Vec<(u8, String)>> {
    let text = prop_oneof![
        "\\PC{0,400}",
        "([a-z]{1,12}[ .:!?\n]){0,120}",
        "[\u{0}-\u{ffff}]{0,80}",
        Just("word. ".repeat(3000)),
        Just("雨".repeat(5000)),
        Just("x".repeat(100_000)),
    ];
    proptest::collection::vec((0u8..3, text), 0..6)
}

proptest! {
    #[test]
    fn any_conversation_gives_probabilities(turns in any_turns()) {
        let turns: Vec<Turn<'_>> = turns
            .iter()
            .map(|(role, text)| Turn {
                role: [Role::System, Role::User, Role::Assistant][usize::from(*role)],
                text,
            })
            .collect();
        for classifier in [&*DESCRIBED, &*TRAINED] {
            let scores = classifier.classify(&turns);
            let sum: f32 = scores.routes.iter().sum::<f32>() + scores.other;
            prop_assert!((sum - 1.0).abs() < 1e-4, "{sum}");
            prop_assert!(scores.routes.iter().all(|p| (0.0..=1.0).contains(p)));
            prop_assert_eq!(classifier.classify(&turns), scores);
        }
    }
}
