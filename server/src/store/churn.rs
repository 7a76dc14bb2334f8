//! What a new policy would have done with recent decisions.

use signalbox_decide::{Decision, Evidence, Policy, Query, Step, decide};

use crate::audit::line::Outcome;
use crate::engine::ring::Ring;
use crate::store::Snapshot;

/// Recent decisions under a new policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Churn {
    /// Decisions looked at.
    pub decisions: u32,
    /// Those that would come out with another model, plan or route, or be refused.
    pub changed: u32,
    /// Those that cannot be decided without the text, which is not kept.
    pub undecidable: u32,
}

/// Decides those of the ring's requests anew, from their evidence, that the new policy's predecessor decided.
pub(super) fn churn(ring: &Ring, new: &Snapshot) -> Churn {
    let mut churn = Churn::default();
    for record in ring.all() {
        if record.tenant != new.info.tenant {
            continue;
        }
        churn.decisions += 1;
        let Some(old) = record.policy.upgrade() else {
            churn.undecidable += 1;
            continue;
        };
        match anew(new, &record.query, &record.evidence, &record.scored_by) {
            Step::Ask(_) => churn.undecidable += 1,
            Step::Done(Ok(decision))
                if difference(&old, &record.decision, &new.policy, &decision).is_none() => {}
            Step::Done(_) => churn.changed += 1,
        }
    }
    churn
}

/// What a policy makes of a request that was decided before, from what was learned then. It asks for what only the text
/// could say, and for what is about routes that it does not have.
pub(crate) fn anew(new: &Snapshot, query: &Query, evidence: &Evidence, scored_by: &[u8; 32]) -> Step {
    let mut evidence = evidence.clone();
    if *scored_by != new.evidence_fingerprint {
        evidence.forget_routes();
    }
    let query = Query {
        read_cache: false,
        ..query.clone()
    };
    decide(&new.policy, &query, &evidence)
}

/// In what two decisions of two policies differ for the caller; see [`Outcome::difference`].
pub(crate) fn difference(
    old: &Policy,
    before: &Decision,
    new: &Policy,
    after: &Decision,
) -> Option<&'static str> {
    Outcome::of(old, Ok(before)).difference(&Outcome::of(new, Ok(after)))
}
