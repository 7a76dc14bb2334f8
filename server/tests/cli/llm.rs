//! A real model in this process, tiny and random, behind the real binary.

#[path = "../../llm/src/host/tests/tiny.rs"]
#[expect(dead_code, reason = "the tests of the host need more of it")]
mod tiny;

use std::fs;
use std::time::{Duration, Instant};

use signalbox_api::v1;
use signalbox_client::{Client, Health};

use crate::Server;
use crate::support::{policy, request, runtime, signalbox};
use tiny::Tiny;

const POLICY: &str = "\
schema: 1
default: small
models: [{id: small}, {id: large}]
routes:
  - {name: code, description: writing programs, models: [large]}
  - {name: poems, description: writing verse, models: [large]}
llm: {mode: always, timeout_ms: 60000}
";

fn explain(prompt: &str) -> v1::ExplainRequest {
    v1::ExplainRequest {
        target: Some(v1::explain_request::Target::Request(request(prompt))),
        ..Default::default()
    }
}

fn client(server: &Server) -> Client {
    Client::connect(format!("http://{}", server.word("grpc")))
        .unwrap()
        .with_deadline(Duration::from_secs(60))
}

/// Probabilities by the language model, to the bit, in the policy's order.
fn probabilities(told: &v1::ExplainResponse) -> Vec<(String, Option<u64>)> {
    let by_llm = told
        .routes
        .iter()
        .filter(|route| route.source() == v1::DecisionSource::Llm);
    by_llm
        .map(|route| (route.name.clone(), route.probability.map(f64::to_bits)))
        .collect()
}

#[test]
fn a_model_in_this_process_is_asked_for_its_opinion_and_counted() {
    let model = tempfile::tempdir().unwrap();
    Tiny::default().write(model.path());
    let (_directory, path) = policy(POLICY);
    let server = Server::start(&[
        "--policy",
        path.to_str().unwrap(),
        "--llm",
        model.path().to_str().unwrap(),
    ]);
    let (first, again, decision) = runtime().block_on(async {
        let client = client(&server);
        let end = Instant::now() + Duration::from_secs(120);
        while client.health("signalbox.llm").await.unwrap() != Health::Serving {
            assert!(Instant::now() < end, "the model is not ready after two minutes");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        (
            client.explain(explain("a sonnet on rust")).await.unwrap(),
            client.explain(explain("a sonnet on rust")).await.unwrap(),
            client.route(request("a sonnet on rust")).await.unwrap(),
        )
    });
    let names: Vec<String> = probabilities(&first).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["code", "poems", "other"]);
    assert_eq!(probabilities(&first), probabilities(&again));
    let sum: f64 = first
        .routes
        .iter()
        .filter(|route| route.source() == v1::DecisionSource::Llm)
        .filter_map(|route| route.probability)
        .sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    let step = again.steps.iter().find(|step| step.asked == "llm").unwrap();
    assert!(
        step.answer.contains("prompt tokens") && step.answer.contains("of them cached"),
        "{step:?}"
    );
    assert!(decision.degraded.is_empty(), "{decision:?}");
    assert_eq!(
        Some(decision.model_id),
        first.decision.map(|decision| decision.model_id)
    );

    let metrics = server.metrics();
    for series in [
        "signalbox_llm_ready 1\n",
        "signalbox_llm_questions_total{result=\"answered\"} 3\n",
    ] {
        assert!(
            metrics.contains(&format!("\n{series}")),
            "no {series} in {metrics}"
        );
    }
    // The server's own questions have their times counted too.
    for series in ["signalbox_llm_queue_seconds", "signalbox_llm_compute_seconds"] {
        let count = metrics
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{series}_count ")));
        assert!(
            count.unwrap().parse::<u64>().unwrap() >= 3,
            "{series} in {metrics}"
        );
    }
    server.signal("-TERM");
    let (code, _, err) = server.end();
    assert_eq!(code, Some(0), "{err}");
    assert!(!err.contains("sonnet"), "{err}");
}

#[test]
fn a_model_that_is_cut_off_leaves_the_server_serving_unless_it_is_required() {
    let model = tempfile::tempdir().unwrap();
    Tiny::default().write(model.path());
    let weights = model.path().join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let (_directory, path) = policy(POLICY);
    let args = [
        "--policy",
        path.to_str().unwrap(),
        "--llm",
        model.path().to_str().unwrap(),
    ];
    let server = Server::start(&args);
    let decision = runtime().block_on(async {
        let client = client(&server);
        let decision = client.route(request("a sonnet on rust")).await.unwrap();
        assert_eq!(client.health("").await.unwrap(), Health::Serving);
        assert_eq!(client.health("signalbox.llm").await.unwrap(), Health::NotServing);
        decision
    });
    let codes: Vec<_> = decision.degraded.iter().map(|lost| lost.code.as_str()).collect();
    assert_eq!(codes, ["llm_unavailable"]);
    let metrics = server.metrics();
    for series in [
        "signalbox_llm_ready 0\n",
        "signalbox_llm_questions_total{result=\"unavailable\"} 1\n",
        "signalbox_degraded_total{code=\"llm_unavailable\"} 1\n",
    ] {
        assert!(
            metrics.contains(&format!("\n{series}")),
            "no {series} in {metrics}"
        );
    }

    let ports = ["--listen", "127.0.0.1:0", "--metrics", "off"];
    let output = signalbox(&[&ports[..], &args].concat())
        .env("SIGNALBOX__LLM__REQUIRED", "true")
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{err}");
    assert!(
        err.contains("llm.required") && err.contains("model.safetensors"),
        "{err}"
    );
}

#[test]
fn a_path_without_a_model_says_what_is_missing() {
    let empty = tempfile::tempdir().unwrap();
    let directory = empty.path().to_str().unwrap();
    let output = signalbox(&["--listen", "127.0.0.1:0", "--metrics", "off", "--llm", directory])
        .env("SIGNALBOX__LLM__REQUIRED", "true")
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{err}");
    let said = format!("`{directory}` lacks config.json, tokenizer.json");
    assert!(err.contains("llm.required") && err.contains(&said), "{err}");
}
