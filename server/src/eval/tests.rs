use super::*;

/// Six turns of two dialogues; the wanted figures were computed by an independent scorer.
const SET: &str = r#"
{"id":"1","conversation":[{"role":"user","content":"a"}],"expected_route":"code","tags":["x"],"conversation_id":"c1","turn":0}
{"id":"2","conversation":[{"role":"user","content":"b"}],"expected_route":"code","tags":["x","y"],"conversation_id":"c1","turn":1}
{"id":"3","conversation":[{"role":"user","content":"c"}],"expected_route":"other","tags":[],"conversation_id":"c1","turn":2}
{"id":"4","conversation":[{"role":"user","content":"d"}],"expected_route":"text","tags":["y"],"conversation_id":"c2","turn":0}
{"id":"5","conversation":[{"role":"user","content":"e"}],"expected_route":"text","tags":[],"conversation_id":"c2","turn":1}
{"id":"6","conversation":[{"role":"user","content":"f"}],"expected_route":"other","tags":[],"conversation_id":"c2","turn":2}
"#;

fn report() -> Report {
    let lines = read_set(SET, None).unwrap();
    let decided = [
        (Some("code"), 0.95),
        (Some("text"), 0.55),
        (None, 0.65),
        (Some("text"), 0.85),
        (Some("text"), 0.75),
        (Some("code"), 0.35),
    ];
    let prediction = |(index, (route, confidence)): (usize, (Option<&str>, f64))| Prediction {
        route: route.map(str::to_owned),
        confidence: Some(confidence),
        latency_ms: index as f64,
    };
    let predictions: Vec<_> = decided.into_iter().enumerate().map(prediction).collect();
    Report::new(&lines, &predictions)
}

#[test]
fn the_figures_are_those_of_an_independent_scorer() {
    let report = report();
    assert_eq!(report.accuracy, Share { right: 4, all: 6 });
    assert!(
        (report.macro_f1 - 0.655_555_6).abs() < 1e-6,
        "{}",
        report.macro_f1
    );
    assert_eq!(report.in_scope.value(), Some(0.75));
    assert_eq!(report.other_recall.value(), Some(0.5));
    assert_eq!(report.other_precision.value(), Some(1.0));
    assert!(
        (report.ece.unwrap() - 0.283_333_3).abs() < 1e-6,
        "{:?}",
        report.ece
    );
    let (spans, whole) = report.dialogues.unwrap();
    assert_eq!(
        (spans, whole),
        (Share { right: 2, all: 4 }, Share { right: 0, all: 2 })
    );
    let (low, high) = report.accuracy.interval();
    assert!(
        (low - 0.299_993).abs() < 1e-4 && (high - 0.903_229).abs() < 1e-4,
        "{low} {high}"
    );
}

#[test]
fn confusions_and_tags_are_counted() {
    let report = report();
    assert_eq!(report.confusions.len(), 2);
    assert_eq!(report.by_tag["x"], Share { right: 1, all: 2 });
    assert_eq!(report.latency_ms[0], 3.0);
}

#[test]
fn a_bad_line_is_named() {
    let error = read_set("{\"id\": 1}\n", None).unwrap_err();
    assert!(format!("{error:#}").starts_with("line 1: "), "{error:#}");
    let error = read_set(
        r#"{"id":"1","conversation":[{"role":"robot","content":""}]}"#,
        None,
    )
    .unwrap_err();
    assert!(format!("{error:#}").contains("`robot` is none of"), "{error:#}");
}

#[test]
fn lines_of_another_policy_are_left_out() {
    let set = r#"{"id":"1","policy":"a","conversation":[],"expected_route":"x"}
{"id":"2","policy":"b","conversation":[],"expected_route":"x"}"#;
    assert_eq!(read_set(set, Some("b")).unwrap()[0].id, "2");
}
