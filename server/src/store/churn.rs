//! What a new policy would have done with recent decisions.

use signalbox_decide::{Decision, Evidence, Policy, Query, Step, decide};

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

/// In what two decisions of two policies differ: `route`, `model` or `plan` (its kind or another of its models), in that
/// order. Names are compared; indexes mean nothing across policies.
pub(crate) fn difference(
    old: &Policy,
    before: &Decision,
    new: &Policy,
    after: &Decision,
) -> Option<&'static str> {
    let route = |policy: &Policy, decision: &Decision| decision.route.map(|r| policy.routes[r].name.clone());
    let planned = |policy: &Policy, decision: &Decision| {
        let models = decision.plan.models(decision.model);
        let ids = models.iter().map(|&model| policy.models[model].id.clone());
        (decision.plan.as_str(), ids.collect::<Vec<_>>())
    };
    if route(old, before) != route(new, after) {
        Some("route")
    } else if old.models[before.model].id != new.models[after.model].id {
        Some("model")
    } else if planned(old, before) != planned(new, after) {
        Some("plan")
    } else {
        None
    }
}
