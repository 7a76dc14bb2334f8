//! What reported outcomes change on the ladder. They are asked for once, after the rules that deny: every rung behind
//! ranks models, and the cache may only answer while they change nothing.
//!
//! Health alone never fails a request: one that ends without a model while health is in play is decided again without
//! it. So it is with a model that a rule names: another one would break the operator's word.

use super::{Ladder, Stop, Trace};
use crate::candidates::{Contest, rank};
use crate::decision::{Decision, Degradation, Refused};
use crate::evidence::{Answer, Evidence, Probe};
use crate::policy::{ModelIndex, Policy};
use crate::query::Query;
use std::sync::Arc;

/// Climbs with what health says, and a second time without it where that left no model.
pub(super) fn climb(
    policy: &Policy,
    query: &Query,
    evidence: &Evidence,
    trace: &mut Trace,
) -> Result<Arc<Decision>, Stop> {
    let mut ladder = Ladder::new(policy, query, trace);
    let refused = match ladder.climb(evidence) {
        Err(Stop::Refused(refused)) if ladder.health.is_some() => refused,
        outcome => return outcome,
    };
    let mut without = Ladder::new(policy, query, trace);
    without.ignores_health = true;
    without.lost.push(Degradation {
        code: "model_unhealthy",
        detail: format!("{refused}; reported outcomes were ignored"),
    });
    without.climb(evidence)
}

impl<'a> Ladder<'a> {
    /// Asks for health where the policy uses it. `health` stays `None` where that changes nothing.
    pub(super) fn consult(&mut self, evidence: &'a Evidence) -> Result<(), Stop> {
        if !self.policy.health.enabled || self.ignores_health {
            return Ok(());
        }
        match &evidence.health {
            Answer::NotAsked => return Err(Stop::Ask(Probe::Health)),
            Answer::Got(health) => self.health = Some(&**health).filter(|health| !health.is_empty()),
            Answer::Failed { code, detail } => self.lose(code, detail.clone()),
        }
        Ok(())
    }

    /// For the models that a rule names, of which none is left: whether that is for health alone. Then the request is
    /// decided without it.
    pub(super) fn unhealthy(&mut self, models: &[ModelIndex], contest: &Contest<'_>) -> Result<(), Stop> {
        let blind = Contest {
            health: None,
            ..*contest
        };
        if self.health.is_none() || rank(self.policy, &self.bound, models, &blind).order.is_empty() {
            return Ok(());
        }
        let refusals = std::mem::take(&mut self.refused);
        Err(Stop::Refused(Refused::NoEligibleModel { refusals }))
    }
}
