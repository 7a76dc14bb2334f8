//! A language model's opinion on the routes: when a policy wants it, and what it was. The server asks; the ladder weighs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::evidence::RouteScores;

/// When a language model is asked, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LlmSettings {
    /// When.
    pub mode: LlmMode,
    /// With [`LlmMode::WhenUnsure`]: the probability of the embedding's best route below which it is asked, 0..=1.
    pub ask_below: f64,
    /// Milliseconds that it may take.
    pub timeout_ms: u64,
}

impl LlmSettings {
    /// Whether it is ever asked.
    pub fn asks(&self) -> bool {
        self.mode != LlmMode::Never
    }
}

impl Default for LlmSettings {
    fn default() -> Self {
        LlmSettings {
            mode: LlmMode::Never,
            ask_below: 0.8,
            timeout_ms: 200,
        }
    }
}

/// When a language model is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LlmMode {
    /// Not at all.
    #[default]
    Never,
    /// Where the embedding finds neither a route nor a domain.
    FallbackOnly,
    /// Where the embedding's best route is not probable enough, also where it holds that none fits: it knows words, and a
    /// request without those of a route may still be about it.
    WhenUnsure,
    /// For everything that routes decide; the embedding is asked where it does not answer.
    Always,
}

impl LlmMode {
    /// The mode that a word of the policy stands for.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "never" => Some(LlmMode::Never),
            "fallback_only" => Some(LlmMode::FallbackOnly),
            "when_unsure" => Some(LlmMode::WhenUnsure),
            "always" => Some(LlmMode::Always),
            _ => None,
        }
    }
}

/// What a language model said, and what it took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// The probability of each route in question and of none, renormalised over these names.
    pub scores: Arc<RouteScores>,
    /// Whether these are its probabilities. Otherwise it only wrote a name, which then stands at 1: a decision by it has no
    /// confidence.
    pub measured: bool,
    /// Tokens of its prompt, where known.
    pub prompt_tokens: Option<u64>,
    /// How many of them it had read before, where known.
    pub cached_tokens: Option<u64>,
    /// Time until its turn came, where known.
    pub queued: Option<Duration>,
    /// Time from then to the answer.
    pub computed: Duration,
    /// Whose question it answered; tokens and times are those of that one.
    pub said_to: SaidTo,
}

/// Whose question an answer was given to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaidTo {
    /// This request's, or that of an equal one at the same time.
    #[default]
    This,
    /// Another request's that asks for the same in other words.
    Alike,
    /// An equal one's at another replica, or at this one before.
    Earlier {
        /// Seconds since then.
        seconds: u64,
    },
}

impl Judgement {
    /// The distance between the two most probable answers, no route among them, 0..=1.
    pub fn margin(&self) -> f64 {
        let scores = &self.scores;
        let (mut first, mut second) = (0.0_f32, 0.0_f32);
        for p in scores.routes.iter().chain([&scores.other]) {
            if *p > first {
                (first, second) = (*p, first);
            } else if *p > second {
                second = *p;
            }
        }
        f64::from(first) - f64::from(second)
    }

    /// The most probable route; `None` where that is none.
    pub fn best(&self) -> Option<usize> {
        let scores = &self.scores;
        let mut best = (None, scores.other);
        for (route, p) in scores.routes.iter().enumerate() {
            if *p > best.1 {
                best = (Some(route), *p);
            }
        }
        best.0
    }
}

/// `412 prompt tokens, 380 of them cached, queued 0.1 ms, computed 41.3 ms`.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.said_to {
            SaidTo::This => {}
            SaidTo::Alike => write!(f, "as said to a request that asks for the same: ")?,
            SaidTo::Earlier { seconds } => write!(f, "as said to the same question {seconds} s ago: ")?,
        }
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        if let Some(tokens) = self.prompt_tokens {
            write!(f, "{tokens} prompt tokens, ")?;
        }
        if let Some(cached) = self.cached_tokens {
            write!(f, "{cached} of them cached, ")?;
        }
        if let Some(queued) = self.queued {
            write!(f, "queued {:.1} ms, ", ms(queued))?;
        }
        write!(f, "computed {:.1} ms", ms(self.computed))
    }
}
