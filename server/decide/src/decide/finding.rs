//! What evidence says: one route, one domain, or nothing. Called by the ladder's sixth rung.

use crate::evidence::RouteScores;
use crate::policy::{Policy, RouteIndex};

/// What evidence says about the routes.
pub(super) enum Finding {
    Route { route: RouteIndex, p: f32, margin: f32 },
    Domain { domain: usize, p: f32, margin: f32 },
    Nothing { confidence: f32, margin: Option<f32> },
}

/// Sure of a route: P ≥ threshold and more probable than `other`. Else sure of a domain: the sum over its routes
/// ≥ threshold, unless `other` is the most probable.
pub(super) fn find(policy: &Policy, scores: &RouteScores) -> Finding {
    let threshold = policy
        .evidence
        .threshold
        .map_or(scores.default_threshold, |t| t as f32);
    let Some((route, p, margin)) = scores.best() else {
        return Finding::Nothing {
            confidence: 1.0,
            margin: None,
        };
    };
    let other_wins = scores.other >= p;
    if !other_wins && p >= threshold {
        let route = policy.scored_from + route;
        return Finding::Route { route, p, margin };
    }
    if !other_wins
        && let Some((domain, p, margin)) = best_domain(policy, scores)
        && p >= threshold
    {
        return Finding::Domain { domain, p, margin };
    }
    Finding::Nothing {
        confidence: scores.other,
        margin: other_wins.then_some(scores.other - p),
    }
}

/// The most probable domain, its probability, and the distance to the next domain or `other`.
fn best_domain(policy: &Policy, scores: &RouteScores) -> Option<(usize, f32, f32)> {
    let mut sums = vec![0f32; policy.domains.len()];
    for (route, &p) in policy.scored().iter().zip(&scores.routes) {
        if let Some(domain) = route.domain {
            sums[domain] += p;
        }
    }
    let by_domain = RouteScores {
        routes: sums,
        other: scores.other,
        ..RouteScores::default()
    };
    by_domain
        .best()
        .filter(|&(domain, ..)| !policy.domains[domain].models.is_empty())
}
