//! Canaries: their models and routes become indexes.

use super::Linker;
use crate::canary::Canary;
use crate::policy::draft::{Draft, Name};

impl Linker<'_> {
    pub(super) fn canaries(&mut self, draft: &Draft) -> Vec<Canary> {
        let mut canaries = Vec::with_capacity(draft.canaries.len());
        for canary in &draft.canaries {
            let model = self.model_index(&canary.model);
            let route = canary.route.as_ref().map(|name| self.route_index(name));
            // An unknown route has been reported; without it the canary would be for all.
            if let (Some(model), Some(route)) = (model, route.map_or(Some(None), |found| found.map(Some))) {
                canaries.push(Canary {
                    name: canary.name.value.clone(),
                    model,
                    share: canary.share,
                    route,
                    key: canary.key.clone(),
                });
            }
        }
        canaries
    }

    pub(super) fn canary(&mut self, name: &Name) -> Option<usize> {
        match self.canaries.get(&name.value) {
            Some(index) => Some(*index),
            None => self.unknown("unknown-canary", "canary", name, |linker| &linker.canaries),
        }
    }
}
