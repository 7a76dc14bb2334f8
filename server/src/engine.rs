//! One request from question to decision: takes a policy snapshot and answers what the core asks until it is done.
//! Called by `grpc` and the command line; each probe lives in a file of its own below.

pub mod cache;
pub mod inline;
pub mod outcomes;
pub mod ring;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use signalbox_decide::candidates::estimate;
use signalbox_decide::{Answer, Decision, Evidence, Health, Probe, Query, Refused, Step, decide};
use thiserror::Error;
use uuid::Uuid;

use crate::conversation::Conversation;
use crate::engine::cache::{Cached, DecisionCache, Key};
use crate::engine::inline::InlineRoutes;
use crate::engine::ring::{Record, Ring};
use crate::health::{Clock, Tracker};
use crate::store::{Snapshot, Store, snapshot};

/// A request, checked and split into what the ladder reads and the text that only probes read.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The facts.
    pub query: Query,
    /// The text.
    pub conversation: Conversation,
    /// How to use the cache.
    pub cache: CacheMode,
    /// Least policy version that may answer; 0 accepts any.
    pub min_policy_version: u64,
    /// The only policy that may answer; empty accepts any.
    pub policy_checksum: String,
}

/// How a request uses the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// Read and write.
    #[default]
    Use,
    /// Neither.
    Bypass,
    /// Decide anew and write.
    Refresh,
}

/// What the cache did for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// A higher rung decided, or the policy has the cache off.
    NotAsked,
    /// Looked up or refreshed, decided anew.
    Miss,
    /// The stored decision of an equal request.
    ExactHit,
    /// The request kept the cache out.
    Bypass,
}

/// A decision with everything needed to answer with it.
#[derive(Clone, Debug)]
pub struct Decided {
    /// UUIDv7.
    pub id: Uuid,
    /// The policy that decided.
    pub snapshot: Arc<Snapshot>,
    /// The decision; its indexes point into the snapshot's policy.
    pub decision: Arc<Decision>,
    /// What the cache did.
    pub cache: CacheStatus,
}

impl Decided {
    /// What the chosen model and the policy's first default model would cost for this request, in USD, where both state a
    /// price. Of a plan only the first model counts.
    pub fn costs(&self) -> Option<(f64, f64)> {
        let (policy, chosen) = (&self.snapshot.policy, &self.decision.estimate);
        let usual = &policy.models[*policy.default.first()?];
        let usual = estimate(usual, chosen.input_tokens, chosen.output_tokens);
        Some((chosen.cost_usd?, usual.cost_usd?))
    }
}

/// Why the engine has no decision.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Nothing was loaded yet.
    #[error("no policy is loaded yet; retry in a moment")]
    NoPolicy,
    /// This replica is behind the version asked for.
    #[error("this replica has policy version {have}, the request wants at least {want}; retry in a moment")]
    Behind {
        /// The version loaded.
        have: u64,
        /// The version wanted.
        want: u64,
    },
    /// This replica has another policy than the one asked for.
    #[error("this replica has policy {have}, the request is pinned to {want}; retry in a moment")]
    OtherPolicy {
        /// The checksum loaded.
        have: String,
        /// The checksum wanted.
        want: String,
    },
    /// Too many requests with routes of their own are being made ready.
    #[error("too many new sets of inline routes at once; retry in a moment")]
    InlineOverload,
    /// Making a request's own routes ready failed: a defect.
    #[error("the inline routes could not be made ready")]
    InlineFailed,
    /// The ladder refused.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// One probe as it went.
#[derive(Clone, Debug)]
pub struct ProbeRun {
    /// What was asked.
    pub probe: Probe,
    /// How long the answer took.
    pub duration: Duration,
}

/// The end of the ask-and-answer loop.
#[derive(Debug)]
pub struct Settled {
    /// The decision or the refusal.
    pub outcome: Result<Arc<Decision>, Refused>,
    /// All that was learned.
    pub evidence: Evidence,
    /// Every probe asked, in order.
    pub probes: Vec<ProbeRun>,
}

/// The engine: shared by every connection.
#[derive(Debug)]
pub struct Engine {
    store: Arc<Store>,
    cache: DecisionCache,
    ring: Arc<Ring>,
    inline: InlineRoutes,
    health: Tracker,
}

impl Engine {
    /// An engine on a policy store, with a cache and a ring of recent decisions.
    pub fn new(store: Arc<Store>, cache: DecisionCache, ring: Arc<Ring>) -> Self {
        Engine {
            store,
            cache,
            ring,
            inline: InlineRoutes::default(),
            health: Tracker::new(Arc::new(SystemTime::now)),
        }
    }

    /// The same with another clock for what outcomes say.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Engine {
            health: Tracker::new(clock),
            ..self
        }
    }

    /// The policy store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The decision cache.
    pub fn cache(&self) -> &DecisionCache {
        &self.cache
    }

    /// The recent decisions.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// What reported outcomes say of models.
    pub fn health(&self) -> &Tracker {
        &self.health
    }

    /// Policies with the routes of single requests.
    pub fn inline(&self) -> &InlineRoutes {
        &self.inline
    }

    /// Decides one request by the policy in force. A few microseconds on a hit, about 50 for a short prompt otherwise.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub fn route(&self, asked: Asked) -> Result<Decided, EngineError> {
        let snapshot = self.snapshot(asked.min_policy_version, &asked.policy_checksum)?;
        self.route_by(snapshot, asked)
    }

    /// Decides one request by `snapshot`, which [`Engine::snapshot`] gave, or which was made from it with the request's
    /// routes.
    ///
    /// # Errors
    /// `Refused`.
    pub fn route_by(&self, snapshot: Arc<Snapshot>, mut asked: Asked) -> Result<Decided, EngineError> {
        asked.query.read_cache = asked.cache == CacheMode::Use;
        let caching = snapshot.policy.cache.enabled && asked.cache != CacheMode::Bypass;
        let key = caching.then(|| self.cache.key(&asked.query, &asked.conversation, &snapshot));
        let Settled {
            outcome,
            mut evidence,
            ..
        } = settle(
            &snapshot,
            &asked.query,
            &asked.conversation,
            Live {
                cache: key.as_ref().map(|key| (&self.cache, key)),
                outcomes: Outcomes::Reported(&self.health),
            },
        );
        let decision = outcome?;
        self.note_trials(&snapshot, &decision, &evidence);
        let cache = match (&evidence.cache, asked.cache) {
            (_, CacheMode::Bypass) => CacheStatus::Bypass,
            (Answer::Got(Some(_)), _) => CacheStatus::ExactHit,
            (Answer::Got(None), _) => CacheStatus::Miss,
            (_, CacheMode::Refresh) if matches!(evidence.embedding, Answer::Got(_)) => CacheStatus::Miss,
            _ => CacheStatus::NotAsked,
        };
        if let (CacheStatus::Miss, Some(key), Answer::Got(scores)) = (cache, key, &evidence.embedding)
            && decision.degraded.is_empty()
            && !evidence.health_counts()
        {
            let ttl = Duration::from_secs(snapshot.policy.cache.ttl_s);
            self.cache.put(
                key,
                Cached {
                    decision: decision.clone(),
                    scores: scores.clone(),
                    difficulty: match evidence.difficulty {
                        Answer::Got(difficulty) => Some(difficulty),
                        Answer::NotAsked | Answer::Failed { .. } => None,
                    },
                },
                ttl,
            );
        }
        evidence.cache = Answer::NotAsked;
        let id = Uuid::now_v7();
        let Asked { query, .. } = asked;
        self.ring.push(Record {
            id,
            policy: Arc::downgrade(&snapshot.policy),
            checksum: snapshot.policy.checksum.clone(),
            scored_by: snapshot.evidence_fingerprint,
            query,
            evidence,
            decision: decision.clone(),
            time: SystemTime::now(),
        });
        Ok(Decided {
            id,
            snapshot,
            decision,
            cache,
        })
    }

    /// A model whose circuit is open was let through: the next decision is not.
    fn note_trials(&self, snapshot: &Snapshot, decision: &Decision, evidence: &Evidence) {
        let Answer::Got(health) = &evidence.health else {
            return;
        };
        let ids = decision.plan.models(decision.model).into_iter();
        let ids = ids.map(|model| snapshot.policy.models[model].id.as_str());
        let on_trial = |id: &&str| {
            let circuit = health.models.get(*id).and_then(|said| said.circuit);
            circuit.is_some_and(|circuit| circuit.trial)
        };
        if !health.is_empty() {
            self.health.tried(ids.filter(on_trial));
        }
    }

    /// The loaded policy, if it has at least version `min_version` and the checksum, which may be empty for any.
    ///
    /// # Errors
    /// `NoPolicy`, `Behind`, `OtherPolicy`.
    pub fn snapshot(&self, min_version: u64, checksum: &str) -> Result<Arc<Snapshot>, EngineError> {
        let snapshot = self.store.current().ok_or(EngineError::NoPolicy)?;
        let policy = &snapshot.policy;
        if policy.version < min_version {
            return Err(EngineError::Behind {
                have: policy.version,
                want: min_version,
            });
        }
        if !checksum.is_empty() && !checksum.eq_ignore_ascii_case(&policy.checksum) {
            return Err(EngineError::OtherPolicy {
                have: policy.checksum.clone(),
                want: checksum.to_ascii_lowercase(),
            });
        }
        Ok(snapshot)
    }
}

/// What answers probes beside the policy. By default the cache finds nothing, and no outcome was reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct Live<'a> {
    /// The cache and the request's key in it.
    pub cache: Option<(&'a DecisionCache, &'a Key)>,
    /// What is known of the models.
    pub outcomes: Outcomes<'a>,
}

/// Where what outcomes say comes from.
#[derive(Clone, Copy, Debug, Default)]
pub enum Outcomes<'a> {
    /// There were none.
    #[default]
    None,
    /// From what was reported to this replica.
    Reported(&'a Tracker),
    /// From the author of a test.
    Stated(&'a Health),
}

/// Answers probes until the ladder is done.
pub fn settle(snapshot: &Snapshot, query: &Query, conversation: &Conversation, live: Live<'_>) -> Settled {
    let mut evidence = Evidence::default();
    let mut probes = Vec::new();
    loop {
        let probe = match decide(&snapshot.policy, query, &evidence) {
            Step::Done(outcome) => {
                return Settled {
                    outcome,
                    evidence,
                    probes,
                };
            }
            Step::Ask(probe) => probe,
        };
        let start = Instant::now();
        match probe {
            Probe::ExactCache => {
                let found = live.cache.and_then(|(cache, key)| cache.get(key));
                if let Some(found) = &found {
                    evidence.embedding = Answer::Got(found.scores.clone());
                    evidence.difficulty = found.difficulty.map_or(Answer::NotAsked, Answer::Got);
                }
                evidence.cache = Answer::Got(found.map(|found| found.decision));
            }
            Probe::Embedding => evidence.embedding = snapshot.scores(conversation),
            Probe::Difficulty(route) => evidence.difficulty = snapshot.difficulty(route, conversation),
            Probe::Health => {
                evidence.health = Answer::Got(match live.outcomes {
                    Outcomes::None => Arc::default(),
                    Outcomes::Reported(tracker) => tracker.ask(&snapshot.policy),
                    Outcomes::Stated(health) => Arc::new(health.clone()),
                });
            }
            Probe::Signals => evidence.signals = Answer::Got(snapshot::signals(conversation)),
        }
        probes.push(ProbeRun {
            probe,
            duration: start.elapsed(),
        });
    }
}
