//! How long an answer takes lately, queue included: an average in which every new answer counts for a third of all. Who
//! gave up knows only that it would have taken longer, and it counts as twice that: one such is an accident, two in a row
//! are reason enough not to spend the same time in vain again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What is expected of the next answer.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Microseconds; 0 while nothing is known.
    expected: AtomicU64,
}

impl Pace {
    pub(super) fn expected(&self) -> Duration {
        Duration::from_micros(self.expected.load(Ordering::Relaxed))
    }

    /// An answer took this long.
    pub(super) fn observe(&self, took: Duration) {
        let took = micros(took);
        self.change(|before| match before {
            0 => took,
            before => before - before / 3 + took / 3,
        });
    }

    /// Somebody waited so long for an answer and gave up.
    pub(super) fn gave_up(&self, after: Duration) {
        let took = micros(after.saturating_mul(2));
        self.change(|before| before.max(before - before / 3 + took / 3));
    }

    /// An answer took this long, and what was known before is old.
    pub(super) fn reset(&self, took: Duration) {
        self.change(|_| micros(took));
    }

    fn change(&self, next: impl Fn(u64) -> u64) {
        // Always `Some`, so never an error.
        let _ = self
            .expected
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| Some(next(before)));
    }
}

/// At most a day, so that sums cannot overflow.
fn micros(duration: Duration) -> u64 {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    micros.min(86_400_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn old_answers_count_less_and_less() {
        let pace = Pace::default();
        assert_eq!(pace.expected(), Duration::ZERO);
        pace.observe(ms(300));
        assert_eq!(pace.expected(), ms(300));
        for _ in 0..20 {
            pace.observe(ms(30));
        }
        assert!(pace.expected() < ms(31), "{:?}", pace.expected());
    }

    #[test]
    fn giving_up_only_ever_lengthens_and_a_new_start_forgets() {
        let pace = Pace::default();
        pace.observe(ms(60));
        pace.gave_up(ms(200));
        assert!(pace.expected() < ms(200), "an accident: {:?}", pace.expected());
        pace.gave_up(ms(200));
        assert!(pace.expected() > ms(200), "in vain again: {:?}", pace.expected());
        let before = pace.expected();
        pace.gave_up(ms(20));
        assert_eq!(pace.expected(), before);
        pace.reset(ms(5));
        assert_eq!(pace.expected(), ms(5));
        pace.gave_up(Duration::MAX);
        pace.observe(Duration::MAX);
        assert!(pace.expected() <= Duration::from_secs(86_400));
    }
}
