//! Plans, of routes and of whatever else may have one.

use crate::plan::{Combine, PlanKind, Prefer};
use crate::policy::draft::DraftPlan;
use crate::policy::fields::Fields;
use crate::policy::place::Report;
use crate::policy::shape;

/// The plan under a key; `None` for `single`, for none and for what has been reported.
pub(super) fn plan(fields: &Fields<'_>, name: &'static str, report: &mut Report) -> Option<DraftPlan> {
    let plan = fields.object(name, &shape::PLAN)?;
    let draft = |kind, models| DraftPlan {
        kind,
        models,
        judge: None,
        at: plan.at(),
    };
    if let Some(cascade) = plan.object("cascade", &shape::CASCADE) {
        let models = cascade.spanned_list("models");
        let accept_at = cascade.number("accept_at")?;
        return Some(draft(PlanKind::Cascade { accept_at }, models));
    }
    if let Some(ensemble) = plan.object("ensemble", &shape::ENSEMBLE) {
        return Some(DraftPlan {
            judge: ensemble.spanned("judge"),
            ..draft(ensemble_of(&ensemble, report), ensemble.spanned_list("models"))
        });
    }
    if let Some(race) = plan.object("speculative", &shape::SPECULATIVE) {
        let (fast, slow) = (race.spanned("fast"), race.spanned("slow"));
        if fast.is_some() != slow.is_some() {
            let message = "`fast` and `slow` go together".into();
            let hint = "name both, or neither: then the figures of the route's models decide";
            report.error("missing-key", &race.at(), message, hint);
        }
        let prefer = match race.text("prefer").as_deref() {
            Some("fast") => Prefer::Fast,
            _ => Prefer::Slow,
        };
        let wait_ms = race.integer("wait_ms")?;
        let models = match (fast, slow) {
            (Some(fast), Some(slow)) => vec![fast, slow],
            _ => Vec::new(),
        };
        return Some(draft(PlanKind::Speculative { prefer, wait_ms }, models));
    }
    let tool = plan
        .object("tool_then_model", &shape::TOOL_THEN_MODEL)?
        .text("tool")?;
    Some(draft(PlanKind::ToolThenModel { tool }, Vec::new()))
}

fn ensemble_of(fields: &Fields<'_>, report: &mut Report) -> PlanKind {
    let combine = match fields.text("combine").as_deref() {
        Some("best_of") => Combine::BestOf,
        Some("merge") => Combine::Merge,
        _ => Combine::Majority,
    };
    if combine == Combine::Majority && fields.get("judge").is_some() {
        let message = "a majority needs no judge".into();
        let hint = "write `combine: best_of` or `combine: merge`, or remove `judge`";
        report.error("conflict", &fields.place("judge"), message, hint);
    }
    PlanKind::Ensemble {
        n: fields.integer("n").and_then(|n| usize::try_from(n).ok()),
        combine,
        judge: None,
    }
}
