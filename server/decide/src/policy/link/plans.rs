//! Plans: their models become indexes, and a plan that no request could ever fulfil is an error.

use super::Linker;
use crate::plan::{PlanKind, PlanSpec};
use crate::policy::ModelIndex;
use crate::policy::draft::{DraftPlan, Name};

impl Linker<'_> {
    /// Resolves a plan over `pool`, the models of its route or rule.
    pub(super) fn plan(&mut self, draft: &DraftPlan, pool: &[ModelIndex]) -> PlanSpec {
        let models = self.models_of(&draft.models);
        self.inside(&draft.models, pool);
        let mut kind = draft.kind.clone();
        let least = match &mut kind {
            PlanKind::ToolThenModel { .. } => 0,
            PlanKind::Cascade { .. } | PlanKind::Speculative { .. } => 2,
            PlanKind::Ensemble { n, judge, .. } => {
                *judge = draft.judge.as_ref().and_then(|name| self.model_index(name));
                n.unwrap_or(2)
            }
        };
        let there = if draft.models.is_empty() {
            pool.len()
        } else {
            draft.models.len()
        };
        // An empty pool has been reported as such.
        if there < least && there > 0 {
            let message = format!("the plan needs {least} models and has {there}");
            let hint = "list more models, or write `plan: single`";
            self.report.error("plan-too-few", &draft.at, message, hint);
        }
        PlanSpec { models, kind }
    }

    /// Reports known models that are not in a route's list.
    pub(super) fn inside<'n>(&mut self, names: impl IntoIterator<Item = &'n Name>, pool: &[ModelIndex]) {
        for name in names {
            if self
                .models
                .get(&name.value)
                .is_some_and(|model| !pool.contains(model))
            {
                let message = format!("`{}` is not one of the models to choose among", name.value);
                let hint = "list it in `models` of the route, or `model` of the rule, too: the order there says what is preferred";
                self.report.error("not-in-route", &name.at, message, hint);
            }
        }
    }
}
