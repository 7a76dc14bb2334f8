//! Settings nobody would write: whatever stands in the file, the environment and the flags, it is a configuration that
//! reads back as itself, or every wrong value is named at once.

use std::fs;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as Runs, RngAlgorithm, TestRng, TestRunner};

use super::*;

/// `SIGNALBOX_FUZZ_CASES`, or what takes seconds.
fn cases() -> usize {
    let wanted = std::env::var("SIGNALBOX_FUZZ_CASES").ok();
    wanted.map_or(100_000, |text| {
        text.parse().expect("SIGNALBOX_FUZZ_CASES is a number")
    })
}

/// A value and whether it is wrong.
type Written = (String, bool);

/// What somebody writes for a setting: mostly right, sometimes out of range, of another kind, or anything.
fn value(setting: &'static Setting) -> BoxedStrategy<Written> {
    let right = |text: String| (text, false);
    let wrong = |text: &str| Just((text.to_owned(), true)).boxed();
    let port = (1u16..=u16::MAX)
        .prop_map(move |port| right(format!("127.0.0.2:{port}")))
        .boxed();
    let own = if setting.key == "metrics" { ".3:" } else { ".4:" };
    let (good, bad) = match setting.kind {
        Kind::Address => (port, wrong("localhost")),
        // Never the address of another, which would be a problem of both together.
        Kind::AddressOrOff => (
            prop_oneof![
                Just(right("off".into())),
                port.prop_map(|(text, bad)| (text.replace(".2:", own), bad))
            ]
            .boxed(),
            wrong("on"),
        ),
        // What must go together has tests of its own: here there is no language model.
        Kind::Text if setting.key == "llm.path" => {
            let none = Just(right(String::new())).boxed();
            let hosts = cfg!(feature = "mistralrs");
            (none.clone(), if hosts { none } else { wrong("a/model") })
        }
        Kind::Text if setting.key == "llm.remote.url" => {
            (Just(right(String::new())).boxed(), wrong("nowhere"))
        }
        Kind::Text if setting.key.starts_with("llm.remote") => (
            Just(right(String::new())).boxed(),
            Just(right(String::new())).boxed(),
        ),
        // Nor certificates, nor anything shared.
        Kind::Text
            if ["tls.", "shared.", "admin.client_names"]
                .iter()
                .any(|own| setting.key.starts_with(own)) =>
        {
            (
                Just(right(String::new())).boxed(),
                Just(right(String::new())).boxed(),
            )
        }
        Kind::Bool if ["llm.required", "http.console"].contains(&setting.key) => {
            (Just(right("false".into())).boxed(), wrong("perhaps"))
        }
        Kind::Text => (
            "[a-z/. ']{1,12}".prop_map(right).boxed(),
            "[a-z]{1,3}".prop_map(right).boxed(),
        ),
        Kind::Integer { min, max } => {
            let outside = if min > 0 {
                (min - 1).to_string()
            } else {
                (max + 1).to_string()
            };
            let inside = prop_oneof![Just(min), Just(max), min..=max];
            (
                inside.prop_map(move |n| right(n.to_string())).boxed(),
                prop_oneof![wrong(&outside), wrong("many"), wrong("-1")].boxed(),
            )
        }
        Kind::Share => (
            (0u32..=1000)
                .prop_map(move |n| right((f64::from(n) / 1000.0).to_string()))
                .boxed(),
            prop_oneof![wrong("1.5"), wrong("-0.1"), wrong("NaN"), wrong("some")].boxed(),
        ),
        Kind::Bool => (
            any::<bool>().prop_map(move |b| right(b.to_string())).boxed(),
            wrong("perhaps"),
        ),
        Kind::Word(words) => (
            prop::sample::select(words)
                .prop_map(move |word| right(word.into()))
                .boxed(),
            wrong("loud"),
        ),
    };
    prop_oneof![15 => good, 1 => bad].boxed()
}

/// Where a value is written: nowhere, in the file, in the environment, as a flag.
fn places() -> Vec<BoxedStrategy<(&'static Setting, u8, Written)>> {
    SETTINGS
        .iter()
        .map(|setting| (Just(setting), 0u8..6, value(setting)).boxed())
        .collect()
}

/// Keys and values of the file as YAML of one level, and as nested sections.
fn file_text(entries: &[(&'static str, String)], odd: &str) -> String {
    let mut text = String::new();
    for (key, value) in entries {
        text += &format!("{key}: '{}'\n", value.replace('\'', "''"));
    }
    text + odd
}

#[test]
fn any_configuration_reads_back_as_itself_or_names_every_wrong_value() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("signalbox.yaml");
    let again = directory.path().join("again.yaml");
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(Runs::default(), rng);
    let odd = prop_oneof![12 => Just(String::new()), 1 => "zebra: 1\n", 1 => "\\PC{0,30}", 1 => "[ a-z:\\[\\]{}'\"#\n-]{0,30}"];
    let strategy = (places(), odd);
    let (mut right, mut refused, cases) = (0, 0, cases());
    for number in 0..cases {
        let (written, odd) = strategy.new_tree(&mut runner).unwrap().current();
        let (mut inputs, mut entries, mut wrong) = (Inputs::default(), Vec::new(), Vec::new());
        for (setting, place, (value, bad)) in written {
            match place {
                1 => entries.push((setting.key, value)),
                2 => inputs.variables.push((setting.variable().into(), value.into())),
                3 => inputs.flags.push((setting.key, value)),
                _ => continue,
            }
            if bad {
                wrong.push(setting.key);
            }
        }
        if !entries.is_empty() || !odd.is_empty() {
            fs::write(&path, file_text(&entries, &odd)).unwrap();
            inputs.file = Some(path.clone());
        }
        match load(&inputs) {
            Ok((config, raw)) => {
                right += 1;
                assert_eq!(wrong, Vec::<&str>::new(), "{inputs:?}");
                if number % 10 == 0 {
                    fs::write(&again, raw.to_yaml()).unwrap();
                    let inputs = Inputs {
                        file: Some(again.clone()),
                        ..Inputs::default()
                    };
                    assert_eq!(load(&inputs).unwrap().0, config, "{}", raw.to_yaml());
                }
            }
            Err(problems) => {
                refused += 1;
                assert!(
                    problems.iter().all(|problem| !problem.message.is_empty()),
                    "{problems:?}"
                );
                // A file that cannot be read hides what stands in it; it is named itself.
                let unreadable = problems.iter().any(|problem| problem.key.is_empty());
                for key in wrong {
                    assert!(
                        unreadable || problems.iter().any(|problem| problem.key == key),
                        "{key}: {problems:?} for {inputs:?}"
                    );
                }
            }
        }
    }
    assert!(
        right > cases / 5 && refused > cases / 5,
        "{right} right, {refused} refused"
    );
}
