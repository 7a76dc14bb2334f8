//! The choice between a route's strong and its weak model. Called by the ladder's route rung.

use super::{Ladder, Stop};
use crate::candidates::{Contest, rank};
use crate::evidence::{Answer, Evidence, Probe};
use crate::explanation::Judged;
use crate::policy::{ModelIndex, RouteIndex};
use crate::query::Objective;

impl<'a> Ladder<'a> {
    /// What a route compares its models by, its strong and weak pair included, and how difficult the prompt is. An
    /// objective of the request goes before the pair. Difficulty is asked for only where it decides: when both may serve.
    pub(super) fn route_contest(
        &mut self,
        route: RouteIndex,
        evidence: &Evidence,
    ) -> Result<(Contest<'a>, Option<Judged>), Stop> {
        let own = &self.policy.routes[route];
        let Some(pair) = own.strong_weak.filter(|_| self.asked().is_none()) else {
            return Ok((self.contest(Some(route), self.objective(own.select), &[]), None));
        };
        let both = [pair.strong, pair.weak];
        let contest = self.contest(Some(route), Objective::Order, &[]);
        let lead = |first: [ModelIndex; 2]| Contest {
            lead: Some(first),
            ..contest
        };
        if rank(self.policy, &self.bound, &both, &contest).order.len() < 2 {
            return Ok((lead(both), None));
        }
        let score = match &evidence.difficulty {
            Answer::NotAsked => return Err(Stop::Ask(Probe::Difficulty(route))),
            Answer::Got(score) => Some(*score),
            Answer::Failed { code, detail } => {
                let strong = &self.policy.models[pair.strong].id;
                self.lose(
                    code,
                    format!("{detail}; the strong model `{strong}` was preferred"),
                );
                None
            }
        };
        let strong = score.is_none_or(|score| score >= pair.threshold);
        let order = if strong { both } else { [pair.weak, pair.strong] };
        let threshold = pair.threshold;
        Ok((
            lead(order),
            Some(Judged {
                score,
                threshold,
                strong,
            }),
        ))
    }
}
