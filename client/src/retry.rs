//! How long to wait before a call is sent again, and whether at all. `client.rs` asks after every failure. It
//! keeps no clock: the caller compares the wait with what is left of the deadline.

use std::time::Duration;

use tonic::Code;

use crate::Error;

/// The first wait. A replica that restarts needs longer, a connection that was just dropped less.
const FIRST: Duration = Duration::from_millis(50);
/// The longest wait that is not asked for by the server.
const LONGEST: Duration = Duration::from_secs(1);

/// The waits of one call.
pub(crate) struct Backoff {
    left: u32,
    next: Duration,
}

impl Backoff {
    /// Allows `retries` more attempts after the first.
    pub(crate) fn new(retries: u32) -> Self {
        Self {
            left: retries,
            next: FIRST,
        }
    }

    /// The wait before the next attempt, or `None` if there should be none.
    pub(crate) fn wait_after(&mut self, error: &Error) -> Option<Duration> {
        if error.code() != Code::Unavailable || self.left == 0 {
            return None;
        }
        self.left -= 1;
        let step = self.next;
        self.next = (step * 2).min(LONGEST);
        // Half of the wait is random, so that clients which failed together do not come back together. What the
        // server asks for is the least, never the most.
        let jitter = (step / 2).mul_f64(fastrand::f64());
        Some(error.retry_after().unwrap_or(step / 2).saturating_add(jitter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rejection;

    fn unreachable() -> Error {
        Error::Unreachable {
            endpoint: String::new(),
            detail: String::new(),
        }
    }

    fn rejected(code: Code, retry_after: Option<Duration>) -> Error {
        Error::Rejected(Box::new(Rejection {
            code,
            message: String::new(),
            reason: None,
            field_violations: Vec::new(),
            retry_after,
            metadata: Default::default(),
        }))
    }

    #[test]
    fn waits_double_up_to_a_second_and_end_with_the_retries() {
        let mut backoff = Backoff::new(8);
        for want_ms in [50, 100, 200, 400, 800, 1000, 1000, 1000] {
            let wait = backoff.wait_after(&unreachable()).unwrap();
            let want = Duration::from_millis(want_ms);
            assert!(
                wait >= want / 2 && wait <= want,
                "{wait:?} is not within {want:?}"
            );
        }
        assert_eq!(backoff.wait_after(&unreachable()), None);
    }

    #[test]
    fn the_server_s_wait_is_never_cut_short() {
        let asked = Duration::from_millis(700);
        for _ in 0..100 {
            let wait = Backoff::new(1)
                .wait_after(&rejected(Code::Unavailable, Some(asked)))
                .unwrap();
            assert!(wait >= asked && wait < asked + FIRST, "{wait:?}");
        }
    }

    #[test]
    fn only_unavailable_is_tried_again() {
        for code in (0..=16).map(Code::from).filter(|code| *code != Code::Unavailable) {
            let error = rejected(code, Some(Duration::ZERO));
            assert_eq!(Backoff::new(3).wait_after(&error), None, "{code:?}");
        }
    }
}
