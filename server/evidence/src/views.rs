//! One prompt on its own: the request may be all of it, or stand at either end of something pasted.
//!
//! Sentences about the answer are dropped first. Then the whole, the head and the tail are scored, and the one that
//! speaks most clearly for a route decides.

use crate::classifier::{Classifier, Logits};
use crate::regression::softmax;
use crate::scores::View;
use crate::text;

/// Sentences from either end that are checked for instructions about the answer.
const CHECKED: usize = 4;
/// The longest part of such a sentence that is looked at, in characters.
const SENTENCE: usize = 200;
/// What must be left of a prompt, in bytes, for its instructions to be dropped.
const LEFT: usize = 8;

/// What a prompt says, and which part of it.
pub(crate) struct Reading {
    pub(crate) logits: Logits,
    pub(crate) view: View,
    /// Whether all views favoured the same route; none if there was one view.
    pub(crate) agree: Option<bool>,
}

impl Classifier {
    /// Reads a prompt through its views.
    pub(crate) fn read(&self, prompt: &str) -> Reading {
        let prompt = text::bounded(prompt);
        let sentences = text::sentences(&prompt);
        match self.without_meta(&sentences) {
            Some(kept) => self.best_view(&kept.join("\n"), &kept),
            None => self.best_view(&prompt, &sentences),
        }
    }

    /// The sentences that are left when instructions about the answer are dropped; none if there is nothing to drop.
    fn without_meta<'a>(&self, sentences: &[&'a str]) -> Option<Vec<&'a str>> {
        if sentences.len() < 2 {
            return None;
        }
        let end = sentences.len().saturating_sub(CHECKED);
        let kept: Vec<&str> = sentences
            .iter()
            .enumerate()
            .filter(|&(i, sentence)| {
                !((i < CHECKED || i >= end) && self.is_meta(text::first(sentence, SENTENCE)))
            })
            .map(|(_, sentence)| *sentence)
            .collect();
        let left: usize = kept.iter().map(|sentence| sentence.len()).sum();
        (kept.len() < sentences.len() && left >= LEFT).then_some(kept)
    }

    fn best_view(&self, prompt: &str, sentences: &[&str]) -> Reading {
        let logits = self.logits(&text::whole(prompt));
        let mut reading = Reading {
            logits,
            view: View::Whole,
            agree: None,
        };
        if sentences.is_empty() || !text::has_views(prompt, sentences) {
            return reading;
        }
        let whole = leading(&reading.logits.z);
        let (mut clearest, mut agree) = (margin(&reading.logits.z), true);
        for (view, text) in [
            (View::Head, text::head(sentences)),
            (View::Tail, text::tail(sentences)),
        ] {
            let logits = self.logits(&text);
            let margin = margin(&logits.z);
            agree &= leading(&logits.z) == whole;
            if margin > clearest {
                clearest = margin;
                reading.logits.z = logits.z;
                reading.view = view;
            }
        }
        reading.agree = Some(agree);
        reading
    }
}

/// The route with the highest logit; the first of equals.
pub(crate) fn leading(z: &[f32]) -> usize {
    let routes = &z[..z.len() - 1];
    (1..routes.len()).fold(0, |best, r| if routes[r] > routes[best] { r } else { best })
}

/// How much more probable the best route is than none.
fn margin(z: &[f32]) -> f32 {
    let mut p = z.to_vec();
    softmax(&mut p);
    p[leading(z)] - p[p.len() - 1]
}
