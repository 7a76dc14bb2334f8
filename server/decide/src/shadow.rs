//! A second policy that decides beside the one in force and is only compared. The core knows which file it is and which
//! decisions are compared; the server loads it and does the comparing.

use crate::canary::{is_inside, point};

/// The shadow of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Shadow {
    /// Its file, relative to the folder of the policy's.
    pub policy: String,
    /// Share of the decisions that are compared, 0..=1.
    pub share: f64,
    /// Where the policy names the file: line and column, both 1-based.
    pub at: (u32, u32),
}

impl Shadow {
    /// Whether a decision is compared: whether the point of its id under the name `shadow` (see [`point`]) is in the share.
    /// Ids are made anew for every decision, so equal requests are not always in or always out.
    pub fn samples(&self, decision_id: &str) -> bool {
        is_inside(point("shadow", decision_id), self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(share: f64) -> usize {
        let shadow = Shadow {
            policy: "next.yaml".into(),
            share,
            at: (1, 1),
        };
        (0..10_000)
            .filter(|id| shadow.samples(&format!("decision {id}")))
            .count()
    }

    #[test]
    fn the_share_of_decisions_that_are_compared_is_within_binomial_bounds() {
        // Five standard deviations of a binomial of 10,000.
        for share in [0.01_f64, 0.1, 0.5, 0.9] {
            let spread = 5.0 * (10_000.0 * share * (1.0 - share)).sqrt();
            let off = (sampled(share) as f64 - 10_000.0 * share).abs();
            assert!(off <= spread, "{share}: {off} off");
        }
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 10_000));
    }
}
