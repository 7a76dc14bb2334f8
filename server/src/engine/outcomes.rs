//! What callers report of decisions: finds the model that an outcome is about and hands it to the estimates.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::engine::ring::Record;
use crate::engine::{Engine, EngineError};
use crate::health::{Ended, Outcome, Taken};

/// An outcome, and the decision that it belongs to where the caller says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The decision.
    pub decision: Option<Uuid>,
    /// What became of it. An empty model, or absent tokens, are the decision's.
    pub outcome: Outcome,
}

impl Engine {
    /// Counts what became of the decisions of a tenant (empty: none), one after the other, for the policy that it goes by. What an outcome names counts; the decision, which only the
    /// replica that made it knows, fills in what it does not.
    ///
    /// # Errors
    /// `NoPolicy`, `NoTenantPolicy`.
    pub fn report(&self, tenant: &str, reports: Vec<Report>) -> Result<Vec<(Ended, Taken)>, EngineError> {
        let current = self.snapshot(tenant, 0, "")?;
        let whose = &current.info.tenant;
        // One look at the ring for the whole batch, and none where every outcome says all.
        let mut recent: Option<HashMap<Uuid, Arc<Record>>> = None;
        let mut taken = Vec::with_capacity(reports.len());
        for Report {
            decision,
            mut outcome,
        } in reports
        {
            let lacks =
                outcome.model_id.is_empty() || (outcome.latency.is_some() && outcome.output_tokens.is_none());
            if let Some(id) = decision.filter(|_| lacks) {
                let recent = recent.get_or_insert_with(|| {
                    let records = self.ring.all().into_iter();
                    records
                        .filter(|record| record.tenant == *whose)
                        .map(|record| (record.id, record))
                        .collect()
                });
                if let Some(record) = recent.get(&id) {
                    fill(&mut outcome, record, &current.policy);
                }
            }
            let ended = outcome.ended;
            taken.push((ended, self.health.report(whose, &current.policy, &outcome)));
        }
        Ok(taken)
    }
}

/// Takes from the decision what the outcome does not say.
fn fill(outcome: &mut Outcome, record: &Record, current: &Arc<signalbox_decide::Policy>) {
    let decision = &record.decision;
    if outcome.model_id.is_empty() {
        // The policy with a request's own routes may be gone; its models are those of the one that it was made from.
        let same = || (record.checksum == current.checksum).then(|| current.clone());
        if let Some(policy) = record.policy.upgrade().or_else(same) {
            outcome.model_id.clone_from(&policy.models[decision.model].id);
        }
    }
    outcome
        .output_tokens
        .get_or_insert(decision.estimate.output_tokens);
}
