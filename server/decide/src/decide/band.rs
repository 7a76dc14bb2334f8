//! Which models fit a profile's band of sizes. Called by the ladder's profile rungs.

use crate::candidates::{Ranking, Refusal};
use crate::policy::{ModelIndex, Policy, Profile};

/// Keeps the models that fit a profile; when none does, orders the eligible ones by distance from its band instead.
/// True when the band was empty.
pub(super) fn keep_profile(policy: &Policy, profile: &Profile, ranking: &mut Ranking) -> bool {
    for candidate in &mut ranking.candidates {
        let model = &policy.models[candidate.model];
        let lacking = profile
            .capabilities
            .iter()
            .filter(|name| !model.capabilities.contains(name));
        candidate
            .refusals
            .extend(lacking.cloned().map(Refusal::Capability));
    }
    let refused = |ranking: &Ranking, model: ModelIndex| {
        let own = ranking.candidates.iter().find(|c| c.model == model);
        own.is_none_or(|candidate| !candidate.refusals.is_empty())
    };
    ranking.order = ranking
        .order
        .iter()
        .copied()
        .filter(|&m| !refused(ranking, m))
        .collect();
    let distance = |model: ModelIndex| profile.distance(policy.models[model].parameters_b);
    let mut inside: Vec<ModelIndex> = ranking
        .order
        .iter()
        .copied()
        .filter(|&m| distance(m) == Some(0.0))
        .collect();
    let short = inside.is_empty();
    if short {
        let sized = ranking.order.iter().filter_map(|&m| Some((distance(m)?, m)));
        let mut sized: Vec<(f64, ModelIndex)> = sized.collect();
        sized.sort_by(|a, b| a.0.total_cmp(&b.0));
        inside = sized.into_iter().map(|(_, m)| m).collect();
    }
    for candidate in ranking
        .candidates
        .iter_mut()
        .filter(|c| !inside.contains(&c.model))
    {
        if candidate.refusals.is_empty() {
            candidate
                .refusals
                .push(Refusal::Size(policy.models[candidate.model].parameters_b));
        }
    }
    ranking.order = inside;
    short
}

impl Profile {
    /// Billions of parameters between a size and the band: 0 inside, `None` for an unknown size in a bounded band.
    fn distance(&self, size: Option<f64>) -> Option<f64> {
        if self.min_parameters_b.is_none() && self.max_parameters_b.is_none() {
            return Some(0.0);
        }
        let size = size?;
        let below = self.min_parameters_b.map_or(0.0, |min| min - size);
        let above = self.max_parameters_b.map_or(0.0, |max| size - max);
        let at_open_end = above == 0.0 && !self.max_inclusive && self.max_parameters_b.is_some();
        // Exactly the excluded upper end is outside, but nearer than anything else.
        Some(if at_open_end {
            f64::MIN_POSITIVE
        } else {
            below.max(above).max(0.0)
        })
    }
}
