//! Reloads while requests are under way.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signalbox_api::v1;
use tonic::Code;

use crate::support::{POLICY, Server, ask, version};

const ROUNDS: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reloads_fail_no_call_and_no_decision_comes_from_a_policy_that_was_never_good() {
    let server = Server::start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (mut client, stop) = (server.raw().await, stop.clone());
        callers.spawn(async move {
            let prompts = [
                "write a python function",
                "translate this into french",
                "what is the time",
            ];
            let (mut seen, mut count) = (BTreeSet::new(), 0);
            while !stop.load(Ordering::Relaxed) {
                let decision = client.route(ask(prompts[count % 3])).await.unwrap().into_inner();
                let policy = decision.policy.unwrap();
                seen.insert((policy.version, policy.checksum));
                count += 1;
            }
            (seen, count)
        });
    }
    let mut admin = server.raw().await;
    let bad = POLICY.replace("default: acme/small", "default: nobody");
    let mut good = BTreeSet::from([(7, signalbox_decide::policy::checksum(POLICY.as_bytes()))]);
    for round in 0..ROUNDS {
        let yaml = version(8 + round);
        good.insert((8 + round, signalbox_decide::policy::checksum(yaml.as_bytes())));
        let push = |policy_yaml: String| v1::ReloadPolicyRequest {
            policy_yaml: Some(policy_yaml),
            ..Default::default()
        };
        assert!(
            admin
                .reload_policy(push(yaml))
                .await
                .unwrap()
                .into_inner()
                .applied
        );
        let refused = admin.reload_policy(push(bad.clone())).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    stop.store(true, Ordering::Relaxed);
    let mut versions = BTreeSet::new();
    while let Some(caller) = callers.join_next().await {
        let (seen, count) = caller.unwrap();
        assert!(count > 0 && seen.is_subset(&good));
        versions.extend(seen);
    }
    assert!(versions.len() > 10, "the calls saw {} policies", versions.len());
}
