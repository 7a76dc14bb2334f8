//! How a decision is executed: by one model, or by several in a way that the policy names. The ladder calls [`plan`]
//! with the winning rung's ranking. A plan only ever holds models that may serve the request, and none of them twice.
//!
//! A plan that finds too few of them becomes `Single` and says why. A cascade is the one exception: where its other
//! models were already tried, one model left is its last step, and nothing was lost.

use crate::candidates::{Candidate, Contest, Ranking, Refusal, rank};
use crate::policy::{ModelIndex, Policy};
use crate::query::Query;

/// What a route, or a rule, says about how its models work together.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanSpec {
    /// The models that take part, in the author's order; empty means all of the route's. For `Speculative` the fast one
    /// and the slow one.
    pub models: Vec<ModelIndex>,
    /// What they do.
    pub kind: PlanKind,
}

/// The kinds of plan of several steps.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanKind {
    /// From cheap to dear, until an answer is good enough.
    Cascade {
        /// Confidence from which an answer is accepted, 0..=1.
        accept_at: f64,
    },
    /// All at once, one answer from theirs.
    Ensemble {
        /// How many models, at least 2; `None` means all that may.
        n: Option<usize>,
        /// How the answers become one.
        combine: Combine,
        /// Who judges or merges; `None` leaves it to the first.
        judge: Option<ModelIndex>,
    },
    /// Two of them in a race.
    Speculative {
        /// Whose answer counts when there is a choice.
        prefer: Prefer,
        /// Milliseconds to wait for it, above 0.
        wait_ms: u64,
    },
    /// A tool, then one model with its result.
    ToolThenModel {
        /// The tool's name.
        tool: String,
    },
}

impl PlanKind {
    /// Takes the judge out, so that kinds of two policies can be compared.
    pub(crate) fn take_judge(&mut self) -> Option<ModelIndex> {
        match self {
            PlanKind::Ensemble { judge, .. } => judge.take(),
            _ => None,
        }
    }
}

/// How an ensemble's answers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// What most say.
    Majority,
    /// What the judge prefers.
    BestOf,
    /// What the judge writes from all of them.
    Merge,
}

/// Whose answer a race prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// The fast one alone; the slow one joins after the wait.
    Fast,
    /// Both at once; the slow one's answer if it comes within the wait.
    Slow,
}

/// How to execute one decision. `Decision::model` is the first model of every plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Plan {
    /// `Decision::model` answers.
    #[default]
    Single,
    /// Ask in turn until an answer is good enough.
    Cascade {
        /// From cheap to dear by the estimate for this request, unknown cost last; at least two.
        models: Vec<ModelIndex>,
        /// Confidence from which an answer is accepted, 0..=1.
        accept_at: f64,
    },
    /// Ask all and combine.
    Ensemble {
        /// The preferred first; at least two.
        models: Vec<ModelIndex>,
        /// How the answers become one.
        combine: Combine,
        /// Who judges or merges; `None` leaves it to the first.
        judge: Option<ModelIndex>,
    },
    /// Race two.
    Speculative {
        /// The faster by the estimate for this request, or the one named so.
        fast: ModelIndex,
        /// The other.
        slow: ModelIndex,
        /// Whose answer counts when there is a choice.
        prefer: Prefer,
        /// Milliseconds to wait for it.
        wait_ms: u64,
    },
    /// Call the tool, then `Decision::model` with its result.
    ToolThenModel {
        /// The tool's name.
        tool: String,
    },
}

impl Plan {
    /// The word used in policy tests and explanations.
    pub fn as_str(&self) -> &'static str {
        match self {
            Plan::Single => "single",
            Plan::Cascade { .. } => "cascade",
            Plan::Ensemble { .. } => "ensemble",
            Plan::Speculative { .. } => "speculative",
            Plan::ToolThenModel { .. } => "tool_then_model",
        }
    }

    /// The models that answer, `model` being the decision's; the judge is not one of them.
    pub fn models(&self, model: ModelIndex) -> Vec<ModelIndex> {
        match self {
            Plan::Single | Plan::ToolThenModel { .. } => vec![model],
            Plan::Cascade { models, .. } | Plan::Ensemble { models, .. } => models.clone(),
            Plan::Speculative { fast, slow, .. } => vec![*fast, *slow],
        }
    }
}

/// A plan made for one request.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// The first model of the plan.
    pub(crate) model: ModelIndex,
    /// Why the plan is less than the policy wants.
    pub(crate) lost: Option<String>,
    /// Whether this is the last step of a cascade whose other models were tried.
    pub(crate) last_of_cascade: bool,
}

impl Planned {
    fn new(plan: Plan, model: ModelIndex) -> Self {
        Planned {
            plan,
            model,
            lost: None,
            last_of_cascade: false,
        }
    }

    /// One model by itself.
    pub(crate) fn single(model: ModelIndex) -> Self {
        Planned::new(Plan::Single, model)
    }
}

/// Makes a plan of a ranking's eligible models; `winner` is the first of them.
pub(crate) fn plan(
    policy: &Policy,
    query: &Query,
    spec: &PlanSpec,
    (ranking, contest): (&Ranking, &Contest<'_>),
    winner: ModelIndex,
) -> Planned {
    let named = |model: &ModelIndex| spec.models.is_empty() || spec.models.contains(model);
    let members: Vec<ModelIndex> = ranking.order.iter().copied().filter(named).collect();
    let alone = |wanted: &str| Planned {
        lost: Some(format!(
            "{wanted}, and {} of its models may serve this request; one model answers alone",
            members.len()
        )),
        ..Planned::single(members.first().copied().unwrap_or(winner))
    };
    match &spec.kind {
        PlanKind::ToolThenModel { tool } => Planned::new(Plan::ToolThenModel { tool: tool.clone() }, winner),
        PlanKind::Cascade { accept_at } => {
            let models = by_cost(ranking, &members);
            match models[..] {
                [first, _, ..] => {
                    let accept_at = *accept_at;
                    Planned::new(Plan::Cascade { models, accept_at }, first)
                }
                [last] if was_tried(ranking, &named) => Planned {
                    last_of_cascade: true,
                    ..Planned::single(last)
                },
                _ => alone("a cascade needs two models"),
            }
        }
        PlanKind::Ensemble { n, combine, judge } => {
            if members.len() < 2 {
                return alone("an ensemble needs two models");
            }
            let wanted = n.unwrap_or(members.len());
            let models: Vec<ModelIndex> = members.iter().copied().take(wanted).collect();
            let first = models[0];
            let able = judge.filter(|&judge| may_serve(policy, query, ranking, contest, judge));
            let mut lost = Vec::new();
            if models.len() < wanted {
                lost.push(format!("the ensemble has {} of {wanted} models", models.len()));
            }
            if let (Some(judge), None) = (judge, able) {
                let (judge, first) = (&policy.models[*judge].id, &policy.models[first].id);
                lost.push(format!(
                    "`{judge}` may not serve this request, so `{first}` judges"
                ));
            }
            let combine = *combine;
            let plan = Plan::Ensemble {
                models,
                combine,
                judge: able,
            };
            Planned {
                lost: (!lost.is_empty()).then(|| lost.join("; ")),
                ..Planned::new(plan, first)
            }
        }
        PlanKind::Speculative { prefer, wait_ms } => match race(spec, ranking, &members) {
            Some((fast, slow)) => {
                let (prefer, wait_ms) = (*prefer, *wait_ms);
                let plan = Plan::Speculative {
                    fast,
                    slow,
                    prefer,
                    wait_ms,
                };
                Planned::new(plan, fast)
            }
            None => alone("a race needs two models"),
        },
    }
}

/// Cheap to dear by the estimate for this request; unknown cost last, ties in the pool's order.
fn by_cost(ranking: &Ranking, members: &[ModelIndex]) -> Vec<ModelIndex> {
    let mut eligible: Vec<&Candidate> = ranking
        .candidates
        .iter()
        .filter(|candidate| members.contains(&candidate.model))
        .collect();
    let cost = |candidate: &Candidate| candidate.estimate.cost_usd.unwrap_or(f64::INFINITY);
    eligible.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
    eligible.into_iter().map(|candidate| candidate.model).collect()
}

/// The fast one and the slow one: as named, else the winner and the fastest of the others, the faster of the two first.
fn race(spec: &PlanSpec, ranking: &Ranking, members: &[ModelIndex]) -> Option<(ModelIndex, ModelIndex)> {
    let (&first, others) = members.split_first()?;
    let time = |model: ModelIndex| {
        let candidate = ranking.candidates.iter().find(|c| c.model == model);
        candidate
            .and_then(|c| c.estimate.latency_ms)
            .unwrap_or(f64::INFINITY)
    };
    let &other = others.iter().min_by(|a, b| time(**a).total_cmp(&time(**b)))?;
    match spec.models[..] {
        [fast, slow] => Some((fast, slow)),
        _ if time(first) <= time(other) => Some((first, other)),
        _ => Some((other, first)),
    }
}

/// Whether a model of the plan is out only because it was tried.
fn was_tried(ranking: &Ranking, named: &impl Fn(&ModelIndex) -> bool) -> bool {
    let tried = |c: &Candidate| !c.refusals.is_empty() && c.refusals.iter().all(Refusal::is_attempted);
    ranking.candidates.iter().any(|c| named(&c.model) && tried(c))
}

/// Whether a model may serve the request, in the pool or not.
fn may_serve(
    policy: &Policy,
    query: &Query,
    ranking: &Ranking,
    contest: &Contest<'_>,
    model: ModelIndex,
) -> bool {
    if ranking.candidates.iter().any(|c| c.model == model) {
        return ranking.order.contains(&model);
    }
    !rank(policy, query, &[model], contest).order.is_empty()
}
