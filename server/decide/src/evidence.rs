//! What is known about one request so far, and the closed list of costly questions that can be asked about it.
//! A question that failed is an answer with a reason, never an error: it may weaken a decision but cannot fail one.

use std::sync::Arc;

use crate::decision::Decision;
use crate::health::Health;
use crate::llm::Judgement;
use crate::policy::RouteIndex;
use crate::session::Held;

/// A costly question. Each is asked at most once for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Was exactly this request decided before? About 1 µs.
    ExactCache,
    /// How probable is each route by the embedded classifier? About 30 µs for a short prompt.
    Embedding,
    /// How probable is each route by the sentence encoder? Milliseconds. Asked only where the policy wants it and the
    /// embedding is unsure.
    Encoder,
    /// How probable is each route by a language model? Milliseconds to seconds. Asked only where the policy wants it.
    Llm,
    /// How much does the prompt need the strong one of this route's two models? About 50 µs for a short prompt.
    Difficulty(RouteIndex),
    /// What can be read off the prompt's text: code, mathematics, language, …? About 5 µs for a short prompt. Asked only
    /// where a rule needs it that nothing else decides.
    Signals,
    /// Which model served this conversation last? About 1 µs. Asked only where the policy holds conversations and the
    /// request belongs to one.
    Session,
    /// What do reported outcomes say of the models now? About 1 µs. Asked only where the policy uses it.
    Health,
}

impl Probe {
    /// The word used in policy tests, explanations and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Probe::ExactCache => "exact_cache",
            Probe::Embedding => "embedding",
            Probe::Encoder => "encoder",
            Probe::Llm => "llm",
            Probe::Difficulty(_) => "difficulty",
            Probe::Signals => "signals",
            Probe::Session => "session",
            Probe::Health => "health",
        }
    }
}

/// The answer to a probe.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Answer<T> {
    /// The question was not put.
    #[default]
    NotAsked,
    /// The answer.
    Got(T),
    /// There is none; `code` is one of the published degradation codes.
    Failed {
        /// Degradation code, for example `embedding_failed`.
        code: &'static str,
        /// What happened, for people.
        detail: String,
    },
}

/// Everything known about one request so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// `Got(None)` is a miss.
    pub cache: Answer<Option<Arc<Decision>>>,
    /// Probabilities of the routes in question.
    pub embedding: Answer<Arc<RouteScores>>,
    /// The same by the sentence encoder.
    pub encoder: Answer<Arc<RouteScores>>,
    /// What a language model says of them.
    pub llm: Answer<Arc<Judgement>>,
    /// For the one route that was asked about: the share of the labelled prompts that are easier, 0..=1.
    pub difficulty: Answer<f64>,
    /// What rules may read of the prompt.
    pub signals: Answer<Signals>,
    /// `Got(None)` where the conversation is new.
    pub session: Answer<Option<Held>>,
    /// What outcomes say of the models.
    pub health: Answer<Arc<Health>>,
}

impl Evidence {
    /// Whether something says how probable the routes are.
    pub fn compares_routes(&self) -> bool {
        matches!(self.embedding, Answer::Got(_)) || matches!(self.llm, Answer::Got(_))
    }

    /// What the classifier says after all its looks: the encoder's answer, else the embedding's.
    pub fn scores(&self) -> Option<&Arc<RouteScores>> {
        match (&self.encoder, &self.embedding) {
            (Answer::Got(scores), _) | (_, Answer::Got(scores)) => Some(scores),
            _ => None,
        }
    }

    /// Drops what is about routes: it means nothing for others.
    pub fn forget_routes(&mut self) {
        self.embedding = Answer::NotAsked;
        self.encoder = Answer::NotAsked;
        self.llm = Answer::NotAsked;
        self.difficulty = Answer::NotAsked;
    }

    /// Whether the conversation's past may have changed the decision, which then holds for no other one.
    pub fn session_counts(&self) -> bool {
        matches!(&self.session, Answer::Got(Some(_)))
    }

    /// Whether reported outcomes may have changed the decision, which then holds for no other moment.
    pub fn health_counts(&self) -> bool {
        matches!(&self.health, Answer::Got(health) if !health.is_empty())
    }
}

/// What can be read off the text of the last user turn. Facts about a text, never the text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Signals {
    /// Whether it contains code; asking for code is not enough.
    pub has_code: bool,
    /// Whether it contains mathematics: formulas, sums, or the words for them.
    pub has_math: bool,
    /// Whether it asks something.
    pub is_question: bool,
    /// ISO 639-1 code of its language, `und` when that is not clear.
    pub language: &'static str,
    /// How much it demands, 0..=1: length, long words and sentences, number of demands.
    pub complexity: f64,
    /// How its words feel, from -1 (bad) to 1 (good).
    pub sentiment: f64,
}

/// Calibrated probabilities of the routes in [`scored`](crate::Policy::scored) and of none of them; together they sum to
/// 1. Indexes here are positions among those.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteScores {
    /// By route, in their order, 0..=1.
    pub routes: Vec<f32>,
    /// Of no route, 0..=1.
    pub other: f32,
    /// Least probability that decides where the policy sets no `evidence.threshold`.
    pub default_threshold: f32,
    /// The route that the conversation was on before its last user turn.
    pub held: Option<usize>,
    /// Whether the last user turn only closes the conversation.
    pub closing: bool,
    /// Which part of a long prompt was decisive: `whole`, `head`, `tail` or `middle`.
    pub view: &'static str,
    /// Whether the sentence encoder can look at the request again: not at turns of a conversation.
    pub second_look: bool,
}

impl RouteScores {
    /// The most probable route and the distance to the runner-up, `other` counted among them. Ties go to the first.
    pub fn best(&self) -> Option<(RouteIndex, f32, f32)> {
        let mut best: Option<(RouteIndex, f32)> = None;
        let mut second = self.other;
        for (route, &p) in self.routes.iter().enumerate() {
            match best {
                Some((_, top)) if p <= top => second = second.max(p),
                _ => {
                    if let Some((_, top)) = best {
                        second = second.max(top);
                    }
                    best = Some((route, p));
                }
            }
        }
        best.map(|(route, p)| (route, p, p - second))
    }
}
