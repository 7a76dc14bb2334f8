//! What a turn does in a conversation.

use crate::background::{self, Kind};
use crate::encoder::Encoder;
use crate::linear::Linear;
use crate::regression::{self, Row, softmax};
use crate::text;
use crate::training::TrainingSet;
use crate::vocabulary::{Features, Vocabulary};

const FRAMES: [(&str, &str); 6] = [
    ("i want ", ""),
    ("i need ", " please"),
    ("can you help me with ", ""),
    ("find me ", ""),
    ("i would like ", ""),
    ("i am looking for ", ""),
];

#[derive(Debug)]
pub(crate) struct Acts {
    acts: Linear,
    meta: Linear,
    offset: f32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Act {
    pub(crate) close: f32,
    pub(crate) reply: f32,
    pub(crate) content: f32,
}

impl Acts {
    pub(crate) fn new(set: &TrainingSet, encoder: &Encoder, vocabulary: &Vocabulary) -> Self {
        let mut policy: Vec<String> = Vec::new();
        let mut framed = Vec::new();
        let mut examples = false;
        let mut k = 0;
        for route in &set.routes {
            policy.push(text::whole(&route.headline()));
            policy.extend(route.clauses().iter().map(|c| text::whole(c)));
            for c in [route.title()].iter().chain(&route.clauses()) {
                let (a, b) = FRAMES[k % FRAMES.len()];
                k += 1;
                framed.push(format!("{a}{}{b}", text::whole(c)));
            }
        }
        for route in &set.routes {
            policy.extend(route.examples.iter().map(|c| text::whole(c)));
            examples |= !route.examples.is_empty();
        }
        let f = |t: &str| vocabulary.features(encoder, t);
        let policy: Vec<Features> = policy.iter().map(|t| f(t)).collect();
        let framed: Vec<Features> = framed.iter().map(|t| f(t)).collect();
        let shipped: Vec<(Kind, Features)> =
            background::sentences().map(|(k, t)| (k, f(&text::whole(t)))).collect();
        let mut rows: Vec<(&Features, usize)> = Vec::new();
        for (kind, x) in &shipped {
            match kind {
                Kind::Close => rows.push((x, 0)),
                Kind::Reply => rows.push((x, 1)),
                Kind::Chat | Kind::Topic => rows.push((x, 2)),
                _ => {}
            }
        }
        rows.extend(policy.iter().chain(&framed).map(|x| (x, 2)));
        let dims = encoder.dims();
        let acts = balanced(&rows, 3, crate::knob("actc", 30.0), dims, vocabulary.len());
        let mut rows: Vec<(&Features, usize)> =
            shipped.iter().map(|(kind, x)| (x, usize::from(*kind == Kind::Meta))).collect();
        rows.extend(policy.iter().map(|x| (x, 0)));
        let meta = balanced(&rows, 2, 30.0, dims, vocabulary.len());
        Self { acts, meta, offset: if examples { crate::knob("off1", 0.5) } else { crate::knob("off0", 1.0) } }
    }

    pub(crate) fn act(&self, x: &Features) -> Act {
        let mut z = vec![0.0; self.acts.width()];
        self.acts.apply(x, &mut z);
        z[2] += self.offset;
        softmax(&mut z[..3]);
        Act { close: z[0], reply: z[1], content: z[2] }
    }

    pub(crate) fn is_meta(&self, x: &Features) -> bool {
        let mut z = vec![0.0; self.meta.width()];
        self.meta.apply(x, &mut z);
        z[1] > z[0]
    }
}

fn balanced(rows: &[(&Features, usize)], classes: usize, c: f32, dims: usize, features: usize) -> Linear {
    let mut totals = vec![0f32; classes];
    for (_, class) in rows {
        totals[*class] += 1.0;
    }
    let n = rows.len() as f32;
    let rows: Vec<Row<'_>> = rows
        .iter()
        .map(|&(x, class)| Row { x, class, cost: c * n / classes as f32 / totals[class] })
        .collect();
    regression::fit(&rows, classes, dims, features, 60)
}
