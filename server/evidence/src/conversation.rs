//! A conversation: which route it is on by now, and what its last user turn adds.
//!
//! User turns are read oldest first. A turn that is a reply ("yes, for two") says little by itself, so the route held
//! so far gets a bonus, routes near it a small one, and what the assistant said last counts too. A turn that ends the
//! conversation belongs to no route. Stateless: the same messages give the same answer on every replica.

use crate::act::Act;
use crate::classifier::{Classifier, Logits};
use crate::regression::softmax;
use crate::scores::{self, Origin, Scores, View};
use crate::text;
use crate::views::leading;

/// User turns that are read; what came before them no longer counts. Bounds the work of a request.
const TURNS: usize = 16;
/// What the route held so far is ahead.
const HELD: f32 = 3.5;
/// What the route nearest to it is ahead.
const NEAR: f32 = 0.7;
/// How much the assistant's last message counts, and how much more for a pure reply.
const ASSISTANT: f32 = 0.2;
const ASSISTANT_REPLY: f32 = 0.1;
/// What none must be ahead of the best route to end a conversation's route.
const NONE_AHEAD: f32 = 1.0;
/// After a question, thanks are an answer: the logit of an ending drops by this much.
const ASKED: f32 = 2.0;
/// The part of the assistant's message that is searched for a question, in characters.
const QUESTION: usize = 200;
/// Descriptions alone are this much sharper in a conversation.
const DESCRIBED: f32 = 2.0;
/// The logit of none there.
const DESCRIBED_NONE: f32 = 3.78;

/// Offers of more help: a "no, thanks" to them ends the conversation.
const OFFERS: [&str; 10] = [
    "anything else",
    "something else",
    "anything more",
    "any other",
    "further assist",
    "what else",
    "else i can",
    "help you with",
    "more help",
    "assist you",
];

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The system, the developer or a tool: not read.
    System,
    /// The user, whose last message is classified.
    User,
    /// The assistant, whose messages say what the user replies to.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// Who wrote it.
    pub role: Role,
    /// What it says; any text, of any length.
    pub text: &'a str,
}

/// A user's message and what the assistant said before it.
struct Exchange<'a> {
    said: &'a str,
    user: &'a str,
}

/// What is known after a turn.
struct State {
    logits: Logits,
    view: View,
    agree: Option<bool>,
    closing: bool,
}

impl Classifier {
    /// The probabilities of a conversation's last user turn. At most the last 16 user turns are read, and of each
    /// message at most 2,400 characters (400 of those before the last), so the work is bounded: under a
    /// millisecond. Never fails: without a user's words the answer is no route.
    #[must_use]
    pub fn classify(&self, turns: &[Turn<'_>]) -> Scores {
        self.classify_after(turns, None)
    }

    /// The same where it is known which route the conversation was on before its last user turn, as when the caller sends
    /// that turn alone or a better judge than this one decided the last. `known` is an index of a route.
    #[must_use]
    pub fn classify_after(&self, turns: &[Turn<'_>], known: Option<usize>) -> Scores {
        let known = known.filter(|route| *route < self.routes());
        let exchanges = exchanges(turns);
        if self.routes() == 0 || exchanges.is_empty() {
            return Scores::nothing(self.routes());
        }
        let mut held = None;
        let mut before = None;
        let mut last = None;
        for (number, exchange) in exchanges.iter().enumerate() {
            let at_last = number + 1 == exchanges.len();
            if at_last {
                held = known.or(held);
            }
            before = held;
            let state = if number == 0 && before.is_none() {
                self.opening(exchange)
            } else {
                self.next(exchange, held, at_last)
            };
            let z = &state.logits.z;
            if !state.closing && z[leading(z)] > z[self.routes()] {
                held = Some(leading(z));
            }
            last = Some(state);
        }
        let Some(state) = last else {
            return Scores::nothing(self.routes());
        };
        let origin = Origin {
            trained: self.is_trained(),
            conversation: exchanges.len() > 1 || known.is_some(),
            views_agree: state.agree,
        };
        let alone = !origin.conversation;
        let counts = &state.logits.text.counts;
        if counts.grams == 0 && before.is_none() {
            return Scores::nothing(self.routes());
        }
        let unknown_share = counts.unknown_share();
        let mut p = state.logits.z;
        scores::temper(&mut p, origin);
        softmax(&mut p);
        let other = p.pop().unwrap_or(1.0);
        Scores {
            routes: p,
            other,
            held: before,
            closing: state.closing,
            view: state.view,
            unknown_share,
            alone,
        }
    }

    /// A second look at a prompt that stands alone, by the encoder that the classifier was given. `None` without one, or
    /// where the prompt has no words or is one of several of a conversation, whose state the encoder does not know.
    ///
    /// Milliseconds; it reads no more than the view that decided the first time.
    #[must_use]
    pub fn look_again(&self, turns: &[Turn<'_>]) -> Option<Scores> {
        let second = self.second.as_ref()?;
        let exchanges = exchanges(turns);
        let [exchange] = &exchanges[..] else { return None };
        let mut reading = self.read(exchange.user);
        if reading.logits.text.counts.grams == 0 {
            return None;
        }
        self.add_diffuse(&mut reading.logits.z);
        let text = self.view_text(exchange.user, reading.view);
        let read = reading.end.as_ref().unwrap_or(&reading.logits.text);
        let (x, unknown_share) = (self.reader.features(read), read.counts.unknown_share());
        let mut p = second.logits(&reading.logits.z, &x, unknown_share, &text);
        softmax(&mut p);
        let other = p.pop()?;
        Some(Scores {
            routes: p,
            other,
            held: None,
            closing: false,
            view: reading.view,
            unknown_share,
            alone: true,
        })
    }

    /// The first turn, read on its own.
    fn opening(&self, exchange: &Exchange<'_>) -> State {
        let mut reading = self.read(exchange.user);
        self.add_diffuse(&mut reading.logits.z);
        State {
            logits: reading.logits,
            view: reading.view,
            agree: reading.agree,
            closing: false,
        }
    }

    /// A later turn, read after what was said and held. Only of the last one the ends of a long text are looked at by
    /// themselves: what a turn before it did to the held route is seen well enough in its first and last words together.
    fn next(&self, exchange: &Exchange<'_>, held: Option<usize>, last: bool) -> State {
        let n = self.routes();
        let (mut logits, mut view) = (self.logits(self.reader.whole(exchange.user)), View::Whole);
        let act = answering(self.acts.act(&self.reader, &logits.text), exchange.said);
        if act.close > 0.5 {
            let route = libm::logf((1.0 - act.close).max(1e-6) / n as f32);
            logits.z = vec![route; n + 1];
            logits.z[n] = libm::logf(act.close);
            return State {
                logits,
                view,
                agree: None,
                closing: true,
            };
        }
        if last && text::longer_than(exchange.user, 2 * text::HALF) {
            let reading = self.read(exchange.user);
            (logits.z, view) = (reading.logits.z, reading.view);
        }
        self.sharpen(&mut logits.z);
        let content = if held.is_some() {
            act.content + act.close / 2.0
        } else {
            1.0
        };
        for z in &mut logits.z {
            *z *= content;
        }
        if let Some(held) = held {
            logits.z[held] += HELD;
            self.related.add(held, NEAR, &mut logits.z[..n]);
        }
        if !exchange.said.trim_ascii().is_empty() {
            let mut said = self.logits(self.reader.whole(exchange.said)).z;
            self.sharpen(&mut said);
            let mean = said[..n].iter().sum::<f32>() / n as f32;
            let weight = ASSISTANT + ASSISTANT_REPLY * (1.0 - content);
            for (z, said) in logits.z[..n].iter_mut().zip(&said) {
                *z += weight * (said - mean);
            }
        }
        logits.z[n] -= NONE_AHEAD;
        State {
            logits,
            view,
            agree: None,
            closing: false,
        }
    }

    /// Within a conversation, nearness to a description counts for more.
    fn sharpen(&self, z: &mut [f32]) {
        if !self.is_trained() {
            for value in z.iter_mut() {
                *value *= DESCRIBED;
            }
            z[self.routes()] = DESCRIBED_NONE;
        }
    }
}

/// The last user turns, oldest first, each with the assistant's message before it.
fn exchanges<'a>(turns: &[Turn<'a>]) -> Vec<Exchange<'a>> {
    let mut out: Vec<Exchange<'a>> = Vec::new();
    for turn in turns.iter().rev() {
        match turn.role {
            Role::User if out.len() == TURNS => break,
            Role::User => out.push(Exchange {
                said: "",
                user: turn.text,
            }),
            Role::Assistant => {
                if let Some(exchange) = out.last_mut().filter(|exchange| exchange.said.is_empty()) {
                    exchange.said = turn.text;
                }
            }
            Role::System => {}
        }
    }
    out.reverse();
    out
}

/// What a turn does, given what it answers.
fn answering(act: Act, said: &str) -> Act {
    let tail = text::lower(text::last(said, QUESTION));
    let asks = tail.trim_end().ends_with('?') || tail.contains("confirm");
    if !asks || OFFERS.iter().any(|offer| tail.contains(offer)) {
        return act;
    }
    let close = act.close * libm::expf(-ASKED);
    let sum = close + act.reply + act.content;
    Act {
        close: close / sum,
        reply: act.reply / sum,
        content: act.content / sum,
    }
}
