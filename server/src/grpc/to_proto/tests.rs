use v1::plan::Kind;

use super::*;

#[test]
fn every_kind_of_plan_is_on_the_wire_with_all_that_it_needs() {
    let models = ["a", "b", "c"].map(|id| signalbox_decide::policy::Model {
        id: id.into(),
        ..Default::default()
    });
    let policy = Policy {
        models: models.to_vec(),
        ..Policy::default()
    };
    let sent = |wanted: Plan| {
        let decision = Decision {
            plan: wanted,
            ..Decision::default()
        };
        plan(&policy, &decision).kind.unwrap()
    };
    let ids = || vec!["a".to_owned(), "c".to_owned()];
    assert_eq!(
        sent(Plan::Single),
        Kind::Single(v1::SinglePlan { model_id: "a".into() })
    );
    let cascade = sent(Plan::Cascade {
        models: vec![0, 2],
        accept_at: 0.0,
    });
    let accept_at = Some(0.0);
    assert_eq!(
        cascade,
        Kind::Cascade(v1::CascadePlan {
            model_ids: ids(),
            accept_at
        })
    );
    let ensemble = sent(Plan::Ensemble {
        models: vec![0, 2],
        combine: Combine::Merge,
        judge: Some(1),
    });
    assert_eq!(
        ensemble,
        Kind::Ensemble(v1::EnsemblePlan {
            model_ids: ids(),
            strategy: v1::CombineStrategy::Merge.into(),
            judge_model_id: "b".into()
        })
    );
    let race = sent(Plan::Speculative {
        fast: 0,
        slow: 2,
        prefer: Prefer::Fast,
        wait_ms: 1500,
    });
    let Kind::Speculative(race) = race else {
        panic!("{race:?}")
    };
    assert_eq!(
        (race.fast_model_id.as_str(), race.slow_model_id.as_str()),
        ("a", "c")
    );
    assert_eq!(race.prefer(), v1::SpeculativePreference::Fast);
    assert_eq!(
        race.wait_duration,
        Some(prost_types::Duration {
            seconds: 1,
            nanos: 500_000_000
        })
    );
    let tool = sent(Plan::ToolThenModel { tool: "t".into() });
    assert_eq!(
        tool,
        Kind::ToolThenModel(v1::ToolThenModelPlan {
            tool_name: "t".into(),
            model_id: "a".into()
        })
    );
}
