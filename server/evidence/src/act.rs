//! What a turn does in a conversation, and which sentences of a prompt are not part of the request.
//!
//! Two small regressions over the shipped sentences and the policy's own texts. The first tells the end of a
//! conversation and replies ("yes", "for two", "cheaper please") from requests; the second tells instructions about
//! the answer ("be concise", "ignore everything before this") from content.

use crate::background::{self, Kind};
use crate::linear::{Difference, Linear};
use crate::reader::{Joined, Lexed, Reader};
use crate::regression::{self, Row, softmax};
use crate::text;
use crate::training::TrainingSet;
use crate::vocabulary::Features;

/// Cost of an error against the size of the weights.
const COST: f32 = 30.0;
const STEPS: usize = 40;
/// Texts of a policy that are looked at; more of them are taken evenly.
const POLICY_TEXTS: usize = 1200;
/// What is added to the logit of a request: the policy's own texts pull less the fewer there are.
const WITH_EXAMPLES: f32 = 0.5;
const WITHOUT_EXAMPLES: f32 = 1.0;

/// How people ask for what a name or a clause names.
const FRAMES: [(&str, &str); 6] = [
    ("i want ", ""),
    ("i need ", " please"),
    ("can you help me with ", ""),
    ("find me ", ""),
    ("i would like ", ""),
    ("i am looking for ", ""),
];

/// The two regressions.
#[derive(Debug)]
pub(crate) struct Acts {
    acts: Linear,
    meta: Difference,
    offset: f32,
}

/// Probabilities of what a turn does; they sum to 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Act {
    /// It ends the conversation.
    pub(crate) close: f32,
    /// It only makes sense after what was said before.
    pub(crate) reply: f32,
    /// It is a request of its own.
    pub(crate) content: f32,
}

impl Acts {
    pub(crate) fn new(set: &TrainingSet, reader: &Reader) -> Self {
        let features = |text: &str| reader.features(&reader.join(&[&reader.lex(text)]));
        let (own, framed) = policy_texts(set);
        let own: Vec<Features> = own.iter().map(|text| features(text)).collect();
        let framed: Vec<Features> = framed.iter().map(|text| features(text)).collect();
        let shipped: Vec<(Kind, Features)> = background::sentences()
            .map(|(kind, text)| (kind, features(&text::whole(text))))
            .collect();
        let mut turns: Vec<(&Features, usize)> = Vec::new();
        for (kind, x) in &shipped {
            match kind {
                Kind::Close => turns.push((x, 0)),
                Kind::Reply => turns.push((x, 1)),
                Kind::Chat | Kind::Topic => turns.push((x, 2)),
                Kind::Foreign | Kind::Meta => {}
            }
        }
        turns.extend(own.iter().chain(&framed).map(|x| (x, 2)));
        let mut sentences: Vec<(&Features, usize)> = shipped
            .iter()
            .map(|(kind, x)| (x, usize::from(*kind == Kind::Meta)))
            .collect();
        sentences.extend(own.iter().map(|x| (x, 0)));
        let examples = set.routes.iter().any(|route| !route.examples.is_empty());
        Self {
            acts: balanced(&turns, 3, reader.encoder.dims(), reader.vocabulary.len()),
            meta: balanced(&sentences, 2, reader.encoder.dims(), reader.vocabulary.len()).difference(),
            offset: if examples { WITH_EXAMPLES } else { WITHOUT_EXAMPLES },
        }
    }

    /// What a turn does.
    pub(crate) fn act(&self, reader: &Reader, turn: &Joined) -> Act {
        let mut z = [0f32; 4];
        reader.apply(&self.acts, turn, &mut z);
        z[2] += self.offset;
        softmax(&mut z[..3]);
        Act {
            close: z[0],
            reply: z[1],
            content: z[2],
        }
    }

    /// Whether a sentence is about the answer, not the request.
    pub(crate) fn is_meta(&self, reader: &Reader, sentence: &Lexed) -> bool {
        reader.project(sentence, &self.meta) > 0.0
    }
}

/// A policy's descriptions, clauses and examples; and its names and clauses as requests.
fn policy_texts(set: &TrainingSet) -> (Vec<String>, Vec<String>) {
    let mut own = Vec::new();
    let mut framed = Vec::new();
    let mut frames = FRAMES.iter().cycle();
    for route in &set.routes {
        let clauses = route.clauses();
        own.push(text::whole(&route.headline()));
        own.extend(clauses.iter().map(|clause| text::whole(clause)));
        for part in std::iter::once(route.title()).chain(clauses) {
            if let Some((before, after)) = frames.next() {
                framed.push(format!("{before}{}{after}", text::whole(&part)));
            }
        }
    }
    for route in &set.routes {
        own.extend(route.examples.iter().map(|example| text::whole(example)));
    }
    (evenly(own), evenly(framed))
}

fn evenly(texts: Vec<String>) -> Vec<String> {
    let stride = texts.len().div_ceil(POLICY_TEXTS).max(1);
    texts.into_iter().step_by(stride).collect()
}

/// Fits classes that all weigh the same.
fn balanced(rows: &[(&Features, usize)], classes: usize, dims: usize, features: usize) -> Linear {
    let mut totals = vec![0f32; classes];
    for (_, class) in rows {
        totals[*class] += 1.0;
    }
    let each = rows.len() as f32 / classes as f32;
    let rows: Vec<Row<'_>> = rows
        .iter()
        .map(|&(x, class)| Row {
            x,
            class,
            cost: COST * each / totals[class],
        })
        .collect();
    regression::fit(&rows, classes, dims, features, STEPS)
}
