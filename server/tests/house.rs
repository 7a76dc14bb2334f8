//! The rules of the house that no compiler keeps: the arrow between the crates, the lints, the size of files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::{Path, PathBuf};

/// A file longer than this holds two things.
const MAX_LINES: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifest(package: &str) -> String {
    fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap()
}

/// The names under `[dependencies]`.
fn dependencies(package: &str) -> Vec<String> {
    let manifest = manifest(package);
    let (_, section) = manifest.split_once("\n[dependencies]\n").unwrap();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| Some(line.split_once(['.', ' ', '='])?.0.to_owned()))
        .filter(|n| !n.is_empty())
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_core_and_the_classifier_depend_on_nothing_that_does_io() {
    for package in ["server/decide", "server/evidence"] {
        for name in dependencies(package) {
            let allowed = [
                "blake3",
                "cel",
                "foldhash",
                "hex",
                "libm",
                "model2vec-rs",
                "pulp",
                "regex",
                "saphyr-parser",
                "serde",
                "serde_json",
                "sha2",
                "strsim",
                "thiserror",
                "tokenizers",
                "safetensors",
                "unicode-normalization",
                "unicode-general-category",
            ];
            assert!(
                allowed.contains(&name.as_str()),
                "{package} depends on `{name}`; keep IO, clocks and async out of it"
            );
        }
    }
}

#[test]
fn the_core_does_not_know_the_server_and_the_client_does_not_either() {
    for package in ["server/decide", "server/evidence", "server/llm", "client"] {
        assert!(
            !dependencies(package).iter().any(|name| name == "signalbox"),
            "{package} must not depend on the server"
        );
    }
    assert!(
        !dependencies("server/decide")
            .iter()
            .any(|name| name.starts_with("signalbox"))
    );
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    for package in [
        ".",
        "client",
        "server",
        "server/decide",
        "server/evidence",
        "server/llm",
    ] {
        assert!(
            manifest(package).contains("[lints]\nworkspace = true"),
            "{package}/Cargo.toml lacks the workspace's lints"
        );
    }
}

#[test]
fn files_stay_small_and_say_what_they_are() {
    let mut files = Vec::new();
    for folder in [
        "proto",
        "client/src",
        "server/src",
        "server/decide/src",
        "server/evidence/src",
        "server/llm/src",
        "server/tests",
        "server/evidence/tests",
        "server/llm/tests",
    ] {
        sources(&root().join(folder), &mut files);
    }
    assert!(files.len() > 50);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        assert!(
            lines <= MAX_LINES,
            "{} has {lines} lines: it holds two things",
            file.display()
        );
        let is_tests = file.file_stem().is_some_and(|stem| stem == "tests");
        assert!(
            is_tests || text.starts_with("//!"),
            "{} does not begin with a line that says what it is",
            file.display()
        );
    }
}

/// The text between `<!-- name -->` and `<!-- /name -->`.
fn between<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<!-- {name} -->\n")).unwrap();
    rest.split_once(&format!("<!-- /{name} -->")).unwrap().0
}

/// `BLESS=1 cargo test -p signalbox --test house` writes the tables anew.
#[test]
fn the_tables_of_the_readme_are_those_of_the_code() {
    let file = root().join("README.md");
    let mut readme = fs::read_to_string(&file).unwrap();
    let tables = [
        ("settings", signalbox_server::config::settings::markdown()),
        ("metrics", signalbox_server::metrics::table::markdown()),
    ];
    for (name, table) in tables {
        let old = between(&readme, name).to_owned();
        if std::env::var_os("BLESS").is_some() {
            let (old, new) = (
                format!("<!-- {name} -->\n{old}<!--"),
                format!("<!-- {name} -->\n{table}<!--"),
            );
            readme = readme.replace(&old, &new);
            fs::write(&file, &readme).unwrap();
        } else {
            assert_eq!(old, table, "README's table of {name} is old; run with BLESS=1");
        }
    }
}

/// Editors read the committed file, so it must be what the binary prints.
#[test]
fn the_schema_in_the_repository_is_that_of_the_code() {
    for (what, schema) in [
        ("policy", signalbox_decide::policy::json_schema()),
        ("audit", signalbox_server::audit::schema()),
    ] {
        let file = root().join(format!("server/{what}.schema.json"));
        let committed = fs::read_to_string(file).unwrap_or_default();
        let committed: Option<serde_json::Value> = serde_json::from_str(&committed).ok();
        assert!(
            committed == Some(schema),
            "server/{what}.schema.json is old; run `cargo run --release --locked --bin signalbox -- {what} schema \
             > server/{what}.schema.json` at the root of the repository"
        );
    }
}
