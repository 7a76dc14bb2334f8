//! A compiled policy: from a text to one logit per route and one for none of them.

use std::sync::Arc;

use crate::act::Acts;
use crate::background;
use crate::descriptions::Descriptions;
use crate::encoder::Encoder;
use crate::lexicon;
use crate::reader::{Joined, Reader};
use crate::related::Related;
use crate::scores;
use crate::second::Second;
use crate::text;
use crate::train::{self, Trained};
use crate::training::TrainingSet;
use crate::transformer::Transformer;
use crate::vocabulary::{Builder, Vocabulary};

/// Nearness to a description at which none is as likely, per unit of the prior.
const NONE_PRIOR: f32 = 0.27;
/// Softness of descriptions alone: nearness divided by this is a logit.
const SOFTNESS: f32 = 0.1;
/// Descriptions alone: none is at least as likely as a route of this nearness.
const FLOOR: f32 = 0.15;
/// The share of all routes' mass that is held against the best one: without examples, with examples only, with
/// negatives. A prompt that fits every route a little fits none.
const DIFFUSE: f32 = 0.3;
const DIFFUSE_EXAMPLES: f32 = 0.25;
const DIFFUSE_NEGATIVES: f32 = 0.2;

/// A policy's routes, ready to be recognised. Share it behind an `Arc`; nothing in it changes.
#[derive(Debug)]
pub struct Classifier {
    pub(crate) reader: Reader,
    descriptions: Descriptions,
    trained: Option<Trained>,
    pub(crate) acts: Acts,
    pub(crate) related: Related,
    pub(crate) second: Option<Second>,
    routes: usize,
}

/// One text seen by a classifier.
pub(crate) struct Logits {
    /// One per route, then none.
    pub(crate) z: Vec<f32>,
    pub(crate) text: Joined,
}

impl Classifier {
    /// Learns a policy. Deterministic; takes about half a second for 20 routes of 20 examples, a fifth of that without
    /// examples, and seconds for 10,000 routes.
    ///
    /// Regression needs about 3 examples a route. Where there are fewer, and in policies so large that it would take more
    /// than a few seconds, the nearest description decides, with the examples averaged into it.
    #[must_use]
    pub fn compile(encoder: Arc<Encoder>, set: &TrainingSet) -> Self {
        let reader = Reader::new(encoder, vocabulary(set));
        let mut trained = if set.routes.is_empty() {
            None
        } else {
            train::train(set, &reader)
        };
        let with_examples = trained.as_ref().is_none_or(|trained| trained.averaged);
        let mut descriptions = Descriptions::new(&set.routes, with_examples, &reader);
        if let Some(trained) = &mut trained {
            descriptions.fold_into(&mut trained.weights, trained.prior);
        }
        Self {
            descriptions,
            acts: Acts::new(set, &reader),
            related: Related::new(&set.routes, &reader),
            second: None,
            routes: set.routes.len(),
            trained,
            reader,
        }
    }

    /// The same with an encoder for [`Classifier::look_again`]. `set` is what it was compiled from. Takes 1 to 3 ms of a
    /// core a text, on all cores; texts that the encoder remembers from other policies take none.
    #[must_use]
    pub fn with_encoder(mut self, encoder: Arc<Transformer>, set: &TrainingSet) -> Self {
        if self.routes > 0 {
            self.second = Some(Second::new(encoder, set, &self.reader));
        }
        self
    }

    /// The number of routes it was compiled from.
    #[must_use]
    pub fn routes(&self) -> usize {
        self.routes
    }

    /// Whether it can look again.
    #[must_use]
    pub fn has_encoder(&self) -> bool {
        self.second.is_some()
    }

    /// Whether it was trained on examples; if not, descriptions alone decide.
    #[must_use]
    pub fn is_trained(&self) -> bool {
        self.trained.is_some()
    }

    /// The logits of a text.
    pub(crate) fn logits(&self, text: Joined) -> Logits {
        let n = self.routes;
        let z = match &self.trained {
            Some(trained) => {
                let mut z = vec![0.0; trained.weights.width()];
                self.reader.apply(&trained.weights, &text, &mut z);
                z.truncate(n + 1);
                self.descriptions
                    .add_clauses(&text.dense, trained.prior, &mut z[..n]);
                z[n] += trained.prior * NONE_PRIOR - train::unfamiliar(text.counts.unknown_share());
                z
            }
            None => {
                let mut z = vec![0.0; n + 1];
                let x = self.reader.features(&text);
                self.descriptions.add(&x, 1.0 / SOFTNESS, &mut z[..n]);
                z[n] = FLOOR / SOFTNESS;
                z
            }
        };
        Logits { z, text }
    }

    /// Holds a part of all routes' mass against the best: added to the logit of none.
    pub(crate) fn add_diffuse(&self, z: &mut [f32]) {
        let share = match &self.trained {
            None => DIFFUSE,
            Some(trained) if trained.negatives => DIFFUSE_NEGATIVES,
            Some(_) => DIFFUSE_EXAMPLES,
        };
        scores::add_diffuse(z, share);
    }
}

/// All texts that the classifier will know the grams of.
fn vocabulary(set: &TrainingSet) -> Vocabulary {
    let mut builder = Builder::new();
    let mut add = |text: &str| {
        let text = text::whole(text);
        let mut parts = vec![text.as_str()];
        let added = lexicon::added([lexicon::touched(&text)].iter());
        parts.extend(added.into_iter().map(|number| lexicon::concepts()[number]));
        builder.add(&parts);
    };
    for route in &set.routes {
        add(&route.headline());
        add(&route.title());
        for clause in route.clauses() {
            add(&clause);
        }
        for example in &route.examples {
            add(example);
        }
    }
    for example in &set.other_examples {
        add(example);
    }
    for (_, sentence) in background::sentences() {
        add(sentence);
    }
    builder.finish()
}
