//! The end of a rung: its ranking becomes a decision, or a reason to go on. Canaries and plans come in here.

use super::{Bid, Ladder};
use crate::candidates::{Candidate, Ranking, rank};
use crate::decision::{Decision, Refused};
use crate::explanation::{CanarySeen, Rung, RungSeen};
use crate::plan::{PlanKind, Planned, plan};
use crate::policy::ModelIndex;

impl Ladder<'_> {
    /// The best of a ranking wins, or the rung is left.
    pub(super) fn settle(&mut self, bid: Bid<'_>, mut ranking: Ranking) -> Option<Decision> {
        let what = bid.describe(self.policy);
        let canaries = self.canaries(&bid, &mut ranking);
        let canary = canaries.iter().find(|seen| seen.won).map(|seen| seen.canary);
        let won = ranking.order.first().copied();
        let decision = won.map(|model| self.win(&bid, canary, &ranking, model, &what));
        if won.is_none() {
            let names = |c: &Candidate| (self.policy.models[c.model].id.clone(), c.refusals.clone());
            self.refused = ranking.candidates.iter().map(names).collect();
            if !matches!(bid.rung, Rung::Direct | Rung::Alias | Rung::Default) {
                let detail = Refused::NoEligibleModel {
                    refusals: self.refused.clone(),
                };
                self.lose("no_eligible_model_in_route", format!("{what}: {detail}"));
            }
        }
        let Ranking { candidates, order } = ranking;
        self.trace.rung(RungSeen {
            rung: bid.rung,
            source: bid.source,
            what,
            objective: bid.contest.objective,
            families: bid.contest.families.len(),
            size: bid.contest.size,
            judged: bid.judged,
            canaries,
            candidates,
            order,
            won: won.is_some(),
        });
        decision
    }

    /// Puts the model of the first canary that the request is in, and that may serve it, before the winner. Only where
    /// the policy chose among models: those that the request or a rule names stay.
    fn canaries(&self, bid: &Bid<'_>, ranking: &mut Ranking) -> Vec<CanarySeen> {
        let chosen = match bid.rung {
            Rung::Direct | Rung::Alias | Rung::Session => false,
            Rung::Rule => bid.contest.route.is_some() || bid.profile.is_some(),
            Rung::Route | Rung::Domain | Rung::Profile | Rung::PolicyProfile | Rung::Default => true,
        };
        let mut seen = Vec::new();
        if !chosen || ranking.order.is_empty() {
            return seen;
        }
        for (index, canary) in self.policy.canaries.iter().enumerate() {
            if canary.route.is_some() && canary.route != bid.contest.route {
                continue;
            }
            let inside = canary.holds(self.query);
            let won = inside && self.put_first(canary.model, bid, ranking);
            seen.push(CanarySeen {
                canary: index,
                point: canary.point(self.query),
                inside,
                won,
            });
            if won {
                break;
            }
        }
        seen
    }

    /// Whether a model may serve the request; then it is the first.
    fn put_first(&self, model: ModelIndex, bid: &Bid<'_>, ranking: &mut Ranking) -> bool {
        if ranking.candidates.iter().all(|c| c.model != model) {
            let mut own = rank(self.policy, &self.bound, &[model], &bid.contest);
            ranking.order.append(&mut own.order);
            ranking.candidates.append(&mut own.candidates);
        }
        let Some(at) = ranking.order.iter().position(|&other| other == model) else {
            return false;
        };
        ranking.order[..=at].rotate_right(1);
        true
    }

    fn win(
        &mut self,
        bid: &Bid<'_>,
        canary: Option<usize>,
        ranking: &Ranking,
        winner: ModelIndex,
        what: &str,
    ) -> Decision {
        // The models of a plan were chosen to fit each other; a canary's answers alone.
        let alone = |kind: &PlanKind| canary.is_some() && !matches!(kind, PlanKind::ToolThenModel { .. });
        let mut planned = match bid.plan {
            Some(spec) if !alone(&spec.kind) => {
                plan(self.policy, &self.bound, spec, (ranking, &bid.contest), winner)
            }
            _ => Planned::single(winner),
        };
        if let Some(detail) = planned.lost.take() {
            self.lose("plan_unsatisfied", format!("{what}: {detail}"));
        }
        let model = planned.model;
        let canary_of = canary.map(|index| &self.policy.canaries[index]);
        let reason = bid.reason(self.policy, ranking, &planned, canary_of, what);
        let taken = planned.plan.models(model);
        let free = ranking.order.iter().filter(|other| !taken.contains(other));
        let candidate = ranking.candidates.iter().find(|c| c.model == model);
        Decision {
            model,
            fallbacks: free.copied().collect(),
            plan: planned.plan,
            source: bid.source,
            route: bid.contest.route,
            domain: bid.domain,
            profile: bid.profile,
            rule: bid.rule,
            canary,
            session: bid.session,
            confidence: bid.confidence,
            margin: bid.margin,
            degraded: std::mem::take(&mut self.lost),
            reason,
            estimate: candidate.map(|c| c.estimate).unwrap_or_default(),
        }
    }
}
