//! One request from question to decision: takes a policy snapshot and answers what the core asks until it is done.
//! Called by `grpc` and the command line; each probe lives in a file of its own below.

pub mod admission;
pub mod bounded;
pub mod cache;
pub mod encoder;
mod error;
pub mod inline;
pub mod outcomes;
mod parts;
pub mod ring;
pub mod sessions;
mod settle;
pub mod shadow;
pub(crate) mod terms;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use signalbox_decide::{Answer, Decision, Evidence, Query, SaidTo};
use uuid::Uuid;

use crate::audit::{Audit, Denied, Entry};
use crate::conversation::Conversation;
use crate::engine::admission::Admission;
use crate::engine::cache::{Cached, DecisionCache};
use crate::engine::encoder::Turns;
use crate::engine::inline::InlineRoutes;
use crate::engine::ring::{Record, Ring};
use crate::engine::sessions::Sessions;
use crate::engine::shadow::{Job, Shadows};
use crate::health::Tracker;
use crate::llm::{Llm, Near, Reuse};
use crate::shared::Shared;
use crate::store::{Policies, Snapshot};

pub use error::EngineError;
pub(crate) use settle::answer;
pub use settle::{Asking, Live, Outcomes, ProbeRun, Settled, settle, settle_asking};
pub use terms::{Asked, CacheMode, CacheStatus, Decided};

/// The engine: shared by every connection.
#[derive(Debug)]
pub struct Engine {
    policies: Arc<Policies>,
    cache: DecisionCache,
    ring: Arc<Ring>,
    inline: InlineRoutes,
    health: Tracker,
    sessions: Sessions,
    shared: Option<Shared>,
    shadows: Shadows,
    admission: Admission,
    encoder: Turns,
    llm: Option<Llm>,
    near: Arc<Near>,
    audit: Option<Audit>,
}

impl Engine {
    /// Decides one request by the policy of its tenant. A few microseconds on a hit, about 50 for a short prompt otherwise;
    /// waits for its turn where all processors are busy, and for the sentence encoder or a language model where the policy wants
    /// them asked, no longer than they and the request allow.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub async fn route(&self, asked: Asked) -> Result<Decided, EngineError> {
        let tenant = &asked.query.caller.tenant;
        let snapshot = self.snapshot(tenant, asked.min_policy_version, &asked.policy_checksum)?;
        self.route_by(snapshot, asked).await
    }

    /// Decides one request by `snapshot`, which [`Engine::snapshot`] gave, or which was made from it with the request's
    /// routes.
    ///
    /// # Errors
    /// `Overloaded`, `Refused`.
    pub async fn route_by(&self, snapshot: Arc<Snapshot>, mut asked: Asked) -> Result<Decided, EngineError> {
        let id = Uuid::now_v7();
        asked.query.read_cache = asked.cache == CacheMode::Use;
        let caching = snapshot.policy.cache.enabled && asked.cache != CacheMode::Bypass;
        let llm = self.llm.as_ref();
        let identity = llm.filter(|_| snapshot.policy.llm.asks()).map(Llm::identity);
        let identity = identity.unwrap_or_default();
        let key = caching.then(|| {
            self.cache
                .key(&asked.query, &asked.conversation, &snapshot, &identity)
        });
        let conversation = self
            .sessions
            .key(&snapshot.policy, &asked.query, &asked.conversation);
        let Settled {
            outcome,
            mut evidence,
            ..
        } = settle_asking(
            &snapshot,
            &asked.query,
            &asked.conversation,
            Live {
                cache: key.as_ref().map(|key| (&self.cache, key)),
                outcomes: Outcomes::Reported(&self.health),
                ..Live::default()
            },
            Asking {
                call: asked.call.as_deref(),
                ..self.asking(
                    asked.deadline,
                    caching.then_some(Reuse {
                        near: &self.near,
                        shared: self.shared.as_ref(),
                        tenant: &asked.query.caller.tenant,
                        read: asked.query.read_cache,
                    }),
                    conversation.as_ref(),
                )
            },
        )
        .await?;
        let decision = match outcome {
            Ok(decision) => decision,
            Err(refused) => {
                self.compare(id, &snapshot, None, &asked.query, &evidence, asked.conversation);
                if let Some(audit) = &self.audit {
                    let denied = Denied {
                        id,
                        time: SystemTime::now(),
                        query: asked.query,
                        evidence,
                        refused: refused.clone(),
                    };
                    audit.offer(Entry {
                        snapshot,
                        decided: Err(denied),
                    });
                }
                return Err(refused.into());
            }
        };
        self.note_trials(&snapshot, &decision, &evidence);
        let cache = match (&evidence.cache, asked.cache) {
            (_, CacheMode::Bypass) => CacheStatus::Bypass,
            (Answer::Got(Some(_)), _) => CacheStatus::ExactHit,
            _ if reused(&evidence).is_some() => CacheStatus::SemanticHit,
            (Answer::Got(None), _) => CacheStatus::Miss,
            (_, CacheMode::Refresh) if evidence.compares_routes() => CacheStatus::Miss,
            _ => CacheStatus::NotAsked,
        };
        let ttl = Duration::from_secs(snapshot.policy.cache.ttl_s);
        if let (Some(ttl), Some(key)) = (kept_for(cache, reused(&evidence), ttl), key)
            && evidence.compares_routes()
            && decision.degraded.is_empty()
            && !evidence.health_counts()
            && !evidence.session_counts()
        {
            self.cache.put(key, Cached::new(&decision, &evidence), ttl);
        }
        let before = evidence.session.clone();
        if let Some(key) = conversation {
            self.sessions.note(key, &snapshot.policy, &decision, &before);
        }
        evidence.cache = Answer::NotAsked;
        let Asked {
            query, conversation, ..
        } = asked;
        self.compare(id, &snapshot, Some(&decision), &query, &evidence, conversation);
        let record = Arc::new(Record {
            id,
            tenant: snapshot.info.tenant.clone(),
            policy: Arc::downgrade(&snapshot.policy),
            checksum: snapshot.policy.checksum.clone(),
            scored_by: snapshot.evidence_fingerprint,
            query,
            evidence,
            decision: decision.clone(),
            time: SystemTime::now(),
        });
        if let Some(audit) = &self.audit {
            audit.offer(Entry {
                snapshot: snapshot.clone(),
                decided: Ok((record.clone(), cache)),
            });
        }
        self.ring.push(record);
        Ok(Decided {
            id,
            snapshot,
            decision,
            cache,
            before,
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
            self.health.tried(&snapshot.info.tenant, ids.filter(on_trial));
        }
    }

    /// Has the shadow of a policy, if there is one and the decision is in its share, decide the same.
    fn compare(
        &self,
        id: Uuid,
        real: &Arc<Snapshot>,
        decision: Option<&Arc<Decision>>,
        query: &Query,
        evidence: &Evidence,
        conversation: Conversation,
    ) {
        let (Some(shadow), Some(settings)) = (&real.shadow, &real.policy.shadow) else {
            return;
        };
        if settings.samples(&id.to_string()) {
            self.shadows.offer(Job {
                real: real.clone(),
                shadow: shadow.clone(),
                decision: decision.cloned(),
                session: match &evidence.session {
                    Answer::NotAsked => Answer::Got(None),
                    known => known.clone(),
                },
                // About other routes it says nothing.
                llm: if real.evidence_fingerprint == shadow.evidence_fingerprint {
                    evidence.llm.clone()
                } else {
                    Answer::NotAsked
                },
                health: self.health.ask(&real.info.tenant, &shadow.policy),
                query: query.clone(),
                conversation,
            });
        }
    }

    /// The policy that `tenant` (empty: none) goes by, if it has at least version `min_version` and the checksum, which may
    /// be empty for any.
    ///
    /// # Errors
    /// `NoPolicy`, `NoTenantPolicy`, `Behind`, `OtherPolicy`.
    pub fn snapshot(
        &self,
        tenant: &str,
        min_version: u64,
        checksum: &str,
    ) -> Result<Arc<Snapshot>, EngineError> {
        let store = self.policies.of(tenant);
        let snapshot = store.current().ok_or_else(|| match store.tenant() {
            "" => EngineError::NoPolicy,
            tenant => EngineError::NoTenantPolicy {
                tenant: tenant.to_owned(),
            },
        })?;
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

/// Whose question the language model answered, if it was not this request's.
fn reused(evidence: &Evidence) -> Option<SaidTo> {
    match &evidence.llm {
        Answer::Got(said) if said.said_to != SaidTo::This => Some(said.said_to),
        _ => None,
    }
}

/// How long a decision may be kept: no longer than what it rests on. What was said to other words is never kept as if it had been
/// said to these.
fn kept_for(cache: CacheStatus, reused: Option<SaidTo>, ttl: Duration) -> Option<Duration> {
    match (cache, reused) {
        (CacheStatus::Miss, _) => Some(ttl),
        (CacheStatus::SemanticHit, Some(SaidTo::Earlier { seconds })) => {
            ttl.checked_sub(Duration::from_secs(seconds))
        }
        _ => None,
    }
}
