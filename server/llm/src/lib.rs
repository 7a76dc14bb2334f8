//! The router model: how it is asked, how its answer is read, and the host that runs it in process.
//!
//! * [`question`]: routes and a conversation in, probabilities out; what the rest of the server sees.
//! * [`prompt`]: the text Arch-Router was trained on, within a budget of tokens.
//! * [`trie`]: the answers as tokens, and their probabilities from the logits where they part.
//! * [`answer`]: free text, from engines that cannot be held to the names.
//!
//! Without the feature `mistralrs` this crate is pure.

pub mod answer;
mod json;
pub mod prompt;
pub mod question;
pub mod trie;
