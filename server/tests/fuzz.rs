//! Requests nobody would send on purpose: whatever comes, the answer is a decision or a clear error, never a panic, and
//! every error code that a request alone can cause is reached. Policies, settings and credentials have the same beside their code;
//! `SIGNALBOX_FUZZ_CASES` asks for more of each.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use signalbox_api::v1::router_service_server::RouterService;
use signalbox_api::v1::{
    Attachment, Attempt, Caller, Message, Preferences, Requirements, RoutePreference, RouteRequest, Weights,
};
use signalbox_server::engine::Engine;
use signalbox_server::engine::cache::{Bounds, DecisionCache};
use signalbox_server::engine::ring::Ring;
use signalbox_server::grpc::Grpc;
use signalbox_server::grpc::access::{Access, Admin};
use signalbox_server::store::{Compiler, Policies, ReloadOptions};
use signalbox_server::watcher::PolicySource;
use tonic::{Code, Request};

/// `SIGNALBOX_FUZZ_CASES`, or what takes seconds.
fn cases() -> usize {
    let wanted = std::env::var("SIGNALBOX_FUZZ_CASES").ok();
    wanted.map_or(100_000, |text| {
        text.parse().expect("SIGNALBOX_FUZZ_CASES is a number")
    })
}

fn service() -> Grpc {
    let ring = Arc::new(Ring::new(100));
    let policies = Arc::new(Policies::new(Compiler::new().unwrap(), ring.clone()));
    let (bytes, name) = PolicySource::builtin().read().unwrap();
    policies
        .everyone()
        .reload(&bytes, &name, &ReloadOptions::default())
        .unwrap();
    let cache = DecisionCache::new(
        Bounds {
            max_entries: 1000,
            max_bytes: 1 << 20,
        },
        [0; 32],
    );
    let engine = Arc::new(Engine::new(policies, cache, ring));
    let loopback: SocketAddr = "127.0.0.1:1".parse().unwrap();
    Grpc::new(
        engine,
        Arc::new(PolicySource::builtin()),
        Access::new(loopback, Admin::default(), true),
    )
}

/// Mostly usual words, names of the example policy, and odd ones.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "write a python function", "translate this into German", "thanks, bye", "eu", "us", "free", "enterprise",
            "tools", "image", "openai/gpt-5", "auto", "code", "fast", "",
        ]).prop_map(str::to_owned),
        2 => "\\PC{0,40}",
        1 => any::<String>(),
        1 => (0usize..3000).prop_map(|n| "word ".repeat(n)),
    ]
}

fn number() -> impl Strategy<Value = Option<f64>> {
    prop::option::weighted(
        0.3,
        prop_oneof![
            0.0f64..1.0,
            any::<f64>(),
            prop::sample::select(vec![f64::NAN, f64::INFINITY, -1.0, 0.0, 1e-9])
        ],
    )
}

fn tokens() -> impl Strategy<Value = Option<u32>> {
    prop::option::weighted(0.2, prop_oneof![0u32..100_000, any::<u32>()])
}

/// A rare value beside an empty one.
fn rare(strategy: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop_oneof![9 => Just(String::new()), 1 => strategy]
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![6 => Just(Vec::new()), 1 => prop::collection::vec(text(), 0..3), 1 => prop::collection::vec(text(), 60..70)]
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let role = prop_oneof![12 => 1i32..5, 1 => -1i32..7];
    let attachment = (0i32..8, prop::option::of(any::<u32>()))
        .prop_map(|(modality, tokens)| Attachment { modality, tokens });
    let attachments = prop_oneof![6 => Just(Vec::new()), 1 => prop::collection::vec(attachment, 0..3)];
    let message = (role, text(), attachments, any::<bool>()).prop_map(
        |(role, content, attachments, has_tool_calls)| Message {
            role,
            content,
            attachments,
            has_tool_calls,
        },
    );
    prop::collection::vec(message, 0..4)
}

fn requirements() -> impl Strategy<Value = Option<Requirements>> {
    let all = (
        tokens(),
        tokens(),
        texts(),
        prop::collection::vec(0i32..8, 0..2),
        number(),
        number(),
        texts(),
    );
    let all = all.prop_map(
        |(context, output, capabilities, modalities, cost, quality, regions)| Requirements {
            min_context_tokens: context,
            max_output_tokens: output,
            capabilities,
            modalities,
            max_cost_usd: cost,
            min_quality: quality,
            regions,
            ..Requirements::default()
        },
    );
    prop::option::weighted(0.4, all)
}

fn preferences() -> impl Strategy<Value = Option<Preferences>> {
    let weights = (number(), number(), number()).prop_map(|(latency, cost, quality)| Weights {
        latency,
        cost,
        quality,
    });
    let all = (texts(), prop::option::weighted(0.3, weights), 0i32..7);
    let all = all.prop_map(|(families, weights, optimize_for)| Preferences {
        families,
        weights,
        optimize_for,
    });
    prop::option::weighted(0.3, all)
}

/// Seldom any: a few sets that hold, which come again and again, and all kinds that do not.
fn inline_routes() -> impl Strategy<Value = Vec<RoutePreference>> {
    let route = |name: String, description: String, model_ids| RoutePreference {
        name,
        description,
        model_ids,
    };
    let good = (0usize..20).prop_map(move |set| {
        let described = [
            ("code", "writing python functions"),
            ("words", "translating into German"),
        ];
        let known = vec!["openai/gpt-5".to_owned()];
        described
            .map(|(name, text)| {
                route(
                    format!("{name}-{set}"),
                    format!("{text}, kind {set}"),
                    known.clone(),
                )
            })
            .into()
    });
    let odd = || (text(), text(), texts()).prop_map(move |(name, text, ids)| route(name, text, ids));
    prop_oneof![
        50 => Just(Vec::new()),
        2 => good,
        1 => prop::collection::vec(odd(), 1..4),
        1 => prop::collection::vec(odd(), 60..70),
    ]
}

fn requests() -> impl Strategy<Value = RouteRequest> {
    let attempt = (text(), -1i32..8, number());
    let attempt = attempt.prop_map(|(model_id, outcome, confidence)| Attempt {
        model_id,
        outcome,
        confidence,
    });
    let names = (
        rare(text()),
        rare(text()),
        rare(text()),
        rare("[0-9a-f]{64}".prop_map(String::from)),
    );
    let caller = (text(), text()).prop_map(|(tenant, tier)| Caller {
        tenant,
        tier,
        ..Caller::default()
    });
    let rest = (
        prop_oneof![8 => Just(Vec::new()), 1 => prop::collection::vec(attempt, 1..3)],
        inline_routes(),
        -1i32..5,
        prop_oneof![20 => Just(0u64), 1 => any::<u64>()],
        tokens(),
    );
    (
        messages(),
        names,
        requirements(),
        preferences(),
        prop::option::of(caller),
        rest,
    )
        .prop_map(|(messages, names, requirements, preferences, caller, rest)| {
            let (request_id, model, profile, policy_checksum) = names;
            let (attempts, route_preferences, cache, min_policy_version, input_tokens) = rest;
            RouteRequest {
                request_id,
                messages,
                model,
                profile,
                requirements,
                preferences,
                caller,
                input_tokens,
                attempts,
                route_preferences,
                cache,
                min_policy_version,
                policy_checksum,
                ..RouteRequest::default()
            }
        })
}

/// Memory of this process, by proc(5); 0 where there is no such file.
fn resident_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or(0, |line| {
        line.trim_end_matches("kB").trim().parse::<usize>().unwrap() / 1024
    })
}

#[tokio::test]
async fn any_request_gets_a_decision_or_a_clear_error() {
    let service = service();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = requests();
    let (mut seen, mut inline, mut warm) = (BTreeSet::new(), 0, 0);
    let cases = cases();
    for case in 0..cases {
        if case == cases / 5 {
            warm = resident_mib();
        }
        let request = strategy.new_tree(&mut runner).unwrap().current();
        match service.route(Request::new(request.clone())).await {
            Ok(response) => {
                seen.insert(Code::Ok as i32);
                let response = response.into_inner();
                assert!(!response.model_id.is_empty());
                assert!(!response.fallback_model_ids.contains(&response.model_id));
                assert!(
                    response.confidence.is_none_or(|p| (0.0..=1.0).contains(&p)),
                    "{response:?}"
                );
                assert!(!response.reason.is_empty());
                let routes = &request.route_preferences;
                if !routes.is_empty() && !response.route.is_empty() {
                    inline += 1;
                    assert!(
                        routes.iter().any(|own| own.name == response.route),
                        "{response:?}"
                    );
                }
            }
            Err(status) => {
                seen.insert(status.code() as i32);
                assert!(
                    !matches!(status.code(), Code::Internal | Code::Unknown),
                    "{status:?} for {request:?}"
                );
                assert!(!status.message().is_empty());
                assert!(
                    status.details().len() <= 4096,
                    "{} bytes for {request:?}",
                    status.details().len()
                );
            }
        }
    }
    let wanted = [
        Code::Ok,
        Code::InvalidArgument,
        Code::NotFound,
        Code::FailedPrecondition,
        Code::PermissionDenied,
        Code::Unavailable,
    ];
    assert!(inline > 100, "only {inline} decisions by inline routes");
    let grown = resident_mib().saturating_sub(warm);
    assert!(
        grown < 100,
        "{grown} MiB more after {cases} requests than after a fifth of them"
    );
    for code in wanted {
        assert!(
            seen.contains(&(code as i32)),
            "{code:?} was never reached: {seen:?}"
        );
    }
}
