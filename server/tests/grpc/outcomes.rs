//! What became of decisions, over the network: what is counted, what is refused, and what later decisions make of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use signalbox_api::v1;
use signalbox_api::v1::AttemptOutcome::{Error, RateLimited, Success};
use signalbox_api::v1::explain_request::Target;
use signalbox_client::Client;
use signalbox_server::serve::Settings;
use tonic::Code;

use crate::errors::{check, fields};
use crate::support::{POLICY, Server, ask, name};

const HEALTH: &str = "health: {enabled: true, min_calls: 4, open_s: 60, cooldown_s: 30, latency: true}\n";
const CODE: &str = "write a python function that reverses a list";

/// A server whose clock for outcomes only moves when told to.
struct Timed {
    server: Server,
    client: Client,
    ahead: Arc<AtomicU64>,
    sent: AtomicU64,
}

impl Timed {
    async fn with(policy: &str) -> Timed {
        let (ahead, start) = (Arc::new(AtomicU64::new(0)), SystemTime::now());
        let moved = ahead.clone();
        let clock = move || start + Duration::from_secs(moved.load(Ordering::Relaxed));
        let server = Server::with_clock(Settings::default(), Some(policy), Arc::new(clock)).await;
        Timed {
            client: server.client(),
            server,
            ahead,
            sent: AtomicU64::new(0),
        }
    }

    async fn start() -> Timed {
        Timed::with(&format!("{POLICY}{HEALTH}")).await
    }

    fn wait(&self, seconds: u64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    async fn route(&self, request: v1::RouteRequest) -> v1::RouteResponse {
        self.client.route(request).await.unwrap()
    }

    fn outcome(&self, model: &str, outcome: v1::AttemptOutcome) -> v1::Outcome {
        v1::Outcome {
            idempotency_key: self.sent.fetch_add(1, Ordering::Relaxed).to_string(),
            model_id: model.into(),
            outcome: outcome.into(),
            ..Default::default()
        }
    }

    /// How many were accepted, duplicate, unknown.
    async fn tell(&self, outcomes: Vec<v1::Outcome>) -> (u32, u32, u32) {
        let request = v1::ReportOutcomeRequest {
            outcomes,
            ..Default::default()
        };
        let answer = self.client.report_outcome(request).await.unwrap();
        (answer.accepted, answer.duplicate, answer.unknown)
    }
}

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

fn codes(decision: &v1::RouteResponse) -> Vec<&str> {
    decision.degraded.iter().map(|lost| lost.code.as_str()).collect()
}

#[tokio::test]
async fn a_rate_limited_model_is_left_alone_and_comes_back() {
    let timed = Timed::start().await;
    let first = timed.route(ask(CODE)).await;
    assert_eq!(first.model_id, "acme/large");
    assert_eq!(
        timed.route(ask(CODE)).await.cache_status(),
        v1::CacheStatus::ExactHit
    );
    let told = timed
        .tell(vec![v1::Outcome {
            decision_id: first.decision_id,
            retry_after_duration: seconds(45),
            ..timed.outcome("", RateLimited)
        }])
        .await;
    assert_eq!(told, (1, 0, 0));
    for _ in 0..2 {
        let other = timed.route(ask(CODE)).await;
        assert_eq!(other.model_id, "acme/small");
        assert_eq!(other.fallback_model_ids, Vec::<String>::new());
        assert_eq!(other.cache_status(), v1::CacheStatus::Bypass);
    }
    let refreshed = v1::RouteRequest {
        cache: v1::CacheMode::Refresh.into(),
        ..ask(CODE)
    };
    assert_eq!(timed.route(refreshed).await.model_id, "acme/small");
    timed.wait(44);
    assert_eq!(timed.route(ask(CODE)).await.model_id, "acme/small");
    timed.wait(1);
    let back = timed.route(ask(CODE)).await;
    assert_eq!(
        (back.model_id.as_str(), back.cache_status()),
        ("acme/large", v1::CacheStatus::ExactHit)
    );
}

#[tokio::test]
async fn a_model_that_fails_is_left_alone_tried_by_one_decision_and_taken_back_by_a_success() {
    let timed = Timed::start().await;
    let failures = (0..4).map(|_| timed.outcome("acme/large", Error)).collect();
    assert_eq!(timed.tell(failures).await, (4, 0, 0));
    let models = async |count: usize| {
        let mut models = Vec::new();
        for _ in 0..count {
            models.push(timed.route(ask(CODE)).await.model_id);
        }
        models
    };
    assert_eq!(models(2).await, ["acme/small", "acme/small"]);
    timed.wait(60);
    let explained = v1::ExplainRequest {
        target: Some(Target::Request(ask(CODE))),
        ..Default::default()
    };
    let explained = timed.client.explain(explained).await.unwrap();
    assert!(explained.candidates[0].health.as_ref().unwrap().trial);
    assert_eq!(
        models(3).await,
        ["acme/large", "acme/small", "acme/small"],
        "Explain tries nothing"
    );
    timed.tell(vec![timed.outcome("acme/large", Success)]).await;
    assert_eq!(models(2).await, ["acme/large", "acme/large"]);
}

#[tokio::test]
async fn health_alone_fails_no_request_and_the_decision_says_so() {
    let timed = Timed::start().await;
    let all = ["acme/large", "acme/small"].map(|model| timed.outcome(model, RateLimited));
    timed.tell(all.into()).await;
    for request in [ask(CODE), name("acme/large"), name("best")] {
        let decision = timed.route(request).await;
        assert_eq!(
            (decision.model_id.as_str(), codes(&decision)),
            ("acme/large", vec!["model_unhealthy"])
        );
    }
}

#[tokio::test]
async fn an_outcome_counts_once_and_for_a_model_that_the_policy_has() {
    let timed = Timed::start().await;
    let decision = timed.route(ask(CODE)).await;
    let of = |decision_id: &str, model: &str| v1::Outcome {
        decision_id: decision_id.into(),
        ..timed.outcome(model, Success)
    };
    let elsewhere = "0190c0de-0000-7000-8000-000000000000";
    let batch = vec![
        of(&decision.decision_id, ""),
        of(&decision.decision_id, "acme/small"),
        of(elsewhere, "acme/large"),
        of("", "acme/large"),
        of(elsewhere, ""),
        of(&decision.decision_id, "acme/gone"),
    ];
    assert_eq!(timed.tell(batch.clone()).await, (4, 0, 2));
    assert_eq!(timed.tell(batch.clone()).await, (0, 4, 2));
    let twice = vec![of("", "acme/small"); 2];
    assert_eq!(timed.tell(twice).await, (1, 1, 0));
    assert_eq!(timed.tell(Vec::new()).await, (0, 0, 0));
}

#[tokio::test]
async fn bad_outcomes_are_named_all_together_and_nothing_of_the_batch_counts() {
    let timed = Timed::start().await;
    let good = timed.outcome("acme/large", RateLimited);
    let bad = v1::Outcome {
        idempotency_key: String::new(),
        decision_id: "7".into(),
        outcome: 0,
        quality: Some(f64::INFINITY),
        cost_usd: Some(-1.0),
        latency_duration: seconds(-1),
        retry_after_duration: seconds(90_000),
        ..Default::default()
    };
    let late = v1::Outcome {
        end_time: Some(prost_types::Timestamp {
            seconds: 1 << 40,
            nanos: 0,
        }),
        ..timed.outcome("acme/large", Success)
    };
    let mut raw = timed.server.raw().await;
    let request = v1::ReportOutcomeRequest {
        outcomes: vec![good, bad, late],
        ..Default::default()
    };
    let status = raw.report_outcome(request).await.unwrap_err();
    check(&status, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(
        fields(&status),
        [
            "outcomes[1].idempotency_key",
            "outcomes[1].decision_id",
            "outcomes[1].outcome",
            "outcomes[1].cost_usd",
            "outcomes[1].retry_after_duration",
            "outcomes[1].latency_duration",
            "outcomes[1].quality",
            "outcomes[2].end_time",
        ]
    );
    let many = vec![timed.outcome("acme/large", RateLimited); 1001];
    let status = raw
        .report_outcome(v1::ReportOutcomeRequest {
            outcomes: many,
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert_eq!(fields(&status), ["outcomes"]);
    assert_eq!(timed.route(ask(CODE)).await.model_id, "acme/large");
}

#[tokio::test]
async fn explain_shows_the_numbers_and_says_what_was_observed() {
    let timed = Timed::start().await;
    let took = |count: usize| {
        let one = || v1::Outcome {
            latency_duration: seconds(9),
            output_tokens: Some(512),
            ..timed.outcome("acme/large", Success)
        };
        (0..count).map(|_| one()).collect::<Vec<_>>()
    };
    timed.tell(took(6)).await;
    timed.tell(vec![timed.outcome("acme/small", RateLimited)]).await;
    let decision = timed.route(ask(CODE)).await;
    let estimate = decision.estimate.unwrap();
    assert!(estimate.latency_observed);
    assert_eq!(estimate.latency_duration, seconds(9));
    let now = v1::ExplainRequest {
        target: Some(Target::Request(ask(CODE))),
        ..Default::default()
    };
    let earlier = v1::ExplainRequest {
        target: Some(Target::DecisionId(decision.decision_id.clone())),
        ..Default::default()
    };
    timed.wait(3);
    for (request, left) in [(now, 27), (earlier, 30)] {
        let explained = timed.client.explain(request).await.unwrap();
        assert_eq!(explained.varying_evidence, ["health"]);
        let step = explained
            .steps
            .iter()
            .find(|step| step.asked == "health")
            .unwrap();
        let words = format!("`acme/small` cooling down for {left}.0 s");
        assert!(step.answer.contains(&words), "{}", step.answer);
        let [large, small] = &explained.candidates[..] else {
            panic!("{:?}", explained.candidates)
        };
        let health = large.health.as_ref().unwrap();
        assert_eq!(health.latency_duration, seconds(9));
        assert_eq!(health.observed_latency_duration, seconds(9));
        assert_eq!(health.observed_output_tokens, Some(512.0));
        assert!(health.observed_calls.unwrap() > 5.9);
        assert_eq!(small.refusals[0].code, "cooling");
        assert_eq!(small.health.as_ref().unwrap().cooling_duration, seconds(left));
        assert!(explained.text.contains("observed 9000 ms"), "{}", explained.text);
        assert_eq!(explained.decision.unwrap().model_id, "acme/large");
    }
}

#[tokio::test]
async fn a_policy_that_has_health_off_takes_reports_and_decides_as_before() {
    let timed = Timed::with(POLICY).await;
    let outcomes = (0..9).map(|_| timed.outcome("acme/large", Error));
    let outcomes = outcomes.chain([timed.outcome("acme/large", RateLimited)]);
    assert_eq!(timed.tell(outcomes.collect()).await, (10, 0, 0));
    let decision = timed.route(ask(CODE)).await;
    assert_eq!(decision.model_id, "acme/large");
    assert_eq!(
        timed.route(ask(CODE)).await.cache_status(),
        v1::CacheStatus::ExactHit
    );
    let explained = v1::ExplainRequest {
        target: Some(Target::Request(ask(CODE))),
        ..Default::default()
    };
    let explained = timed.client.explain(explained).await.unwrap();
    assert_eq!(explained.varying_evidence, Vec::<String>::new());
    assert!(explained.steps.iter().all(|step| step.asked != "health"));
    assert!(explained.candidates.iter().all(|c| c.health.is_none()));
    // Under a policy that has it on, an earlier decision that did not ask cannot be told.
    let earlier = v1::ExplainRequest {
        target: Some(Target::DecisionId(decision.decision_id)),
        policy_yaml: Some(format!("{POLICY}{HEALTH}")),
        ..Default::default()
    };
    let explained = timed.client.explain(earlier).await.unwrap();
    assert_eq!(explained.undecidable[0].path, "health");
}

#[tokio::test]
async fn outcomes_wait_for_a_policy() {
    let server = Server::with(Settings::default(), None).await;
    let request = v1::ReportOutcomeRequest::default();
    let status = server.raw().await.report_outcome(request).await.unwrap_err();
    check(&status, Code::Unavailable, "POLICY_NOT_LOADED");
}
