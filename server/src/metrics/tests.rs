//! What is exported is what the table says, from the first moment on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::exporter::{recorder, write_changing};
use super::table::{BUCKETS, Kind, METRICS};
use super::*;
use crate::engine::Engine;
use crate::engine::cache::{Bounds, DecisionCache};
use crate::engine::outcomes::Report;
use crate::engine::ring::Ring;
use crate::health::{Ended, Outcome};
use crate::store::{Compiler, Policies, ReloadOptions};
use signalbox_decide::Source;

fn engine() -> Engine {
    let ring = Arc::new(Ring::new(10));
    let policies = Arc::new(Policies::new(Compiler::new().unwrap(), ring.clone()));
    let bounds = Bounds {
        max_entries: 10,
        max_bytes: 10_000,
    };
    Engine::new(policies, DecisionCache::new(bounds, [7; 32]), ring)
}

fn loaded() -> Engine {
    let engine = engine();
    let policy = b"schema: 1\nversion: 7\ndefault: a\nmodels: [{id: a}]\n";
    engine
        .store()
        .reload(policy, "test", &ReloadOptions::default())
        .unwrap();
    engine
}

/// The text that a scrape gets after `act`.
fn exported(engine: &Engine, act: impl FnOnce(&Series)) -> String {
    let recorder = recorder();
    let series = ::metrics::with_local_recorder(&recorder, Series::new);
    act(&series);
    series.take(engine);
    let mut text = recorder.handle().render();
    write_changing(engine, &mut text);
    text
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| {
        line.strip_prefix(series)
            .is_some_and(|rest| rest.starts_with(' '))
    });
    let line = line.unwrap_or_else(|| panic!("no series {series} in\n{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn every_metric_of_the_table_is_exported_with_its_kind_and_help_and_nothing_else_is() {
    let text = exported(&loaded(), |_| {});
    let comments = |what: &str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(what));
        lines
            .map(|line| line.split_once(' ').unwrap())
            .map(|(n, rest)| (n.into(), rest.into()))
            .collect()
    };
    let kinds = METRICS
        .iter()
        .map(|m| (m.name.to_owned(), m.kind.as_str().to_owned()))
        .collect();
    assert_eq!(comments("# TYPE "), kinds);
    let helps = METRICS
        .iter()
        .map(|m| (m.name.to_owned(), m.help.to_owned()))
        .collect();
    assert_eq!(comments("# HELP "), helps);
}

#[test]
fn every_combination_of_labels_is_there_before_anything_happened() {
    let text = exported(&loaded(), |_| {});
    for metric in METRICS {
        let wanted: usize = metric
            .labels
            .iter()
            .map(|label| label.values.len().max(1))
            .product();
        let lines_each = if metric.kind == Kind::Histogram {
            BUCKETS.len() + 3
        } else {
            1
        };
        let names = [
            metric.name.to_owned(),
            format!("{}_bucket", metric.name),
            format!("{}_sum", metric.name),
        ];
        let names: BTreeSet<String> = names
            .into_iter()
            .chain([format!("{}_count", metric.name)])
            .collect();
        let lines = text.lines().filter(|line| {
            let name = line.split(['{', ' ']).next().unwrap();
            !line.starts_with('#') && names.contains(name)
        });
        assert_eq!(lines.count(), wanted * lines_each, "{}", metric.name);
    }
}

#[test]
fn counting_finds_its_series() {
    let text = exported(&loaded(), |series| {
        series
            .decisions
            .with(&["default", "exact_hit"], Counter::increment_one);
        series
            .decision_duration
            .with(&["exact_hit"], |histogram| histogram.record(6e-6));
        series
            .rpcs
            .with(&["Route", "UNAUTHENTICATED"], Counter::increment_one);
        series.panics.with(&[], Counter::increment_one);
    });
    assert_eq!(
        value(
            &text,
            r#"signalbox_decisions_total{source="default",cache="exact_hit"}"#
        ),
        1.0
    );
    assert_eq!(
        value(
            &text,
            r#"signalbox_decisions_total{source="default",cache="miss"}"#
        ),
        0.0
    );
    let bucket = |le: &str| {
        value(
            &text,
            &format!(r#"signalbox_decision_duration_seconds_bucket{{cache="exact_hit",le="{le}"}}"#),
        )
    };
    assert_eq!((bucket("0.000005"), bucket("0.00001")), (0.0, 1.0));
    assert_eq!(
        value(
            &text,
            r#"signalbox_rpcs_total{method="Route",code="UNAUTHENTICATED"}"#
        ),
        1.0
    );
    assert_eq!(value(&text, "signalbox_panics_total"), 1.0);
}

#[test]
fn savings_are_the_difference_of_two_counters() {
    let text = exported(&loaded(), |series| {
        series
            .cost
            .with(&[], |counter| counter.increment(nano(0.000_012_5)));
        series
            .default_cost
            .with(&[], |counter| counter.increment(nano(0.3)));
    });
    let value = |name| value(&text, name);
    assert_eq!(value("signalbox_estimated_cost_nano_usd_total"), 12_500.0);
    assert_eq!(value("signalbox_default_cost_nano_usd_total"), 3e8);
}

#[test]
fn a_model_that_is_left_alone_shows_while_the_policy_has_health_on() {
    let engine = engine();
    let load = |enabled: bool| {
        let policy = format!(
            "schema: 1\nversion: 7\ndefault: a\nmodels: [{{id: a}}, {{id: 'b\"\\'}}]\nhealth: {{enabled: {enabled}}}\n"
        );
        let options = ReloadOptions::default();
        engine
            .store()
            .reload(policy.as_bytes(), "test", &options)
            .unwrap();
    };
    load(true);
    let outcome = Outcome {
        key: "k".into(),
        model_id: "b\"\\".into(),
        ended: Ended::RateLimited,
        retry_after: None,
        latency: None,
        output_tokens: None,
        quality: None,
        age: std::time::Duration::ZERO,
    };
    let good = Outcome {
        key: "l".into(),
        ended: Ended::Success,
        quality: Some(0.5),
        ..outcome.clone()
    };
    let reports = [outcome, good].map(|outcome| Report {
        decision: None,
        outcome,
    });
    engine.report("", reports.into()).unwrap();
    let left_alone = |model: &str, state: &str| {
        let series = format!(r#"signalbox_model_left_alone{{model="{model}",state="{state}"}}"#);
        value(&exported(&engine, |_| {}), &series)
    };
    assert_eq!(left_alone(r#"b\"\\"#, "cooling"), 1.0);
    assert_eq!(left_alone(r#"b\"\\"#, "open"), 0.0);
    assert_eq!(left_alone("a", "cooling"), 0.0);
    let text = exported(&engine, |_| {});
    assert_eq!(value(&text, r#"signalbox_model_quality{model="b\"\\"}"#), 0.5);
    assert!(value(&text, r#"signalbox_model_quality{model="a"}"#).is_nan());
    load(false);
    assert_eq!(left_alone(r#"b\"\\"#, "cooling"), 0.0);
}

#[test]
#[should_panic(expected = "no series for")]
#[cfg(debug_assertions)]
fn a_word_that_is_not_in_the_table_is_a_defect() {
    exported(&loaded(), |series| {
        series.degraded.with(&["made_up"], Counter::increment_one)
    });
}

#[test]
fn a_word_that_is_not_in_the_table_has_no_series() {
    exported(&loaded(), |series| {
        assert_eq!(series.degraded.index(&["made_up"]), None)
    });
}

#[test]
fn every_rung_that_can_decide_is_a_value_of_source() {
    let label = METRICS[0].labels[0];
    assert_eq!(label.values, Source::ALL.map(Source::as_str));
}

#[test]
fn gauges_show_the_policy_in_force() {
    let engine = loaded();
    let text = exported(&engine, |_| {});
    let checksum = &engine.store().current().unwrap().info.checksum;
    assert_eq!(value(&text, "signalbox_policy_version"), 7.0);
    assert_eq!(
        value(
            &text,
            &format!(r#"signalbox_policy_info{{version="7",checksum="{checksum}"}}"#)
        ),
        1.0
    );
    assert_eq!(value(&text, "signalbox_policy_reload_successful"), 1.0);
    assert!(
        engine
            .store()
            .reload(b"nonsense", "test", &ReloadOptions::default())
            .is_err()
    );
    assert_eq!(
        value(&exported(&engine, |_| {}), "signalbox_policy_reload_successful"),
        0.0
    );
}

#[test]
fn a_new_policy_takes_the_place_of_the_old_one_in_the_info_series() {
    let engine = loaded();
    engine
        .store()
        .reload(
            b"schema: 1\nversion: 8\ndefault: a\nmodels: [{id: a}]\n",
            "test",
            &ReloadOptions::default(),
        )
        .unwrap();
    let text = exported(&engine, |_| {});
    let infos: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("signalbox_policy_info{"))
        .collect();
    assert_eq!(infos.len(), 1, "{infos:?}");
    assert!(infos[0].contains(r#"version="8""#));
}

#[test]
fn tenants_are_counted_by_the_state_of_their_policy_and_never_named() {
    let engine = loaded();
    let good = "schema: 1\ndefault: a\nmodels: [{id: a}]\n";
    for (tenant, texts) in [
        ("one", &[good][..]),
        ("two", &[good, "nonsense"]),
        ("three", &["nonsense"]),
    ] {
        let store = engine.policies().own_or_new(tenant);
        for text in texts {
            let _ = store.reload(text.as_bytes(), "test", &ReloadOptions::default());
        }
        engine.policies().add(&store);
    }
    let text = exported(&engine, |_| {});
    for state in ["good", "stale", "unusable"] {
        let series = format!(r#"signalbox_tenant_policies{{state="{state}"}}"#);
        assert_eq!(value(&text, &series), 1.0, "{state}");
    }
    assert_eq!(value(&text, "signalbox_policy_reload_successful"), 0.0);
    assert!(!text.contains("three"));
}

#[test]
fn comparisons_are_exported_by_route_whatever_its_name() {
    let engine = loaded();
    let counts = [1, 0, 2, 0, 0, 0];
    engine
        .shadows()
        .tally()
        .routes
        .insert(r#"a "b" \c"#.into(), counts);
    let text = exported(&engine, |_| {});
    let series = |result: &str| {
        format!(r#"signalbox_shadow_decisions_total{{route="a \"b\" \\c",result="{result}"}}"#)
    };
    assert_eq!(value(&text, &series("same")), 1.0);
    assert_eq!(value(&text, &series("model")), 2.0);
}
