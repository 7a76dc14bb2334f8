//! The embedded evidence of Signalbox: which route of a policy a conversation belongs to, with probabilities.
//!
//! A [`Classifier`] is compiled once from a policy's route names, descriptions, examples and negative examples, and
//! then answers in microseconds, without a network, a GPU or a file. It is pure: no clock, no randomness, no IO
//! except [`Encoder::from_dir`]. The same set and the same conversation give the same bits on every CPU.
//!
//! How it works, in the order of the modules:
//! * [`Encoder`]: a static sentence embedding, compiled into the library or loaded from a Model2Vec directory.
//! * `text`, `lexicon`: bounded, lower-cased views of a prompt, with English words added for foreign ones.
//! * `grams`, `table`, `vocabulary`: words and character n-grams, weighted by rarity, as a sparse vector.
//! * `reader`: texts to vectors, each sentence looked at once.
//! * `training`, `train`, `regression`, `linear`: the texts a route stands for, and softmax regression on them.
//! * `descriptions`: cosines to names and descriptions, all there is when a policy has no examples.
//! * `act`, `views`, `middle`, `related`, `conversation`: what a turn does, and what a conversation is about by now.
//! * [`Transformer`], `second`: a sentence encoder and the second look it gives where the first is unsure.
//! * `scores`: logits to probabilities that can be believed.
//! * [`difficulty`]: apart from routes, how much a prompt needs the stronger of two models.
//! * [`Likeness`]: apart from routes, whether two requests ask for the same.
//! * [`Signals`]: what rules may read off a text, beside all of this.
//!
//! ```
//! use signalbox_evidence::{Classifier, DEFAULT_THRESHOLD, Encoder, Role, RouteText, TrainingSet, Turn};
//!
//! let route = |name: &str, description: &str| RouteText {
//!     name: name.into(),
//!     description: description.into(),
//!     examples: Vec::new(),
//! };
//! let set = TrainingSet {
//!     routes: vec![
//!         route("weather", "Weather forecasts: rain, sun and temperature"),
//!         route("music", "Songs and albums to play"),
//!     ],
//!     other_examples: Vec::new(),
//! };
//! let classifier = Classifier::compile(Encoder::builtin()?, &set);
//! let scores = classifier.classify(&[Turn { role: Role::User, text: "will it rain in Oslo tomorrow?" }]);
//! assert_eq!(scores.decide(DEFAULT_THRESHOLD), Some(0));
//! # Ok::<(), signalbox_evidence::EncoderError>(())
//! ```

mod act;
mod background;
mod classifier;
mod conversation;
mod descriptions;
pub mod difficulty;
mod encoder;
mod grams;
mod lexicon;
mod likeness;
mod linear;
mod middle;
mod reader;
mod regression;
mod related;
mod scores;
mod second;
mod signals;
mod table;
mod text;
mod train;
mod training;
mod transformer;
mod views;
mod vocabulary;

pub use classifier::Classifier;
pub use conversation::{Role, Turn};
pub use encoder::{Encoder, EncoderError};
pub use likeness::Likeness;
pub use scores::{DEFAULT_THRESHOLD, Scores, View};
pub use signals::{Signals, known_language};
pub use training::{RouteText, TrainingSet};
pub use transformer::{Transformer, TransformerError};
