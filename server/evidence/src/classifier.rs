//! A compiled policy: from a text to one logit per route and one for none of them.

use std::sync::Arc;

use crate::act::Acts;
use crate::background;
use crate::descriptions::Descriptions;
use crate::encoder::Encoder;
use crate::related::Related;
use crate::text;
use crate::train::{self, Trained};
use crate::training::TrainingSet;
use crate::vocabulary::{Builder, Features, Vocabulary};

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
    encoder: Arc<Encoder>,
    vocabulary: Vocabulary,
    descriptions: Descriptions,
    trained: Option<Trained>,
    pub(crate) acts: Acts,
    pub(crate) related: Related,
    routes: usize,
}

/// One text seen by a classifier.
pub(crate) struct Logits {
    /// One per route, then none.
    pub(crate) z: Vec<f32>,
    pub(crate) x: Features,
}

impl Classifier {
    /// Learns a policy. Deterministic; takes about half a second for 20 routes of 20 examples, a fifth of that without
    /// examples, and seconds for 10,000 routes.
    ///
    /// Regression needs about 3 examples a route (1 with at least 10 negatives). Where there are fewer, and in policies
    /// so large that it would take more than a few seconds, the nearest description decides, with the examples
    /// averaged into it.
    #[must_use]
    pub fn compile(encoder: Arc<Encoder>, set: &TrainingSet) -> Self {
        let vocabulary = vocabulary(set);
        let trained = if set.routes.is_empty() {
            None
        } else {
            train::train(set, &encoder, &vocabulary)
        };
        let descriptions = Descriptions::new(&set.routes, trained.is_none(), &encoder, &vocabulary);
        Self {
            descriptions,
            acts: Acts::new(set, &encoder, &vocabulary),
            related: Related::new(&set.routes, &encoder, &vocabulary),
            routes: set.routes.len(),
            trained,
            vocabulary,
            encoder,
        }
    }

    /// The number of routes it was compiled from.
    #[must_use]
    pub fn routes(&self) -> usize {
        self.routes
    }

    /// Whether it was trained on examples; if not, descriptions alone decide.
    #[must_use]
    pub fn is_trained(&self) -> bool {
        self.trained.is_some()
    }

    /// The logits of a text that is already cut and lower-cased.
    pub(crate) fn logits(&self, text: &str) -> Logits {
        let x = self.vocabulary.features(&self.encoder, text);
        let n = self.routes;
        let z = match &self.trained {
            Some(trained) => {
                let mut z = vec![0.0; trained.weights.width()];
                trained.weights.apply(&x, &mut z);
                z.truncate(n + 1);
                self.descriptions.add(&x, trained.prior, &mut z[..n]);
                z[n] += trained.prior * NONE_PRIOR;
                z
            }
            None => {
                let mut z = vec![0.0; n + 1];
                self.descriptions.add(&x, 1.0 / SOFTNESS, &mut z[..n]);
                z[n] = FLOOR / SOFTNESS;
                z
            }
        };
        Logits { z, x }
    }

    /// Whether a sentence is an instruction about the answer.
    pub(crate) fn is_meta(&self, sentence: &str) -> bool {
        self.acts
            .is_meta(&self.vocabulary.features(&self.encoder, &text::lower(sentence)))
    }

    /// Holds a part of all routes' mass against the best: added to the logit of none.
    pub(crate) fn add_diffuse(&self, z: &mut [f32]) {
        let Some((none, routes)) = z.split_last_mut() else {
            return;
        };
        let share = match &self.trained {
            None => DIFFUSE,
            Some(trained) if trained.negatives => DIFFUSE_NEGATIVES,
            Some(_) => DIFFUSE_EXAMPLES,
        };
        let top = routes.iter().fold(*none, |top, &v| top.max(v));
        let mass: f32 = routes.iter().map(|&v| libm::expf(v - top)).sum();
        *none = top + libm::logf(libm::expf(*none - top) + share * mass);
    }
}

/// All texts that the classifier will know the grams of.
fn vocabulary(set: &TrainingSet) -> Vocabulary {
    let mut builder = Builder::new();
    for route in &set.routes {
        builder.add(&text::whole(&route.headline()));
        builder.add(&text::whole(&route.title()));
        for clause in route.clauses() {
            builder.add(&text::whole(&clause));
        }
        for example in &route.examples {
            builder.add(&text::whole(example));
        }
    }
    for example in &set.other_examples {
        builder.add(&text::whole(example));
    }
    for (_, sentence) in background::sentences() {
        builder.add(&text::whole(sentence));
    }
    builder.finish()
}
