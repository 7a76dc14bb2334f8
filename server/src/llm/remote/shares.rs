//! From the log-probabilities of a written answer to the probabilities of the names: at every token the alternatives that lead to
//! some name are renormalised, as decoding held to the names would do it.
//!
//! Only what was written is known to its end. An alternative that leads to one name gives it all it has, one that leads to
//! several an equal part to each; names that are among no alternatives get nothing.

use signalbox_llm::prompt::Style;
use signalbox_llm::question::Routes;

use super::wire::{Piece, Token};

/// What each label has, in their order, summing to 1; `None` where the tokens do not tell. `chosen` is the label that was
/// written.
pub(super) fn shares(tokens: &[Token], chosen: usize, routes: &Routes, style: &Style) -> Option<Vec<f64>> {
    let text: Vec<u8> = tokens
        .iter()
        .flat_map(|token| token.own.text())
        .copied()
        .collect();
    let (start, labels) = spelled(&text, chosen, routes, style)?;
    let mut shares = vec![0.0; labels.len()];
    let mut alive: Vec<usize> = (0..labels.len()).collect();
    let (mut share, mut at) = (1.0, 0);
    for token in tokens {
        let (begin, end) = (at, at + token.own.text().len());
        at = end;
        if end <= start {
            continue;
        }
        // What the name has so far, and what of the token stands before it.
        let path = &text[start..begin.max(start)];
        let before = &text[begin..start.max(begin)];
        let written = &text[start..end];
        let (mut own, mut others) = (0.0, Vec::new());
        for piece in alternatives(token) {
            let Some(rest) = piece.text().strip_prefix(before).filter(|rest| !rest.is_empty()) else {
                continue;
            };
            let reached = [path, rest].concat();
            if agree(&reached, written) {
                own += piece.logprob.exp();
                continue;
            }
            let led: Vec<usize> = leads(&alive, &labels, &reached);
            if !led.is_empty() {
                others.push((led, piece.logprob.exp()));
            }
        }
        let all = own + others.iter().map(|(_, own)| own).sum::<f64>();
        if !(own > 0.0 && all.is_finite()) {
            return None;
        }
        for (led, theirs) in others {
            let each = share * theirs / all / led.len() as f64;
            led.iter().for_each(|&label| shares[label] += each);
        }
        share *= own / all;
        alive = leads(&alive, &labels, written);
        if let [last] = alive[..] {
            shares[last] += share;
            return (last == chosen).then_some(shares);
        }
    }
    None
}

/// Where the name begins, and how each label goes on from there, with the quote that ends it.
fn spelled(text: &[u8], chosen: usize, routes: &Routes, style: &Style) -> Option<(usize, Vec<Vec<u8>>)> {
    let after_key = find(text, b"route").map_or(0, |at| at + b"route".len());
    let escaped = |label: &str| {
        let answer = style.answer(label);
        let name = answer
            .strip_prefix("{\"route\": \"")
            .and_then(|rest| rest.strip_suffix("\"}"));
        name.unwrap_or(label).as_bytes().to_vec()
    };
    let raw = |label: &str| label.as_bytes().to_vec();
    let written = [
        routes.labels().map(escaped).collect::<Vec<_>>(),
        routes.labels().map(raw).collect(),
    ];
    written.into_iter().find_map(|mut labels| {
        let start = after_key + find(&text[after_key..], &labels[chosen])?;
        let end = text.get(start + labels[chosen].len()).copied();
        labels.iter_mut().for_each(|label| label.extend(end));
        Some((start, labels))
    })
}

/// The token that was written and its alternatives, each once.
fn alternatives(token: &Token) -> impl Iterator<Item = &Piece> {
    let listed = token
        .top_logprobs
        .iter()
        .any(|piece| piece.text() == token.own.text());
    token.top_logprobs.iter().chain((!listed).then_some(&token.own))
}

/// Of `alive`, those that begin with `reached` or end within it.
fn leads(alive: &[usize], labels: &[Vec<u8>], reached: &[u8]) -> Vec<usize> {
    alive
        .iter()
        .copied()
        .filter(|&label| agree(&labels[label], reached))
        .collect()
}

/// Whether one goes on as the other begins.
fn agree(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
