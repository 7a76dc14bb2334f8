//! The second look: a policy's routes by a sentence encoder, beside the words and characters of the first.
//!
//! With examples it is a softmax regression like the first tier's with the encoder's embedding in front; with descriptions
//! alone the first tier's logits and the nearness of a prompt's embedding to each description. One setting for every policy,
//! chosen on public sets (`server/notes/0012-encoder.md`).

use std::sync::Arc;

use crate::descriptions::Descriptions;
use crate::linear::{Linear, dot};
use crate::reader::Reader;
use crate::train::{self, Plan, Text};
use crate::training::TrainingSet;
use crate::transformer::Transformer;
use crate::vocabulary::Features;

/// Scales of the embedding, and of the first tier's blocks, which are 0.5, 0.5 and 0.7071 long: kernel weights of encoder,
/// static table, words and characters are 2 : 0.5 : 1 : 2, all divided by 5.5.
const ENCODER: f32 = 0.603_022_7;
const TABLE: f32 = 0.603_022_7;
const GRAMS: f32 = 0.852_802_9;
/// The nearness at which none is as likely, per unit of the prior.
const NONE_PRIOR: f32 = 0.4;
/// The same where examples are averaged into the descriptions, which are nearer to everything then.
const NONE_AVERAGED: f32 = 0.5;
/// The share of all routes' mass that is held against the best one: with negatives, and with examples only.
const DIFFUSE_NEGATIVES: f32 = 0.1;
const DIFFUSE: f32 = 0.2;
const TEMPERATURE: f32 = 0.65;

/// Weights in nearness of a description's best clause, and of description and name together.
const CLAUSE: f32 = 0.5;
const HEADLINE: f32 = 0.5;

/// Descriptions alone: what the first tier's logits weigh, and nearness.
const FIRST: f32 = 0.85;
const NEAR: f32 = 10.0;
/// The logit of none there: more the more routes may fit by chance, less where the first tier does not know a prompt's words,
/// as in another language, which both find too far from everything.
const NONE: f32 = -2.4;
const NONE_BY_ROUTES: f32 = 1.9;
const NONE_UNKNOWN: f32 = -3.0;
/// Numbers of routes past which that was not measured.
const ROUTES: (usize, usize) = (8, 64);
const DESCRIBED_TEMPERATURE: f32 = 0.8;

/// What is asked when the first tier is unsure.
#[derive(Debug)]
pub(crate) struct Second {
    encoder: Arc<Transformer>,
    trained: Option<Trained>,
    /// Embeddings of name and description, a row for each route.
    headlines: Vec<f32>,
    /// Embeddings of names and clauses, and where each route's end.
    clauses: Vec<f32>,
    ends: Vec<usize>,
}

#[derive(Debug)]
struct Trained {
    weights: Linear,
    descriptions: Descriptions,
    prior: f32,
    none: f32,
    diffuse: f32,
}

impl Second {
    pub(crate) fn new(encoder: Arc<Transformer>, set: &TrainingSet, reader: &Reader) -> Self {
        let plan = Plan::of(set, reader);
        let mut texts = match plan {
            Some(plan) => train::texts(set, plan.negatives, reader),
            None => Vec::new(),
        };
        let own: Vec<Vec<String>> = set
            .routes
            .iter()
            .map(|route| [vec![route.headline(), route.title()], route.clauses()].concat())
            .collect();
        let learned = texts.iter().map(|text| text.text.as_str());
        let all: Vec<&str> = own.iter().flatten().map(String::as_str).chain(learned).collect();
        let mut vectors = encoder.remembered(&all).into_iter();
        let (mut headlines, mut clauses, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for texts in &own {
            for (at, vector) in vectors.by_ref().take(texts.len()).enumerate() {
                if at == 0 {
                    headlines.extend_from_slice(&vector);
                } else {
                    clauses.extend_from_slice(&vector);
                }
            }
            ends.push(clauses.len());
        }
        for (text, vector) in texts.iter_mut().zip(vectors) {
            text.x = together(&vector, &text.x);
        }
        Self {
            trained: plan.map(|plan| Trained::new(&plan, &texts, &encoder, set, reader)),
            encoder,
            headlines,
            clauses,
            ends,
        }
    }

    /// Logits of the routes and of none, tempered: from the first tier's, and of the view that decided there the vector, the
    /// share of unknown grams and the text.
    pub(crate) fn logits(&self, first: &[f32], x: &Features, unknown: f32, text: &str) -> Vec<f32> {
        let vector = self.encoder.embed(text);
        let n = self.ends.len();
        let (mut z, temperature) = match &self.trained {
            Some(trained) => {
                let mut z = trained.logits(x, &vector, n);
                z[n] -= train::unfamiliar(unknown);
                (z, TEMPERATURE)
            }
            None => {
                let none = first[n];
                let mut z: Vec<f32> = first.iter().map(|z| FIRST * (z - none)).collect();
                let routes = n.clamp(ROUTES.0, ROUTES.1) as f32;
                z[n] += NONE + NONE_BY_ROUTES * libm::logf(routes) + NONE_UNKNOWN * unknown;
                (z, DESCRIBED_TEMPERATURE)
            }
        };
        let near = self.trained.as_ref().map_or(NEAR, |trained| trained.prior);
        self.add_nearness(&vector, near, &mut z[..n]);
        if let Some(trained) = &self.trained {
            crate::scores::add_diffuse(&mut z, trained.diffuse);
        }
        for value in &mut z {
            *value /= temperature;
        }
        z
    }

    /// Adds `scale` times the nearness of each route's description.
    fn add_nearness(&self, vector: &[f32], scale: f32, routes: &mut [f32]) {
        let dims = vector.len();
        let mut start = 0;
        let described = self.headlines.chunks_exact(dims).zip(&self.ends);
        for (z, (headline, &end)) in routes.iter_mut().zip(described) {
            let clauses = self.clauses[start..end].chunks_exact(dims);
            let best = clauses.map(|clause| dot(vector, clause)).fold(-1.0, f32::max);
            *z += scale * (HEADLINE * dot(vector, headline) + CLAUSE * best);
            start = end;
        }
    }
}

impl Trained {
    fn new(plan: &Plan, texts: &[Text], encoder: &Transformer, set: &TrainingSet, reader: &Reader) -> Self {
        Self {
            weights: plan.fit(texts, encoder.dims() + reader.encoder.dims(), reader),
            descriptions: Descriptions::new(&set.routes, plan.averaged(), reader),
            prior: plan.prior(),
            none: if plan.averaged() {
                NONE_AVERAGED
            } else {
                NONE_PRIOR
            },
            diffuse: if plan.negatives {
                DIFFUSE_NEGATIVES
            } else {
                DIFFUSE
            },
        }
    }

    fn logits(&self, x: &Features, vector: &[f32], routes: usize) -> Vec<f32> {
        let mut z = vec![0.0; self.weights.width()];
        self.weights.apply(&together(vector, x), &mut z);
        z.truncate(routes + 1);
        self.descriptions.add(x, self.prior, &mut z[..routes]);
        z[routes] += self.prior * self.none;
        z
    }
}

/// A text's vector with its embedding in front.
fn together(vector: &[f32], x: &Features) -> Features {
    let front = vector.iter().map(|value| ENCODER * value);
    Features {
        dense: front.chain(x.dense.iter().map(|value| TABLE * value)).collect(),
        sparse: x.sparse.iter().map(|&(id, value)| (id, GRAMS * value)).collect(),
    }
}
