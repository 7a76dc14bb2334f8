//! A policy made ready to decide: checked, with its classifier trained. Immutable.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use signalbox_decide::policy::{self, Loaded, RouteIndex};
use signalbox_decide::{Answer, Diagnostic, Policy, Severity};
use signalbox_evidence::difficulty::Difficulty;
use signalbox_evidence::{Encoder, EncoderError};
use signalbox_llm::question::Routes;

use crate::conversation::{Conversation, Message, Role};
use crate::llm;
use crate::store::difficulty::{self, Learned};
use crate::store::{PolicyInfo, shadow};
use classifiers::{Classifiers, Models, Trained, training_set};

mod classifiers;
mod scores;

pub(crate) use scores::no_second_look;
pub use scores::{SecondLook, signals};

/// Cosine of two descriptions above which they are reported as overlapping.
const OVERLAP: f32 = 0.85;

/// Routes up to which descriptions are compared pairwise; the work grows with the square.
const COMPARED: usize = 500;

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
    pub(crate) models: Models,
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
            models: self.models.clone(),
            classifier: Some(Arc::new(OnceLock::from(self.models.learn(&set)))),
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

/// Turns bytes into snapshots. Models are loaded once and shared; so are the classifiers of policies with equal routes,
/// as long as one of them is held.
#[derive(Debug)]
pub struct Compiler {
    classifiers: Classifiers,
}

impl Compiler {
    /// A compiler with the built-in embedding table.
    ///
    /// # Errors
    /// When the built-in table cannot be read, which only a broken build does.
    pub fn new() -> Result<Self, EncoderError> {
        let classifiers = Classifiers::new()?;
        Ok(Compiler { classifiers })
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
        let models = match self.classifiers.models(&policy, source) {
            Ok(models) => models,
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
        diagnostics.extend(models.too_large(&set));
        let routes_fingerprint = models.fingerprint(&set);
        let scored = !set.routes.is_empty();
        let classifier = scored.then(|| self.classifiers.learned(routes_fingerprint, &models, &set));
        diagnostics.extend(overlaps(&policy, &models.table, &described_at));
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
                models,
                classifier,
                learned,
                shadow: None,
            },
            diagnostics,
        ))
    }

    /// Classifiers that are shared, or could be.
    #[cfg(test)]
    pub(super) fn classifiers(&self) -> usize {
        self.classifiers.len()
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
