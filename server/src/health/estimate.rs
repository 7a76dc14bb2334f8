//! What is known of one model: sums in which an outcome's weight halves every `half_life_s`, a cool-down, and a circuit.
//!
//! The circuit is closed, or open since a moment. While open, the model is left alone for `open_s`; after that it is half
//! open: one decision in `open_s` may try it, the first call that is answered closes it, and one that fails begins the wait
//! anew. Failures are errors and timeouts. A rate limit is neither a failure nor an answer: it only starts a cool-down.

use std::time::{Duration, SystemTime};

use signalbox_decide::health::{Circuit, HealthSettings, ModelHealth, Observed};
use signalbox_decide::query::DEFAULT_OUTPUT_TOKENS;

use super::{Ended, Outcome, faded};

/// The state of one model.
#[derive(Clone, Debug)]
pub(super) struct Estimate {
    /// When the sums were true.
    at: SystemTime,
    /// Calls that were answered or failed.
    calls: f64,
    failures: f64,
    /// Of the complete answers whose time is known: how many, their seconds, their tokens.
    timed: f64,
    seconds: f64,
    tokens: f64,
    /// Of the answers that were judged: how many, and the sum.
    rated: f64,
    quality: f64,
    cooling_until: Option<SystemTime>,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    since: SystemTime,
    tried: Option<SystemTime>,
}

/// An estimate in numbers, for metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimated {
    /// Whether it is rate limited.
    pub cooling: bool,
    /// Whether it failed too often.
    pub open: bool,
    /// Mean quality of its answers, 0..=1, where any was judged.
    pub quality: Option<f64>,
}

impl Estimate {
    pub(super) fn new(now: SystemTime) -> Self {
        Estimate {
            at: now,
            calls: 0.0,
            failures: 0.0,
            timed: 0.0,
            seconds: 0.0,
            tokens: 0.0,
            rated: 0.0,
            quality: 0.0,
            cooling_until: None,
            open: None,
        }
    }

    /// Counts an outcome; one that ended long ago weighs as little as if it had been reported then.
    pub(super) fn add(&mut self, outcome: &Outcome, settings: &HealthSettings, now: SystemTime) {
        self.fade(settings, now);
        let end = now.checked_sub(outcome.age).unwrap_or(SystemTime::UNIX_EPOCH);
        let weight = faded(outcome.age, settings);
        self.cool(outcome, settings, end);
        if outcome.ended == Ended::RateLimited {
            return;
        }
        self.calls += weight;
        if outcome.ended.is_failure() {
            self.failures += weight;
        }
        if let (Some(latency), Ended::Success | Ended::LowConfidence) = (outcome.latency, outcome.ended) {
            self.timed += weight;
            self.seconds += weight * latency.as_secs_f64();
            self.tokens += weight * outcome.output_tokens.unwrap_or(DEFAULT_OUTPUT_TOKENS) as f64;
        }
        if let Some(quality) = outcome.quality {
            self.rated += weight;
            self.quality += weight * quality;
        }
        self.switch(outcome.ended, settings, end, now);
    }

    fn cool(&mut self, outcome: &Outcome, settings: &HealthSettings, end: SystemTime) {
        let wait = match outcome.ended {
            Ended::RateLimited => outcome
                .retry_after
                .unwrap_or(Duration::from_secs(settings.cooldown_s)),
            Ended::Error => outcome.retry_after.unwrap_or_default(),
            _ => return,
        };
        // The longest wait that anybody was told holds.
        self.cooling_until = self.cooling_until.max(end.checked_add(wait));
    }

    /// Opens and closes the circuit.
    fn switch(&mut self, ended: Ended, settings: &HealthSettings, end: SystemTime, now: SystemTime) {
        let wait = Duration::from_secs(settings.open_s);
        match (self.open, ended.is_failure()) {
            // Calls that were under way when it opened change nothing; those after the wait were trials.
            (Some(open), _) if between(open.since, end) < wait => {}
            (Some(_), false) => {
                self.open = None;
                (self.calls, self.failures) = (1.0, 0.0);
            }
            (Some(_), true) => {
                self.open = Some(Open {
                    since: now,
                    tried: None,
                })
            }
            (None, true) if self.calls >= settings.min_calls as f64 => {
                if self.failures / self.calls >= settings.failure_share {
                    self.open = Some(Open {
                        since: now,
                        tried: None,
                    });
                }
            }
            (None, _) => {}
        }
    }

    /// What there is to say of the model; nothing while it is as the policy says.
    pub(super) fn said(&self, settings: &HealthSettings, now: SystemTime) -> Option<ModelHealth> {
        // Most models, most of the time.
        if self.cooling_until.is_none() && self.open.is_none() && !settings.latency {
            return None;
        }
        let left = self
            .cooling_until
            .map_or(Duration::ZERO, |until| between(now, until));
        let kept = faded(between(self.at, now), settings);
        let circuit = self.open.map(|open| Circuit {
            // Sums that faded for ages may be 0.
            failure_share: self.failures / self.calls.max(f64::MIN_POSITIVE),
            calls: self.calls * kept,
            trial: trial(open, settings, now),
        });
        let enough = settings.latency && self.timed * kept >= settings.min_calls as f64;
        let said = ModelHealth {
            cooling_s: (!left.is_zero()).then_some(left.as_secs_f64()),
            circuit,
            latency: enough.then(|| Observed {
                latency_ms: self.seconds / self.timed * 1e3,
                output_tokens: self.tokens / self.timed,
                calls: self.timed * kept,
            }),
        };
        (said != ModelHealth::default()).then_some(said)
    }

    /// Remembers a trial.
    pub(super) fn tried(&mut self, now: SystemTime) {
        if let Some(open) = &mut self.open {
            open.tried = Some(now);
        }
    }

    pub(super) fn now(&self, settings: &HealthSettings, now: SystemTime) -> Estimated {
        let said = self.said(settings, now).unwrap_or_default();
        Estimated {
            cooling: said.cooling_s.is_some(),
            open: said.circuit.is_some(),
            quality: (self.rated > 0.0).then(|| self.quality / self.rated),
        }
    }

    fn fade(&mut self, settings: &HealthSettings, now: SystemTime) {
        let kept = faded(between(self.at, now), settings);
        for sum in [
            &mut self.calls,
            &mut self.failures,
            &mut self.timed,
            &mut self.seconds,
            &mut self.tokens,
            &mut self.rated,
            &mut self.quality,
        ] {
            *sum *= kept;
        }
        self.at = self.at.max(now);
    }
}

/// Whether an open circuit lets the next decision through.
fn trial(open: Open, settings: &HealthSettings, now: SystemTime) -> bool {
    let wait = Duration::from_secs(settings.open_s);
    let waited = |since: SystemTime| between(since, now) >= wait;
    waited(open.since) && open.tried.is_none_or(waited)
}

/// The time from one moment to a later one; none where the clock went back.
fn between(from: SystemTime, to: SystemTime) -> Duration {
    to.duration_since(from).unwrap_or_default()
}
