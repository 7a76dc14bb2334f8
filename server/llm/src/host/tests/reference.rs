//! An independent reading of a model: every answer put behind the prompt as a whole, its logits read back token by token.

use std::path::Path;

use mistralrs::core::Response;
use mistralrs::{
    Model, ModelDType, NormalRequest, Request, RequestMessage, SamplingParams, TextModelBuilder, TokenSource,
    parse_isq_value,
};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

pub(super) struct Reference {
    runtime: Runtime,
    model: Model,
}

impl Reference {
    pub(super) fn new(directory: &Path, quantize: Option<&str>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut builder = TextModelBuilder::new(directory.display())
            .with_force_cpu()
            .with_dtype(ModelDType::F32)
            .with_token_source(TokenSource::None)
            .with_max_num_seqs(1)
            .with_prefix_cache_n(None);
        if let Some(name) = quantize {
            builder = builder.with_isq(parse_isq_value(name, None).unwrap());
        }
        let model = runtime.block_on(builder.build()).unwrap();
        Self { runtime, model }
    }

    /// The probability of every answer among all of them: at each of its tokens, that token among those that the answers
    /// with the same beginning have there.
    pub(super) fn probabilities(&self, prompt: &[u32], answers: &[Vec<u32>]) -> Vec<f64> {
        let probability = |answer: &Vec<u32>| {
            let rows = self.logits(&[prompt, answer].concat());
            let mut probability = 1.0;
            for at in 0..answer.len() {
                let here = &answer[..at];
                let mut allowed: Vec<u32> = answers
                    .iter()
                    .filter(|other| other.starts_with(here))
                    .map(|other| other[at])
                    .collect();
                allowed.sort_unstable();
                allowed.dedup();
                let row = &rows[prompt.len() + at - 1];
                let weight = |token: u32| f64::from(row[token as usize]).exp();
                probability *= weight(answer[at]) / allowed.iter().map(|token| weight(*token)).sum::<f64>();
            }
            probability
        };
        answers.iter().map(probability).collect()
    }

    fn logits(&self, tokens: &[u32]) -> Vec<Vec<f32>> {
        let (answer, mut answers) = mpsc::channel(16);
        let sampling = SamplingParams {
            max_len: Some(1),
            ..SamplingParams::deterministic()
        };
        let message = RequestMessage::CompletionTokens(tokens.to_vec());
        let mut request = NormalRequest::new_simple(message, sampling, answer, 0, None, None);
        request.return_raw_logits = true;
        self.runtime.block_on(async {
            let requests = self.model.inner().get_sender(None).unwrap();
            requests.send(Request::Normal(Box::new(request))).await.unwrap();
            let mut rows = None;
            while let Some(answer) = answers.recv().await {
                if let Response::Raw { logits_chunks, .. } = answer {
                    rows.get_or_insert(logits_chunks[0].to_vec2().unwrap());
                }
            }
            rows.unwrap()
        })
    }
}
