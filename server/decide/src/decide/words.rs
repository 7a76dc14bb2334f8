//! The sentences of a decision: what a rung says about the request, and why its winner won.

use super::Bid;
use crate::canary::Canary;
use crate::candidates::Ranking;
use crate::decision::Source;
use crate::explanation::Rung;
use crate::plan::{Plan, Planned};
use crate::policy::Policy;
use crate::query::Objective;

impl Bid<'_> {
    /// What this rung says about the request, in words.
    pub(super) fn describe(&self, policy: &Policy) -> String {
        let profile = || self.profile.map_or("", |i| policy.profiles[i].name.as_str());
        match self.rung {
            Rung::Direct => "the request names the model".to_owned(),
            Rung::Alias => "the request names an alias".to_owned(),
            Rung::Rule => self.rule.map_or_else(String::new, |rule| {
                format!("rule `{}` matches", policy.rules.all()[rule].name)
            }),
            Rung::Session => self.session.map_or_else(String::new, |stay| stay.to_string()),
            Rung::Profile => format!("the request asks for profile `{}`", profile()),
            Rung::Route => match self.contest.route {
                Some(route) => format!("route `{}` fits best{}", policy.routes[route].name, self.by()),
                None => String::new(),
            },
            Rung::Domain => match self.domain {
                Some(domain) => format!(
                    "no single route is sure{}, but domain `{}` is",
                    self.by(),
                    policy.domains[domain].name
                ),
                None => String::new(),
            },
            Rung::PolicyProfile => {
                format!("nothing matched, so the policy's profile `{}` decides", profile())
            }
            Rung::Default if policy.scored().is_empty() => {
                "the policy has no routes, so its default decides".to_owned()
            }
            Rung::Default => "no route matched, so the policy's default decides".to_owned(),
        }
    }

    /// Whose evidence it is, where that is not the usual one.
    fn by(&self) -> &'static str {
        match self.source {
            Source::Llm => " by the language model",
            _ => "",
        }
    }

    /// One plain sentence.
    pub(super) fn reason(
        &self,
        policy: &Policy,
        ranking: &Ranking,
        planned: &Planned,
        canary: Option<&Canary>,
        what: &str,
    ) -> String {
        let id = &policy.models[planned.model].id;
        let refused = ranking.candidates.len() - ranking.order.len();
        let how = match self.contest.objective {
            _ if ranking.candidates.len() == 1 => "its only model".to_owned(),
            Objective::Order if refused > 0 && self.profile.is_none() => {
                format!("its first model that may serve this request ({refused} refused)")
            }
            Objective::Order => "its first model".to_owned(),
            Objective::Cheapest => format!("the cheapest of {}", ranking.order.len()),
            Objective::Fastest => format!("the fastest of {}", ranking.order.len()),
            Objective::Best => format!("the best of {}", ranking.order.len()),
            Objective::Weights(_) => format!("the best of {} by weights", ranking.order.len()),
        };
        let how = match self.judged {
            Some(judged) => {
                let which = if judged.strong { "strong" } else { "weak" };
                format!("the {which} one of two ({judged})")
            }
            None => how,
        };
        let how = match canary {
            Some(Canary { name, share, key, .. }) => {
                format!("canary `{name}`'s, for {share} of the requests by {key}")
            }
            None => how,
        };
        let how = match &planned.plan {
            _ if self.rung == Rung::Direct => "asked for by id".to_owned(),
            _ if self.rung == Rung::Session => "the conversation's model".to_owned(),
            Plan::Single if planned.last_of_cascade => "the last model that its cascade has left".to_owned(),
            Plan::Single if planned.model != ranking.order[0] => {
                "the one model that its plan has left".to_owned()
            }
            Plan::Single => how,
            Plan::Cascade { models, .. } => format!("the first in a cascade of {}", models.len()),
            Plan::Ensemble { models, .. } => format!("the first of an ensemble of {}", models.len()),
            Plan::Speculative { slow, .. } => {
                format!("the fast one in a race with `{}`", policy.models[*slow].id)
            }
            Plan::ToolThenModel { tool } => format!("{how}, after tool `{tool}`"),
        };
        match self.confidence {
            Some(p) => format!("{what} (probability {p:.2}); `{id}` is {how}"),
            None => format!("{what}; `{id}` is {how}"),
        }
    }
}
