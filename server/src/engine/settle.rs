//! The loop of one decision: the core asks, the probes answer, until it is done. Route, Explain, a policy's own tests and the
//! comparison with a shadow are the same loop with other answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use signalbox_decide::{Answer, Decision, Evidence, Health, Probe, Query, Refused, Step, decide};

use crate::conversation::Conversation;
use crate::engine::cache::{DecisionCache, Key};
use crate::health::Tracker;
use crate::store::{Snapshot, snapshot};

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
                    Outcomes::Reported(tracker) => tracker.ask(&snapshot.info.tenant, &snapshot.policy),
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
