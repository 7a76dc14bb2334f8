//! Rules over the network: what they decide and deny, what Explain shows of them, and what a reload says of them.

use signalbox_api::v1;
use signalbox_api::v1::explain_request::Target;
use signalbox_api::v1::{DecisionSource, RouteRequest};
use signalbox_server::serve::Settings;
use tonic::Code;

use crate::errors::check;
use crate::support::{POLICY, Server, ask, name};

const RULES: &str = r#"rules:
  - {name: no free vision, when: 'caller.tier == "free" && "image" in request.modalities', deny: images need a paid plan}
  - {name: batch, when: 'caller.labels["batch"] == "true"', use: {model: acme/small}}
  - {name: code of the paying, when: 'caller.tier == "gold" && signals.has_code', use: {model: acme/large}}
"#;
const CODE: &str = "what is wrong?\ndef f(x):\n    return x +";

async fn start() -> Server {
    Server::with(Settings::default(), Some(&format!("{POLICY}{RULES}"))).await
}

fn tier(tier: &str, request: RouteRequest) -> RouteRequest {
    RouteRequest {
        caller: Some(v1::Caller {
            tier: tier.into(),
            ..Default::default()
        }),
        ..request
    }
}

fn of(request: RouteRequest) -> v1::ExplainRequest {
    v1::ExplainRequest {
        target: Some(Target::Request(request)),
        ..Default::default()
    }
}

fn earlier(decision_id: &str, policy_yaml: Option<String>) -> v1::ExplainRequest {
    v1::ExplainRequest {
        target: Some(Target::DecisionId(decision_id.into())),
        policy_yaml,
        ..Default::default()
    }
}

#[tokio::test]
async fn a_rule_that_denies_is_a_denied_permission_with_the_rule_and_its_message() {
    let server = start().await;
    let mut request = tier("free", ask("what is this?"));
    request.messages[0].attachments = vec![v1::Attachment {
        modality: v1::Modality::Image.into(),
        ..Default::default()
    }];
    for model in ["", "acme/large", "nobody"] {
        request.model = model.into();
        let status = server.refusal(request.clone()).await;
        let metadata = check(&status, Code::PermissionDenied, "DENIED_BY_RULE");
        assert_eq!(metadata["rule"], "no free vision");
        assert_eq!(
            status.message(),
            "images need a paid plan (rule `no free vision`)"
        );
    }
}

#[tokio::test]
async fn a_rule_that_chooses_is_named_in_the_decision() {
    let server = start().await;
    let decision = server.client().route(tier("gold", ask(CODE))).await.unwrap();
    assert_eq!(decision.source(), DecisionSource::Rule);
    assert_eq!(
        (decision.rule.as_str(), decision.model_id.as_str()),
        ("code of the paying", "acme/large")
    );
    assert_eq!((decision.route.as_str(), decision.confidence), ("", None));
    let named = server
        .client()
        .route(tier("gold", name("acme/small")))
        .await
        .unwrap();
    assert_eq!(
        (named.source(), named.rule.as_str()),
        (DecisionSource::Direct, "")
    );
}

#[tokio::test]
async fn explain_shows_every_rule_the_failing_term_and_the_probe() {
    let server = start().await;
    let explained = server
        .client()
        .explain(of(tier("gold", ask(CODE))))
        .await
        .unwrap();
    let steps: Vec<_> = explained.steps.iter().map(|step| step.asked.as_str()).collect();
    assert_eq!(steps, ["signals"]);
    assert_eq!(
        explained.steps[0].answer.split(", complexity").next(),
        Some("code, question, language en")
    );
    let seen: Vec<_> = explained
        .rules
        .iter()
        .map(|r| {
            (
                r.action.as_str(),
                r.matched,
                r.failing_term.as_str(),
                r.actual_value.as_str(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("deny", false, "caller.tier == \"free\"", "\"gold\""),
            ("use", false, "caller.labels[\"batch\"] == \"true\"", "missing"),
            ("use", true, "", ""),
        ]
    );
    assert!(explained.rules[1].failure.contains("no label"));
    assert!(
        explained.text.contains("+ code of the paying"),
        "{}",
        explained.text
    );
    let rules = explained
        .text
        .lines()
        .skip_while(|line| *line != "rules")
        .take_while(|line| !line.is_empty());
    for line in rules {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[tokio::test]
async fn recorded_signals_explain_an_earlier_decision_and_only_what_was_asked() {
    let server = start().await;
    let client = server.client();
    let routed = client.route(tier("gold", ask(CODE))).await.unwrap();
    let explained = client.explain(earlier(&routed.decision_id, None)).await.unwrap();
    assert_eq!(explained.decision.unwrap().rule, "code of the paying");
    assert_eq!(explained.steps[0].asked, "signals");

    let other = client.route(ask(CODE)).await.unwrap();
    let everyone = format!("{POLICY}{RULES}").replace("caller.tier == \"gold\" && ", "");
    let explained = client
        .explain(earlier(&other.decision_id, Some(everyone)))
        .await
        .unwrap();
    assert_eq!(
        (explained.decision, explained.undecidable[0].path.as_str()),
        (None, "rules")
    );
}

#[tokio::test]
async fn a_reload_says_which_rules_changed_and_what_recent_decisions_become() {
    let server = start().await;
    let client = server.client();
    client.route(tier("gold", ask(CODE))).await.unwrap();
    client.route(name("best")).await.unwrap();
    let changed = RULES
        .replace("name: batch", "name: nightly")
        .replace("use: {model: acme/large}", "use: {model: acme/small}");
    let request = v1::ReloadPolicyRequest {
        dry_run: true,
        policy_yaml: Some(format!("{POLICY}{changed}")),
        ..Default::default()
    };
    let report = client.reload_policy(request).await.unwrap();
    let rules = report.diff.unwrap().rules.unwrap();
    assert_eq!(
        (rules.added, rules.removed, rules.changed),
        (
            vec!["nightly".to_owned()],
            vec!["batch".to_owned()],
            vec!["code of the paying".to_owned()]
        )
    );
    let churn = report.churn.unwrap();
    assert_eq!((churn.decisions, churn.changed, churn.undecidable), (2, 1, 0));
}
