//! Runs tests of a policy through the real ladder and the real classifier: its own for `ReloadPolicy` with `run_tests`,
//! those of suites too for `signalbox policy test`.

use std::sync::Arc;

use signalbox_decide::policy::{PolicyTest, Want};
use signalbox_decide::{Answer, Decision, Judgement, Policy, Refused, RouteScores};
use signalbox_evidence::DEFAULT_THRESHOLD;

use crate::conversation::{Conversation, Message, Role};
use crate::engine::{Live, Outcomes, Settled, settle};
use crate::store::Snapshot;

/// The results of all tests, in file order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestReport {
    /// One for each test.
    pub results: Vec<TestResult>,
}

/// The result of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The test's name.
    pub name: String,
    /// Its line in the file.
    pub line: u32,
    /// What is not as wanted; empty when it passed.
    pub failures: Vec<String>,
}

impl TestReport {
    /// Tests that failed.
    pub fn failed(&self) -> usize {
        self.results
            .iter()
            .filter(|result| !result.failures.is_empty())
            .count()
    }

    /// Tests that passed.
    pub fn passed(&self) -> usize {
        self.results.len() - self.failed()
    }
}

/// Runs every test of a policy's own.
pub fn run(snapshot: &Snapshot) -> TestReport {
    run_tests(snapshot, &snapshot.policy.tests)
}

/// Runs tests that were linked against the snapshot's policy.
pub fn run_tests(snapshot: &Snapshot, tests: &[PolicyTest]) -> TestReport {
    TestReport {
        results: tests.iter().map(|test| run_one(snapshot, test)).collect(),
    }
}

fn run_one(snapshot: &Snapshot, test: &PolicyTest) -> TestResult {
    let conversation = conversation_of(&test.messages);
    let session = Answer::Got(test.session.clone());
    let llm = test.llm.as_deref().map(|said| judgement(snapshot, said));
    let live = Live {
        outcomes: Outcomes::Stated(&test.health),
        session: Some(&session),
        llm: llm.as_ref(),
        ..Live::default()
    };
    let settled = settle(snapshot, &test.query, &conversation, live);
    let failures = compare(&snapshot.policy, &test.want, &settled);
    TestResult {
        name: test.name.clone(),
        line: test.line,
        failures,
    }
}

/// What a test says that the language model answers.
fn judgement(snapshot: &Snapshot, said: &[(String, f64)]) -> Answer<Arc<Judgement>> {
    let of = |wanted: &str| said.iter().find(|(name, _)| name == wanted).map(|(_, p)| *p);
    let sum: f64 = said
        .iter()
        .filter(|(name, _)| name != "other")
        .map(|(_, p)| p)
        .sum();
    let scored = snapshot.policy.scored().iter();
    #[expect(clippy::cast_possible_truncation, reason = "probabilities")]
    let scores = RouteScores {
        routes: scored
            .map(|route| of(&route.name).unwrap_or(0.0) as f32)
            .collect(),
        other: of("other").unwrap_or(1.0 - sum) as f32,
        default_threshold: DEFAULT_THRESHOLD,
        ..RouteScores::default()
    };
    Answer::Got(Arc::new(Judgement {
        scores: Arc::new(scores),
        measured: true,
        ..Judgement::default()
    }))
}

/// The conversation of (role, text) pairs, as tests and files of requests have them.
pub(crate) fn conversation_of(messages: &[(String, String)]) -> Conversation {
    let message = |(role, content): &(String, String)| {
        let role = match role.as_str() {
            "system" => Role::System,
            "assistant" => Role::Assistant,
            "tool" => Role::Tool,
            _ => Role::User,
        };
        Message {
            role,
            content: content.clone(),
            has_tool_calls: false,
            attachments: Vec::new(),
        }
    };
    Conversation {
        messages: messages.iter().map(message).collect(),
    }
}

/// Every difference between what is wanted and what came out.
fn compare(policy: &Policy, want: &Want, settled: &Settled) -> Vec<String> {
    let mut failures = Vec::new();
    let mut check = |what: &str, wanted: &Option<String>, got: &str| {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != got) {
            failures.push(format!("{what}: wanted `{wanted}`, got `{got}`"));
        }
    };
    match &settled.outcome {
        Ok(decision) => {
            let seen = Seen::new(policy, decision);
            check("error", &want.error, "none");
            check("route", &want.route, seen.route);
            check("model", &want.model, seen.model);
            check("canary", &want.canary, seen.canary);
            check("plan", &want.plan, decision.plan.as_str());
            check(
                "session",
                &want.session,
                decision.session.map_or("new", |stay| stay.code()),
            );
            check(
                "plan_models",
                &joined(&want.plan_models),
                &seen.planned.join(", "),
            );
            check("source", &want.source, decision.source.as_str());
            check("domain", &want.domain, seen.domain);
            check("profile", &want.profile, seen.profile);
            check("rule", &want.rule, seen.rule);
            check("fallbacks", &joined(&want.fallbacks), &seen.fallbacks.join(", "));
            check("degraded", &joined(&want.degraded), &seen.degraded.join(", "));
        }
        Err(refused) => check_refusal(want, refused, &mut check),
    }
    let probes: Vec<&str> = settled.probes.iter().map(|run| run.probe.as_str()).collect();
    check("probes", &joined(&want.probes), &probes.join(", "));
    failures
}

/// A refusal is right only where it was wanted, and by the rule that was.
fn check_refusal(want: &Want, refused: &Refused, check: &mut impl FnMut(&str, &Option<String>, &str)) {
    match &want.error {
        Some(_) => {
            check("error", &want.error, refused.reason());
            let rule = match refused {
                Refused::Denied { rule, .. } => rule,
                _ => "",
            };
            check("rule", &want.rule, rule);
        }
        None => check(
            "decision",
            &Some("a decision".to_owned()),
            &format!("{}: {refused}", refused.reason()),
        ),
    }
}

fn joined(list: &Option<Vec<String>>) -> Option<String> {
    list.as_ref().map(|list| list.join(", "))
}

/// A decision in the names of its policy.
struct Seen<'a> {
    route: &'a str,
    model: &'a str,
    domain: &'a str,
    profile: &'a str,
    canary: &'a str,
    planned: Vec<&'a str>,
    rule: &'a str,
    fallbacks: Vec<&'a str>,
    degraded: Vec<&'a str>,
}

impl<'a> Seen<'a> {
    fn new(policy: &'a Policy, decision: &'a Decision) -> Self {
        let model = |&index: &usize| policy.models[index].id.as_str();
        Seen {
            route: decision.route.map_or("other", |r| &policy.routes[r].name),
            model: model(&decision.model),
            domain: decision.domain.map_or("", |d| &policy.domains[d].name),
            profile: decision.profile.map_or("", |p| &policy.profiles[p].name),
            canary: decision.canary.map_or("none", |c| &policy.canaries[c].name),
            planned: decision.plan.models(decision.model).iter().map(model).collect(),
            rule: decision.rule.map_or("", |r| &policy.rules.all()[r].name),
            fallbacks: decision.fallbacks.iter().map(model).collect(),
            degraded: decision.degraded.iter().map(|lost| lost.code).collect(),
        }
    }
}
