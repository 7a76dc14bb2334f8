//! Rung 3: a conversation that is held on a model. While that model is at work with tools nothing else is looked at. When
//! a person speaks, the rungs below decide anew, and then the conversation stays unless the other model is worth what
//! leaving costs: the provider's cache of the prompt is lost, so that the other has to read every turn at its full price.

use super::{Bid, Ladder, Stop};
use crate::candidates::{Contest, estimate, rank};
use crate::decision::{Decision, Source};
use crate::evidence::{Answer, Evidence, Probe};
use crate::explanation::Rung;
use crate::policy::{ModelIndex, RouteIndex};
use crate::query::Objective;
use crate::session::{Kept, Stay, Switched, Worth};
use std::sync::Arc;

/// A held conversation in the terms of the policy.
#[derive(Clone, Copy)]
pub(super) struct Hold {
    /// `None` where the policy no longer has it.
    model: Option<ModelIndex>,
    route: Option<RouteIndex>,
}

impl<'a> Ladder<'a> {
    /// Looks the conversation up; inside a tool loop its model decides.
    pub(super) fn by_session(&mut self, evidence: &'a Evidence) -> Result<Option<Decision>, Stop> {
        if !self.policy.sessions.holds(self.query) {
            return Ok(None);
        }
        let held = match &evidence.session {
            Answer::NotAsked => return Err(Stop::Ask(Probe::Session)),
            Answer::Failed { code, detail } => {
                self.lose(code, detail.clone());
                return Ok(None);
            }
            Answer::Got(None) => return Ok(None),
            Answer::Got(Some(held)) => held,
        };
        let route = held.route.as_deref();
        let hold = Hold {
            model: self.policy.model(&held.model),
            route: route.and_then(|name| self.policy.route_named(name)),
        };
        self.held = Some(hold);
        if self.query.user_turn {
            return Ok(None);
        }
        let pool = match hold.route {
            Some(route) => &self.policy.routes[route].models,
            None => &self.policy.default,
        };
        Ok(self.stay(hold, hold.route, pool, Kept::ToolLoop))
    }

    /// What was decided anew, or the held model in its place.
    pub(super) fn hold_against(&mut self, fresh: Arc<Decision>) -> Arc<Decision> {
        let Some(hold) = self.held else { return fresh };
        let mut fresh = Arc::unwrap_or_clone(fresh);
        if Some(fresh.model) == hold.model {
            fresh.session = Some(Stay::Kept(Kept::Same));
            return Arc::new(fresh);
        }
        let matched = match fresh.source {
            Source::Default => false,
            Source::Profile => self.query.profile.is_some(),
            _ => true,
        };
        let why = match hold.model.filter(|model| self.may_serve(*model, fresh.route)) {
            None => Err(Switched::Forced),
            Some(_) if !matched => Ok(Kept::NoRoute),
            Some(model) => match self.worth(model, &fresh) {
                worth if worth.pays() => Err(Switched::Worth(worth)),
                worth => Ok(Kept::NotWorth(worth)),
            },
        };
        let pool: Vec<_> = [fresh.model]
            .into_iter()
            .chain(fresh.fallbacks.iter().copied())
            .collect();
        let kept = why.map(|why| self.stay(hold, fresh.route, &pool, why));
        Arc::new(match kept {
            Ok(Some(kept)) => Decision {
                domain: fresh.domain,
                degraded: fresh.degraded,
                ..kept
            },
            Ok(None) => fresh,
            Err(why) => Decision {
                session: Some(Stay::Switched(why)),
                ..fresh
            },
        })
    }

    fn may_serve(&self, model: ModelIndex, route: Option<RouteIndex>) -> bool {
        let contest = self.contest(route, Objective::Order, &[]);
        !rank(self.policy, &self.bound, &[model], &contest)
            .order
            .is_empty()
    }

    /// The held model, if it may serve, with the rest of `pool` as fallbacks.
    fn stay(
        &mut self,
        hold: Hold,
        route: Option<RouteIndex>,
        pool: &[ModelIndex],
        why: Kept,
    ) -> Option<Decision> {
        let held = hold.model?;
        let rest = pool.iter().copied().filter(|&model| model != held);
        let pool: Vec<_> = [held].into_iter().chain(rest).collect();
        let contest = Contest {
            families: &[],
            ..self.contest(route, Objective::Order, &[])
        };
        let ranking = rank(self.policy, &self.bound, &pool, &contest);
        if ranking.order.first() != Some(&held) {
            return None;
        }
        let bid = Bid {
            session: Some(Stay::Kept(why)),
            ..Bid::new(Rung::Session, Source::Session, &[], contest)
        };
        self.settle(bid, ranking)
    }

    /// What leaving `held` for the fresh decision's model would bring and cost. Where a quality is not stated, the author's
    /// word decides: a model that the route lists is as good as its others, and one that it does not list is a whole
    /// point worse.
    fn worth(&self, held: ModelIndex, fresh: &Decision) -> Worth {
        let (tokens, output) = (fresh.estimate.input_tokens, fresh.estimate.output_tokens);
        let model = &self.policy.models[held];
        let remembered = model.price.map_or(0.0, |price| {
            let discount = price.cached_input.map_or(0.0, |cached| price.input - cached);
            self.query.earlier_tokens.min(tokens) as f64 * discount.max(0.0) / 1e6
        });
        let warm = estimate(model, tokens, output)
            .cost_usd
            .map(|cost| cost - remembered);
        let quality = |model: ModelIndex| self.policy.models[model].quality_for(fresh.route);
        let better = match (quality(fresh.model), quality(held)) {
            (Some(fresh), Some(held)) => fresh - held,
            _ if fresh.fallbacks.contains(&held) => 0.0,
            _ => 1.0,
        };
        Worth {
            gain_usd: better * self.policy.sessions.quality_usd,
            cost_usd: match (fresh.estimate.cost_usd, warm) {
                (Some(fresh), Some(held)) => fresh - held,
                _ => 0.0,
            },
        }
    }
}
