//! The loop of one decision: the core asks, the probes answer, until it is done. Route, Explain, a policy's own tests and the
//! comparison with a shadow are the same loop with other answers. [`settle_asking`] waits: for its turn, for other replicas, for
//! the sentence encoder and for a language model; [`settle`] has the encoder look where it is called, and takes what was stated
//! of the rest.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use signalbox_decide::{
    Answer, Decision, Evidence, Health, Held, Judgement, Probe, Query, Refused, Step, decide,
};

use crate::conversation::Conversation;
use crate::engine::admission::{Admission, Overloaded};
use crate::engine::cache::{DecisionCache, Key};
use crate::engine::encoder::Turns;
use crate::engine::sessions::Sessions;
use crate::health::Tracker;
use crate::llm::{self, Llm, Reuse};
use crate::metrics;
use crate::store::{Snapshot, snapshot};
use crate::traces::{Call, Outcome};

/// One probe as it went.
#[derive(Clone, Debug)]
pub struct ProbeRun {
    /// What was asked.
    pub probe: Probe,
    /// When.
    pub start: Instant,
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
    /// Where the conversation is to be that the request belongs to; new without it.
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
        match decide(&snapshot.policy, query, &run.evidence) {
            Step::Done(outcome) => return run.settled(outcome),
            Step::Ask(probe) => run.answer(probe, snapshot, conversation, live),
        }
    }
}

/// What [`settle_asking`] waits for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asking<'a> {
    /// Who lets a decision go on that needs more than the cache; without it everybody is let in.
    pub admission: Option<&'a Admission>,
    /// The sentence encoder's turns; without them nobody waits.
    pub encoder: Option<&'a Turns>,
    /// The language model, if there is one.
    pub llm: Option<&'a Llm>,
    /// When the caller gives up.
    pub deadline: Option<Instant>,
    /// How what the model said to others is used.
    pub reuse: Option<Reuse<'a>>,
    /// Where conversations are, and the key of the one that the request belongs to.
    pub conversation: Option<(&'a Sessions, &'a Key)>,
    /// Where probes are told of.
    pub call: Option<&'a Call>,
}

/// Answers probes until the ladder is done, those of the encoder and the language model by waiting for them, and the
/// conversation's by looking it up, at other replicas too. Before the first that costs something a decision is let in and waits for
/// its turn, which it leaves to others while it waits again.
///
/// # Errors
/// `Overloaded` where an answer costs something and the admission refuses.
pub async fn settle_asking(
    snapshot: &Snapshot,
    query: &Query,
    conversation: &Conversation,
    live: Live<'_>,
    asking: Asking<'_>,
) -> Result<Settled, Overloaded> {
    let (mut run, mut admitted, mut turn) = (Run::default(), None, None);
    run.call = asking.call;
    loop {
        let probe = match decide(&snapshot.policy, query, &run.evidence) {
            Step::Done(outcome) => return Ok(run.settled(outcome)),
            Step::Ask(probe) => probe,
        };
        if let Some(admission) = asking.admission
            && costs(probe)
            && admitted.is_none()
        {
            let entered = admission.enter(&query.caller.tenant);
            admitted = Some(entered.inspect_err(|why| metrics::overloaded(why.as_str()))?);
            if probe != Probe::Llm {
                turn = admission.turn().await;
            }
        }
        let start = run.begin(probe);
        match probe {
            Probe::Encoder if let Some(encoder) = asking.encoder => {
                turn.take();
                let look = snapshot.second_look(conversation);
                run.evidence.encoder = encoder.look(look, asking.deadline).await;
                run.ran(probe, start);
            }
            Probe::Llm if let Some(llm) = asking.llm => {
                turn.take();
                run.evidence.llm = llm
                    .ask(snapshot, conversation, asking.deadline, asking.reuse)
                    .await;
                run.ran(probe, start);
            }
            Probe::Session if let Some((sessions, key)) = asking.conversation => {
                let held = sessions.find(key, &snapshot.policy, asking.deadline).await;
                run.evidence.session = Answer::Got(held);
                run.ran(probe, start);
            }
            Probe::Llm => {
                metrics::llm_question("unavailable");
                run.answer(probe, snapshot, conversation, live);
            }
            _ => run.answer(probe, snapshot, conversation, live),
        }
    }
}

/// Whether the answer takes more than a look. Signals do not, and are read before the cache is.
fn costs(probe: Probe) -> bool {
    match probe {
        Probe::Embedding | Probe::Encoder | Probe::Llm | Probe::Difficulty(_) => true,
        Probe::ExactCache | Probe::Session | Probe::Health | Probe::Signals => false,
    }
}

/// Answers one probe where it is called; the language model's with what was stated.
pub(crate) fn answer(
    probe: Probe,
    evidence: &mut Evidence,
    snapshot: &Snapshot,
    conversation: &Conversation,
    live: Live<'_>,
) {
    match probe {
        Probe::ExactCache => {
            let found = live.cache.and_then(|(cache, key)| cache.get(key));
            if let Some(found) = &found {
                evidence.embedding = found.embedding.clone();
                evidence.encoder = found.encoder.clone();
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
        Probe::Encoder => {
            let look = snapshot.second_look(conversation);
            evidence.encoder = look.map_or_else(snapshot::no_second_look, |look| look.answer());
        }
        Probe::Llm => evidence.llm = said(live),
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
}

/// What was stated; that there is no model where nothing was.
fn said(live: Live<'_>) -> Answer<Arc<Judgement>> {
    match live.llm {
        None | Some(Answer::NotAsked) => llm::absent(),
        Some(answer) => answer.clone(),
    }
}

#[derive(Default)]
struct Run<'a> {
    evidence: Evidence,
    probes: Vec<ProbeRun>,
    /// The probe that is not answered yet.
    open: Option<(Probe, Instant)>,
    call: Option<&'a Call>,
}

impl Run<'_> {
    fn answer(&mut self, probe: Probe, snapshot: &Snapshot, conversation: &Conversation, live: Live<'_>) {
        let start = self.begin(probe);
        answer(probe, &mut self.evidence, snapshot, conversation, live);
        self.ran(probe, start);
    }

    fn begin(&mut self, probe: Probe) -> Instant {
        let start = Instant::now();
        self.open = Some((probe, start));
        start
    }

    fn ran(&mut self, probe: Probe, start: Instant) {
        self.open = None;
        self.probes.push(ProbeRun {
            probe,
            start,
            duration: start.elapsed(),
        });
    }

    fn settled(mut self, outcome: Result<Arc<Decision>, Refused>) -> Settled {
        self.tell();
        Settled {
            outcome,
            evidence: mem::take(&mut self.evidence),
            probes: mem::take(&mut self.probes),
        }
    }

    /// Writes the spans of what was asked.
    fn tell(&self) {
        let Some(call) = self.call else { return };
        for ProbeRun {
            probe,
            start,
            duration,
        } in &self.probes
        {
            let outcome = outcome(*probe, &self.evidence);
            call.probe(probe.as_str(), *start, *start + *duration, outcome);
        }
        if let Some((probe, start)) = self.open {
            call.probe(probe.as_str(), start, Instant::now(), Outcome::Abandoned);
        }
    }
}

/// A caller that gives up, or a panic, drops the loop where it is; what is left of it is told.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.tell();
    }
}

fn outcome(probe: Probe, evidence: &Evidence) -> Outcome {
    fn of<T>(answer: &Answer<T>, nothing: impl Fn(&T) -> bool) -> Outcome {
        match answer {
            Answer::Got(found) if nothing(found) => Outcome::Nothing,
            Answer::Got(_) => Outcome::Answered,
            Answer::Failed { code, .. } => Outcome::Failed(code),
            Answer::NotAsked => Outcome::Nothing,
        }
    }
    match probe {
        Probe::ExactCache => of(&evidence.cache, Option::is_none),
        Probe::Session => of(&evidence.session, Option::is_none),
        Probe::Embedding => of(&evidence.embedding, |_| false),
        Probe::Encoder => of(&evidence.encoder, |_| false),
        Probe::Llm => of(&evidence.llm, |_| false),
        Probe::Difficulty(_) => of(&evidence.difficulty, |_| false),
        Probe::Signals => of(&evidence.signals, |_| false),
        Probe::Health => of(&evidence.health, |_| false),
    }
}
