use super::*;
use crate::decide::{Step, decide};
use crate::evidence::{Answer, Evidence, Probe, RouteScores};
use crate::query::Query;

const POLICY: &str = "\
schema: 1
default: small
models: [{id: small, quality: {default: 0.5, code: 0.9}}, {id: coder, quality: {default: 0.6}}, {id: writer}]
aliases: {best: coder}
domains: [{name: work, description: all work}]
routes:
  - {name: code, domain: work, description: source code, models: [coder]}
  - {name: poems, domain: work, description: poems and stories, models: [writer]}
tests: [{prompt: write a poem, want: {route: poems}}]
";

fn policy() -> Policy {
    crate::policy::load(POLICY.as_bytes()).unwrap().policy
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

fn route<'a>(name: &'a str, model_ids: &'a [String]) -> InlineRoute<'a> {
    InlineRoute {
        name,
        description: "requests of some kind",
        model_ids,
    }
}

/// Path and message of everything that is wrong.
fn wrong(routes: &[InlineRoute<'_>]) -> Vec<(String, String)> {
    let found = policy().with_inline(routes).unwrap_err();
    found.into_iter().map(|d| (d.path, d.message)).collect()
}

#[test]
fn routes_of_a_request_stand_after_the_policys_and_only_they_are_compared() {
    let (small, two) = (ids(&["small"]), ids(&["writer", "small"]));
    let base = policy();
    let own = base
        .with_inline(&[route("code", &small), route("verse", &two)])
        .unwrap();
    let names: Vec<&str> = own.routes.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["code", "poems", "code", "verse"]);
    let scored: Vec<&[usize]> = own.scored().iter().map(|r| &r.models[..]).collect();
    assert_eq!(scored, [&[0][..], &[2, 0]]);
    assert!(own.scored().iter().all(|r| r.domain.is_none()));
    // Everything else stays.
    let rest = Policy {
        routes: base.routes.clone(),
        scored_from: 0,
        tests: base.tests.clone(),
        ..own
    };
    assert_eq!(rest, base);
}

#[test]
fn evidence_decides_among_the_routes_of_the_request_and_no_domain_is_left() {
    let small = ids(&["small"]);
    let own = policy()
        .with_inline(&[route("sums", &small), route("code", &small)])
        .unwrap();
    let query = Query {
        inline_routes: true,
        ..Query::default()
    };
    let scored = |routes: Vec<f32>, other| {
        let evidence = Evidence {
            embedding: Answer::Got(
                RouteScores {
                    routes,
                    other,
                    default_threshold: 0.6,
                    ..RouteScores::default()
                }
                .into(),
            ),
            ..Evidence::default()
        };
        match decide(&own, &query, &evidence) {
            Step::Done(Ok(decision)) => decision,
            step => panic!("{step:?}"),
        }
    };
    let decision = scored(vec![0.1, 0.8], 0.1);
    assert_eq!((decision.route, decision.model), (Some(3), 0));
    assert!(
        decision.reason.contains("route `code` fits best"),
        "{}",
        decision.reason
    );
    // The policy's quality figure for its own route `code` is not that of the request's.
    assert_eq!(own.models[0].quality_for(decision.route), Some(0.5));
    let unsure = scored(vec![0.45, 0.45], 0.1);
    assert_eq!((unsure.route, unsure.domain), (None, None));
}

#[test]
fn a_policy_without_the_routes_of_a_request_asks_and_never_decides_by_its_default() {
    let bare = "schema: 1\ndefault: small\nmodels: [{id: small}]\n";
    let bare = crate::policy::load(bare.as_bytes()).unwrap().policy;
    let query = Query {
        inline_routes: true,
        ..Query::default()
    };
    let step = |query| decide(&bare, query, &Evidence::default());
    assert_eq!(step(&query), Step::Ask(Probe::Embedding));
    assert!(matches!(step(&Query::default()), Step::Done(Ok(_))));
}

#[test]
fn every_problem_is_reported_with_its_path_in_the_order_of_the_request() {
    let long = "x".repeat(65);
    let (none, small) = (ids(&[]), ids(&["small"]));
    let bad = ids(&["coderr", "small", "small", "best", ""]);
    let routes = [
        InlineRoute {
            name: &long,
            description: " ",
            model_ids: &none,
        },
        route("", &bad),
        route("Verse", &small),
        route("verse", &small),
        route("other", &small),
        route("a\nb", &small),
    ];
    let expected = [
        (
            "route_preferences[0].name",
            "65 characters are too many, the most is 64",
        ),
        ("route_preferences[0].description", "the text is empty"),
        ("route_preferences[0].model_ids", "the list is empty"),
        ("route_preferences[1].name", "the text is empty"),
        ("route_preferences[1].model_ids[0]", "unknown model `coderr`"),
        (
            "route_preferences[1].model_ids[2]",
            "`small` is in this list already",
        ),
        (
            "route_preferences[1].model_ids[3]",
            "`best` is an alias, not a model",
        ),
        ("route_preferences[1].model_ids[4]", "the text is empty"),
        (
            "route_preferences[3].name",
            "the route `verse` is already at `route_preferences[2].name`",
        ),
        (
            "route_preferences[4].name",
            "`other` is reserved and cannot name a route",
        ),
        (
            "route_preferences[5].name",
            "a name cannot contain control characters such as line breaks",
        ),
    ];
    let expected = expected.map(|(path, message)| (path.to_owned(), message.to_owned()));
    assert_eq!(wrong(&routes), expected);
    let found = policy().with_inline(&routes).unwrap_err();
    assert_eq!(found[4].hint, "did you mean `coder`?");
}

#[test]
fn what_is_too_much_is_one_problem_and_nothing_else_is_looked_at() {
    let small = ids(&["small"]);
    let many = vec![route("same", &small); MOST_ROUTES + 1];
    let expected = "65 routes are too many, the most is 64".to_owned();
    assert_eq!(wrong(&many), [("route_preferences".to_owned(), expected)]);
    let text = "x".repeat(MOST_BYTES);
    let long = InlineRoute {
        description: &text,
        ..route("same", &small)
    };
    let expected = "65545 bytes of text are too many, the most is 65536".to_owned();
    assert_eq!(wrong(&[long, long]).len(), 1);
    assert_eq!(wrong(&[long]), [("route_preferences".to_owned(), expected)]);
    let fits = InlineRoute {
        description: &text[9..],
        ..route("same", &small)
    };
    assert!(policy().with_inline(&[fits]).is_ok());
}

#[test]
fn rules_hold_for_a_request_with_routes_of_its_own_and_mean_the_policys_routes() {
    let text = "schema: 1
default: a
models: [{id: a}, {id: b}]
routes: [{name: own, description: what the policy sends to its second model, models: [b]}]
rules:
  - {name: closed, when: 'caller.tenant == \"closed\"', deny: no}
  - {name: by route, when: 'caller.tier == \"pro\"', use: {route: own}}
";
    let policy = crate::policy::load(text.as_bytes()).unwrap().policy;
    let ids = ["a".to_owned()];
    let inline = InlineRoute {
        name: "asked",
        description: "what the request brings for itself",
        model_ids: &ids,
    };
    let policy = policy.with_inline(&[inline]).unwrap();
    let mut query = Query {
        inline_routes: true,
        ..Query::default()
    };
    query.caller.tier = "pro".into();
    let decided = |query: &Query| match decide(&policy, query, &Evidence::default()) {
        Step::Done(outcome) => outcome,
        Step::Ask(probe) => panic!("asked for {probe:?}"),
    };
    let decision = decided(&query).unwrap();
    assert_eq!((decision.model, decision.route), (1, Some(0)));
    query.caller.tenant = "closed".into();
    assert_eq!(decided(&query).unwrap_err().reason(), "DENIED_BY_RULE");
}
