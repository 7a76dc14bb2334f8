//! Shadow policies over the network: what they are compared for, and that they cost a request nothing.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use signalbox_api::v1;
use signalbox_server::engine::shadow::{NO_ROUTE, QUEUE, RESULTS, Tally};

use crate::support::{POLICY, Server, ask, name};

const CODE: &str = "write a python function that sorts a list";
const TRANSLATION: &str = "translate this sentence into french";

/// [`POLICY`] with a shadow, in a file beside it that is no tenant's.
async fn start(shadow: &str) -> Server {
    let policy = format!("{POLICY}shadow: {{policy: next.shadow, share: 1.0}}\n");
    Server::directory(&[("default.yaml", &policy), ("next.shadow", shadow)]).await
}

/// Once `count` decisions have been compared.
async fn tally(server: &Server, count: u64) -> Tally {
    let start = Instant::now();
    loop {
        let tally = server.engine.shadows().tally().clone();
        let all: u64 = tally.routes.values().flatten().sum();
        if all >= count {
            assert_eq!(all, count);
            return tally;
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{all} of {count} after 20 s"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn count(tally: &Tally, route: &str, result: &str) -> u64 {
    let at = RESULTS.iter().position(|known| *known == result).unwrap();
    tally.routes.get(route).map_or(0, |counts| counts[at])
}

#[tokio::test]
async fn what_differs_is_counted_by_the_real_route() {
    // Code goes to another model, translation has another name, and one alias has gone while another came.
    let shadow = POLICY
        .replace(
            "models: [acme/large, acme/small]",
            "models: [acme/small, acme/large]",
        )
        .replace("name: translation", "name: interpreting")
        .replace("mine: other/gold", "extra: acme/small");
    let server = start(&shadow).await;
    let client = server.client();
    for prompt in [CODE, TRANSLATION, TRANSLATION] {
        client.route(ask(prompt)).await.unwrap();
    }
    client.route(name("best")).await.unwrap();
    // The real one refuses for the tier, the shadow does not know the name: both refuse.
    server.refusal(name("mine")).await;
    // Only the real one refuses.
    server.refusal(name("extra")).await;
    let tally = tally(&server, 6).await;
    assert_eq!(count(&tally, "code_generation", "model"), 1);
    assert_eq!(count(&tally, "translation", "route"), 2);
    assert_eq!(count(&tally, NO_ROUTE, "same"), 2, "{tally:?}");
    assert_eq!(count(&tally, NO_ROUTE, "refused"), 1, "{tally:?}");
    assert_eq!(server.engine.shadows().dropped(), 0);
}

#[tokio::test]
async fn one_that_refuses_alone_and_another_plan_are_told() {
    let shadow = POLICY
        .replace(
            "aliases:",
            "rules: [{name: no, when: 'caller.tier == \"free\"', deny: no}]\naliases:",
        )
        .replace(
            "    models: [acme/small, acme/large]",
            "    models: [acme/small, acme/large]\n    plan: {cascade: {accept_at: 0.8}}",
        );
    let server = start(&shadow).await;
    let free = v1::RouteRequest {
        caller: Some(v1::Caller {
            tier: "free".into(),
            ..Default::default()
        }),
        ..ask(CODE)
    };
    server.client().route(free).await.unwrap();
    server.client().route(ask(TRANSLATION)).await.unwrap();
    let tally = tally(&server, 2).await;
    assert_eq!(count(&tally, "code_generation", "refused"), 1);
    assert_eq!(count(&tally, "translation", "plan"), 1, "{tally:?}");
}

#[tokio::test]
async fn without_a_shadow_with_a_share_of_nothing_and_for_routes_of_the_request_nothing_is_compared() {
    let none = Server::start().await;
    none.client().route(ask(CODE)).await.unwrap();
    let nothing = format!("{POLICY}shadow: {{policy: next.shadow, share: 0}}\n");
    let nothing = Server::directory(&[("default.yaml", &nothing), ("next.shadow", POLICY)]).await;
    nothing.client().route(ask(CODE)).await.unwrap();
    let inline = start(POLICY).await;
    let own = v1::RouteRequest {
        route_preferences: vec![v1::RoutePreference {
            name: "sorting".into(),
            description: "sorting lists".into(),
            model_ids: vec!["acme/large".into()],
        }],
        ..ask(CODE)
    };
    inline.client().route(own).await.unwrap();
    inline.client().route(ask(CODE)).await.unwrap();
    // The one that is compared comes last.
    tally(&inline, 1).await;
    for server in [none, nothing] {
        assert_eq!(tally(&server, 0).await, Tally::default());
        assert_eq!(server.engine.shadows().dropped(), 0);
    }
}

#[tokio::test]
async fn a_shadow_that_hangs_costs_no_answer_and_what_finds_no_place_is_counted() {
    let server = start(POLICY).await;
    let client = server.client();
    let (held, is_held) = channel();
    let (release, released) = channel::<()>();
    let engine = server.engine.clone();
    let holder = std::thread::spawn(move || {
        let tally = engine.shadows().tally();
        held.send(()).unwrap();
        // Until the test says so, or has failed.
        let _ = released.recv();
        drop(tally);
    });
    is_held.recv().unwrap();
    let asked = QUEUE as u64 + 50;
    for _ in 0..asked {
        client.route(ask(CODE)).await.unwrap();
    }
    // One may be with the worker beside those in the queue.
    let dropped = server.engine.shadows().dropped();
    assert!((49..=50).contains(&dropped), "{dropped} dropped");
    release.send(()).unwrap();
    holder.join().unwrap();
    let tally = tally(&server, asked - dropped).await;
    assert_eq!(count(&tally, "code_generation", "same"), asked - dropped);
    client.route(ask(CODE)).await.unwrap();
    assert_eq!(server.engine.shadows().dropped(), dropped, "there is place again");
}

#[tokio::test]
async fn a_bad_shadow_keeps_its_policy_from_being_loaded_and_a_pushed_policy_has_none() {
    let server = start(POLICY).await;
    let client = server.client();
    let shown = client.get_policy().await.unwrap().shadow.unwrap();
    assert!(shown.version == 7 && shown.source.ends_with("next.shadow"));
    std::fs::write(server.file.with_file_name("next.shadow"), "schema: 1\n").unwrap();
    let error = client.reload_policy(Default::default()).await.unwrap_err();
    assert_eq!(error.field_violations()[0].field, "shadow.policy");
    assert!(
        client.get_policy().await.unwrap().shadow.is_some(),
        "the last good pair stays"
    );
    let pushed = v1::ReloadPolicyRequest {
        policy_yaml: Some(format!("{POLICY}shadow: {{policy: next.shadow}}\n")),
        ..Default::default()
    };
    let error = client.reload_policy(pushed).await.unwrap_err();
    assert!(
        error.field_violations()[0]
            .description
            .contains("source is `rpc`")
    );
}
