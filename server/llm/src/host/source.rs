//! Which model: what a setting names, and whether the files are there. Only `hf:` ever leads to the network.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::Value;
use thiserror::Error;

/// Files next to the weights without which a prompt cannot be written.
const WORDS: [&str; 2] = ["tokenizer.json", "tokenizer_config.json"];

/// Endings of the names of files that mistral.rs may read.
const READ: [&str; 3] = [".json", ".jinja", ".safetensors"];

/// The list of the files that weights are spread over.
const INDEX: &str = "model.safetensors.index.json";

/// A model's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A directory of safetensors with `config.json`, `tokenizer.json` and `tokenizer_config.json`.
    Directory(PathBuf),
    /// A GGUF file, and the directory of the model's `tokenizer.json` and `tokenizer_config.json`.
    Gguf {
        /// The file.
        file: PathBuf,
        /// The directory; best that of the original model, since a conversion keeps only part of a tokenizer.
        tokenizer: PathBuf,
    },
    /// A repository of the Hugging Face hub.
    Hub {
        /// `org/name`.
        name: String,
        /// A branch, tag or commit.
        revision: Option<String>,
    },
}

/// Why a setting names no model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceError {
    /// There is nothing of this name. A path is never taken for the name of a repository.
    #[error("`{0}` does not exist; a repository of the Hugging Face hub is written `hf:org/name@revision`")]
    Missing(String),
    /// Files are not there, or not of the wanted kind.
    #[error("`{directory}` lacks {}", .missing.join(", "))]
    Incomplete {
        /// The directory.
        directory: String,
        /// All that it lacks.
        missing: Vec<String>,
    },
    /// It is a file, but not a GGUF file.
    #[error("`{0}` is neither a directory of safetensors nor a .gguf file")]
    Unknown(String),
    /// What follows `hf:` is no repository.
    #[error("`{0}` is not of the form `hf:org/name` or `hf:org/name@revision`")]
    Repository(String),
}

impl FromStr for Source {
    type Err = SourceError;

    /// Reads a setting: `hf:org/name@revision`, or a path. The tokenizer of a GGUF file is taken from its directory.
    fn from_str(text: &str) -> Result<Self, SourceError> {
        if let Some(repository) = text.strip_prefix("hf:") {
            let (name, revision) = match repository.split_once('@') {
                Some((name, revision)) => (name, Some(revision)),
                None => (repository, None),
            };
            let is_word = |word: &str| {
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                !word.is_empty() && word.chars().all(is_plain)
            };
            let is_name = name
                .split_once('/')
                .is_some_and(|(org, name)| is_word(org) && is_word(name));
            if !is_name || revision == Some("") {
                return Err(SourceError::Repository(text.to_owned()));
            }
            return Ok(Self::Hub {
                name: name.to_owned(),
                revision: revision.map(str::to_owned),
            });
        }
        let path = PathBuf::from(text);
        if path.extension().is_some_and(|extension| extension == "gguf") {
            let tokenizer = path.parent().map_or_else(PathBuf::new, Path::to_owned);
            return Ok(Self::Gguf {
                file: path,
                tokenizer,
            });
        }
        Ok(Self::Directory(path))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) | Self::Gguf { file: path, .. } => path.display().fmt(f),
            Self::Hub { name, revision: None } => write!(f, "hf:{name}"),
            Self::Hub {
                name,
                revision: Some(revision),
            } => write!(f, "hf:{name}@{revision}"),
        }
    }
}

impl Source {
    /// Looks whether everything is there, before mistral.rs does: to it a path that does not exist is a repository.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub fn check(&self) -> Result<(), SourceError> {
        match self {
            Self::Directory(directory) => {
                if !directory.exists() {
                    return Err(SourceError::Missing(directory.display().to_string()));
                }
                if !directory.is_dir() {
                    return Err(SourceError::Unknown(directory.display().to_string()));
                }
                let mut missing = lacking(directory, ["config.json"].iter().chain(&WORDS));
                if !has_weights(directory) {
                    missing.push("model.safetensors (or model-00001-of-00002.safetensors, ...)".to_owned());
                }
                missing.extend(
                    shards(directory)
                        .into_iter()
                        .filter(|shard| !directory.join(shard).is_file()),
                );
                complete(directory, missing)
            }
            Self::Gguf { file, tokenizer } => {
                if !file.is_file() {
                    return Err(SourceError::Missing(file.display().to_string()));
                }
                complete(tokenizer, lacking(tokenizer, WORDS.iter()))
            }
            Self::Hub { .. } => Ok(()),
        }
    }
}

fn lacking<'a>(directory: &Path, names: impl Iterator<Item = &'a &'a str>) -> Vec<String> {
    names
        .filter(|name| !directory.join(name).is_file())
        .map(|name| (*name).to_owned())
        .collect()
}

fn complete(directory: &Path, missing: Vec<String>) -> Result<(), SourceError> {
    if missing.is_empty() {
        return Ok(());
    }
    Err(SourceError::Incomplete {
        directory: directory.display().to_string(),
        missing,
    })
}

/// Whether a file of weights has one of the names that mistral.rs looks for.
fn has_weights(directory: &Path) -> bool {
    let is_weights = |name: &str| {
        let stem = name.strip_suffix(".safetensors");
        stem.is_some_and(|stem| stem == "model" || stem == "consolidated" || stem.starts_with("model-"))
    };
    let mut entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name().to_str().is_some_and(is_weights))
}

/// The files that the weights are spread over; none where there is no readable list of them.
fn shards(directory: &Path) -> BTreeSet<String> {
    let list = fs::read(directory.join(INDEX)).unwrap_or_default();
    let list: Value = serde_json::from_slice(&list).unwrap_or_default();
    let files = list["weight_map"].as_object().into_iter().flatten();
    files
        .filter_map(|(_, file)| file.as_str().map(str::to_owned))
        .collect()
}

/// Whether mistral.rs may read a file of this name.
pub(super) fn is_of_model(name: &str) -> bool {
    READ.iter().any(|ending| name.ends_with(ending))
}
