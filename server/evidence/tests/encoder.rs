//! The encoder: what it says of directories that hold no model, and what its vectors promise.

use std::fs;
use std::path::Path;

use signalbox_evidence::{Encoder, EncoderError};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/static-minilm-256");

#[test]
fn a_path_that_is_no_directory_is_named() {
    let error = Encoder::from_dir(Path::new("/nowhere/at/all")).unwrap_err();
    assert!(matches!(error, EncoderError::NotADirectory(_)), "{error}");
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
}

#[test]
fn a_directory_without_one_of_the_files_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let error = Encoder::from_dir(folder.path()).unwrap_err();
    assert!(error.to_string().contains("tokenizer.json is missing"), "{error}");
    fs::copy(
        format!("{ASSETS}/tokenizer.json"),
        folder.path().join("tokenizer.json"),
    )
    .unwrap();
    let error = Encoder::from_dir(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains("model.safetensors is missing"),
        "{error}"
    );
}

#[test]
fn a_damaged_model_is_an_error_that_names_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        format!("{ASSETS}/tokenizer.json"),
        folder.path().join("tokenizer.json"),
    )
    .unwrap();
    let weights = fs::read(format!("{ASSETS}/model.safetensors")).unwrap();
    fs::write(
        folder.path().join("model.safetensors"),
        &weights[..weights.len() / 2],
    )
    .unwrap();
    let error = Encoder::from_dir(folder.path()).unwrap_err();
    assert!(matches!(error, EncoderError::Invalid { .. }), "{error}");
    assert!(
        error.to_string().contains(&folder.path().display().to_string()),
        "{error}"
    );
}

#[test]
fn a_model_from_a_directory_is_the_built_in_one_when_the_files_are() {
    let builtin = Encoder::builtin().unwrap();
    let loaded = Encoder::from_dir(Path::new(ASSETS)).unwrap();
    assert_eq!(loaded.digest(), builtin.digest());
    assert_eq!(loaded.embed("hello there"), builtin.embed("hello there"));
}

#[test]
fn vectors_have_length_one_and_nearness_means_something() {
    let encoder = Encoder::builtin().unwrap();
    let squares: f32 = encoder.embed("hotels and flights").iter().map(|v| v * v).sum();
    assert!((squares - 1.0).abs() < 1e-4);
    let near = encoder.similarity("book a hotel room", "reserve accommodation for the night");
    let far = encoder.similarity("book a hotel room", "the integral of a polynomial");
    assert!(near > far + 0.2, "{near} {far}");
}
