//! The router model: how it is asked, how its answer is read, and the host that runs it in process.
//!
//! * [`question`]: routes and a conversation in, probabilities out; what the rest of the server sees.
//! * [`prompt`]: the text Arch-Router was trained on, within a budget of tokens.
//! * [`trie`]: the answers as tokens, and their probabilities from the logits where they part.
//! * [`answer`]: free text, from engines that cannot be held to the names.
//! * `host`, with the feature `mistralrs`: the model in this process. Nothing else here knows mistral.rs.
//!
//! Without that feature this crate is pure and builds in seconds.

pub mod answer;
#[cfg(feature = "mistralrs")]
pub mod host;
mod json;
pub mod prompt;
pub mod question;
pub mod trie;
