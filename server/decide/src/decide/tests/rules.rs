//! Rungs 0 and 2.

use proptest::prelude::*;

use super::*;
use crate::evidence::Signals;
use crate::query::{Requirements, Weights};
use crate::rule::{Action, Condition, Rule, Rules, Set, Use};

fn rule(name: &str, when: &str, action: Action) -> Rule {
    Rule {
        name: name.into(),
        when: Condition::parse(when).unwrap(),
        action,
    }
}

fn deny(when: &str) -> Rule {
    rule("deny", when, Action::Deny("not for you".into()))
}

pub(super) fn model(name: &str, when: &str, models: &[ModelIndex]) -> Rule {
    rule(name, when, Action::Use(Use::Models(models.to_vec()), None))
}

fn set(when: &str, requirements: Requirements, weights: Option<Weights>) -> Rule {
    rule(
        "set",
        when,
        Action::Set(Set {
            requirements,
            weights,
        }),
    )
}

pub(super) fn with(rules: Vec<Rule>) -> Policy {
    Policy {
        rules: Rules::new(rules),
        ..policy()
    }
}

fn signals(has_code: bool) -> Evidence {
    Evidence {
        signals: Answer::Got(Signals {
            has_code,
            language: "en",
            ..Signals::default()
        }),
        ..scores(&[0.8, 0.1])
    }
}

fn tier(tier: &str) -> Query {
    let mut query = Query::default();
    query.caller.tier = tier.into();
    query
}

#[test]
fn a_deny_rule_wins_over_everything_wherever_it_stands() {
    let policy = with(vec![model("all", "true", &[0]), deny(r#"caller.tier == "free""#)]);
    let mut query = tier("free");
    for named in [None, Some("a"), Some("nobody")] {
        query.model = named.map(Into::into);
        let refused = done(&policy, &query, &Evidence::default()).unwrap_err();
        assert_eq!(refused.reason(), "DENIED_BY_RULE");
        assert_eq!(refused.to_string(), "not for you (rule `deny`)");
    }
    assert!(done(&policy, &tier("pro"), &Evidence::default()).is_ok());
}

#[test]
fn the_first_matching_use_decides_before_profile_cache_and_routes() {
    let policy = with(vec![
        model("pro", r#"caller.tier == "pro""#, &[2, 1]),
        model("rest", "true", &[1]),
    ]);
    let mut query = tier("pro");
    query.profile = Some("creative".into());
    query.read_cache = true;
    let decision = done(&policy, &query, &Evidence::default()).unwrap();
    assert_eq!(
        (decision.source, decision.rule, decision.model),
        (Source::Rule, Some(0), 2)
    );
    assert_eq!(decision.reason, "rule `pro` matches; `c` is its first model");
    assert_eq!(
        done(&policy, &tier(""), &Evidence::default()).unwrap().rule,
        Some(1)
    );
}

#[test]
fn a_named_model_goes_before_use_and_not_before_set() {
    let eu = Requirements {
        regions: vec!["eu".into()],
        ..Requirements::default()
    };
    let policy = with(vec![model("all", "true", &[0]), set("true", eu, None)]);
    let query = Query {
        model: Some("d".into()),
        ..Query::default()
    };
    let refused = done(&policy, &query, &Evidence::default()).unwrap_err();
    assert_eq!(refused.reason(), "MODEL_NOT_ALLOWED");
    let policy = with(vec![model("all", "true", &[0])]);
    let decision = done(&policy, &query, &Evidence::default()).unwrap();
    assert_eq!((decision.source, decision.model), (Source::Direct, 3));
}

#[test]
fn a_use_whose_models_are_all_refused_falls_to_the_next_rule_and_says_so() {
    let policy = with(vec![model("pro", "true", &[2]), model("rest", "true", &[1])]);
    let decision = done(&policy, &Query::default(), &Evidence::default()).unwrap();
    assert_eq!((decision.rule, decision.model), (Some(1), 1));
    assert_eq!(decision.degraded[0].code, "no_eligible_model_in_route");
}

#[test]
fn a_rule_may_use_a_route_or_a_profile() {
    let policy = with(vec![
        rule("route", r#"caller.tier == "r""#, Action::Use(Use::Route(0), None)),
        rule("profile", "true", Action::Use(Use::Profile(1), None)),
    ]);
    let decision = done(&policy, &tier("r"), &Evidence::default()).unwrap();
    assert_eq!(
        (decision.model, decision.route, decision.domain, decision.source),
        (0, Some(0), Some(0), Source::Rule)
    );
    let decision = done(&policy, &tier(""), &Evidence::default()).unwrap();
    assert_eq!(
        (decision.model, decision.profile, decision.rule, decision.source),
        (1, Some(1), Some(1), Source::Rule)
    );
}

#[test]
fn set_before_a_use_tightens_it_and_set_behind_it_does_not() {
    let cheap = Requirements {
        max_cost_usd: Some(1e-9),
        ..Requirements::default()
    };
    let before = with(vec![set("true", cheap.clone(), None), model("a", "true", &[0])]);
    let behind = with(vec![model("a", "true", &[0]), set("true", cheap, None)]);
    let query = Query {
        input_tokens: 100,
        ..Query::default()
    };
    assert!(done(&before, &query, &scores(&[0.8, 0.1])).is_err());
    assert_eq!(done(&behind, &query, &Evidence::default()).unwrap().model, 0);
}

#[test]
fn weights_of_a_rule_go_before_those_of_the_request() {
    let cost = Weights {
        cost: 1.0,
        ..Weights::default()
    };
    let policy = with(vec![set("true", Requirements::default(), Some(cost))]);
    let mut query = Query::default();
    query.preferences.optimize_for = Some(Objective::Best);
    query.preferences.weights = Some(Weights {
        quality: 1.0,
        ..Weights::default()
    });
    assert_eq!(done(&policy, &query, &scores(&[0.8, 0.1])).unwrap().model, 1);
}

#[test]
fn signals_are_asked_only_where_they_can_decide() {
    let ask = |rules: Vec<Rule>, query: &Query| decide(&with(rules), query, &Evidence::default());
    let code = r#"signals.has_code && caller.tier == "pro""#;
    let asks = Step::Ask(Probe::Signals);
    assert_eq!(ask(vec![model("code", code, &[0])], &tier("pro")), asks);
    assert_eq!(ask(vec![deny(code)], &tier("pro")), asks);
    for rules in [
        vec![model("code", code, &[0]), model("rest", "true", &[1])],
        vec![
            model("rest", "true", &[1]),
            model("code", "signals.has_code", &[0]),
        ],
        vec![model("known", r#"signals.has_code || caller.tier == """#, &[1])],
        vec![
            model("no label", "signals.has_code && caller.labels.x == \"\"", &[0]),
            model("rest", "true", &[1]),
        ],
    ] {
        assert!(matches!(ask(rules, &tier("")), Step::Done(Ok(_))));
    }
    let named = Query {
        model: Some("a".into()),
        ..tier("pro")
    };
    assert!(matches!(
        ask(vec![model("code", code, &[1])], &named),
        Step::Done(Ok(_))
    ));
}

#[test]
fn signals_that_failed_match_nothing_and_degrade_the_decision() {
    let policy = with(vec![
        model("code", "signals.has_code", &[0]),
        model("prose", "!signals.has_code", &[1]),
    ]);
    let failed = Answer::Failed {
        code: "signals_failed",
        detail: "broken".into(),
    };
    let evidence = Evidence {
        signals: failed,
        ..scores(&[0.8, 0.1])
    };
    let decision = done(&policy, &Query::default(), &evidence).unwrap();
    assert_eq!(
        (decision.source, decision.degraded[0].code),
        (Source::Embedding, "signals_failed")
    );
    let explained = explain(&policy, &Query::default(), &evidence).unwrap();
    let failing = explained.rules[1].failing.as_ref().unwrap();
    assert_eq!(
        (failing.term.as_str(), failing.actual.as_str()),
        ("!signals.has_code", "unknown")
    );
    assert!(failing.failure.is_some());
}

#[test]
fn demands_for_regions_that_exclude_each_other_leave_no_model() {
    let regions = |names: &[&str]| Requirements {
        regions: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Requirements::default()
    };
    let mut policy = with(vec![set("true", regions(&["eu"]), None)]);
    policy.models[3].regions = vec!["eu".into(), "us".into()];
    let mut query = Query {
        requirements: regions(&["us"]),
        ..Query::default()
    };
    let refused = done(&policy, &query, &scores(&[0.1, 0.1])).unwrap_err();
    assert!(refused.to_string().contains("exclude each other"), "{refused}");
    query.requirements = regions(&["us", "eu"]);
    assert_eq!(done(&policy, &query, &scores(&[0.1, 0.1])).unwrap().model, 3);
}

#[test]
fn an_explanation_shows_every_rule_with_the_first_term_that_failed() {
    let policy = with(vec![
        deny(r#"caller.tier == "free""#),
        model("labelled", r#"caller.labels.batch == "true""#, &[0]),
        model("code", r#"request.turns >= 0 && signals.has_code"#, &[0]),
        model("rest", "true", &[1]),
    ]);
    let explained = explain(&policy, &tier("pro"), &signals(false)).unwrap();
    let seen: Vec<_> = explained
        .rules
        .iter()
        .map(|seen| {
            seen.failing
                .as_ref()
                .map(|f| (f.term.as_str(), f.actual.as_str(), f.failure.is_some()))
        })
        .collect();
    assert_eq!(
        seen,
        [
            Some(("caller.tier == \"free\"", "\"pro\"", false)),
            Some(("caller.labels[\"batch\"] == \"true\"", "missing", true)),
            Some(("signals.has_code", "false", false)),
            None
        ]
    );
    let text = explained.text(&policy);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

fn conditions() -> impl Strategy<Value = String> {
    let term = prop::sample::select(vec![
        r#"caller.tier == "pro""#,
        r#"caller.tier in ["", "free"]"#,
        "signals.has_code",
        r#"caller.labels.x == "1""#,
        "request.tokens > 500",
        "true",
    ]);
    prop::collection::vec((term, any::<bool>()), 1..4).prop_map(|terms| {
        let terms = terms.into_iter().map(|(term, not)| match not {
            true => format!("!({term})"),
            false => format!("({term})"),
        });
        terms.collect::<Vec<_>>().join(" && ")
    })
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let action = prop_oneof![
        Just(Action::Deny("no".into())),
        prop::collection::vec(0usize..4, 1..3).prop_map(|mut models| {
            models.dedup();
            Action::Use(Use::Models(models), None)
        }),
        Just(Action::Use(Use::Route(0), None)),
        (0.0f64..0.02, prop::option::of(Just("eu"))).prop_map(|(cost, region)| Action::Set(Set {
            requirements: Requirements {
                max_cost_usd: Some(cost),
                regions: region.into_iter().map(Into::into).collect(),
                ..Requirements::default()
            },
            weights: None,
        })),
    ];
    prop::collection::vec((conditions(), action), 0..6).prop_map(|rules| {
        let rules = rules.into_iter().enumerate();
        rules
            .map(|(at, (when, action))| rule(&format!("r{at}"), &when, action))
            .collect()
    })
}

fn requests() -> impl Strategy<Value = Query> {
    (
        prop::sample::select(vec!["", "free", "pro"]),
        prop::option::of(prop::sample::select(vec!["0", "1"])),
        prop::option::of(prop::sample::select(vec!["a", "list"])),
        0u64..1000,
        prop::option::of(0.0f64..0.02),
    )
        .prop_map(|(name, label, model, input_tokens, max_cost_usd)| {
            let mut query = tier(name);
            query.caller.labels = label
                .into_iter()
                .map(|v| ("x".to_owned(), v.to_owned()))
                .collect();
            query.model = model.map(Into::into);
            query.input_tokens = input_tokens;
            query.requirements.max_cost_usd = max_cost_usd;
            query
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn denial_always_wins(rules in rules(), query in requests(), has_code: bool) {
        let (policy, evidence) = (with(rules), signals(has_code));
        let facts = crate::rule::Facts::new(&policy, &query, &evidence);
        let denies = policy.rules.all().iter().any(|rule| {
            matches!(rule.action, Action::Deny(_)) && rule.when.failing(&facts).is_none()
        });
        let outcome = done(&policy, &query, &evidence);
        let denied = matches!(outcome, Err(Refused::Denied { .. }));
        prop_assert_eq!(denied, denies);
    }

    #[test]
    fn rules_never_loosen_what_the_request_demands(rules in rules(), query in requests(), has_code: bool) {
        let policy = with(rules);
        if let Ok(decision) = done(&policy, &query, &signals(has_code)) {
            for &index in decision.fallbacks.iter().chain([&decision.model]) {
                let model = &policy.models[index];
                prop_assert!(model.tiers.is_empty() || model.tiers.contains(&query.caller.tier));
            }
            if let Some(limit) = query.requirements.max_cost_usd {
                prop_assert!(decision.estimate.cost_usd.unwrap() <= limit);
            }
        }
    }

    #[test]
    fn asking_late_decides_as_knowing_from_the_start(rules in rules(), query in requests(), has_code: bool) {
        let (policy, all) = (with(rules), signals(has_code));
        let late = match decide(&policy, &query, &scores(&[0.8, 0.1])) {
            Step::Ask(probe) => {
                prop_assert_eq!(probe, Probe::Signals);
                done(&policy, &query, &all)
            }
            Step::Done(outcome) => outcome,
        };
        prop_assert_eq!(late, done(&policy, &query, &all));
    }
}
