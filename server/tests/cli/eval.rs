//! `signalbox eval` of the real binary.

use std::fs;
use std::path::Path;

use crate::support::{EXAMPLE, policy, run};

#[test]
fn eval_of_a_strong_and_weak_set_prints_its_figures_and_draws_the_curve() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policies/difficulty.yaml");
    let line = |n: usize| match n % 2 {
        0 => format!(
            r#"{{"id":"{n}","benchmark":"toy","prompt":"Solve the equation {n}x^2 - 3x + 2 = 0","scores":{{"strong":1,"weak":0}},"cost_usd":{{"strong":0.01,"weak":0.001}},"strong":"strong","weak":"weak"}}"#
        ),
        _ => format!(
            r#"{{"id":"{n}","benchmark":"toy","prompt":"What is the capital of Chile {n}?","scores":{{"strong":1,"weak":1}},"cost_usd":{{"strong":0.01,"weak":0.001}},"strong":"strong","weak":"weak"}}"#
        ),
    };
    let lines: Vec<String> = (0..20).map(line).collect();
    let (directory, set) = policy(&lines.join("\n"));
    let picture = directory.path().join("curve.svg");
    let (set, picture) = (set.display().to_string(), picture.display().to_string());
    let (code, out, _) = run(&[
        "eval", &set, "--policy", example, "--curve", &picture, "--labels", "30,60",
    ]);
    assert_eq!(code, 0);
    assert!(
        out.contains("toy") && out.contains("APGR by number of labels"),
        "{out}"
    );
    let figures = out.lines().find(|line| line.starts_with("toy")).unwrap();
    // Half of the prompts need the strong model, and they are found: 50 % of the calls close the whole gap.
    assert!(figures.contains("0.750") && figures.contains("25.0 %"), "{out}");
    assert!(fs::read_to_string(&picture).unwrap().starts_with("<svg"));
}

#[test]
fn eval_measures_a_set_and_writes_its_predictions() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let line = |id: &str, text: &str, route: &str| {
        format!(
            "{{\"id\":\"{id}\",\"conversation\":[{{\"role\":\"user\",\"content\":\"{text}\"}}],\"expected_route\":\"{route}\"}}\n"
        )
    };
    let set = line(
        "1",
        "write a python function that parses dates",
        "code_generation",
    ) + &line("2", "thanks, bye", "other");
    fs::write(file("set.jsonl"), set).unwrap();
    let (code, out, err) = run(&[
        "eval",
        &file("set.jsonl"),
        "--policy",
        EXAMPLE,
        "--json",
        "--predictions",
        &file("out.jsonl"),
    ]);
    assert_eq!(code, 0, "{err}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["n"], 2);
    assert_eq!(
        fs::read_to_string(Path::new(&file("out.jsonl")))
            .unwrap()
            .lines()
            .count(),
        2
    );
}

#[test]
fn eval_says_which_settings_would_do_best_and_writes_a_page() {
    let line = |n: usize, text: &str, route: &str| {
        format!(
            r#"{{"id":"{n}","conversation":[{{"role":"user","content":"{text}"}}],"expected_route":"{route}"}}"#
        )
    };
    let set = [
        line(1, "write a python function that parses dates", "code_generation"),
        line(2, "what is the tallest mountain", "other"),
    ];
    let (directory, set) = policy(&set.join("\n"));
    let page = directory.path().join("report.html");
    let (set, page) = (set.display().to_string(), page.display().to_string());
    let args = ["eval", &set, "--policy", EXAMPLE, "--tune", "--report", &page];
    let (code, out, err) = run(&args);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("evidence.threshold") && out.contains("suggested"),
        "{out}"
    );
    assert!(fs::read_to_string(&page).unwrap().contains("Surest mistakes"));
    let (_, out, _) = run(&["eval", &set, "--policy", EXAMPLE, "--tune", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        report["tuning"]["ask_below"]["points"].as_array().unwrap().len(),
        21
    );
    let (code, _, err) = run(&["eval", &set, "--endpoint", "http://127.0.0.1:9", "--tune"]);
    assert!(code == 2 && err.contains("cannot be used with"), "{err}");
    let (code, _, err) = run(&["eval", &set, "--policy", EXAMPLE, "--tune", "--aim", "95"]);
    assert!(code == 2 && err.contains("0 to 1"), "{err}");
}
