//! Softmax regression on a policy's texts: the rows, what they weigh, and when it is worth it.

use crate::background::{self, Kind};
use crate::linear::{Linear, dot};
use crate::reader::Reader;
use crate::regression::{self, Row};
use crate::training::TrainingSet;
use crate::vocabulary::Features;

/// Cost of an error against the size of the weights.
const COST: f32 = 60.0;
/// Steps of the optimiser; more change nothing.
const STEPS: usize = 60;
/// Fewer steps than this are not worth taking.
const FEWEST_STEPS: usize = 12;
/// Rows times classes times steps that fit into about five seconds.
const WORK: usize = 24_000_000;
/// Weights (grams times classes) that a classifier may keep: 32 MB.
const WEIGHTS: usize = 8_000_000;
/// From this many negative examples on, the shipped sentences are not needed as such.
const ENOUGH_NEGATIVES: usize = 10;
/// Mean examples a route from which regression is worth it; with fewer, they are averaged into descriptions.
const ENOUGH_EXAMPLES: f32 = 3.0;
/// Mean examples a route up to which, without negatives, an error costs less and the prior has the examples in it: a few
/// examples and the shipped sentences tell too little of where routes end.
const FEW_EXAMPLES: f32 = 10.0;
/// The mean number of examples a route at which negatives weigh in full.
const FULL_EXAMPLES: f32 = 20.0;
/// What shipped sentences weigh as negatives, and the share of them, nearest to the policy, that is left out.
const SHIPPED: f32 = 0.3;
const TOO_NEAR: f32 = 0.45;
/// Rows of a policy that a shipped sentence is compared with.
const COMPARED: usize = 1000;
/// The sum of the description prior's weight over the mean examples a route.
const PRIOR: f32 = 16.0;
/// What is taken from the logit of none for all of a text's grams that are not known, past the share of them that is usual:
/// words mistyped or of another language look like no route's, and say little about it.
const UNFAMILIAR: f32 = 3.0;
const USUAL: f32 = 0.05;

/// A trained model, and how much of the descriptions to add to it.
#[derive(Debug)]
pub(crate) struct Trained {
    pub(crate) weights: Linear,
    /// Weight of the description prior.
    pub(crate) prior: f32,
    /// Whether the user gave negatives.
    pub(crate) negatives: bool,
    /// Whether the descriptions of the prior have the examples averaged in.
    pub(crate) averaged: bool,
}

/// A text to learn from.
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) x: Features,
    pub(crate) class: usize,
}

/// How a policy is trained.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Mean examples a route.
    pub(crate) mean: f32,
    /// Whether the user gave enough negatives.
    pub(crate) negatives: bool,
    pub(crate) classes: usize,
    steps: usize,
}

impl Plan {
    /// None where the policy has too few examples or is too large; then descriptions decide.
    pub(crate) fn of(set: &TrainingSet, reader: &Reader) -> Option<Self> {
        let routes = set.routes.len();
        let examples: usize = set.routes.iter().map(|route| route.examples.len()).sum();
        let mean = examples as f32 / routes.max(1) as f32;
        let negatives = set.other_examples.len() >= ENOUGH_NEGATIVES;
        if mean < ENOUGH_EXAMPLES {
            return None;
        }
        let rows = set.texts() + if negatives { 0 } else { 200 };
        let classes = routes + 1;
        let steps = STEPS.min(WORK / (rows * classes));
        let fits = steps >= FEWEST_STEPS && reader.vocabulary.len() * classes <= WEIGHTS;
        fits.then_some(Self {
            mean,
            negatives,
            classes,
            steps,
        })
    }

    /// Weight of the description prior.
    pub(crate) fn prior(&self) -> f32 {
        PRIOR / self.mean.max(1.0)
    }

    /// Whether the descriptions of the prior have the examples averaged in: that makes routes likelier against none, which
    /// many examples without negatives do enough already.
    pub(crate) fn averaged(&self) -> bool {
        self.negatives || self.mean < FEW_EXAMPLES
    }

    /// Fits weights to texts whose vectors have `dims` values before their grams.
    pub(crate) fn fit(&self, texts: &[Text], dims: usize, reader: &Reader) -> Linear {
        let rows = self.weigh(texts);
        regression::fit(&rows, self.classes, dims, reader.vocabulary.len(), self.steps)
    }
}

/// Trains the first tier.
pub(crate) fn train(set: &TrainingSet, reader: &Reader) -> Option<Trained> {
    let plan = Plan::of(set, reader)?;
    let texts = texts(set, plan.negatives, reader);
    Some(Trained {
        weights: plan.fit(&texts, reader.encoder.dims(), reader),
        prior: plan.prior(),
        negatives: plan.negatives,
        averaged: plan.averaged(),
    })
}

/// What is taken from the logit of none because a text is not made of known grams.
pub(crate) fn unfamiliar(unknown_share: f32) -> f32 {
    UNFAMILIAR * (unknown_share - USUAL).max(0.0)
}

/// All of them: routes in order, then what belongs to none.
pub(crate) fn texts(set: &TrainingSet, negatives: bool, reader: &Reader) -> Vec<Text> {
    let features = |text: &str| reader.vector(text);
    let mut out: Vec<Text> = Vec::new();
    for (class, route) in set.routes.iter().enumerate() {
        let own = [route.headline(), route.title()]
            .into_iter()
            .chain(route.clauses());
        let texts = own.chain(route.examples.iter().cloned());
        out.extend(texts.map(|text| Text {
            x: features(&text),
            class,
            text,
        }));
    }
    let class = set.routes.len();
    let mut shipped = Vec::new();
    if !negatives {
        let kinds = [Kind::Topic, Kind::Chat, Kind::Close];
        let sentences = background::sentences().filter(|(kind, _)| kinds.contains(kind));
        shipped = far_from(
            &out,
            sentences
                .map(|(_, text)| Text {
                    x: features(text),
                    class,
                    text: text.to_owned(),
                })
                .collect(),
            reader.vocabulary.len(),
        );
    }
    out.extend(set.other_examples.iter().map(|text| Text {
        x: features(text),
        class,
        text: text.clone(),
    }));
    out.extend(shipped);
    out
}

/// The sentences that are not among the nearest to a policy's own texts.
fn far_from(policy: &[Text], sentences: Vec<Text>, grams: usize) -> Vec<Text> {
    let stride = policy.len().div_ceil(COMPARED).max(1);
    let mut spread = vec![0f32; grams];
    let mut nearness = Vec::with_capacity(sentences.len());
    for sentence in &sentences {
        for &(id, value) in &sentence.x.sparse {
            spread[id as usize] = value;
        }
        let kernel = |text: &Text| {
            let shared: f32 = text
                .x
                .sparse
                .iter()
                .map(|&(id, value)| value * spread[id as usize])
                .sum();
            shared + dot(&text.x.dense, &sentence.x.dense)
        };
        nearness.push(policy.iter().step_by(stride).map(kernel).fold(f32::MIN, f32::max));
        for &(id, _) in &sentence.x.sparse {
            spread[id as usize] = 0.0;
        }
    }
    let mut sorted = nearness.clone();
    sorted.sort_by(f32::total_cmp);
    let limit = sorted[((sorted.len() - 1) as f32 * (1.0 - TOO_NEAR)) as usize];
    sentences
        .into_iter()
        .zip(nearness)
        .filter(|&(_, near)| near <= limit)
        .map(|(x, _)| x)
        .collect()
}

impl Plan {
    /// Each class weighs the same, except *none*: less the fewer examples there are, and less when it is made of shipped
    /// sentences.
    fn weigh<'a>(&self, texts: &'a [Text]) -> Vec<Row<'a>> {
        let classes = self.classes;
        let mut totals = vec![0f32; classes];
        for text in texts {
            totals[text.class] += 1.0;
        }
        let present = totals.iter().filter(|&&total| total > 0.0).count() as f32;
        let balanced = texts.len() as f32 / present;
        let share = self.mean / FULL_EXAMPLES;
        let (cost, none) = if self.negatives {
            (COST, (share * share.sqrt()).clamp(0.1, 1.0))
        } else {
            (COST * (self.mean / FEW_EXAMPLES).min(1.0), SHIPPED)
        };
        texts
            .iter()
            .map(|text| {
                let factor = if text.class + 1 == classes { none } else { 1.0 };
                Row {
                    x: &text.x,
                    class: text.class,
                    cost: cost * factor * balanced / totals[text.class],
                }
            })
            .collect()
    }
}
