//! The static sentence embedding: token rows averaged and L2-normalised, by `model2vec-rs`.
//!
//! `Classifier::compile` and the lints use it. The table compiled into the library is 30,522 WordPiece tokens by
//! 256 dimensions; any Model2Vec directory can stand in for it. Same text, same weights, same bits everywhere:
//! sums run in token order and nothing here depends on the CPU.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model2vec_rs::model::StaticModel;

use crate::linear::dot;

const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";
/// Where sentence-transformers keeps a static embedding inside its own directory.
const NESTED: &str = "0_StaticEmbedding";

static BUILTIN_TOKENIZER: &[u8] = include_bytes!("../assets/static-minilm-256/tokenizer.json");
static BUILTIN_WEIGHTS: &[u8] = include_bytes!("../assets/static-minilm-256/model.safetensors");

/// Why an embedding could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// The path does not exist or is a file.
    #[error("{0}: not a directory; give the directory of a Model2Vec model")]
    NotADirectory(PathBuf),
    /// One of the two files that make a Model2Vec model is not there.
    #[error(
        "{directory}: {file} is missing; a Model2Vec directory holds tokenizer.json and model.safetensors"
    )]
    MissingFile {
        /// The directory that was searched.
        directory: PathBuf,
        /// The file that is not in it.
        file: &'static str,
    },
    /// A file is there but could not be read.
    #[error("{path}: cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The files were read but are not a usable model.
    #[error("{path}: not a usable Model2Vec model: {reason}")]
    Invalid {
        /// The directory, or `builtin`.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A static embedding model. Cheap to share, safe to use from many threads.
pub struct Encoder {
    model: StaticModel,
    digest: String,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("dims", &self.dims())
            .field("digest", &self.digest)
            .finish()
    }
}

impl Encoder {
    /// The model compiled into the library. It takes about 20 ms and 10 MB; call it once and share the result.
    ///
    /// # Errors
    /// Only if the library was built with damaged assets.
    pub fn builtin() -> Result<Arc<Self>, EncoderError> {
        Self::from_parts(Path::new("builtin"), BUILTIN_TOKENIZER, BUILTIN_WEIGHTS)
    }

    /// A Model2Vec model from its directory (`tokenizer.json` and `model.safetensors`, also one level down in
    /// `0_StaticEmbedding`).
    ///
    /// # Errors
    /// Names the file that is missing, unreadable or not a model.
    pub fn from_dir(directory: &Path) -> Result<Arc<Self>, EncoderError> {
        if !directory.is_dir() {
            return Err(EncoderError::NotADirectory(directory.to_owned()));
        }
        let nested = directory.join(NESTED);
        let base = if nested.join(WEIGHTS).is_file() {
            nested
        } else {
            directory.to_owned()
        };
        let read = |file: &'static str| {
            let path = base.join(file);
            if !path.is_file() {
                return Err(EncoderError::MissingFile {
                    directory: base.clone(),
                    file,
                });
            }
            std::fs::read(&path).map_err(|source| EncoderError::Unreadable { path, source })
        };
        let (tokenizer, weights) = (read(TOKENIZER)?, read(WEIGHTS)?);
        Self::from_parts(directory, &tokenizer, &weights)
    }

    fn from_parts(path: &Path, tokenizer: &[u8], weights: &[u8]) -> Result<Arc<Self>, EncoderError> {
        let model = StaticModel::from_bytes(tokenizer, weights, b"{}", Some(true)).map_err(|e| {
            EncoderError::Invalid {
                path: path.to_owned(),
                reason: format!("{e:#}"),
            }
        })?;
        let mut hasher = blake3::Hasher::new();
        for part in [tokenizer, weights] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Ok(Arc::new(Self {
            model,
            digest: hasher.finalize().to_hex().to_string(),
        }))
    }

    /// The embedding of a text, of length 1; all zeros for a text without a known token. Only about the first 500
    /// tokens count.
    #[must_use]
    pub fn embed(&self, text: &str) -> Vec<f32> {
        self.model.encode_single(text)
    }

    /// The number of values in an embedding.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.model.dim()
    }

    /// The identity of the weights and the tokenizer: 64 hexadecimal digits (BLAKE3).
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The cosine of two texts, -1 to 1: how much they are about the same thing. Above about 0.8 two route
    /// descriptions are hard to tell apart.
    #[must_use]
    pub fn similarity(&self, a: &str, b: &str) -> f32 {
        dot(&self.embed(a), &self.embed(b))
    }
}
