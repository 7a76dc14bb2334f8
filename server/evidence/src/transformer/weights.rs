//! An encoder's weights from a safetensors file, by the names that Hugging Face's BERT gives them.
//!
//! A matrix is int8 with `NAME.scale`, or `f32` and made int8 here, row by row.

use std::borrow::Cow;

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use super::matrix::{LONGEST, Linear, Matrix};

/// Where a file's bytes are.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// In the binary, for good: matrices are read where they lie.
    Static(&'static [u8]),
    /// In memory for now.
    Read(&'a [u8]),
}

impl<'a> Source<'a> {
    pub(super) fn bytes(&self) -> &'a [u8] {
        match *self {
            Source::Static(bytes) => bytes,
            Source::Read(bytes) => bytes,
        }
    }
}

/// What `config.json` says; the rest of it changes nothing here.
#[derive(Deserialize)]
struct Config {
    model_type: String,
    hidden_act: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    layer_norm_eps: f32,
}

/// All that the layers need.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) words: Matrix,
    /// A row for each position.
    pub(super) positions: Vec<f32>,
    /// That all is one sentence.
    pub(super) kind: Vec<f32>,
    pub(super) after_words: Norm,
    pub(super) layers: Vec<Layer>,
    pub(super) heads: usize,
    pub(super) epsilon: f32,
}

#[derive(Debug)]
pub(super) struct Norm {
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

#[derive(Debug)]
pub(super) struct Layer {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) out: Linear,
    pub(super) after_attention: Norm,
    pub(super) up: Linear,
    pub(super) down: Linear,
    pub(super) after_feed: Norm,
}

impl Weights {
    pub(super) fn read(config: &[u8], source: Source<'_>) -> Result<Self, String> {
        let config: Config = serde_json::from_slice(config).map_err(|e| format!("config.json: {e}"))?;
        config.check()?;
        let file = File {
            tensors: SafeTensors::deserialize(source.bytes())
                .map_err(|e| format!("model.safetensors: {e}"))?,
            source,
        };
        let (dims, inner) = (config.hidden_size, config.intermediate_size);
        let layer = |number: usize| {
            let name = |part: &str| format!("encoder.layer.{number}.{part}");
            let linear = |part: &str, outs, columns| file.linear(&name(part), outs, columns);
            Ok(Layer {
                query: linear("attention.self.query", dims, dims)?,
                key: linear("attention.self.key", dims, dims)?,
                value: linear("attention.self.value", dims, dims)?,
                out: linear("attention.output.dense", dims, dims)?,
                after_attention: file.norm(&name("attention.output.LayerNorm"), dims)?,
                up: linear("intermediate.dense", inner, dims)?,
                down: linear("output.dense", dims, inner)?,
                after_feed: file.norm(&name("output.LayerNorm"), dims)?,
            })
        };
        let mut kind = file.floats("embeddings.token_type_embeddings.weight", None, dims)?;
        kind.truncate(dims);
        Ok(Self {
            words: file.matrix("embeddings.word_embeddings.weight", None, dims)?,
            positions: file.floats("embeddings.position_embeddings.weight", None, dims)?,
            kind,
            after_words: file.norm("embeddings.LayerNorm", dims)?,
            layers: (0..config.num_hidden_layers)
                .map(layer)
                .collect::<Result<_, String>>()?,
            heads: config.num_attention_heads,
            epsilon: config.layer_norm_eps,
        })
    }

    /// Values of a vector.
    pub(super) fn dims(&self) -> usize {
        self.kind.len()
    }

    /// The most tokens of a text.
    pub(super) fn positions(&self) -> usize {
        self.positions.len() / self.dims()
    }

    /// Tokens that have a vector.
    pub(super) fn words(&self) -> usize {
        self.words.rows()
    }
}

impl Config {
    fn check(&self) -> Result<(), String> {
        let Self {
            model_type,
            hidden_act,
            hidden_size,
            intermediate_size,
            num_attention_heads: heads,
            ..
        } = self;
        if model_type != "bert" || hidden_act != "gelu" {
            return Err(format!(
                "config.json: model_type `{model_type}` with hidden_act `{hidden_act}`; only `bert` with `gelu` is read"
            ));
        }
        let sizes = [*hidden_size, *intermediate_size];
        if sizes.iter().any(|size| !(1..=LONGEST).contains(size)) || *heads == 0 || hidden_size % heads != 0 {
            return Err(format!(
                "config.json: hidden_size {hidden_size} (of {heads} heads) and intermediate_size {intermediate_size} must be 1 to {LONGEST}, \
                 the first a multiple of the heads"
            ));
        }
        Ok(())
    }
}

struct File<'a> {
    tensors: SafeTensors<'a>,
    source: Source<'a>,
}

impl<'a> File<'a> {
    /// A tensor's bytes, checked to be rows (any number, unless it is given) of `columns` values.
    fn tensor(&self, name: &str, rows: Option<usize>, columns: usize) -> Result<(Dtype, &'a [u8]), String> {
        let tensor = self
            .tensors
            .tensor(name)
            .map_err(|e| format!("model.safetensors: {e}"))?;
        let count: usize = tensor.shape().iter().product();
        if count == 0 || !count.is_multiple_of(columns) || rows.is_some_and(|rows| count != rows * columns) {
            return Err(format!(
                "model.safetensors: `{name}` has the shape {:?}, not that of config.json",
                tensor.shape()
            ));
        }
        Ok((tensor.dtype(), tensor.data()))
    }

    fn floats(&self, name: &str, rows: Option<usize>, columns: usize) -> Result<Vec<f32>, String> {
        match self.tensor(name, rows, columns)? {
            (Dtype::F32, bytes) => Ok(bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b))
                .collect()),
            (other, _) => Err(format!("model.safetensors: `{name}` is {other:?}, not F32")),
        }
    }

    fn matrix(&self, name: &str, rows: Option<usize>, columns: usize) -> Result<Matrix, String> {
        let (dtype, bytes) = self.tensor(name, rows, columns)?;
        if dtype != Dtype::I8 {
            return Ok(quantised(&self.floats(name, rows, columns)?, columns));
        }
        let scales = self.floats(&format!("{name}.scale"), Some(bytes.len() / columns), 1)?;
        let weights = match self.source {
            Source::Static(all) => {
                // A tensor lies within the file.
                let start = bytes.as_ptr() as usize - all.as_ptr() as usize;
                Cow::Borrowed(&all[start..start + bytes.len()])
            }
            Source::Read(_) => Cow::Owned(bytes.to_vec()),
        };
        Ok(Matrix {
            weights,
            scales,
            columns,
        })
    }

    fn linear(&self, name: &str, outs: usize, columns: usize) -> Result<Linear, String> {
        let matrix = self.matrix(&format!("{name}.weight"), Some(outs), columns)?;
        Ok(Linear::new(
            &matrix,
            self.floats(&format!("{name}.bias"), Some(outs), 1)?,
        ))
    }

    fn norm(&self, name: &str, dims: usize) -> Result<Norm, String> {
        Ok(Norm {
            scale: self.floats(&format!("{name}.weight"), Some(dims), 1)?,
            shift: self.floats(&format!("{name}.bias"), Some(dims), 1)?,
        })
    }
}

/// Each row's largest weight becomes 127.
fn quantised(values: &[f32], columns: usize) -> Matrix {
    let mut weights = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(values.len() / columns);
    for row in values.chunks_exact(columns) {
        let scale = row.iter().fold(1e-12f32, |most, value| most.max(value.abs())) / 127.0;
        weights.extend(row.iter().map(|value| libm::rintf(value / scale) as i8 as u8));
        scales.push(scale);
    }
    Matrix {
        weights: weights.into(),
        scales,
        columns,
    }
}
