//! What an audit log says about a policy. Its lines have no text and no wanted route, but the evidence of each decision, from
//! which the policy decides it again, as a replay does. Called by `signalbox policy suggest --audit`.

use signalbox_decide::policy::RouteIndex;
use signalbox_decide::{Evidence, Query, Step};

use super::merge::{Tie, ties};
use super::{Label, NEAR, falls, margin, never, rivals};
use crate::audit::Line;
use crate::store::Snapshot;
use crate::store::churn::anew;

/// The decisions of a log by a policy.
#[derive(Debug)]
pub struct Logged<'p> {
    policy: &'p Snapshot,
    tenant: &'p str,
    /// Lines that another tenant's policy decided.
    pub left_out: usize,
    /// Lines that cannot be decided without their text.
    pub undecidable: usize,
    /// The route of each other line.
    got: Vec<Label>,
    /// Whether evidence gave it.
    by_evidence: Vec<bool>,
    /// The pairs of near decisions where both are routes.
    near_pairs: Vec<(RouteIndex, RouteIndex)>,
    /// Ids of decisions that fell to the policy's profile or its default.
    pub fell: Vec<String>,
    /// Ids of decisions that were less than [`NEAR`] before the runner-up.
    pub near: Vec<String>,
}

impl<'p> Logged<'p> {
    /// By `policy`, the decisions that were made by the policy of `tenant` (empty: everyone's).
    pub fn new(policy: &'p Snapshot, tenant: &'p str) -> Self {
        Logged {
            policy,
            tenant,
            left_out: 0,
            undecidable: 0,
            got: Vec::new(),
            by_evidence: Vec::new(),
            near_pairs: Vec::new(),
            fell: Vec::new(),
            near: Vec::new(),
        }
    }

    /// Reads a line of the log and decides it anew.
    ///
    /// # Errors
    /// Why the line is not one: nothing is counted then.
    pub fn read(&mut self, line: &[u8]) -> Result<(), String> {
        let line = Line::read(line)?;
        if line.policy.tenant != self.tenant {
            self.left_out += 1;
            return Ok(());
        }
        let scored_by = line.policy.scored_by()?;
        let evidence = Evidence::from(line.evidence);
        let query = Query::from(line.request);
        let decided = match anew(self.policy, &query, &evidence, &scored_by) {
            Step::Ask(_) => {
                self.undecidable += 1;
                return Ok(());
            }
            Step::Done(decided) => decided.ok(),
        };
        let decision = decided.as_deref();
        let margin = decision.and_then(margin);
        self.got.push(decision.and_then(|decision| decision.route));
        self.by_evidence.push(margin.is_some());
        if decision.is_some_and(|decision| falls(decision, &query)) {
            self.fell.push(line.decision_id.clone());
        }
        if margin.is_some_and(|margin| margin < NEAR) {
            self.near_pairs
                .extend(evidence.scores().and_then(|scores| rivals(scores)));
            self.near.push(line.decision_id);
        }
        Ok(())
    }

    /// Decisions that were looked at.
    pub fn decided(&self) -> usize {
        self.got.len()
    }

    /// Routes that won no decision.
    pub fn never(&self) -> Vec<RouteIndex> {
        never(&self.policy.policy, self.got.iter().copied())
    }

    /// Routes that are near ties most of the time.
    pub fn ties(&self) -> Vec<Tie> {
        let won = self.got.iter().zip(&self.by_evidence);
        ties(
            self.near_pairs.iter().copied(),
            won.filter(|(_, by_evidence)| **by_evidence)
                .filter_map(|(got, _)| *got),
        )
    }
}
