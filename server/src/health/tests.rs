//! The estimates under a clock that stands still until it is moved.

use std::sync::atomic::{AtomicU64, Ordering};

use signalbox_decide::health::ModelHealth;

use super::*;

struct Stand {
    seconds: Arc<AtomicU64>,
    tracker: Tracker,
    policy: Policy,
    sent: AtomicU64,
}

impl Stand {
    /// Half-life 100 s, cool-down 30 s, open for 60 s from 50 % of 4 calls.
    fn new() -> Self {
        let policy = "schema: 1\ndefault: a\nmodels: [{id: a}, {id: b}]\nhealth: {enabled: true, half_life_s: 100, cooldown_s: 30, \
                      failure_share: 0.5, min_calls: 4, open_s: 60, latency: true}\n";
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = seconds.clone();
        let now = move || at(clock.load(Ordering::Relaxed));
        Stand {
            seconds,
            tracker: Tracker::new(Arc::new(now)),
            policy: signalbox_decide::policy::load(policy.as_bytes()).unwrap().policy,
            sent: AtomicU64::new(0),
        }
    }

    fn wait(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    fn outcome(&self, ended: Ended) -> Outcome {
        Outcome {
            key: self.sent.fetch_add(1, Ordering::Relaxed).to_string(),
            model_id: "a".into(),
            ended,
            retry_after: None,
            latency: None,
            output_tokens: None,
            quality: None,
            age: Duration::ZERO,
        }
    }

    fn tell(&self, ended: Ended) {
        self.send(self.outcome(ended));
    }

    fn send(&self, outcome: Outcome) {
        assert_eq!(self.tracker.report("", &self.policy, &outcome), Taken::Accepted);
    }

    fn said(&self) -> ModelHealth {
        let health = self.tracker.ask("", &self.policy);
        health.models.get("a").copied().unwrap_or_default()
    }

    /// Whether the model is closed, open, or open and to be tried.
    fn circuit(&self) -> &'static str {
        match self.said().circuit {
            None => "closed",
            Some(circuit) if circuit.trial => "trial",
            Some(_) => "open",
        }
    }
}

/// A day of 2001 and some seconds.
fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds)
}

#[test]
fn a_rate_limited_model_cools_down_for_as_long_as_the_provider_asked_and_comes_back() {
    let stand = Stand::new();
    stand.send(Outcome {
        retry_after: Some(Duration::from_secs(90)),
        ..stand.outcome(Ended::RateLimited)
    });
    assert_eq!(stand.said().cooling_s, Some(90.0));
    stand.tell(Ended::RateLimited);
    assert_eq!(stand.said().cooling_s, Some(90.0), "the longer wait holds");
    stand.wait(89);
    assert_eq!(stand.said().cooling_s, Some(1.0));
    stand.wait(1);
    assert!(stand.tracker.ask("", &stand.policy).is_empty());
}

#[test]
fn a_rate_limit_without_a_time_takes_the_policys_and_is_no_failure() {
    let stand = Stand::new();
    for _ in 0..20 {
        stand.tell(Ended::RateLimited);
    }
    assert_eq!((stand.said().cooling_s, stand.circuit()), (Some(30.0), "closed"));
}

#[test]
fn a_cool_down_is_counted_from_the_end_of_the_call() {
    let stand = Stand::new();
    stand.wait(100);
    let ended = |ago| Outcome {
        age: Duration::from_secs(ago),
        ..stand.outcome(Ended::RateLimited)
    };
    stand.send(ended(30));
    assert_eq!(stand.said().cooling_s, None);
    stand.send(ended(20));
    assert_eq!(stand.said().cooling_s, Some(10.0));
}

#[test]
fn a_circuit_opens_at_its_share_of_enough_calls_and_not_before() {
    let stand = Stand::new();
    for _ in 0..3 {
        stand.tell(Ended::Error);
        assert_eq!(stand.circuit(), "closed");
    }
    stand.tell(Ended::Timeout);
    assert_eq!(stand.circuit(), "open");
    let circuit = stand.said().circuit.unwrap();
    assert_eq!((circuit.failure_share, circuit.calls), (1.0, 4.0));

    let half = Stand::new();
    for ended in [
        Ended::Success,
        Ended::Refused,
        Ended::LowConfidence,
        Ended::Success,
    ] {
        half.tell(ended);
    }
    for _ in 0..3 {
        half.tell(Ended::Error);
        assert_eq!(half.circuit(), "closed");
    }
    half.tell(Ended::Error);
    assert_eq!(half.circuit(), "open");
}

#[test]
fn an_open_circuit_lets_one_decision_through_after_the_wait_and_one_in_each_further_wait() {
    let stand = Stand::new();
    for _ in 0..4 {
        stand.tell(Ended::Error);
    }
    stand.wait(59);
    assert_eq!(stand.circuit(), "open");
    stand.wait(1);
    assert_eq!(stand.circuit(), "trial");
    stand.tracker.tried("", ["b", "a"].into_iter());
    assert_eq!(stand.circuit(), "open");
    stand.wait(60);
    assert_eq!(stand.circuit(), "trial", "nobody told what became of the first");
}

#[test]
fn a_trial_that_is_answered_closes_the_circuit_and_one_that_fails_begins_the_wait_anew() {
    for (ended, then) in [
        (Ended::Success, "closed"),
        (Ended::Refused, "closed"),
        (Ended::Error, "open"),
    ] {
        let stand = Stand::new();
        for _ in 0..4 {
            stand.tell(Ended::Error);
        }
        stand.wait(70);
        stand.tell(ended);
        assert_eq!(stand.circuit(), then);
        stand.wait(59);
        assert_eq!(stand.circuit(), then);
    }
}

#[test]
fn calls_that_were_under_way_when_the_circuit_opened_do_not_move_it() {
    let stand = Stand::new();
    for _ in 0..4 {
        stand.tell(Ended::Error);
    }
    stand.wait(30);
    stand.tell(Ended::Success);
    stand.tell(Ended::Error);
    assert_eq!(stand.circuit(), "open");
    stand.wait(30);
    assert_eq!(stand.circuit(), "trial");
}

#[test]
fn an_outcome_counts_half_after_the_half_life_and_a_late_one_as_if_it_had_come_then() {
    let stand = Stand::new();
    for _ in 0..7 {
        stand.tell(Ended::Success);
    }
    stand.wait(100);
    for _ in 0..4 {
        stand.tell(Ended::Error);
    }
    assert_eq!(stand.said().circuit.unwrap().calls, 7.5);

    let late = Stand::new();
    late.wait(100);
    for _ in 0..7 {
        late.send(Outcome {
            age: Duration::from_secs(100),
            ..late.outcome(Ended::Success)
        });
    }
    for _ in 0..4 {
        late.tell(Ended::Error);
    }
    assert_eq!(late.said(), stand.said());
}

#[test]
fn an_observed_time_is_a_mean_in_which_old_calls_count_less() {
    let stand = Stand::new();
    let took = |seconds, output_tokens| Outcome {
        latency: Some(Duration::from_secs(seconds)),
        output_tokens: Some(output_tokens),
        ..stand.outcome(Ended::Success)
    };
    for _ in 0..4 {
        stand.send(took(1, 100));
    }
    let observed = stand.said().latency.unwrap();
    assert_eq!(
        (observed.latency_ms, observed.output_tokens, observed.calls),
        (1000.0, 100.0, 4.0)
    );
    stand.wait(100);
    assert_eq!(stand.said().latency, None, "2 calls are not enough");
    for _ in 0..2 {
        stand.send(took(3, 500));
    }
    let observed = stand.said().latency.unwrap();
    assert_eq!(
        (observed.latency_ms, observed.output_tokens, observed.calls),
        (2000.0, 300.0, 4.0)
    );
    stand.send(Outcome {
        latency: Some(Duration::from_secs(600)),
        ..stand.outcome(Ended::Timeout)
    });
    assert_eq!(stand.said().latency, Some(observed), "a failure is no answer");
}

#[test]
fn a_key_counts_once_and_an_unknown_model_not_at_all() {
    let stand = Stand::new();
    let outcome = stand.outcome(Ended::Error);
    let tell = |outcome: &Outcome| stand.tracker.report("", &stand.policy, outcome);
    let gone = Outcome {
        model_id: "gone".into(),
        ..outcome.clone()
    };
    assert_eq!(tell(&gone), Taken::Unknown);
    assert_eq!(tell(&outcome), Taken::Accepted);
    assert_eq!(tell(&outcome), Taken::Duplicate);
}

#[test]
fn models_of_a_replaced_policy_are_forgotten() {
    let stand = Stand::new();
    stand.tell(Ended::RateLimited);
    let other = b"schema: 1\ndefault: b\nmodels: [{id: b}]\nhealth: {enabled: true}\n";
    let other = signalbox_decide::policy::load(other).unwrap().policy;
    assert!(stand.tracker.ask("", &other).is_empty());
    let outcome = Outcome {
        model_id: "b".into(),
        ..stand.outcome(Ended::RateLimited)
    };
    assert_eq!(stand.tracker.report("", &other, &outcome), Taken::Accepted);
    assert!(!stand.tracker.ask("", &stand.policy).models.contains_key("a"));
}

#[test]
fn what_faded_for_ages_is_still_a_number() {
    let stand = Stand::new();
    for _ in 0..4 {
        stand.tell(Ended::Error);
    }
    stand.wait(1_000_000_000);
    stand.tell(Ended::RateLimited);
    let circuit = stand.said().circuit.unwrap();
    assert_eq!((circuit.failure_share, circuit.calls), (0.0, 0.0));
    assert_eq!(stand.circuit(), "trial");
}

#[test]
fn a_clock_that_goes_back_breaks_nothing() {
    let stand = Stand::new();
    stand.wait(1000);
    for _ in 0..4 {
        stand.tell(Ended::Error);
    }
    stand.seconds.store(0, Ordering::Relaxed);
    stand.tell(Ended::Success);
    assert_eq!(stand.said().circuit.map(|circuit| circuit.calls), Some(5.0));
}

#[test]
fn the_usual_clock_runs() {
    let clock = steady();
    let (first, later) = (clock(), clock());
    assert!(first <= later && later < first + Duration::from_secs(60));
}
