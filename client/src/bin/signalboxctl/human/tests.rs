//! What people read, held to its width and its order.

use super::*;

fn decision() -> v1::RouteResponse {
    v1::RouteResponse {
        decision_id: "0192f0c1-0000-7000-8000-000000000000".into(),
        model_id: "anthropic/claude-sonnet-4-5".into(),
        fallback_model_ids: (0..6).map(|n| format!("openai/gpt-5-variant-{n}")).collect(),
        route: "code_generation".into(),
        domain: "programming".into(),
        confidence: Some(0.9312),
        margin: Some(0.4),
        source: v1::DecisionSource::Embedding.into(),
        cache_status: v1::CacheStatus::ExactHit.into(),
        reason: "The prompt is about generating new code, and this model ranks first among them. ".repeat(3),
        processing_duration: Some(prost_types::Duration {
            seconds: 0,
            nanos: 43_700,
        }),
        ..Default::default()
    }
}

#[test]
fn the_model_is_the_first_line_and_alone_on_it() {
    assert_eq!(
        route(&decision()).lines().next(),
        Some("anthropic/claude-sonnet-4-5")
    );
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    let text = route(&decision());
    assert!(text.lines().count() > 10);
    for line in text.lines() {
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }
}

#[test]
fn no_model_id_is_cut_in_two() {
    let decision = decision();
    let text = route(&decision);
    for id in &decision.fallback_model_ids {
        assert!(text.contains(id.as_str()), "no `{id}` in:\n{text}");
    }
}

#[test]
fn what_is_not_known_takes_no_line() {
    let text = route(&v1::RouteResponse {
        model_id: "m".into(),
        ..Default::default()
    });
    assert!(
        !text.contains("route ") && !text.contains("confidence") && !text.contains("reason"),
        "{text}"
    );
}

#[test]
fn source_names_the_cache_and_the_time() {
    let text = route(&decision());
    assert!(
        text.contains("  source      embedding (cache exact hit, 43 µs)\n"),
        "{text}"
    );
}

#[test]
fn a_diagnostic_reads_like_a_compiler_s() {
    let answer = v1::ReloadPolicyResponse {
        diagnostics: vec![v1::Diagnostic {
            severity: v1::Severity::Error.into(),
            code: "unknown_model".into(),
            path: "routes[0].models[1]".into(),
            line: 12,
            column: 5,
            message: "unknown model `gpt`".into(),
            hint: "did you mean `openai/gpt-5`?".into(),
        }],
        ..Default::default()
    };
    let want = "\
p.yaml:12:5: error: routes[0].models[1]: unknown model `gpt` [unknown_model]
  hint: did you mean `openai/gpt-5`?
checked, not applied (dry run)
";
    assert_eq!(reload(&answer, Some("p.yaml"), true), want);
}
