//! One line of the audit log: what was decided, by which policy, on what evidence. The published schema is made from these
//! types. Never in it: text of prompts, descriptions of a request's own routes, reasons, details of failures.

use prost_types::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use signalbox_decide::{Decision, Plan, Policy, Refused};

use super::Entry;
use super::evidence::Learned;
use super::query::{Asked, is_default};

/// The format that is written.
pub const FORMAT: u32 = 1;

/// One decision of Signalbox, or its refusal. Readers ignore keys that they do not know; a change that they cannot ignore has
/// another `format`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Signalbox audit line")]
pub struct Line {
    /// Always 1.
    pub format: u32,
    /// When, in RFC 3339, UTC.
    pub time: String,
    /// The decision's id, a UUIDv7.
    pub decision_id: String,
    /// The share of the decisions that is written: one line stands for 1 / sample decisions.
    pub sample: f64,
    /// The policy that decided.
    pub policy: By,
    /// What came out.
    pub outcome: Outcome,
    /// What the cache did: `miss`, `exact_hit`, `semantic_hit` or `bypass`; empty for a refusal.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cache: String,
    /// The facts of the request.
    pub request: Asked,
    /// What was learned about it.
    pub evidence: Learned,
}

/// A policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct By {
    /// The tenant whose own it is; missing for everyone's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tenant: String,
    /// The author's revision.
    pub version: u64,
    /// SHA-256 of the file, hex.
    pub checksum: String,
    /// Identity of everything that scores are learned from, hex: they mean something only to a policy with the same one.
    pub evidence: String,
}

impl By {
    /// [`By::evidence`] as it was before it was written.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn scored_by(&self) -> Result<[u8; 32], String> {
        let mut scored_by = [0; 32];
        hex::decode_to_slice(&self.evidence, &mut scored_by)
            .map_err(|_| "`policy.evidence` is not 64 hexadecimal digits".to_owned())?;
        Ok(scored_by)
    }
}

/// What came out, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Outcome {
    /// The model; missing for a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What to try next.
    #[serde(skip_serializing_if = "is_default")]
    pub fallbacks: Vec<String>,
    /// How several models work together; missing for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Planned>,
    /// Who decided: `direct`, `alias`, `rule`, `session`, `profile`, `embedding`, `llm` or `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The route that matched; never one of the request's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The domain that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The profile that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The rule that chose, or denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The canary that put its model in the winner's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
    /// Calibrated probability, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    /// Distance to the runner-up, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f32>,
    /// Codes of what could not be had.
    #[serde(skip_serializing_if = "is_default")]
    pub degraded: Vec<String>,
    /// Why there is no decision: the reason of the error that the caller got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A plan for several models.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Planned {
    /// `cascade`, `ensemble`, `speculative` or `tool_then_model`.
    pub kind: String,
    /// Its models.
    pub models: Vec<String>,
}

impl Outcome {
    /// A decision or refusal of `policy` by name.
    pub fn of(policy: &Policy, decided: Result<&Decision, &Refused>) -> Self {
        let id = |model: usize| policy.models[model].id.clone();
        let decision = match decided {
            Ok(decision) => decision,
            Err(refused) => {
                return Outcome {
                    rule: match refused {
                        Refused::Denied { rule, .. } => Some(rule.clone()),
                        _ => None,
                    },
                    refused: Some(refused.reason().to_owned()),
                    ..Outcome::default()
                };
            }
        };
        Outcome {
            model: Some(id(decision.model)),
            fallbacks: decision.fallbacks.iter().copied().map(id).collect(),
            plan: (decision.plan != Plan::Single).then(|| Planned {
                kind: decision.plan.as_str().to_owned(),
                models: decision.plan.models(decision.model).into_iter().map(id).collect(),
            }),
            source: Some(decision.source.as_str().to_owned()),
            route: decision.route.map(|route| policy.routes[route].name.clone()),
            domain: decision.domain.map(|domain| policy.domains[domain].name.clone()),
            profile: decision
                .profile
                .map(|profile| policy.profiles[profile].name.clone()),
            rule: decision.rule.map(|rule| policy.rules.all()[rule].name.clone()),
            canary: decision.canary.map(|canary| policy.canaries[canary].name.clone()),
            confidence: decision.confidence,
            margin: decision.margin,
            degraded: decision
                .degraded
                .iter()
                .map(|lost| lost.code.to_owned())
                .collect(),
            refused: None,
        }
    }
}

impl Outcome {
    /// In what two outcomes differ for the caller: `refused`, `route`, `model` or `plan` (its kind or another of its models),
    /// in that order.
    pub fn difference(&self, after: &Outcome) -> Option<&'static str> {
        if self.refused != after.refused {
            Some("refused")
        } else if self.route != after.route {
            Some("route")
        } else if self.model != after.model {
            Some("model")
        } else if self.plan != after.plan {
            Some("plan")
        } else {
            None
        }
    }
}

impl Line {
    /// Reads a line of a log.
    ///
    /// # Errors
    /// Why it is not one.
    pub(crate) fn read(line: &[u8]) -> Result<Line, String> {
        let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        if line.format != FORMAT {
            return Err(format!("has format {}; this version reads {FORMAT}", line.format));
        }
        if !(line.sample > 0.0 && line.sample <= 1.0) {
            return Err(format!(
                "`sample` is {}, which no share of decisions is",
                line.sample
            ));
        }
        Ok(line)
    }

    /// What is written of a decision.
    pub(super) fn of(entry: &Entry, sample: f64) -> Self {
        let (query, evidence, decided) = entry.parts();
        let snapshot = &entry.snapshot;
        let (time, cache) = match &entry.decided {
            Ok((record, cache)) => (record.time, cache.as_str()),
            Err(denied) => (denied.time, ""),
        };
        let mut outcome = Outcome::of(&snapshot.policy, decided);
        let mut learned = Learned::from(evidence);
        if query.inline_routes {
            // Their names are the caller's to write, and scores mean nothing without them.
            outcome.route = None;
            learned.forget_routes();
        }
        Line {
            format: FORMAT,
            time: Timestamp::from(time).to_string(),
            decision_id: entry.id().to_string(),
            sample,
            policy: By {
                tenant: snapshot.info.tenant.clone(),
                version: snapshot.info.version,
                checksum: snapshot.info.checksum.clone(),
                evidence: hex::encode(snapshot.evidence_fingerprint),
            },
            outcome,
            cache: cache.to_owned(),
            request: Asked::from(query),
            evidence: learned,
        }
    }
}

/// The JSON Schema of a line.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Line).to_value()
}
