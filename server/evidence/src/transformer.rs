//! The sentence encoder: a small BERT that reads a text as a whole, where the static table only averages its words.
//!
//! A hundred times the work of the first tier, so it is asked only where that one is unsure. Weights are int8,
//! activations 13 bits, and products are summed in `i32`, which is exact in any order; the rest is `f32` in a fixed order
//! without a function of the CPU's or the platform's. So a text has one vector: on every CPU, in every build, alone or
//! in a batch.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokenizers::{Tokenizer, TruncationParams};

use crate::linear::dot;

mod attention;
mod forward;
mod lanes;
mod math;
mod matrix;
mod memory;
mod weights;

use memory::Memory;
use weights::{Source, Weights};

/// Tokens of a text that are read, its start and end marks among them: what the built-in model was trained with.
const TOKENS: usize = 128;
/// Tokens that go through the layers together: enough to read each weight for many of them, few enough to stay in cache.
const BATCH: usize = 256;

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";

static BUILTIN_CONFIG: &[u8] = include_bytes!("../assets/minilm-l6-int8/config.json");
static BUILTIN_WEIGHTS: &[u8] = include_bytes!("../assets/minilm-l6-int8/model.safetensors");
/// The static table's, whose words are the same.
static BUILTIN_TOKENIZER: &[u8] = include_bytes!("../assets/static-minilm-256/tokenizer.json");

/// Why an encoder could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum TransformerError {
    /// The path does not exist or is a file.
    #[error("{0}: not a directory; give the directory of a BERT sentence encoder")]
    NotADirectory(PathBuf),
    /// A file is missing or cannot be read.
    #[error(
        "{path}: cannot be read: {source}; an encoder is config.json, tokenizer.json and model.safetensors"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The files were read but are not a usable encoder.
    #[error("{path}: not a usable encoder: {reason}")]
    Invalid {
        /// The directory, or `builtin`.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A sentence encoder. Cheap to share, safe to use from many threads.
pub struct Transformer {
    tokenizer: Tokenizer,
    weights: Weights,
    memory: Memory,
    digest: String,
}

impl std::fmt::Debug for Transformer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transformer")
            .field("dims", &self.dims())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Transformer {
    /// The encoder compiled into the library: all-MiniLM-L6-v2, 384 dimensions. It takes about 60 ms and 20 MB beside the
    /// 23 MB of weights in the binary, half of which are laid out anew for the CPU; call it once and share the result.
    ///
    /// # Errors
    /// Only if the library was built with damaged assets.
    pub fn builtin() -> Result<Arc<Self>, TransformerError> {
        let source = Source::Static(BUILTIN_WEIGHTS);
        Self::from_parts(Path::new("builtin"), BUILTIN_CONFIG, BUILTIN_TOKENIZER, source)
    }

    /// An encoder from its directory: `config.json` (a BERT), `tokenizer.json` and `model.safetensors`, in `f32` or as the
    /// built-in one's. Its texts' vectors are the means of their tokens'.
    ///
    /// # Errors
    /// Names the file that is missing, unreadable or not part of an encoder.
    pub fn from_dir(directory: &Path) -> Result<Arc<Self>, TransformerError> {
        if !directory.is_dir() {
            return Err(TransformerError::NotADirectory(directory.to_owned()));
        }
        let read = |file: &str| {
            let path = directory.join(file);
            fs::read(&path).map_err(|source| TransformerError::Unreadable { path, source })
        };
        let (config, tokenizer, weights) = (read(CONFIG)?, read(TOKENIZER)?, read(WEIGHTS)?);
        Self::from_parts(directory, &config, &tokenizer, Source::Read(&weights))
    }

    fn from_parts(
        path: &Path,
        config: &[u8],
        tokenizer: &[u8],
        weights: Source<'_>,
    ) -> Result<Arc<Self>, TransformerError> {
        let invalid = |reason: String| TransformerError::Invalid {
            path: path.to_owned(),
            reason,
        };
        let mut hasher = blake3::Hasher::new();
        for part in [config, tokenizer, weights.bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut tokenizer =
            Tokenizer::from_bytes(tokenizer).map_err(|e| invalid(format!("{TOKENIZER}: {e}")))?;
        let weights = Weights::read(config, weights).map_err(invalid)?;
        let truncation = TruncationParams {
            max_length: TOKENS.min(weights.positions()),
            ..TruncationParams::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|e| invalid(format!("{TOKENIZER}: {e}")))?;
        tokenizer.with_padding(None);
        if tokenizer.get_vocab_size(true) > weights.words() {
            return Err(invalid(format!(
                "{TOKENIZER} has {} tokens, {WEIGHTS} only {}",
                tokenizer.get_vocab_size(true),
                weights.words()
            )));
        }
        Ok(Arc::new(Self {
            tokenizer,
            weights,
            memory: Memory::default(),
            digest: hasher.finalize().to_hex().to_string(),
        }))
    }

    /// The embedding of a text, of length 1. About 2 ms for ten words on one core, and as much more as it is longer, up to 128
    /// tokens.
    #[must_use]
    pub fn embed(&self, text: &str) -> Vec<f32> {
        self.embed_all(&[text]).pop().unwrap_or_default()
    }

    /// The embeddings of texts, the same as one by one, and faster: short ones go through the layers together.
    #[must_use]
    pub fn embed_all(&self, texts: &[&str]) -> Vec<Vec<f32>> {
        let mut out = Vec::with_capacity(texts.len());
        let (mut batch, mut tokens) = (Vec::new(), 0);
        for text in texts {
            let ids = self.tokens(text);
            if tokens + ids.len() > BATCH && !batch.is_empty() {
                out.extend(self.pooled(&std::mem::take(&mut batch)));
                tokens = 0;
            }
            tokens += ids.len();
            batch.push(ids);
        }
        out.extend(self.pooled(&batch));
        out
    }

    /// Mean of the tokens' vectors, of length 1.
    fn pooled(&self, batch: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let hidden = self.weights.forward(batch);
        let mut rows = hidden.chunks_exact(self.dims());
        let mean = |ids: &Vec<u32>| {
            let mut sum = vec![0.0; self.dims()];
            for row in rows.by_ref().take(ids.len()) {
                for (sum, value) in sum.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            let length = dot(&sum, &sum).sqrt().max(1e-9);
            sum.iter().map(|value| value / length).collect()
        };
        batch.iter().map(mean).collect()
    }

    /// A text's tokens; none where the tokenizer knows nothing of it.
    fn tokens(&self, text: &str) -> Vec<u32> {
        let encoding = self.tokenizer.encode_fast(text, true);
        encoding.map(|e| e.get_ids().to_vec()).unwrap_or_default()
    }

    /// The number of values in an embedding.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.weights.dims()
    }

    /// The identity of weights and tokenizer: 64 hexadecimal digits (BLAKE3).
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}
