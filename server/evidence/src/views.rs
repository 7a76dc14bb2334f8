//! One prompt on its own: the request may be all of it, or stand at either end of something pasted.
//!
//! Sentences about the answer are dropped first. Then the whole, the head and the tail are scored, and the one that
//! speaks most clearly for a route decides. Where none of a long prompt's does, its middle is looked at.

use crate::classifier::{Classifier, Logits};
use crate::reader::{Joined, Lexed};
use crate::regression::softmax;
use crate::scores::View;
use crate::text;

/// Sentences from either end that are checked for instructions about the answer.
const CHECKED: usize = 4;
/// The longest part of such a sentence that is looked at, in characters.
const SENTENCE: usize = 200;
/// What must be left of a prompt, in bytes, for its instructions to be dropped.
const LEFT: usize = 8;
/// The middle of a long prompt is looked at where the clearest view leads none by less than this.
const UNCLEAR: f32 = 0.5;

/// The margin from which on the whole decides without a look at the ends, which could not be much clearer. With descriptions
/// alone it is rare, and whether the views agree says how far to believe them.
const CLEAR: f32 = 0.9;

/// What a prompt says, and which part of it.
pub(crate) struct Reading {
    pub(crate) logits: Logits,
    pub(crate) view: View,
    /// What is in that end; none where the whole decided, which is with the logits.
    pub(crate) end: Option<Joined>,
    /// Whether all views favoured the same route; none if there was one view.
    pub(crate) agree: Option<bool>,
}

impl Classifier {
    /// Reads a prompt through its views.
    pub(crate) fn read(&self, prompt: &str) -> Reading {
        let prompt = text::bounded(prompt);
        let sentences = text::sentences(&prompt);
        let long = text::longer_than(&prompt, 2 * text::HALF);
        let mut reading = if long {
            self.long(&prompt, sentences)
        } else {
            self.short(&prompt, &sentences)
        };
        let unclear = || Some(margin(&reading.logits.z)).filter(|&margin| margin < UNCLEAR);
        let found = || unclear().and_then(|least| self.middle(&prompt, least));
        if let Some((logits, _)) = long.then(found).flatten() {
            reading.logits.z = logits.z;
            reading.end = Some(logits.text);
            reading.view = View::Middle;
            reading.agree = Some(false);
        }
        reading
    }

    /// Up to 400 characters: each sentence is looked at once, and all views are made of them.
    fn short(&self, prompt: &str, sentences: &[&str]) -> Reading {
        if let [_] = sentences
            && text::longer_than(prompt, text::VIEW)
        {
            return self.cut(prompt, sentences);
        }
        let lexed: Vec<Lexed> = sentences
            .iter()
            .map(|sentence| self.reader.lex(&text::lower(sentence)))
            .collect();
        let end = sentences.len().saturating_sub(CHECKED);
        let kept = self.without_meta(sentences, |at| {
            (at < CHECKED || at >= end) && self.acts.is_meta(&self.reader, &lexed[at])
        });
        let parts: Vec<&Lexed> = kept.iter().map(|&at| &lexed[at]).collect();
        self.clearest(self.reader.join(&parts), || {
            let words = || kept.iter().map(|&at| sentences[at]);
            let (head, tail) = (text::enough(words()), text::enough(words().rev()));
            let ends = [&parts[..head], &parts[parts.len() - tail..]];
            (parts.len() > 1).then(|| ends.map(|parts| self.reader.join(parts)))
        })
    }

    /// More than that: views are cut from the text, and only sentences at either end are checked for instructions.
    fn long(&self, prompt: &str, sentences: Vec<&str>) -> Reading {
        let kept = self.content(&sentences);
        if kept.len() == sentences.len() {
            return self.cut(prompt, &sentences);
        }
        self.cut(&kept.join("\n"), &kept)
    }

    /// The sentences that are not about the answer, of which only those at either end are checked.
    fn content<'a>(&self, sentences: &[&'a str]) -> Vec<&'a str> {
        let end = sentences.len().saturating_sub(CHECKED);
        let kept = self.without_meta(sentences, |at| {
            (at < CHECKED || at >= end) && {
                let sentence = text::lower(text::first(sentences[at], SENTENCE));
                self.acts.is_meta(&self.reader, &self.reader.lex(&sentence))
            }
        });
        kept.into_iter().map(|at| sentences[at]).collect()
    }

    /// A view of a prompt as text.
    pub(crate) fn view_text(&self, prompt: &str, view: View) -> String {
        let prompt = text::bounded(prompt);
        let kept = self.content(&text::sentences(&prompt));
        match view {
            View::Whole => text::whole(&kept.join(" ")),
            View::Head => text::head(&kept),
            View::Tail => text::tail(&kept),
            View::Middle => self
                .middle(&prompt, -1.0)
                .map_or_else(|| text::whole(&prompt), |(_, text)| text),
        }
    }

    fn cut(&self, prompt: &str, sentences: &[&str]) -> Reading {
        let end = |text: String| self.reader.join(&[&self.reader.lex(&text)]);
        self.clearest(self.reader.whole(prompt), || {
            (!sentences.is_empty()).then(|| [end(text::head(sentences)), end(text::tail(sentences))])
        })
    }

    /// Which sentences are left when those about the answer are dropped: all, if nothing else would be left.
    fn without_meta(&self, sentences: &[&str], is_meta: impl Fn(usize) -> bool) -> Vec<usize> {
        let all = 0..sentences.len();
        if sentences.len() < 2 {
            return all.collect();
        }
        let kept: Vec<usize> = all.clone().filter(|&at| !is_meta(at)).collect();
        let left: usize = kept.iter().map(|&at| sentences[at].len()).sum();
        if left >= LEFT { kept } else { all.collect() }
    }

    /// Scores the views; the one that speaks most clearly for a route decides.
    fn clearest(&self, whole: Joined, ends: impl FnOnce() -> Option<[Joined; 2]>) -> Reading {
        let mut reading = Reading {
            logits: self.logits(whole),
            view: View::Whole,
            end: None,
            agree: None,
        };
        let (whole, mut clearest) = (leading(&reading.logits.z), margin(&reading.logits.z));
        if self.is_trained() && clearest >= CLEAR {
            return reading;
        }
        let Some([head, tail]) = ends() else {
            return reading;
        };
        let mut agree = true;
        for (view, text) in [(View::Head, head), (View::Tail, tail)] {
            let logits = self.logits(text);
            let margin = margin(&logits.z);
            agree &= leading(&logits.z) == whole;
            if margin > clearest {
                clearest = margin;
                reading.logits.z = logits.z;
                reading.end = Some(logits.text);
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
pub(crate) fn margin(z: &[f32]) -> f32 {
    let mut p = z.to_vec();
    softmax(&mut p);
    p[leading(z)] - p[p.len() - 1]
}
