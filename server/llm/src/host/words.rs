//! The model's own words: its tokenizer, and the chat template around one user message, taken apart once.

use std::sync::Arc;

use mistralrs::MessageContent;
use mistralrs::core::Pipeline;
use tokenizers::Tokenizer;

use super::load::caught;

/// Stands for the message while the template is taken apart. Blanks around it, as the prompt has them, show a template
/// that trims.
const MARK: &str = "\n@message@ \n";

/// A count no budget holds, for text the tokenizer refuses.
const UNCOUNTED: usize = usize::MAX / 8;

pub(super) struct Words {
    tokenizer: Arc<Tokenizer>,
    before: String,
    after: String,
    trims: bool,
}

impl Words {
    /// Reads tokenizer and template of a loaded model.
    pub(super) fn new(pipeline: &dyn Pipeline) -> Result<Self, String> {
        let tokenizer = pipeline.tokenizer().ok_or("it has no tokenizer")?;
        let message = [("role", "user"), ("content", MARK)]
            .map(|(key, value)| (key.to_owned(), MessageContent::Left(value.to_owned())))
            .into_iter()
            .collect();
        let template = pipeline.get_processor();
        // It panics where there is no template.
        let (_, text) =
            caught(|| template.process(pipeline, vec![message], true, false, None, None, Vec::new()))
                .and_then(|rendered| rendered.map_err(|error| error.to_string()))
                .map_err(|error| format!("its chat template fails: {error}"))?;
        let whole = text.split_once(MARK).map(|parts| (parts, false));
        let parts = whole.or_else(|| Some((text.split_once(MARK.trim())?, true)));
        let ((before, after), trims) = parts.ok_or("its chat template does not show the user's message")?;
        Ok(Self {
            before: before.to_owned(),
            after: after.to_owned(),
            trims,
            tokenizer,
        })
    }

    /// The texts that are special tokens, sorted.
    pub(super) fn specials(&self) -> Vec<String> {
        let added = self.tokenizer.get_added_tokens_decoder();
        let mut specials: Vec<String> = added
            .into_values()
            .filter(|token| token.special)
            .map(|token| token.content)
            .collect();
        specials.sort_unstable();
        specials.retain(|special| !special.is_empty());
        specials
    }

    /// How many tokens `text` has.
    pub(super) fn count(&self, text: &str) -> usize {
        self.encode(text).map_or(UNCOUNTED, |tokens| tokens.len())
    }

    /// The tokens of `text`.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let encoding = self.tokenizer.encode_fast(text, false);
        encoding
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|error| format!("the tokenizer fails: {error}"))
    }

    /// The tokens of a prompt that is `message` in the chat template, up to where the model answers. With `shared` also
    /// how many tokens the template and those first bytes of the message have.
    pub(super) fn prompt(&self, message: &str) -> Result<Vec<u32>, String> {
        let message = if self.trims { message.trim() } else { message };
        self.encode(&[&self.before, message, &self.after].concat())
    }

    /// About how many tokens a prompt has up to the first `shared` bytes of its message.
    pub(super) fn shared(&self, message: &str, shared: usize) -> Result<usize, String> {
        let start = message.get(..shared).unwrap_or(message);
        let start = if self.trims { start.trim() } else { start };
        Ok(self.encode(&[&self.before, start].concat())?.len())
    }
}
