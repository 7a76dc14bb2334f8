//! A policy made ready to decide: checked, with its classifier trained. Immutable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::SystemTime;

use signalbox_decide::policy::{self, Loaded, RouteIndex};
use signalbox_decide::{Answer, Diagnostic, Policy, RouteScores, Severity, Signals};
use signalbox_evidence::difficulty::Difficulty;
use signalbox_evidence::{
    Classifier, DEFAULT_THRESHOLD, Encoder, Role as Speaker, RouteText, TrainingSet, Turn,
};
use signalbox_llm::question::Routes;

use crate::conversation::{Conversation, Message, Role};
use crate::llm;
use crate::store::difficulty::{self, Learned};
use crate::store::{PolicyInfo, shadow};

/// Cosine of two descriptions above which they are reported as overlapping.
const OVERLAP: f32 = 0.85;

/// Routes up to which descriptions are compared pairwise; the work grows with the square.
const COMPARED: usize = 500;

/// A classifier, trained by whoever needs it first.
type Trained = Arc<OnceLock<Classifier>>;

/// A policy ready to decide.
#[derive(Debug)]
pub struct Snapshot {
    /// The policy.
    pub policy: Arc<Policy>,
    /// Where it came from.
    pub info: PolicyInfo,
    /// Identity of everything that scores are learned from, a request's own routes among it: equal fingerprints give equal
    /// evidence.
    pub evidence_fingerprint: [u8; 32],
    pub(crate) encoder: Arc<Encoder>,
    classifier: Option<Trained>,
    learned: Learned,
    /// The routes as a language model is asked about them, where the policy wants that.
    questioned: Option<Arc<Routes>>,
    /// The policy that is compared with this one.
    pub shadow: Option<Arc<Snapshot>>,
}

impl Snapshot {
    /// The routes as a language model is asked about them, in the order of its answer; always the same `Arc`. `None` where the
    /// policy never asks one.
    pub fn questioned(&self) -> Option<&Arc<Routes>> {
        self.questioned.as_ref()
    }

    /// The probabilities of the policy's routes for a conversation that was on route `held` before, where that is known.
    pub fn scores(&self, conversation: &Conversation, held: Option<&str>) -> Answer<Arc<RouteScores>> {
        let Some(classifier) = self.classifier.as_ref().and_then(|trained| trained.get()) else {
            return Answer::Failed {
                code: "embedding_failed",
                detail: "the policy has no routes to score".into(),
            };
        };
        let messages = conversation.messages.iter();
        let turns: Vec<Turn<'_>> = messages
            .map(|m| Turn {
                role: speaker(m.role),
                text: &m.content,
            })
            .collect();
        let held = held.and_then(|name| self.policy.scored().iter().position(|route| route.name == name));
        let scores = classifier.classify_after(&turns, held);
        Answer::Got(Arc::new(RouteScores {
            routes: scores.routes,
            other: scores.other,
            default_threshold: DEFAULT_THRESHOLD,
            held: scores.held,
            closing: scores.closing,
            view: scores.view.as_str(),
        }))
    }
}

impl Snapshot {
    /// How much the last thing that a person said needs the strong one of a route's two models.
    pub fn difficulty(&self, route: RouteIndex, conversation: &Conversation) -> Answer<f64> {
        let failed = |detail: &str| Answer::Failed {
            code: "difficulty_failed",
            detail: detail.into(),
        };
        let Some(Some(difficulty)) = self.learned.by_route.get(route) else {
            return failed("the route has no strong and weak model");
        };
        let said = |message: &&Message| message.role == Role::User && !message.content.trim().is_empty();
        match conversation.messages.iter().rev().find(said) {
            Some(message) => Answer::Got(difficulty.score(&message.content)),
            None => failed("no user message has text that could be difficult"),
        }
    }

    /// The same with another `policy`, which is this one with a request's routes ([`Policy::with_inline`]) or with other
    /// examples. Trains a classifier on them, which takes 0.1 to 0.5 s for 64 routes without examples and is shared with
    /// nobody: how long it takes must not tell what others asked for. `identity` must differ for different routes and
    /// different snapshots.
    pub(crate) fn with_routes(&self, policy: Policy, identity: [u8; 32]) -> Snapshot {
        let set = training_set(&policy);
        Snapshot {
            info: self.info.clone(),
            evidence_fingerprint: identity,
            encoder: self.encoder.clone(),
            classifier: Some(Arc::new(OnceLock::from(Classifier::compile(
                self.encoder.clone(),
                &set,
            )))),
            learned: self.learned.clone(),
            questioned: llm::routes_of(&policy),
            // It does not know the routes.
            shadow: None,
            policy: Arc::new(policy),
        }
    }

    #[cfg(test)]
    pub(super) fn shares_classifier(&self, other: &Snapshot) -> bool {
        let both = self.classifier.as_ref().zip(other.classifier.as_ref());
        both.is_some_and(|(own, other)| Arc::ptr_eq(own, other))
    }

    /// What was learned for a pair of models, by their ids, if some route chooses between them.
    pub(crate) fn difficulty_of(&self, strong: &str, weak: &str) -> Option<(&Difficulty, f64)> {
        let is = |model: usize, id: &str| self.policy.models[model].id == id;
        let mut routes = self.policy.routes.iter().zip(&self.learned.by_route);
        routes.find_map(|(route, learned)| {
            let pair = route.strong_weak?;
            let same = is(pair.strong, strong) && is(pair.weak, weak);
            same.then_some((learned.as_deref()?, pair.threshold))
        })
    }
}

/// What rules may read of a conversation's text: of its last user turn, else of its last message.
pub fn signals(conversation: &Conversation) -> Signals {
    let messages = &conversation.messages;
    let users = |message: &&Message| message.role == Role::User;
    let asked = messages.iter().rev().find(users).or(messages.last());
    let read = signalbox_evidence::Signals::of(asked.map_or("", |message| &message.content));
    Signals {
        has_code: read.has_code,
        has_math: read.has_math,
        is_question: read.is_question,
        language: read.language,
        complexity: read.complexity,
        sentiment: read.sentiment,
    }
}

/// Who speaks, as the classifier tells them apart: it reads users, and tools as little as the system.
fn speaker(role: Role) -> Speaker {
    match role {
        Role::User => Speaker::User,
        Role::Assistant => Speaker::Assistant,
        Role::System | Role::Tool => Speaker::System,
    }
}

/// Turns bytes into snapshots. Encoders are loaded once and shared; so are the classifiers of policies with equal routes,
/// as long as one of them is held.
#[derive(Debug)]
pub struct Compiler {
    builtin: Arc<Encoder>,
    /// Encoders loaded from directories, by path.
    loaded: Mutex<BTreeMap<PathBuf, Arc<Encoder>>>,
    /// Classifiers in use, by the fingerprint of what they learned from.
    trained: Mutex<BTreeMap<[u8; 32], Weak<OnceLock<Classifier>>>>,
}

impl Compiler {
    /// A compiler with the built-in embedding table.
    ///
    /// # Errors
    /// When the built-in table cannot be read, which only a broken build does.
    pub fn new() -> Result<Self, signalbox_evidence::EncoderError> {
        Ok(Compiler {
            builtin: Encoder::builtin()?,
            loaded: Mutex::default(),
            trained: Mutex::default(),
        })
    }

    /// Checks a policy and its shadow, and trains their classifiers. `before` lends what it learned about difficulty when the outcomes are the
    /// same, and makes a lower version a warning.
    ///
    /// # Errors
    /// Every problem of the policy, or of its shadow.
    pub fn compile(
        &self,
        bytes: &[u8],
        source: &str,
        before: Option<&Snapshot>,
    ) -> Result<(Snapshot, Vec<Diagnostic>), Vec<Diagnostic>> {
        let (mut snapshot, mut diagnostics) = self.alone(bytes, source, before)?;
        let before = before.and_then(|before| before.shadow.as_deref());
        match shadow::load(self, &snapshot.policy, source, before) {
            Ok(shadow) => snapshot.shadow = shadow,
            Err(problems) => {
                diagnostics.extend(problems);
                return Err(diagnostics);
            }
        }
        Ok((snapshot, diagnostics))
    }

    /// A policy without its shadow.
    pub(super) fn alone(
        &self,
        bytes: &[u8],
        source: &str,
        before: Option<&Snapshot>,
    ) -> Result<(Snapshot, Vec<Diagnostic>), Vec<Diagnostic>> {
        let Loaded {
            policy,
            mut diagnostics,
            described_at,
        } = policy::load(bytes)?;
        let encoder = match self.encoder(&policy, source) {
            Ok(encoder) => encoder,
            Err(problem) => {
                diagnostics.push(problem);
                return Err(diagnostics);
            }
        };
        if let Some(before) = before.filter(|before| policy.version < before.policy.version) {
            let message = format!(
                "version {} is lower than {}, which it replaces",
                policy.version, before.policy.version
            );
            diagnostics.push(Diagnostic {
                hint: "callers that ask for the higher version will be told to retry".into(),
                ..remark("lower-version", "version", message)
            });
        }
        let set = training_set(&policy);
        let routes_fingerprint = fingerprint(&set, &encoder);
        let scored = !set.routes.is_empty();
        let classifier = scored.then(|| self.classifier(routes_fingerprint, &encoder, &set));
        diagnostics.extend(overlaps(&policy, &encoder, &described_at));
        let learned = match difficulty::learn(&policy, source, before.map(|before| &before.learned)) {
            Ok(learned) => learned,
            Err(problems) => {
                diagnostics.extend(problems);
                return Err(diagnostics);
            }
        };
        let both = [routes_fingerprint, learned.fingerprint].concat();
        let info = PolicyInfo {
            version: policy.version,
            checksum: policy.checksum.clone(),
            load_time: SystemTime::now(),
            source: source.to_owned(),
            tenant: String::new(),
        };
        Ok((
            Snapshot {
                questioned: llm::routes_of(&policy),
                policy: Arc::new(policy),
                info,
                evidence_fingerprint: *blake3::hash(&both).as_bytes(),
                encoder,
                classifier,
                learned,
                shadow: None,
            },
            diagnostics,
        ))
    }

    /// The classifier that learned from `set`, trained by the first who asks while the others wait for it.
    fn classifier(&self, fingerprint: [u8; 32], encoder: &Arc<Encoder>, set: &TrainingSet) -> Trained {
        let trained = {
            let mut all = self.trained.lock().unwrap_or_else(PoisonError::into_inner);
            match all.get(&fingerprint).and_then(Weak::upgrade) {
                Some(trained) => trained,
                None => {
                    all.retain(|_, trained| trained.strong_count() > 0);
                    let trained = Trained::default();
                    all.insert(fingerprint, Arc::downgrade(&trained));
                    trained
                }
            }
        };
        trained.get_or_init(|| Classifier::compile(encoder.clone(), set));
        trained
    }

    /// Classifiers that are shared, or could be.
    #[cfg(test)]
    pub(super) fn classifiers(&self) -> usize {
        self.trained.lock().unwrap().len()
    }

    /// The encoder that the policy names; a relative directory is taken from the policy file's own.
    fn encoder(&self, policy: &Policy, source: &str) -> Result<Arc<Encoder>, Diagnostic> {
        let Some(named) = &policy.evidence.embedding else {
            return Ok(self.builtin.clone());
        };
        let directory = Path::new(source).parent().unwrap_or(Path::new("")).join(named);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encoder) = loaded.get(&directory) {
            return Ok(encoder.clone());
        }
        let encoder = Encoder::from_dir(&directory).map_err(|error| Diagnostic {
            severity: Severity::Error,
            hint: "give `builtin`, or the directory of a Model2Vec model".into(),
            ..remark("embedding", "evidence.embedding", error.to_string())
        })?;
        loaded.insert(directory, encoder.clone());
        Ok(encoder)
    }
}

fn remark(code: &'static str, path: &str, message: String) -> Diagnostic {
    let (severity, hint) = (Severity::Warning, String::new());
    Diagnostic {
        severity,
        code,
        path: path.to_owned(),
        line: 0,
        column: 0,
        message,
        hint,
    }
}

fn training_set(policy: &Policy) -> TrainingSet {
    let routes = policy.scored().iter().map(|route| RouteText {
        name: route.name.clone(),
        description: route.description.clone(),
        examples: route.examples.clone(),
    });
    TrainingSet {
        routes: routes.collect(),
        other_examples: policy.other_examples.clone(),
    }
}

/// A hash of everything that the classifier is trained on.
fn fingerprint(set: &TrainingSet, encoder: &Encoder) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    let mut text = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    text(encoder.digest());
    for route in &set.routes {
        text(&route.name);
        text(&route.description);
        text(&route.examples.len().to_string());
        route.examples.iter().for_each(|example| text(example));
    }
    text("other");
    set.other_examples.iter().for_each(|example| text(example));
    *hash.finalize().as_bytes()
}

/// Warns of routes whose descriptions mean nearly the same, where the later one stands.
fn overlaps(policy: &Policy, encoder: &Encoder, described_at: &[(u32, u32)]) -> Vec<Diagnostic> {
    if policy.routes.len() > COMPARED {
        return Vec::new();
    }
    let vectors: Vec<Vec<f32>> = policy
        .routes
        .iter()
        .map(|r| encoder.embed(&r.description))
        .collect();
    let mut found = Vec::new();
    for (second, b) in vectors.iter().enumerate() {
        for (first, a) in vectors[..second].iter().enumerate() {
            let cosine: f32 = a.iter().zip(b).map(|(x, y)| x * y).sum();
            if cosine >= OVERLAP && policy.routes[first].description != policy.routes[second].description {
                let (one, two) = (&policy.routes[first].name, &policy.routes[second].name);
                let message = format!(
                    "the descriptions of `{one}` and `{two}` are nearly the same (similarity {cosine:.2})"
                );
                let hint = "say in each what the other is not, or give both examples, or merge them".into();
                let path = format!("routes[{second}].description");
                let (line, column) = described_at.get(second).copied().unwrap_or_default();
                found.push(Diagnostic {
                    hint,
                    line,
                    column,
                    ..remark("overlapping-descriptions", &path, message)
                });
            }
        }
    }
    found
}
