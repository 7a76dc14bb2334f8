//! The evidence of a decision as the audit log has it: scores, signals and states, by name where they outlive a policy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use signalbox_api::codes::degraded;
use signalbox_decide::health::{Circuit, ModelHealth, Observed};
use signalbox_decide::{Answer, Evidence, Health, Held, Judgement, RouteScores, Signals};
use signalbox_evidence::{View, known_language};

/// What was learned about a request. What is missing was not asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Learned {
    /// What the embedded classifier found.
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<Got<Scores>>,
    /// What the sentence encoder found where that was unsure.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoder: Option<Got<Scores>>,
    /// What the language model said.
    #[serde(skip_serializing_if = "Option::is_none")]
    llm: Option<Got<Judged>>,
    /// How much the prompt needs the strong model, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    difficulty: Option<Got<f64>>,
    /// What was read off the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    signals: Option<Got<Read>>,
    /// Where the conversation was; null where it was new.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Got<Option<Was>>>,
    /// What reported outcomes said, by model.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Got<BTreeMap<String, State>>>,
}

/// An answer, or why there was none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Got<T> {
    /// The answer.
    Got(T),
    /// The degradation code.
    Failed(String),
}

/// Probabilities of the routes and of none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Scores {
    /// By route, in the policy's order.
    routes: Vec<f32>,
    other: f32,
    default_threshold: f32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<usize>,
    closing: bool,
    /// `whole`, `head`, `tail` or `middle`.
    view: String,
    /// Whether the sentence encoder can be asked about this text.
    #[serde(default)]
    second_look: bool,
}

/// What a language model said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Judged {
    scores: Scores,
    /// Whether these are its probabilities; otherwise it wrote a name.
    measured: bool,
    /// Milliseconds to the answer.
    computed_ms: f64,
}

/// What was read off the last user turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Read {
    has_code: bool,
    has_math: bool,
    is_question: bool,
    language: String,
    complexity: f64,
    sentiment: f64,
}

/// Where a conversation was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Was {
    model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    route: Option<String>,
}

/// What outcomes said of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct State {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cooling_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    circuit: Option<Open>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency: Option<Took>,
}

/// An open circuit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Open {
    failure_share: f64,
    calls: f64,
    trial: bool,
}

/// Observed times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Took {
    latency_ms: f64,
    output_tokens: f64,
    calls: f64,
}

fn written<T, W>(answer: &Answer<T>, write: impl Fn(&T) -> W) -> Option<Got<W>> {
    match answer {
        Answer::NotAsked => None,
        Answer::Got(got) => Some(Got::Got(write(got))),
        Answer::Failed { code, .. } => Some(Got::Failed((*code).to_owned())),
    }
}

fn read<T, W>(answer: Option<Got<W>>, read: impl Fn(W) -> T) -> Answer<T> {
    match answer {
        None => Answer::NotAsked,
        Some(Got::Got(got)) => Answer::Got(read(got)),
        Some(Got::Failed(code)) => Answer::Failed {
            // A code of a later version is as good as any: it failed.
            code: degraded::ALL
                .into_iter()
                .find(|known| *known == code)
                .unwrap_or(degraded::EMBEDDING_FAILED),
            detail: "it had failed when the decision was made".to_owned(),
        },
    }
}

impl Learned {
    /// Drops what is about routes.
    pub(super) fn forget_routes(&mut self) {
        self.embedding = None;
        self.encoder = None;
        self.llm = None;
        self.difficulty = None;
    }
}

// Taken apart without `..`, so that evidence which is new cannot be forgotten.
impl From<&Evidence> for Learned {
    fn from(evidence: &Evidence) -> Self {
        let Evidence {
            cache: _, // what it did stands in the line
            embedding,
            encoder,
            llm,
            difficulty,
            signals,
            session,
            health,
        } = evidence;
        Learned {
            embedding: written(embedding, |scores| Scores::from(&**scores)),
            encoder: written(encoder, |scores| Scores::from(&**scores)),
            llm: written(llm, |judgement| Judged {
                scores: Scores::from(&*judgement.scores),
                measured: judgement.measured,
                computed_ms: judgement.computed.as_secs_f64() * 1e3,
            }),
            difficulty: written(difficulty, |difficulty| *difficulty),
            signals: written(signals, |signals| Read {
                has_code: signals.has_code,
                has_math: signals.has_math,
                is_question: signals.is_question,
                language: signals.language.to_owned(),
                complexity: signals.complexity,
                sentiment: signals.sentiment,
            }),
            session: written(session, |held| {
                held.as_ref().map(|held| Was {
                    model: held.model.clone(),
                    route: held.route.clone(),
                })
            }),
            health: written(health, |health| {
                let models = health.models.iter();
                models
                    .map(|(id, state)| (id.clone(), State::from(state)))
                    .collect()
            }),
        }
    }
}

// The other way: what replays need.
impl From<Learned> for Evidence {
    fn from(learned: Learned) -> Self {
        let Learned {
            embedding,
            encoder,
            llm,
            difficulty,
            signals,
            session,
            health,
        } = learned;
        Evidence {
            cache: Answer::NotAsked,
            embedding: read(embedding, |scores| Arc::new(scores.into())),
            encoder: read(encoder, |scores| Arc::new(scores.into())),
            llm: read(llm, |judged| {
                Arc::new(Judgement {
                    scores: Arc::new(judged.scores.into()),
                    measured: judged.measured,
                    computed: Duration::try_from_secs_f64(judged.computed_ms / 1e3).unwrap_or_default(),
                    ..Judgement::default()
                })
            }),
            difficulty: read(difficulty, |difficulty| difficulty),
            signals: read(signals, |read| Signals {
                has_code: read.has_code,
                has_math: read.has_math,
                is_question: read.is_question,
                language: known_language(&read.language).unwrap_or("und"),
                complexity: read.complexity,
                sentiment: read.sentiment,
            }),
            session: read(session, |was| {
                was.map(|Was { model, route }| Held { model, route })
            }),
            health: read(health, |models| {
                let models = models.into_iter().map(|(id, state)| (id, state.into()));
                Arc::new(Health {
                    models: models.collect(),
                })
            }),
        }
    }
}

impl From<&RouteScores> for Scores {
    fn from(scores: &RouteScores) -> Self {
        Scores {
            routes: scores.routes.clone(),
            other: scores.other,
            default_threshold: scores.default_threshold,
            held: scores.held,
            closing: scores.closing,
            view: scores.view.to_owned(),
            second_look: scores.second_look,
        }
    }
}

impl From<Scores> for RouteScores {
    fn from(scores: Scores) -> Self {
        let view = View::ALL.iter().find(|view| view.as_str() == scores.view);
        RouteScores {
            routes: scores.routes,
            other: scores.other,
            default_threshold: scores.default_threshold,
            held: scores.held,
            closing: scores.closing,
            view: view.copied().unwrap_or_default().as_str(),
            second_look: scores.second_look,
        }
    }
}

impl From<&ModelHealth> for State {
    fn from(health: &ModelHealth) -> Self {
        State {
            cooling_s: health.cooling_s,
            circuit: health.circuit.map(|circuit| Open {
                failure_share: circuit.failure_share,
                calls: circuit.calls,
                trial: circuit.trial,
            }),
            latency: health.latency.map(|observed| Took {
                latency_ms: observed.latency_ms,
                output_tokens: observed.output_tokens,
                calls: observed.calls,
            }),
        }
    }
}

impl From<State> for ModelHealth {
    fn from(state: State) -> Self {
        ModelHealth {
            cooling_s: state.cooling_s,
            circuit: state.circuit.map(|open| Circuit {
                failure_share: open.failure_share,
                calls: open.calls,
                trial: open.trial,
            }),
            latency: state.latency.map(|took| Observed {
                latency_ms: took.latency_ms,
                output_tokens: took.output_tokens,
                calls: took.calls,
            }),
        }
    }
}
