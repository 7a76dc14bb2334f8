//! `select: {strong, weak, threshold}`: two different models of the route, and something to learn from.

use super::Linker;
use crate::policy::draft::DraftPair;
use crate::policy::{ModelIndex, StrongWeak};

impl Linker<'_> {
    /// Resolves a pair over `pool`, the models of its route.
    pub(super) fn pair(&mut self, pair: &DraftPair, pool: &[ModelIndex]) -> Option<StrongWeak> {
        let (strong, weak) = (self.model_index(&pair.strong), self.model_index(&pair.weak));
        self.inside([&pair.strong, &pair.weak], pool);
        if strong.is_some() && strong == weak {
            let message = format!("`{}` is both the strong and the weak model", pair.weak.value);
            self.report
                .error("duplicate", &pair.weak.at, message, "name two models");
        }
        if !self.has_outcomes {
            let message = "nothing says how difficult a prompt is".into();
            let hint = "add `difficulty: {outcomes: FILE.jsonl}` to the policy, with lines such as {\"prompt\": \"…\", \
                        \"scores\": {\"STRONG\": 1, \"WEAK\": 0}}";
            self.report
                .error("missing-outcomes", &pair.strong.at, message, hint);
        }
        Some(StrongWeak {
            strong: strong?,
            weak: weak?,
            threshold: pair.threshold,
        })
    }
}
