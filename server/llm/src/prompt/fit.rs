//! Which turns go into the prompt, and how much of each: the latest user turn always, then the newest others that fit.

use std::borrow::Cow;

use super::{Prompt, PromptError, Style, push_turn};
use crate::question::{Role, Turn};

/// What stands where the middle of a turn was cut out.
const CUT: &str = " ... ";

/// Tokens a turn needs to say anything.
const MIN_TOKENS: usize = 16;

/// Characters per token that are looked at before counting: a run of blanks can be one token, prose has about 4.
const CHARS_PER_TOKEN: usize = 16;

/// A turn as it goes into the prompt.
pub(super) struct Kept<'a> {
    pub(super) role: Role,
    pub(super) text: Cow<'a, str>,
}

impl<'a> Kept<'a> {
    /// The turn with at most `chars` characters of its text.
    fn cut(turn: &'a Turn, chars: usize) -> Self {
        Self {
            role: turn.role,
            text: middle_cut(&turn.text, chars),
        }
    }

    fn tokens(&self, style: &Style, count: &dyn Fn(&str) -> usize) -> usize {
        let mut out = String::new();
        push_turn(&mut out, self.role, &self.text, style.escapes());
        out.push_str(", ");
        count(&out)
    }

    fn is_cut(&self) -> bool {
        matches!(self.text, Cow::Owned(_))
    }
}

/// `said` are the turns with text, oldest first; `write` renders a whole prompt.
pub(super) fn fit(
    said: &[&Turn],
    style: &Style,
    write: &dyn Fn(&[Kept<'_>]) -> String,
    count: &dyn Fn(&str) -> usize,
) -> Result<Prompt, PromptError> {
    let Some(latest) = said
        .iter()
        .rposition(|turn| turn.role == Role::User)
        .or(said.len().checked_sub(1))
    else {
        return Err(PromptError::NoText);
    };
    let frame = count(&write(&[]));
    let room = style.max_tokens.saturating_sub(frame);
    if room < MIN_TOKENS {
        return Err(PromptError::NoRoom {
            tokens: frame,
            max_tokens: style.max_tokens,
        });
    }
    let asked = cut_to(said[latest], room, style, count);
    let mut left = room.saturating_sub(asked.tokens(style, count));
    let mut after = newest(&said[latest + 1..], &mut left, style, count);
    // What was said since is nearer than what was said before: a gap there ends the search.
    let mut kept = if after.len() == said.len() - latest - 1 {
        newest(&said[..latest], &mut left, style, count)
    } else {
        Vec::new()
    };
    let mut at = kept.len();
    kept.push(asked);
    kept.append(&mut after);
    // Counts of parts sum to no less than the count of the whole for the tokenizers we know. This holds for all.
    loop {
        let text = write(&kept);
        let tokens = count(&text);
        if tokens <= style.max_tokens {
            return Ok(Prompt {
                text,
                shared: 0,
                tokens,
                dropped: said.len() - kept.len(),
                trimmed: kept.iter().filter(|turn| turn.is_cut()).count(),
            });
        }
        if kept.len() > 1 {
            // The oldest goes; where only what followed is left beside the latest user turn, its oldest.
            let oldest = usize::from(at == 0);
            kept.remove(oldest);
            at = at.saturating_sub(1);
        } else {
            let chars = kept[0].text.chars().count();
            if chars <= CUT.len() {
                return Err(PromptError::NoRoom {
                    tokens,
                    max_tokens: style.max_tokens,
                });
            }
            kept[0] = Kept::cut(said[latest], shrunk(chars, tokens - style.max_tokens, tokens));
        }
    }
}

/// As many of the newest `turns` as `left` tokens hold, oldest first.
fn newest<'a>(
    turns: &[&'a Turn],
    left: &mut usize,
    style: &Style,
    count: &dyn Fn(&str) -> usize,
) -> Vec<Kept<'a>> {
    let mut kept = Vec::new();
    for turn in turns.iter().rev() {
        let turn = Kept::cut(turn, style.older_turn_chars);
        let Some(rest) = left.checked_sub(turn.tokens(style, count)) else {
            break;
        };
        *left = rest;
        kept.push(turn);
    }
    kept.reverse();
    kept
}

/// The turn with as much of its text as `room` tokens hold, nearly.
fn cut_to<'a>(turn: &'a Turn, room: usize, style: &Style, count: &dyn Fn(&str) -> usize) -> Kept<'a> {
    let mut kept = Kept::cut(turn, room.saturating_mul(CHARS_PER_TOKEN));
    loop {
        let (tokens, chars) = (kept.tokens(style, count), kept.text.chars().count());
        if tokens <= room || chars <= CUT.len() {
            return kept;
        }
        kept = Kept::cut(turn, shrunk(chars, tokens - room, tokens));
    }
}

/// Fewer than `chars`, by the share that `over` is of `tokens`; at most halved, as tokens are not spread evenly.
fn shrunk(chars: usize, over: usize, tokens: usize) -> usize {
    let less = chars.saturating_mul(over) / tokens.max(1);
    chars - less.clamp(1, chars.div_ceil(2))
}

/// `text` with at most `chars` characters: 60 % of them its beginning, 40 % its end, a mark between.
fn middle_cut(text: &str, chars: usize) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(chars) else {
        return Cow::Borrowed(text);
    };
    let Some(rest) = chars.checked_sub(CUT.len()) else {
        return Cow::Owned(text[..end].to_owned());
    };
    let (head, tail) = (rest * 3 / 5, rest - rest * 3 / 5);
    let start = text.char_indices().nth(head).map_or(text.len(), |(at, _)| at);
    let stop = match tail.checked_sub(1) {
        Some(back) => text.char_indices().rev().nth(back).map_or(0, |(at, _)| at),
        None => text.len(),
    };
    Cow::Owned([&text[..start], CUT, &text[stop..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_fifths_of_what_is_kept_is_the_beginning() {
        let text: String = ('a'..='z').collect();
        assert_eq!(middle_cut(&text, 26), text);
        assert_eq!(middle_cut(&text, 15), "abcdef ... wxyz");
        assert_eq!(middle_cut(&text, 6), " ... z");
        assert_eq!(middle_cut(&text, 3), "abc");
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        let text = "é😀ü".repeat(40);
        for chars in 0..=120 {
            assert_eq!(middle_cut(&text, chars).chars().count(), chars);
        }
    }
}
