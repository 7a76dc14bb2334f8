use super::*;
use crate::eval::{page, read_set};
use crate::store::Compiler;

const POLICY: &str = "
schema: 1
version: 1
default: small
models: [{id: small}, {id: coder}, {id: writer}]
routes:
  - {name: code, description: 'writing and fixing programs', models: [coder]}
  - {name: poems, description: 'writing poems, verse and rhymes', models: [writer]}
";

const SET: &str = r#"
{"id":"1","conversation":[{"role":"user","content":"write a program that sorts numbers"}],"expected_route":"code"}
{"id":"2","conversation":[{"role":"user","content":"fix my program, it crashes"}],"expected_route":"code"}
{"id":"3","conversation":[{"role":"user","content":"a poem about rain with rhymes"}],"expected_route":"poems"}
{"id":"4","conversation":[{"role":"user","content":"verse for a birthday"}],"expected_route":"poems"}
{"id":"5","conversation":[{"role":"user","content":"<b>what time is it in Lima</b>"}],"expected_route":"poems"}
{"id":"6","conversation":[{"role":"user","content":"how tall is the Eiffel tower"}],"expected_route":"other"}
"#;

fn snapshot(more: &str) -> Snapshot {
    let policy = format!("{POLICY}{more}\n");
    let compiled = Compiler::new().unwrap().compile(policy.as_bytes(), "test", None);
    compiled.unwrap().0
}

fn tuning(more: &str) -> Tuning {
    Tuning::new(&snapshot(more), &read_set(SET, None).unwrap(), 0.95)
}

#[test]
fn a_threshold_of_one_leaves_only_what_belongs_to_no_route_right() {
    let tuning = tuning("");
    let (value, right) = *tuning.threshold.points.last().unwrap();
    assert_eq!((value, right), (1.0, Share { right: 1, all: 6 }));
    assert!(tuning.threshold.right_now.right >= 4, "{:?}", tuning.threshold);
    assert!(!tuning.threshold.advised, "nothing is gained on six lines");
    assert_eq!(tuning.encoder, None);
}

#[test]
fn what_a_language_model_is_asked_about_grows_until_it_is_all() {
    let llm = tuning("").llm;
    assert!(llm.points.is_sorted_by_key(|point| point.asked.right));
    assert_eq!(llm.points[0].asked.right, 0);
    for point in &llm.points {
        assert_eq!(point.kept.all + point.unsure.all, 6);
        assert_eq!(point.asked.right, point.unsure.all);
    }
    let advised = llm.advised.unwrap();
    let point = llm.points.iter().find(|point| point.below == advised).unwrap();
    assert_eq!(
        point.kept.right, point.kept.all,
        "one wrong of at most six is below the aim"
    );
}

#[test]
fn the_encoder_is_asked_about_nothing_at_zero_and_its_answer_is_what_the_ladder_takes() {
    let more = "evidence: {encoder: builtin, encoder_below: 1.0}";
    let lines = read_set(SET, None).unwrap();
    let encoder = tuning(more).encoder.unwrap();
    assert_eq!(encoder.points[0].1.right, 0);
    let (value, asked, right) = *encoder.points.last().unwrap();
    assert_eq!((value, asked.right), (1.0, 6));
    let snapshot = snapshot(more);
    let settled = lines.iter().map(|line| {
        let query = query_of(&line.conversation);
        let settled = crate::engine::settle(&snapshot, &query, &line.conversation, Live::default());
        let route = settled.outcome.unwrap().route;
        route.map_or(OTHER, |route| snapshot.policy.routes[route].name.as_str()) == line.expected
    });
    assert_eq!(right, Share::of(settled));
}

#[test]
fn a_gain_is_one_where_it_is_larger_than_its_standard_error() {
    let bools = |text: &str| text.bytes().map(|byte| byte == b'1').collect::<Vec<_>>();
    assert!(!gains(&bools("0000"), &bools("1000")), "one line is chance");
    assert!(gains(&bools("0000"), &bools("1100")));
    assert!(!gains(&bools("0011"), &bools("1100")));
    assert!(!gains(&bools("0011"), &bools("0011")));
}

#[test]
fn the_turns_of_a_dialogue_are_judged_by_what_was_chosen_without_them() {
    let line = |id: &str, dialogue: &str| {
        format!(
            r#"{{"id":"{id}","conversation":[{{"role":"user","content":"x"}}],"conversation_id":"{dialogue}","turn":0}}"#
        )
    };
    let set = [("1", "a"), ("2", "b"), ("3", "a"), ("4", "c")].map(|(id, dialogue)| line(id, dialogue));
    let folds = folds(&read_set(&set.join("\n"), None).unwrap());
    assert_eq!(folds, [0, 1, 0, 2]);
}

#[test]
fn the_page_shows_every_part_and_prompts_as_they_are() {
    let lines = read_set(SET, None).unwrap();
    let wrong = |_: &Line| super::super::Prediction {
        route: Some("code".into()),
        confidence: Some(0.9),
        latency_ms: 0.1,
    };
    let predictions: Vec<_> = lines.iter().map(wrong).collect();
    let report = super::super::Report::new(&lines, &predictions);
    let tuning = tuning("evidence: {encoder: builtin}");
    let page = page::html("a & b", &lines, &predictions, &report, Some(&tuning));
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    assert!(
        page.contains("a &amp; b") && page.contains("&lt;b&gt;what time"),
        "{page}"
    );
    assert!(
        !page.contains("<b>") && !page.contains("http://www.w3.org/1999"),
        "{page}"
    );
    assert_eq!(
        page.matches("<svg").count(),
        4,
        "threshold, encoder, model, calibration"
    );
    for part in ["Surest mistakes", "Expected and decided", "ask_below"] {
        assert!(page.contains(part), "{part}");
    }
    for outside in ["src=", "href=", "@import", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
}
