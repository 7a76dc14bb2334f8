//! A request in the middle of something long, looked for where neither end nor both together speak for a route.
//!
//! Who pastes text around a request sets it off by blank lines, so each paragraph between the first and the last is a
//! view of its own. What an end decides clearly costs nothing here; with descriptions alone few are that clear.

use crate::classifier::{Classifier, Logits};
use crate::text;
use crate::views::margin;

/// Paragraphs that are looked at, from the front.
const MOST: usize = 8;

/// The paragraphs between the first and the last, lower-cased, both ends of a long one.
fn paragraphs(prompt: &str) -> Vec<String> {
    let mut paragraphs: Vec<Vec<&str>> = vec![Vec::new()];
    for line in prompt.lines().map(str::trim) {
        match paragraphs.last_mut() {
            Some(last) if !line.is_empty() => last.push(line),
            Some(last) if !last.is_empty() => paragraphs.push(Vec::new()),
            _ => {}
        }
    }
    paragraphs.retain(|lines| !lines.is_empty());
    let between = paragraphs.len().saturating_sub(2);
    let between = paragraphs.iter().skip(1).take(between.min(MOST));
    between.map(|lines| text::whole(&lines.join(" "))).collect()
}

impl Classifier {
    /// The paragraph that speaks most clearly for a route, if it does so more clearly than `least`: its logits and text.
    pub(crate) fn middle(&self, prompt: &str, least: f32) -> Option<(Logits, String)> {
        let mut found = None;
        let mut clearest = least;
        for paragraph in paragraphs(prompt) {
            let logits = self.logits(self.reader.join(&[&self.reader.lex(&paragraph)]));
            let margin = margin(&logits.z);
            if margin > clearest {
                clearest = margin;
                found = Some((logits, paragraph));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_between_the_first_and_the_last_are_found() {
        let prompt = "First.\nStill first.\n\n \nIn the\n middle\n\nToo\n\n\nLast\n\n";
        assert_eq!(paragraphs(prompt), ["in the middle", "too"]);
    }

    #[test]
    fn two_paragraphs_have_none_between_them() {
        for prompt in ["", "\n\n", "one", "one\n\ntwo", "\n\none\ntwo\n\nthree\n"] {
            assert!(paragraphs(prompt).is_empty(), "{prompt}");
        }
    }

    #[test]
    fn of_very_many_paragraphs_a_few_are_looked_at() {
        assert_eq!(paragraphs(&"word\n\n".repeat(1000)).len(), MOST);
    }
}
