//! The sentence encoder: as near to the original as int8 comes, the same bits everywhere, and what it says of directories
//! that hold none.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use signalbox_evidence::{Transformer, TransformerError};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/minilm-l6-int8");
const TOKENIZER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/assets/static-minilm-256/tokenizer.json"
);

static BUILTIN: LazyLock<Arc<Transformer>> = LazyLock::new(|| Transformer::builtin().unwrap());

/// Pairs of texts with their cosine by the original in `f32`, computed with numpy.
const PAIRS: [(&str, &str, f32); 5] = [
    (
        "book a hotel room for two nights",
        "reserve accommodation in the city centre",
        0.4448,
    ),
    (
        "write a python function that parses dates",
        "fix the null pointer in this class",
        -0.0349,
    ),
    (
        "Wie wird das Wetter morgen in Köln?",
        "weather forecast for tomorrow",
        0.0897,
    ),
    ("明天会下雨吗", "will it rain tomorrow", 0.1385),
    (
        "the integral of a polynomial",
        "play the new album of that singer",
        0.0190,
    ),
];

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[test]
fn cosines_are_those_of_the_original() {
    for (a, b, wanted) in PAIRS {
        let got = cosine(&BUILTIN.embed(a), &BUILTIN.embed(b));
        assert!((got - wanted).abs() < 0.01, "{a} / {b}: {got}, not {wanted}");
    }
}

/// Every bit, whatever the machine, the build's target CPU and the optimiser.
#[test]
fn the_same_bits_come_out_on_every_machine() {
    let mut hash = blake3::Hasher::new();
    for (a, b, _) in PAIRS {
        for value in [a, b].iter().flat_map(|text| BUILTIN.embed(text)) {
            hash.update(&value.to_bits().to_le_bytes());
        }
    }
    assert_eq!(&hash.finalize().to_hex()[..16], "84250697df12cb1b");
}

#[test]
fn a_text_has_the_same_vector_alone_and_in_any_company() {
    let long = "and so on ".repeat(200);
    let mut texts: Vec<&str> = PAIRS.iter().flat_map(|(a, b, _)| [*a, *b]).collect();
    texts.extend(["", " ", "a", &long]);
    let together = BUILTIN.embed_all(&texts);
    assert_eq!(together.len(), texts.len());
    for (text, vector) in texts.iter().zip(together) {
        assert_eq!(BUILTIN.embed(text), vector, "{text}");
        assert!((cosine(&vector, &vector) - 1.0).abs() < 1e-4, "{text}");
    }
    assert!(BUILTIN.embed_all(&[]).is_empty());
}

#[test]
fn a_policy_s_texts_have_the_vectors_of_each_alone_in_their_order() {
    let long = "and so on ".repeat(200);
    let mut texts: Vec<&str> = PAIRS.iter().flat_map(|(a, b, _)| [*a, *b]).collect();
    texts.extend([&long, "", "a", PAIRS[0].0, "a"]);
    let encoder = Transformer::builtin().unwrap();
    for _ in ["anew", "remembered"] {
        let vectors = encoder.remembered(&texts);
        assert_eq!(vectors.len(), texts.len());
        for (text, vector) in texts.iter().zip(vectors) {
            assert_eq!(BUILTIN.embed(text), *vector, "{text}");
        }
    }
    assert!(encoder.remembered(&[]).is_empty());
}

#[test]
fn one_from_a_directory_is_the_built_in_one_when_the_files_are() {
    let folder = folder();
    let loaded = Transformer::from_dir(folder.path()).unwrap();
    assert_eq!(loaded.digest(), BUILTIN.digest());
    assert_eq!(loaded.embed("hello there"), BUILTIN.embed("hello there"));
}

#[test]
fn what_is_no_encoder_is_an_error_that_names_the_file() {
    let error = Transformer::from_dir(Path::new("/nowhere/at/all")).unwrap_err();
    assert!(matches!(error, TransformerError::NotADirectory(_)), "{error}");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let folder = folder();
        fs::remove_file(folder.path().join(file)).unwrap();
        let error = Transformer::from_dir(folder.path()).unwrap_err();
        assert!(error.to_string().contains(file), "{error}");
        fs::write(folder.path().join(file), "{}").unwrap();
        let error = Transformer::from_dir(folder.path()).unwrap_err();
        assert!(matches!(error, TransformerError::Invalid { .. }), "{error}");
        assert!(error.to_string().contains(file), "{error}");
    }
    for (from, to) in [
        ("\"bert\"", "\"gpt2\""),
        ("\"num_attention_heads\": 12", "\"num_attention_heads\": 7"),
        ("\"intermediate_size\": 1536", "\"intermediate_size\": 1000"),
        ("\"num_hidden_layers\": 6", "\"num_hidden_layers\": 7"),
    ] {
        let folder = folder();
        let path = folder.path().join("config.json");
        let config = fs::read_to_string(&path).unwrap();
        assert!(config.contains(from));
        fs::write(&path, config.replace(from, to)).unwrap();
        let error = Transformer::from_dir(folder.path()).unwrap_err();
        assert!(matches!(error, TransformerError::Invalid { .. }), "{error}");
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(format!("{ASSETS}/{file}"), folder.path().join(file)).unwrap();
    }
    fs::copy(TOKENIZER, folder.path().join("tokenizer.json")).unwrap();
    folder
}
