//! A log of the running binary, decided anew.

use std::fs;

use serde_json::Value;
use signalbox_api::v1;
use signalbox_client::Client;

use crate::Server;
use crate::support::{files, request, run, runtime};

const POLICY: &str = r#"schema: 1
default: small
models: [{id: small}, {id: large}, {id: tiny}]
routes:
  - {name: code, description: "writing programs", examples: ["write a function in python", "fix this bug"], models: [large]}
  - {name: verse, description: "writing poems", examples: ["write a haiku", "a sonnet about love"], models: [small]}
rules:
  - {name: no-gold, when: 'caller.tier == "free" && caller.labels["plan"] == "gold"', deny: "not for you"}
  - {name: batch, when: 'caller.labels["batch"] == "true" && signals.language == "en"', use: {model: tiny}}
"#;

fn labelled(prompt: &str, labels: &[(&str, &str)]) -> v1::RouteRequest {
    let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into()));
    let caller = v1::Caller {
        tier: "free".into(),
        labels: labels.collect(),
        ..Default::default()
    };
    v1::RouteRequest {
        caller: Some(caller),
        ..request(prompt)
    }
}

/// Four decisions about programs (one of them from the cache), two about verse, one by a rule, one refused.
fn logged(folder: &std::path::Path) -> String {
    let log = folder.join("audit.jsonl");
    fs::write(folder.join("policy.yaml"), POLICY).unwrap();
    fs::write(
        folder.join("config.yaml"),
        format!("audit: {{path: {}}}\n", log.display()),
    )
    .unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let server = Server::start(&["--config", &path("config.yaml"), "--policy", &path("policy.yaml")]);
    runtime().block_on(async {
        let client = Client::connect(format!("http://{}", server.word("grpc"))).unwrap();
        for prompt in [
            "write a function in python that sorts",
            "fix this bug in my program",
            "fix this bug in my program",
            "write a python function",
            "write a haiku about rain",
            "a sonnet about love and loss",
        ] {
            client.route(labelled(prompt, &[])).await.unwrap();
        }
        let batch = labelled("write a function that is in the batch", &[("batch", "true")]);
        client.route(batch).await.unwrap();
        let gold = labelled("write a function", &[("plan", "gold")]);
        client.route(gold).await.unwrap_err();
    });
    server.until("signalbox_audit_lines_total{result=\"written\"} 8\n");
    log.display().to_string()
}

fn replayed(log: &str, policy: &str, more: &[&str]) -> (i32, Value, String) {
    let (_folder, at) = files(&[("new.yaml", policy)]);
    let policy = at("new.yaml");
    let args = [&["replay", log, "--policy", &policy, "--format", "json"], more].concat();
    let (code, out, err) = run(&args);
    (code, serde_json::from_str(&out).unwrap_or_default(), err)
}

fn lines(result: &Value) -> [u64; 4] {
    ["same", "changed", "undecidable", "left_out"].map(|key| result[key]["lines"].as_u64().unwrap())
}

#[test]
fn a_log_shows_what_another_policy_would_have_made_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = logged(folder.path());

    let (code, same, err) = replayed(&log, POLICY, &[]);
    assert_eq!(
        (code, lines(&same), err.as_str()),
        (0, [8, 0, 0, 0], ""),
        "{same}"
    );

    let cheaper = POLICY.replace("models: [large]", "models: [tiny, large]");
    let (code, changed, _) = replayed(&log, &cheaper, &[]);
    assert_eq!((code, lines(&changed)), (1, [4, 4, 0, 0]), "{changed}");
    let change = &changed["changes"][0];
    assert_eq!(
        (
            &change["what"],
            &change["before"],
            &change["after"],
            &change["count"]["lines"]
        ),
        (
            &"model".into(),
            &"large by route code".into(),
            &"tiny by route code".into(),
            &4.into()
        )
    );
    assert_eq!(change["examples"].as_array().unwrap().len(), 3);

    let open = POLICY.replace("deny: \"not for you\"", "use: {model: large}");
    let (_, open, _) = replayed(&log, &open, &[]);
    assert_eq!(lines(&open), [7, 1, 0, 0]);
    assert_eq!(open["changes"][0]["before"], "refused: DENIED_BY_RULE no-gold");

    let described = POLICY.replace("writing poems", "writing poems and songs");
    let (code, described, _) = replayed(&log, &described, &[]);
    assert_eq!(
        (code, lines(&described)),
        (0, [2, 0, 6, 0]),
        "only the text could tell"
    );
    assert_eq!(described["missing"]["embedding"], 6);

    let (_, others, _) = replayed(&log, POLICY, &["--tenant", "acme"]);
    assert_eq!(lines(&others), [0, 0, 0, 8]);
}

#[test]
fn what_is_no_line_is_named_and_left_out_and_a_sample_stands_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let log = logged(folder.path());
    let text = fs::read_to_string(&log).unwrap();
    let sampled = text.replace("\"sample\":1.0", "\"sample\":0.25");
    let torn = &text[..40];
    fs::write(&log, format!("{sampled}{{\"format\":2}}\nnothing\n{torn}")).unwrap();
    let (code, result, err) = replayed(&log, POLICY, &[]);
    assert_eq!((code, lines(&result)), (0, [8, 0, 0, 0]), "{err}");
    assert_eq!(result["same"]["decisions"], 32.0);
    assert_eq!(result["unreadable"], 3);
    for number in [9, 10, 11] {
        assert!(err.contains(&format!("{log}:{number}: is left out: ")), "{err}");
    }
    let (_folder, at) = files(&[("new.yaml", POLICY)]);
    let (code, text, _) = run(&["replay", &log, "--policy", &at("new.yaml")]);
    assert_eq!(code, 0);
    assert!(
        text.contains("estimates for about 32 decisions") && text.contains("3 lines cannot be read"),
        "{text}"
    );

    fs::write(&log, "nothing\n").unwrap();
    let (code, out, err) = run(&["replay", &log, "--policy", &at("new.yaml")]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    let (code, _, err) = run(&["replay", "/does/not/exist", "--policy", &at("new.yaml")]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("/does/not/exist"), "{err}");
}

#[test]
fn policy_suggest_says_what_a_log_without_text_can() {
    let folder = tempfile::tempdir().unwrap();
    let log = logged(folder.path());
    let suggested = |policy: &str, more: &[&str]| {
        let (_folder, at) = files(&[("policy.yaml", policy)]);
        let policy = at("policy.yaml");
        let (code, out, err) = run(&[&["policy", "suggest", &policy, "--audit", &log], more].concat());
        assert_eq!(code, 0, "{err}");
        out
    };
    let json = |policy: &str, more: &[&str]| -> Value {
        serde_json::from_str(&suggested(policy, &[more, &["--format", "json"]].concat())).unwrap()
    };
    let found = json(POLICY, &[]);
    assert_eq!(
        (&found["decisions"], &found["undecidable"]),
        (&8.into(), &0.into())
    );
    assert!(found["never_win"] == serde_json::json!([]), "{found}");

    // Decided anew from the evidence in the log: by a bar that nothing reaches, all that it had decided falls.
    let strict = format!("{POLICY}evidence: {{threshold: 1.0}}\n");
    let found = json(&strict, &[]);
    assert_eq!(found["never_win"], serde_json::json!(["code", "verse"]));
    assert_eq!(found["default"].as_array().unwrap().len(), 6, "{found}");
    let text = suggested(&strict, &[]);
    for wanted in [
        "8 decisions\n",
        "routes that never win: code, verse\n",
        "6 of 8 decisions fall to the default, such as ",
        "a log has neither text nor wanted routes",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }

    let described = POLICY.replace("writing poems", "writing poems and songs");
    assert_eq!(json(&described, &[])["undecidable"], 6);
    assert_eq!(json(POLICY, &["--tenant", "acme"])["left_out"], 8);
}
