//! What another policy would have made of the decisions in an audit log, from the evidence that the log has. Called by
//! `signalbox replay`. What only the text could say is undecidable, never guessed.

use std::collections::BTreeMap;

use signalbox_decide::{Evidence, Query, Step};

use crate::audit::Line;
use crate::audit::line::Outcome;
use crate::store::Snapshot;
use crate::store::churn::anew;

/// Decision ids kept of each change.
const EXAMPLES: usize = 3;

/// The decisions of a log under another policy.
#[derive(Debug)]
pub struct Replay<'a> {
    policy: &'a Snapshot,
    tenant: &'a str,
    /// What came out.
    pub tally: Tally,
}

/// How many decisions came out how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Those that would come out the same.
    pub same: Count,
    /// Those that would not.
    pub changed: Count,
    /// Those that cannot be decided without the text.
    pub undecidable: Count,
    /// Those that another tenant's policy decided, which are left out.
    pub left_out: Count,
    /// The changes, by what is different, the outcome before and after.
    pub changes: BTreeMap<Change, Seen>,
    /// What would have to be known of the undecidable ones: the probe.
    pub missing: BTreeMap<&'static str, u64>,
}

/// A number of lines, and the number of decisions that they stand for where the log is a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    /// Lines.
    pub lines: u64,
    /// Decisions.
    pub decisions: f64,
}

/// One kind of change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// `refused`, `route`, `model` or `plan`.
    pub what: &'static str,
    /// The outcome before, in words.
    pub before: String,
    /// The outcome now, in words.
    pub after: String,
}

/// How often a change was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// How often.
    pub count: Count,
    /// The first decisions that it happens to.
    pub examples: Vec<String>,
}

impl Count {
    fn add(&mut self, line: &Line) {
        self.lines += 1;
        self.decisions += 1.0 / line.sample;
    }
}

impl Tally {
    /// Lines that were read.
    pub fn lines(&self) -> u64 {
        self.replayed().lines + self.left_out.lines
    }

    /// What was decided anew, or would have been with the text.
    pub fn replayed(&self) -> Count {
        let all = [self.same, self.changed, self.undecidable];
        Count {
            lines: all.iter().map(|count| count.lines).sum(),
            decisions: all.iter().map(|count| count.decisions).sum(),
        }
    }
}

impl<'a> Replay<'a> {
    /// By `policy`, the decisions that were made by the policy of `tenant` (empty: everyone's).
    pub fn new(policy: &'a Snapshot, tenant: &'a str) -> Self {
        Replay {
            policy,
            tenant,
            tally: Tally::default(),
        }
    }

    /// Reads a line of the log and decides it anew.
    ///
    /// # Errors
    /// Why the line is not one: nothing is counted then.
    pub fn read(&mut self, line: &[u8]) -> Result<(), String> {
        self.decide(Line::read(line)?)
    }

    fn decide(&mut self, line: Line) -> Result<(), String> {
        let tally = &mut self.tally;
        if line.policy.tenant != self.tenant {
            tally.left_out.add(&line);
            return Ok(());
        }
        let scored_by = line.policy.scored_by()?;
        let evidence = Evidence::from(line.evidence.clone());
        let query = Query::from(line.request.clone());
        let decided = match anew(self.policy, &query, &evidence, &scored_by) {
            Step::Ask(probe) => {
                tally.undecidable.add(&line);
                *tally.missing.entry(probe.as_str()).or_default() += 1;
                return Ok(());
            }
            Step::Done(decided) => decided,
        };
        let after = Outcome::of(&self.policy.policy, decided.as_deref());
        let Some(what) = line.outcome.difference(&after) else {
            tally.same.add(&line);
            return Ok(());
        };
        tally.changed.add(&line);
        let change = Change {
            what,
            before: words(&line.outcome),
            after: words(&after),
        };
        let seen = tally.changes.entry(change).or_default();
        seen.count.add(&line);
        if seen.examples.len() < EXAMPLES {
            seen.examples.push(line.decision_id);
        }
        Ok(())
    }
}

/// `acme/large by route code_generation`, `cascade of a, b by route poems`, `refused: DENIED_BY_RULE no-free-vision`.
fn words(outcome: &Outcome) -> String {
    let Some(model) = &outcome.model else {
        let reason = outcome.refused.as_deref().unwrap_or_default();
        let rule = outcome.rule.as_deref().map(|rule| format!(" {rule}"));
        return format!("refused: {reason}{}", rule.unwrap_or_default());
    };
    let what = match &outcome.plan {
        Some(plan) => format!("{} of {}", plan.kind, plan.models.join(", ")),
        None => model.clone(),
    };
    let why = match (&outcome.rule, &outcome.route) {
        (Some(rule), _) => format!("rule {rule}"),
        (None, Some(route)) => format!("route {route}"),
        (None, None) => outcome.source.clone().unwrap_or_default(),
    };
    format!("{what} by {why}")
}
