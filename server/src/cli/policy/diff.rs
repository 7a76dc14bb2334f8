//! `signalbox policy diff OLD NEW`: what two policies name differently, and which of an author's requests they decide
//! differently, and why.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use signalbox_decide::policy::RequestLine;
use signalbox_decide::policy::diff::{Changes, PolicyDiff, diff};
use signalbox_decide::{Plan, Policy, Refused};

use super::requests::{decide, lines, prompt, prompts, requests};
use super::{Format, usable};
use crate::cli::print;
use crate::engine::Settled;
use crate::store::{Compiler, Snapshot};

/// Arguments of `signalbox policy diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The policy before.
    old: std::path::PathBuf,
    /// The policy after.
    new: std::path::PathBuf,
    /// Requests to decide by both, one JSON object a line: `prompt` or `messages`, and `request`, as in `tests:`.
    #[arg(long, value_name = "FILE")]
    requests: Option<std::path::PathBuf>,
    /// Print the prompts of requests, too; without it they are named by their lines.
    #[arg(long, requires = "requests")]
    show_prompts: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Compares and prints.
pub(super) fn run(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let compiler = Compiler::new()?;
    let (old, new) = (usable(&compiler, &args.old)?, usable(&compiler, &args.new)?);
    let named = diff(&old.policy, &new.policy);
    let Some(file) = &args.requests else {
        print(&match args.format {
            Format::Text => names(&named),
            Format::Json => format!("{:#}\n", json!({"policy": names_json(&named)})),
        })?;
        return Ok(ExitCode::SUCCESS);
    };
    let requests = requests(Path::new(file), None)?;
    let groups = compare(&old, &new, &requests);
    print(&match args.format {
        Format::Text => names(&named) + "\n" + &text(&groups, requests.len(), args.show_prompts),
        Format::Json => {
            let groups_json: Vec<Value> = groups.iter().map(|g| g.json(args.show_prompts)).collect();
            let whole = json!({
                "policy": names_json(&named),
                "requests": requests.len(),
                "changed": changed(&groups),
                "groups": groups_json,
            });
            format!("{whole:#}\n")
        }
    })?;
    Ok(if groups.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What became of a request, by name. Ordered, so that groups are in the same order every time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Outcome {
    model: Option<String>,
    route: Option<String>,
    rule: Option<String>,
    /// The kind and the models of a plan for more than one.
    plan: Option<String>,
    /// The reason of an error.
    refused: Option<&'static str>,
    /// Who decided. A change of it alone is none: the caller gets the same.
    source: Option<&'static str>,
}

impl Outcome {
    /// The outcome, and why in a sentence.
    fn of(policy: &Policy, settled: &Settled) -> (Self, String) {
        let id = |model: usize| policy.models[model].id.clone();
        match &settled.outcome {
            Ok(decision) => {
                let planned = decision.plan.models(decision.model).into_iter().map(id);
                let planned = planned.collect::<Vec<_>>().join(", ");
                let outcome = Outcome {
                    model: Some(id(decision.model)),
                    route: decision.route.map(|route| policy.routes[route].name.clone()),
                    rule: decision.rule.map(|rule| policy.rules.all()[rule].name.clone()),
                    plan: (decision.plan != Plan::Single)
                        .then(|| format!("{} of {planned}", decision.plan.as_str())),
                    refused: None,
                    source: Some(decision.source.as_str()),
                };
                (outcome, decision.reason.clone())
            }
            Err(refused) => {
                let rule = match refused {
                    Refused::Denied { rule, .. } => Some(rule.clone()),
                    _ => None,
                };
                let outcome = Outcome {
                    model: None,
                    route: None,
                    rule,
                    plan: None,
                    refused: Some(refused.reason()),
                    source: None,
                };
                (outcome, refused.to_string())
            }
        }
    }

    fn fields(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("model", self.model.as_deref()),
            ("route", self.route.as_deref()),
            ("rule", self.rule.as_deref()),
            ("plan", self.plan.as_deref()),
            ("refused", self.refused),
        ]
    }

    fn json(&self, reason: &str) -> Value {
        let mut whole = json!({"source": self.source, "reason": reason});
        for (name, value) in self.fields() {
            whole[name] = json!(value);
        }
        whole
    }
}

/// Requests whose outcome changes in the same way.
struct Group<'a> {
    before: Outcome,
    after: Outcome,
    /// The reasons of the first request; those of the others differ only in figures.
    reasons: [String; 2],
    requests: Vec<&'a RequestLine>,
}

/// Decides every request by both policies; the largest group comes first.
fn compare<'a>(old: &Snapshot, new: &Snapshot, requests: &'a [RequestLine]) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<(Outcome, Outcome), Group<'a>> = BTreeMap::new();
    for request in requests {
        let (before, why) = Outcome::of(&old.policy, &decide(old, request));
        let (after, why_now) = Outcome::of(&new.policy, &decide(new, request));
        if before.fields() == after.fields() {
            continue;
        }
        let key = (before.clone(), after.clone());
        let group = groups.entry(key).or_insert_with(|| Group {
            before,
            after,
            reasons: [why, why_now],
            requests: Vec::new(),
        });
        group.requests.push(request);
    }
    let mut groups: Vec<Group<'a>> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.requests.len()));
    groups
}

fn changed(groups: &[Group<'_>]) -> usize {
    groups.iter().map(|group| group.requests.len()).sum()
}

impl Group<'_> {
    fn text(&self, show_prompts: bool) -> String {
        let pairs = self.before.fields().into_iter().zip(self.after.fields());
        let changes: Vec<String> = pairs
            .filter(|((_, before), (_, after))| before != after)
            .map(|((name, before), (_, after))| {
                format!(
                    "{name} {} -> {}",
                    before.unwrap_or("none"),
                    after.unwrap_or("none")
                )
            })
            .collect();
        let mut text = format!(
            "{} x {} ({})\n    before: {}\n    after:  {}\n",
            self.requests.len(),
            changes.join("; "),
            lines(&self.requests),
            self.reasons[0],
            self.reasons[1]
        );
        if show_prompts {
            text += &prompts(&self.requests);
        }
        text
    }

    fn json(&self, show_prompts: bool) -> Value {
        let lines: Vec<u32> = self.requests.iter().map(|request| request.line).collect();
        let mut group = json!({
            "count": lines.len(),
            "lines": lines,
            "before": self.before.json(&self.reasons[0]),
            "after": self.after.json(&self.reasons[1]),
        });
        if show_prompts {
            group["prompts"] = self.requests.iter().map(|request| prompt(request)).collect();
        }
        group
    }
}

fn text(groups: &[Group<'_>], all: usize, show_prompts: bool) -> String {
    let mut text = format!("{} of {all} decisions change\n", changed(groups));
    for group in groups {
        text += &group.text(show_prompts);
    }
    text
}

/// The names that differ, by kind.
fn kinds(diff: &PolicyDiff) -> [(&'static str, &Changes); 3] {
    [
        ("model", &diff.models),
        ("route", &diff.routes),
        ("rule", &diff.rules),
    ]
}

fn names(diff: &PolicyDiff) -> String {
    let mut text = String::new();
    for (what, changes) in kinds(diff) {
        for (sign, names) in [
            ('+', &changes.added),
            ('-', &changes.removed),
            ('~', &changes.changed),
        ] {
            for name in names {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{sign} {what} {name}");
            }
        }
    }
    if text.is_empty() {
        text += "no difference in models, routes and rules\n";
    }
    text
}

fn names_json(diff: &PolicyDiff) -> Value {
    let mut whole = json!({});
    for (what, changes) in kinds(diff) {
        whole[format!("{what}s")] = json!({
            "added": changes.added,
            "removed": changes.removed,
            "changed": changes.changed,
        });
    }
    whole
}
