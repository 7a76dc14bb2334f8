//! The ladder: who decides, in which order. One pure function, [`decide`], that asks for evidence it lacks or is done.
//!
//! Rungs: rules that deny; the request's `model`; rules that choose; a held conversation; the request's `profile`; the
//! cache; a route or a domain by evidence; the policy's profile; `default`. A rung whose models are all refused falls to
//! the next one and says so. Every probe is asked at most once, because each answer, a failure too, is evidence: so the
//! engine's loop ends.

mod band;
mod difficulty;
mod finding;
mod health;
mod rules;
mod session;
mod settle;
mod words;

use std::borrow::Cow;
use std::sync::Arc;

use crate::candidates::{Contest, Refusal, rank};
use crate::decision::{Decision, Degradation, Refused, Source, nearest};
use crate::evidence::{Answer, Evidence, Probe};
use crate::explanation::{Judged, Rung, Trace};
use crate::health::Health;
use crate::plan::PlanSpec;
use crate::policy::{ModelIndex, Policy, RouteIndex};
use crate::query::{Objective, Query, Weights};
use crate::rule::RuleIndex;
use crate::session::Stay;
use band::keep_profile;
use finding::{Finding, Found};
use session::Hold;

/// Ask one more question, or be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Answer this and call again.
    Ask(Probe),
    /// The end.
    Done(Result<Arc<Decision>, Refused>),
}

/// Decides with what is known so far. Pure; a few microseconds.
pub fn decide(policy: &Policy, query: &Query, evidence: &Evidence) -> Step {
    walk(policy, query, evidence, &mut Trace::off())
}

/// [`decide`], writing down what it sees.
pub(crate) fn walk(policy: &Policy, query: &Query, evidence: &Evidence, trace: &mut Trace) -> Step {
    match health::climb(policy, query, evidence, trace) {
        Ok(decision) => Step::Done(Ok(decision)),
        Err(Stop::Ask(probe)) => Step::Ask(probe),
        Err(Stop::Refused(refused)) => Step::Done(Err(refused)),
    }
}

/// Why the climb ends without a decision.
enum Stop {
    Ask(Probe),
    Refused(Refused),
}

struct Ladder<'a> {
    policy: &'a Policy,
    /// The request as it came: what rules read and what it asks for.
    query: &'a Query,
    /// The request with the limits that `set` rules add: what models are held to.
    bound: Cow<'a, Query>,
    /// The objective of a `set` rule: the operator's word goes before the request's.
    weights: Option<Weights>,
    trace: &'a mut Trace,
    /// What outcomes say of models; `None` where that changes nothing.
    health: Option<&'a Health>,
    /// The conversation that the request belongs to, where it is not new.
    held: Option<Hold>,
    /// Set where health left no model.
    ignores_health: bool,
    /// What could not be had so far.
    lost: Vec<Degradation>,
    /// Refusals of the last rung that had candidates.
    refused: Vec<(String, Vec<Refusal>)>,
}

/// A rung's pool and what a win on it looks like.
struct Bid<'a> {
    rung: Rung,
    source: Source,
    pool: &'a [ModelIndex],
    contest: Contest<'a>,
    domain: Option<usize>,
    profile: Option<usize>,
    rule: Option<RuleIndex>,
    confidence: Option<f32>,
    margin: Option<f32>,
    plan: Option<&'a PlanSpec>,
    judged: Option<Judged>,
    session: Option<Stay>,
}

impl<'a> Ladder<'a> {
    fn new(policy: &'a Policy, query: &'a Query, trace: &'a mut Trace) -> Self {
        Ladder {
            policy,
            query,
            bound: Cow::Borrowed(query),
            weights: None,
            trace,
            health: None,
            held: None,
            ignores_health: false,
            lost: Vec::new(),
            refused: Vec::new(),
        }
    }

    fn climb(&mut self, evidence: &'a Evidence) -> Result<Arc<Decision>, Stop> {
        let rules = self.denied(evidence)?;
        self.consult(evidence)?;
        if let Some(name) = &self.query.model {
            self.limits(&rules, evidence)?;
            return self.named(name).map(Arc::new).map_err(Stop::Refused);
        }
        if let Some(decision) = self.by_rules(&rules, evidence)? {
            return Ok(Arc::new(decision));
        }
        if let Some(decision) = self.by_session(evidence)? {
            return Ok(Arc::new(decision));
        }
        let fresh = self.anew(evidence)?;
        Ok(self.hold_against(fresh))
    }

    /// Everything below a held conversation.
    fn anew(&mut self, evidence: &'a Evidence) -> Result<Arc<Decision>, Stop> {
        if let Some(name) = &self.query.profile {
            let profile = self.asked_profile(name).map_err(Stop::Refused)?;
            if let Some(decision) = self.by_profile(profile, Rung::Profile, None) {
                return Ok(Arc::new(decision));
            }
        }
        if let Some(decision) = self.cached(evidence)? {
            return Ok(decision);
        }
        let found = self.weigh(evidence)?;
        if let Some(decision) = self.by_evidence(&found, evidence)? {
            return Ok(Arc::new(decision));
        }
        if let Some(profile) = self.policy.profile
            && let Some(decision) = self.by_profile(profile, Rung::PolicyProfile, None)
        {
            return Ok(Arc::new(decision));
        }
        let (confidence, margin) = match found {
            Some(Found {
                finding: Finding::Nothing { confidence, margin },
                measured: true,
                ..
            }) => (Some(confidence), margin),
            _ => (None, None),
        };
        let pool = &self.policy.default;
        let contest = self.contest(None, self.listed(), &[]);
        let bid = Bid {
            confidence,
            margin,
            ..Bid::new(Rung::Default, Source::Default, pool, contest)
        };
        match self.run(bid) {
            Some(decision) => Ok(Arc::new(decision)),
            None => {
                let refusals = std::mem::take(&mut self.refused);
                Err(Stop::Refused(Refused::NoEligibleModel { refusals }))
            }
        }
    }

    /// Rung 1: the request names an id or an alias. It never falls to another rung.
    fn named(&mut self, name: &str) -> Result<Decision, Refused> {
        let policy = self.policy;
        let one;
        let (rung, source, pool): (_, _, &[ModelIndex]) = if let Some(model) = policy.model(name) {
            one = [model];
            (Rung::Direct, Source::Direct, &one)
        } else if let Some(models) = policy.aliases.get(name) {
            (Rung::Alias, Source::Alias, models)
        } else {
            let ids = policy.models.iter().map(|m| m.id.as_str());
            let names = ids.chain(policy.aliases.keys().map(String::as_str));
            return Err(Refused::UnknownModel {
                name: name.into(),
                nearest: nearest(name, names),
            });
        };
        let contest = self.contest(None, self.listed(), &[]);
        self.run(Bid::new(rung, source, pool, contest)).ok_or_else(|| {
            let refusals = std::mem::take(&mut self.refused);
            if refusals
                .iter()
                .all(|(_, why)| why.iter().any(Refusal::is_permission))
            {
                Refused::ModelNotAllowed {
                    name: name.into(),
                    refusals,
                }
            } else {
                Refused::NoEligibleModel { refusals }
            }
        })
    }

    /// Rung 4: the request names a profile.
    fn asked_profile(&self, name: &str) -> Result<usize, Refused> {
        let known = self.policy.profiles.iter().map(|p| p.name.as_str());
        let unknown = || Refused::UnknownProfile {
            name: name.into(),
            nearest: nearest(name, known),
        };
        self.policy.profile_named(name).ok_or_else(unknown)
    }

    /// Rung 5. A decision that already lost something, or that health or the conversation may change, is not looked up,
    /// because such decisions are never stored.
    fn cached(&self, evidence: &Evidence) -> Result<Option<Arc<Decision>>, Stop> {
        let useful = self.policy.cache.enabled && !self.policy.scored().is_empty() && self.lost.is_empty();
        let own = self.health.is_some() || self.held.is_some();
        if !useful || own || !self.query.read_cache {
            return Ok(None);
        }
        match &evidence.cache {
            Answer::NotAsked => Err(Stop::Ask(Probe::ExactCache)),
            Answer::Got(found) => Ok(found.clone()),
            Answer::Failed { .. } => Ok(None),
        }
    }

    /// Rung 6, second half: the models of the route, or of the domain.
    fn by_evidence(&mut self, found: &Option<Found>, evidence: &Evidence) -> Result<Option<Decision>, Stop> {
        let policy = self.policy;
        let Some(Found {
            finding,
            source,
            measured,
        }) = *found
        else {
            return Ok(None);
        };
        let bid = match finding {
            Finding::Nothing { .. } => return Ok(None),
            Finding::Route {
                route: index,
                p,
                margin,
            } => {
                let route = &policy.routes[index];
                let (contest, judged) = self.route_contest(index, evidence)?;
                let bid = Bid::new(Rung::Route, source, &route.models, contest);
                Bid {
                    domain: route.domain,
                    plan: route.plan.as_ref(),
                    judged,
                    confidence: measured.then_some(p),
                    margin: measured.then_some(margin),
                    ..bid
                }
            }
            Finding::Domain { domain, p, margin } => {
                let pool = &policy.domains[domain].models;
                let contest = self.contest(None, self.objective(None), &[]);
                let bid = Bid::new(Rung::Domain, source, pool, contest);
                Bid {
                    domain: Some(domain),
                    confidence: measured.then_some(p),
                    margin: measured.then_some(margin),
                    ..bid
                }
            }
        };
        Ok(self.run(bid))
    }

    /// Rungs 2, 4 and 7: the profile's models, else all of the catalogue, that fit the profile, else the nearest in size.
    fn by_profile(
        &mut self,
        index: usize,
        rung: Rung,
        rule: Option<(RuleIndex, Option<&'a PlanSpec>)>,
    ) -> Option<Decision> {
        let profile = &self.policy.profiles[index];
        let all: Vec<ModelIndex>;
        let pool = if profile.models.is_empty() {
            all = (0..self.policy.models.len()).collect();
            &all
        } else {
            &profile.models
        };
        let contest = Contest {
            size: profile.prefer_size,
            ..self.contest(None, self.objective(profile.select), &profile.prefer_families)
        };
        let mut ranking = rank(self.policy, &self.bound, pool, &contest);
        let short = keep_profile(self.policy, profile, &mut ranking);
        if short && !ranking.order.is_empty() {
            let model = &self.policy.models[ranking.order[0]].id;
            let detail = format!(
                "no eligible model has the size of profile `{}`; `{model}` is nearest",
                profile.name
            );
            self.lose("profile_unsatisfied", detail);
        }
        let source = rule.map_or(Source::Profile, |_| Source::Rule);
        let bid = Bid {
            profile: Some(index),
            rule: rule.map(|(rule, _)| rule),
            plan: rule.and_then(|(_, plan)| plan),
            ..Bid::new(rung, source, &[], contest)
        };
        self.settle(bid, ranking)
    }

    /// Ranks a bid's pool; the best wins, or the rung is left.
    fn run(&mut self, bid: Bid<'_>) -> Option<Decision> {
        let ranking = rank(self.policy, &self.bound, bid.pool, &bid.contest);
        self.settle(bid, ranking)
    }

    fn lose(&mut self, code: &'static str, detail: String) {
        self.lost.push(Degradation { code, detail });
    }

    /// Families of the request, else those of the profile, else the policy's.
    fn contest(&self, route: Option<RouteIndex>, objective: Objective, own: &'a [String]) -> Contest<'a> {
        let asked = &self.query.preferences.families;
        let families = match (asked.is_empty(), own.is_empty()) {
            (false, _) => asked,
            (true, false) => own,
            (true, true) => &self.policy.prefer_families[..],
        };
        Contest {
            route,
            objective,
            families,
            lead: None,
            size: None,
            health: self.health,
        }
    }

    /// The objective of a `set` rule, else the request's, if there is one.
    fn asked(&self) -> Option<Objective> {
        let wishes = &self.query.preferences;
        self.weights
            .or(wishes.weights)
            .map(Objective::Weights)
            .or(wishes.optimize_for)
    }

    /// For routes, domains and profiles: the asked objective, else their own, else the policy's weights.
    fn objective(&self, own: Option<Objective>) -> Objective {
        let general = self.policy.weights.map(Objective::Weights);
        self.asked().or(own).or(general).unwrap_or(Objective::Order)
    }

    /// For aliases, models of a rule and `default`, whose order is their author's word: the asked objective, else that order.
    fn listed(&self) -> Objective {
        self.asked().unwrap_or(Objective::Order)
    }
}

impl<'a> Bid<'a> {
    fn new(rung: Rung, source: Source, pool: &'a [ModelIndex], contest: Contest<'a>) -> Self {
        Bid {
            rung,
            source,
            pool,
            contest,
            domain: None,
            profile: None,
            rule: None,
            confidence: None,
            margin: None,
            plan: None,
            judged: None,
            session: None,
        }
    }
}

#[cfg(test)]
mod tests;
