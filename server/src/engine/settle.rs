//! The loop of one decision: the core asks, the probes answer, until it is done. Route, Explain, a policy's own tests and the
//! comparison with a shadow are the same loop with other answers. Only a language model is waited for: [`settle_asking`]
//! does, [`settle`] takes what was stated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use signalbox_decide::{
    Answer, Decision, Evidence, Health, Held, Judgement, Probe, Query, Refused, Step, decide,
};

use crate::conversation::Conversation;
use crate::engine::cache::{DecisionCache, Key};
use crate::health::Tracker;
use crate::llm::{self, Llm, Reuse};
use crate::metrics;
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

/// What answers probes beside the policy. By default the cache finds nothing, no outcome was reported, and there is no
/// language model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Live<'a> {
    /// The cache and the request's key in it.
    pub cache: Option<(&'a DecisionCache, &'a Key)>,
    /// What is known of the models.
    pub outcomes: Outcomes<'a>,
    /// The conversation that the request belongs to; new without it.
    pub session: Option<&'a Answer<Option<Held>>>,
    /// What the language model is to have said.
    pub llm: Option<&'a Answer<Arc<Judgement>>>,
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
    let mut run = Run::default();
    loop {
        match run.up_to_llm(snapshot, query, conversation, live) {
            Some(outcome) => return run.settled(outcome),
            None => run.judged(said(live), Duration::ZERO),
        }
    }
}

/// Who is asked for the language model's opinion.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asking<'a> {
    /// The model, if there is one.
    pub llm: Option<&'a Llm>,
    /// When the caller gives up.
    pub deadline: Option<Instant>,
    /// How what it said to others is used.
    pub reuse: Option<Reuse<'a>>,
}

/// Answers probes until the ladder is done, the language model's by asking it.
pub async fn settle_asking(
    snapshot: &Snapshot,
    query: &Query,
    conversation: &Conversation,
    live: Live<'_>,
    asking: Asking<'_>,
) -> Settled {
    let mut run = Run::default();
    loop {
        if let Some(outcome) = run.up_to_llm(snapshot, query, conversation, live) {
            return run.settled(outcome);
        }
        let start = Instant::now();
        let answer = match asking.llm {
            Some(llm) => {
                llm.ask(snapshot, conversation, asking.deadline, asking.reuse)
                    .await
            }
            None => {
                metrics::llm_question("unavailable");
                said(live)
            }
        };
        run.judged(answer, start.elapsed());
    }
}

/// What was stated; that there is no model where nothing was.
fn said(live: Live<'_>) -> Answer<Arc<Judgement>> {
    match live.llm {
        None | Some(Answer::NotAsked) => llm::absent(),
        Some(answer) => answer.clone(),
    }
}

#[derive(Default)]
struct Run {
    evidence: Evidence,
    probes: Vec<ProbeRun>,
}

impl Run {
    /// Answers probes until the ladder is done, or (`None`) asks the language model.
    fn up_to_llm(
        &mut self,
        snapshot: &Snapshot,
        query: &Query,
        conversation: &Conversation,
        live: Live<'_>,
    ) -> Option<Result<Arc<Decision>, Refused>> {
        let evidence = &mut self.evidence;
        loop {
            let probe = match decide(&snapshot.policy, query, evidence) {
                Step::Done(outcome) => return Some(outcome),
                Step::Ask(probe) => probe,
            };
            let start = Instant::now();
            match probe {
                Probe::ExactCache => {
                    let found = live.cache.and_then(|(cache, key)| cache.get(key));
                    if let Some(found) = &found {
                        evidence.embedding = found.embedding.clone();
                        evidence.llm = found.llm.clone();
                        evidence.difficulty = found.difficulty.clone();
                    }
                    evidence.cache = Answer::Got(found.map(|found| found.decision));
                }
                Probe::Session => {
                    evidence.session = live.session.cloned().unwrap_or(Answer::Got(None));
                }
                Probe::Embedding => {
                    let route = match &evidence.session {
                        Answer::Got(Some(held)) => held.route.as_deref(),
                        _ => None,
                    };
                    evidence.embedding = snapshot.scores(conversation, route);
                }
                Probe::Llm => return None,
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
            self.probes.push(ProbeRun {
                probe,
                duration: start.elapsed(),
            });
        }
    }

    fn judged(&mut self, answer: Answer<Arc<Judgement>>, duration: Duration) {
        self.evidence.llm = answer;
        self.probes.push(ProbeRun {
            probe: Probe::Llm,
            duration,
        });
    }

    fn settled(self, outcome: Result<Arc<Decision>, Refused>) -> Settled {
        Settled {
            outcome,
            evidence: self.evidence,
            probes: self.probes,
        }
    }
}
