//! Whether reused answers are right: some are asked for again, and where too many differ nothing is reused any more.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Audits that count: the last so many.
const WINDOW: usize = 1_000;

/// Audits before which nothing is concluded.
const ENOUGH: usize = 200;

/// The standard score of a 95 % interval.
const Z: f64 = 1.96;

/// The last audits.
#[derive(Debug, Default)]
pub struct Audit {
    reused: AtomicU64,
    closed: AtomicBool,
    /// Whether each was wrong, oldest first.
    last: Mutex<VecDeque<bool>>,
}

/// What they say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Audited {
    /// Whether answers are reused.
    pub open: bool,
    /// How many of the last thousand reused answers that were audited there are.
    pub audits: usize,
    /// How many of them were wrong.
    pub wrong: usize,
}

impl Audited {
    /// The share of wrong ones; `None` without audits.
    pub fn share(&self) -> Option<f64> {
        (self.audits > 0).then(|| self.wrong as f64 / self.audits as f64)
    }

    /// The 95 % interval of the share (Wilson, JASA 1927), both ends 0..=1; all of it without audits.
    pub fn interval(&self) -> (f64, f64) {
        let Some(share) = self.share() else {
            return (0.0, 1.0);
        };
        let n = self.audits as f64;
        let z2 = Z * Z;
        let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
        ((middle - half).max(0.0), (middle + half).min(1.0))
    }
}

/// `open; 1 of the last 350 audited answers was wrong (0.1 to 1.6 %)`.
impl fmt::Display for Audited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.open {
            "open"
        } else {
            "closed: too often wrong"
        };
        let (low, high) = self.interval();
        let (low, high) = (low * 100.0, high * 100.0);
        match (self.audits, self.wrong) {
            (0, _) => write!(f, "{state}; no reused answer was audited yet"),
            (audits, wrong) => {
                let were = if wrong == 1 { "was" } else { "were" };
                write!(
                    f,
                    "{state}; {wrong} of the last {audits} audited answers {were} wrong ({low:.1} to {high:.1} %)"
                )
            }
        }
    }
}

impl Audit {
    /// Whether answers are reused.
    pub fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }

    /// Counts a reused answer; whether it is to be audited, so that `share` of them are. They are evenly spread, and in no step
    /// that traffic could keep (Fibonacci hashing: multiples of the golden ratio fill 0..1 evenly).
    pub(in crate::llm) fn samples(&self, share: f64) -> bool {
        let number = self.reused.fetch_add(1, Ordering::Relaxed);
        let place = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) as f64 / u64::MAX as f64;
        place < share
    }

    /// Counts an audit, and closes where more than `budget` of enough of them were wrong. It stays closed as long as the process
    /// lives: somebody should look.
    pub(in crate::llm) fn note(&self, wrong: bool, budget: f64) {
        let audited = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() == WINDOW {
                last.pop_front();
            }
            last.push_back(wrong);
            self.of(&last)
        };
        let too_many = audited.audits >= ENOUGH && audited.share().is_some_and(|share| share > budget);
        if too_many && !self.closed.swap(true, Ordering::Relaxed) {
            tracing::error!(
                audits = audited.audits,
                wrong = audited.wrong,
                budget,
                "the semantic cache reuses no answer any more: too many were wrong"
            );
        }
    }

    /// What the audits say.
    pub fn audited(&self) -> Audited {
        self.of(&self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn of(&self, last: &VecDeque<bool>) -> Audited {
        Audited {
            open: self.is_open(),
            audits: last.len(),
            wrong: last.iter().filter(|wrong| **wrong).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audited(audits: usize, wrong: usize) -> Audited {
        Audited {
            open: true,
            audits,
            wrong,
        }
    }

    #[test]
    fn the_interval_is_wilsons() {
        let rounded = |audited: Audited| {
            let (low, high) = audited.interval();
            ((low * 1e4).round() / 1e4, (high * 1e4).round() / 1e4)
        };
        // From R: binom::binom.confint(x, n, methods = "wilson").
        assert_eq!(rounded(audited(1000, 0)), (0.0, 0.0038));
        assert_eq!(rounded(audited(10, 1)), (0.0179, 0.4042));
        assert_eq!(rounded(audited(200, 100)), (0.4314, 0.5686));
        assert_eq!(audited(0, 0).interval(), (0.0, 1.0));
    }

    #[test]
    fn the_estimate_agrees_with_the_truth() {
        // One in 50 is wrong, evenly spread.
        let audit = Audit::default();
        (0..5_000).for_each(|at| audit.note(at % 50 == 0, 1.0));
        let found = audit.audited();
        let (low, high) = found.interval();
        assert_eq!((found.audits, found.wrong), (1000, 20));
        assert!(low < 0.02 && 0.02 < high, "{low} to {high}");
    }

    #[test]
    fn it_closes_past_the_budget_and_not_on_little() {
        let audit = Audit::default();
        (0..ENOUGH - 1).for_each(|_| audit.note(true, 0.01));
        assert!(audit.is_open(), "too few");
        audit.note(false, 0.01);
        assert!(!audit.is_open());
        assert!(
            audit
                .audited()
                .to_string()
                .starts_with("closed: too often wrong; 199 of the last 200")
        );
        let good = Audit::default();
        (0..2_000).for_each(|at| good.note(at % 200 == 0, 0.01));
        assert!(good.is_open(), "{}", good.audited());
    }

    #[test]
    fn as_many_are_sampled_as_wanted_and_of_every_part_of_regular_traffic() {
        for share in [0.0, 0.05, 0.3, 1.0] {
            let audit = Audit::default();
            let sampled: Vec<usize> = (0..10_000).filter(|_| audit.samples(share)).collect();
            assert!(
                (sampled.len() as f64 - share * 1e4).abs() <= 3.0,
                "{share}: {}",
                sampled.len()
            );
            // Traffic whose every twentieth request is of one kind.
            let every = sampled.iter().filter(|at| **at % 20 == 0).count() as f64;
            assert!((every - share * 500.0).abs() <= 5.0, "{share}: {every}");
        }
    }
}
