//! Suggestions for programs.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use signalbox_decide::Policy;
use signalbox_decide::policy::RequestLine;

use super::super::requests::prompt;
use super::{Shown, name, names};
use crate::suggest::{Change, Kind, Seen, Tie};

impl Shown<'_> {
    pub(super) fn json(&self) -> Value {
        let found = self.found;
        let near = found.seen.iter().filter(|seen| seen.is_near());
        let near: Vec<Value> = near
            .map(|seen| json!({"line": seen.request.line, "route": self.name(seen.got), "margin": seen.margin}))
            .collect();
        let confused = found.confused.iter().map(|(wanted, got, requests)| {
            json!({"wanted": self.name(*wanted), "got": self.name(*got), "lines": numbers(requests)})
        });
        let examples = found.examples.additions.iter().map(|addition| {
            json!({
                "route": self.name(addition.label),
                "lines": numbers(&addition.requests),
                "held_out": held_out(addition.change),
            })
        });
        let mut whole = json!({
            "requests": found.seen.len(),
            "never_win": names(self.policy, &found.never),
            "default": numbers(&self.those(|seen| seen.fell)),
            "near": near,
            "ties": ties(self.policy, &found.ties),
            "labelled": {"n": found.right.all, "right": found.right.right},
            "confused": confused.collect::<Vec<_>>(),
            "examples": examples.collect::<Vec<_>>(),
            "held_out": held_out(found.examples.together),
            "merge": self.merge_values(),
            "split": self.split_values(),
            "clauses": self.clause_values(),
            "clauses_tried": found.clauses.tried,
        });
        if self.prompts {
            whole["prompts"] = self.shown();
        }
        whole
    }

    fn merge_values(&self) -> Vec<Value> {
        let merges = self.found.merges.iter().map(|merge| {
            json!({
                "routes": names(self.policy, &[merge.pair.0, merge.pair.1]),
                "lines": numbers(&merge.mistakes),
                "of": merge.of,
                "same_models": merge.same_models,
                "held_out": held_out(merge.change),
                "elsewhere": {"gained": merge.elsewhere.gained, "lost": merge.elsewhere.lost},
            })
        });
        merges.collect()
    }

    fn split_values(&self) -> Vec<Value> {
        let labelled = self.found.right.all > 0;
        let splits = self.found.splits.iter().map(|split| {
            let groups = split.groups.each_ref();
            json!({
                "route": self.name(Some(split.route)),
                "groups": groups.map(|(n, nearest)| json!({"n": n, "nearest": numbers(nearest)})),
                "silhouette": split.silhouette,
                "told_apart": {"n": split.told.all, "right": split.told.right},
                "held_out": labelled.then(|| held_out(split.change)),
            })
        });
        splits.collect()
    }

    fn clause_values(&self) -> Vec<Value> {
        let clauses = self.found.clauses.found.iter().map(|clause| {
            json!({
                "route": self.name(Some(clause.route)),
                "kind": match clause.kind {
                    Kind::Words => "words",
                    Kind::Request => "request",
                },
                "text": self.prompts.then_some(&clause.text),
                "lines": numbers(&clause.from),
                "held_out": held_out(clause.change),
            })
        });
        clauses.collect()
    }

    /// The prompts of lines that are named, by line.
    fn shown(&self) -> Value {
        let found = self.found;
        let named = |seen: &&Seen<'_>| {
            let wrong = seen.wanted.is_some_and(|wanted| wanted != seen.got);
            seen.fell || seen.is_near() || wrong
        };
        let seen = found.seen.iter().filter(named).map(|seen| seen.request);
        let groups = found.splits.iter().flat_map(|split| &split.groups);
        let nearest = groups.flat_map(|(_, nearest)| nearest.iter().copied());
        let prompts: BTreeMap<String, &str> = seen
            .chain(nearest)
            .map(|request| (request.line.to_string(), prompt(request)))
            .collect();
        json!(prompts)
    }
}

pub(super) fn ties(policy: &Policy, ties: &[Tie]) -> Vec<Value> {
    let ties = ties.iter().map(|tie| {
        let routes = [tie.pair.0, tie.pair.1].map(|route| name(policy, Some(route)));
        json!({"routes": routes, "near": tie.near, "of": tie.of})
    });
    ties.collect()
}

fn numbers(requests: &[&RequestLine]) -> Vec<u32> {
    requests.iter().map(|request| request.line).collect()
}

fn held_out(change: Change) -> Value {
    json!({
        "n": change.before.all,
        "right_before": change.before.right,
        "right_after": change.after.right,
        "gained": change.gained,
        "lost": change.lost,
        "chance": change.chance(),
    })
}
