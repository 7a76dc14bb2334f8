//! Rungs 0 and 2: what the policy's rules say. `deny` rules go before everything, wherever they stand. After them the file
//! is read from the top: a matching `set` tightens the request for all that follows, a matching `use` decides if one of
//! its models may serve.
//!
//! A request that names a model goes before `use`, not before `set`: a limit of the operator that a caller could escape by
//! naming a model would be none. Since no `use` is looked at then, all matching `set` rules hold.

use super::{Bid, Ladder, Stop};
use crate::decision::{Decision, Refused, Source};
use crate::evidence::{Answer, Evidence, Probe};
use crate::explanation::Rung;
use crate::plan::PlanSpec;
use crate::rule::{Action, Facts, Outcome, Rule, RuleIndex, Set, Use};

impl<'a> Ladder<'a> {
    /// Rung 0; gives the rules that the other rungs have to look at. The first `deny` in file order is the one named.
    pub(super) fn denied(&mut self, evidence: &Evidence) -> Result<Vec<RuleIndex>, Stop> {
        let facts = Facts::new(self.policy, self.query, evidence);
        let mut candidates = self.policy.rules.candidates(&facts);
        for &index in &candidates {
            let rule = &self.policy.rules.all()[index];
            if let Action::Deny(message) = &rule.action
                && matches(rule, &facts)?
            {
                return Err(Stop::Refused(Refused::Denied {
                    rule: rule.name.clone(),
                    message: message.clone(),
                }));
            }
        }
        candidates.retain(|&index| !matches!(self.policy.rules.all()[index].action, Action::Deny(_)));
        if let (Answer::Failed { code, detail }, false) = (&evidence.signals, candidates.is_empty()) {
            self.lose(code, detail.clone());
        }
        Ok(candidates)
    }

    /// The `set` rules for a request that names its model.
    pub(super) fn limits(&mut self, candidates: &[RuleIndex], evidence: &Evidence) -> Result<(), Stop> {
        let policy = self.policy;
        let facts = Facts::new(policy, self.query, evidence);
        for &index in candidates {
            let rule = &policy.rules.all()[index];
            if let Action::Set(set) = &rule.action
                && matches(rule, &facts)?
            {
                self.tighten(set);
            }
        }
        Ok(())
    }

    /// Rung 2. A rule whose models are all refused falls to the next one.
    pub(super) fn by_rules(
        &mut self,
        candidates: &[RuleIndex],
        evidence: &Evidence,
    ) -> Result<Option<Decision>, Stop> {
        let policy = self.policy;
        let facts = Facts::new(policy, self.query, evidence);
        for &index in candidates {
            let rule = &policy.rules.all()[index];
            if !matches(rule, &facts)? {
                continue;
            }
            let decision = match &rule.action {
                Action::Deny(_) => None,
                Action::Set(set) => {
                    self.tighten(set);
                    None
                }
                Action::Use(whom, plan) => self.by_rule(index, whom, plan.as_ref(), evidence)?,
            };
            if decision.is_some() {
                return Ok(decision);
            }
        }
        Ok(None)
    }

    fn by_rule(
        &mut self,
        rule: RuleIndex,
        whom: &'a Use,
        plan: Option<&'a PlanSpec>,
        evidence: &Evidence,
    ) -> Result<Option<Decision>, Stop> {
        let policy = self.policy;
        let bid = match whom {
            Use::Models(models) => {
                let contest = self.contest(None, self.listed(), &[]);
                Bid {
                    plan,
                    ..Bid::new(Rung::Rule, Source::Rule, models, contest)
                }
            }
            Use::Route(index) => {
                let route = &policy.routes[*index];
                let (contest, judged) = self.route_contest(*index, evidence)?;
                Bid {
                    domain: route.domain,
                    plan: plan.or(route.plan.as_ref()),
                    judged,
                    ..Bid::new(Rung::Rule, Source::Rule, &route.models, contest)
                }
            }
            Use::Profile(index) => return Ok(self.by_profile(*index, Rung::Rule, Some((rule, plan)))),
        };
        let contest = bid.contest;
        let decision = self.run(Bid {
            rule: Some(rule),
            ..bid
        });
        if let (None, Use::Models(models)) = (&decision, whom) {
            self.unhealthy(models, &contest)?;
        }
        Ok(decision)
    }

    /// Weights of a later `set` replace those of an earlier one; limits add up.
    fn tighten(&mut self, set: &Set) {
        self.bound.to_mut().requirements.tighten(&set.requirements);
        self.weights = set.weights.or(self.weights);
    }
}

/// Whether a rule matches; asks for the signals where that hangs on them.
fn matches(rule: &Rule, facts: &Facts<'_>) -> Result<bool, Stop> {
    match rule.when.outcome(facts) {
        Outcome::HOLDS => Ok(true),
        outcome if outcome.may_hold() => Err(Stop::Ask(Probe::Signals)),
        _ => Ok(false),
    }
}
