//! `signalbox policy suggest FILE --requests FILE`: prints what [`crate::suggest`] finds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use signalbox_decide::Policy;
use signalbox_decide::policy::RequestLine;

use super::requests::{lines, prompt, prompts, requests};
use super::{Format, usable};
use crate::cli::print;
use crate::eval::{OTHER, Share};
use crate::store::Compiler;
use crate::suggest::{Label, NEAR, Seen, Suggestions, suggest};

/// Arguments of `signalbox policy suggest`.
#[derive(Debug, Args)]
pub struct SuggestArgs {
    /// The policy.
    file: PathBuf,
    /// Requests, one JSON object a line: `prompt` or `messages`, and `request`, as in `tests:`; and `route`, the one that
    /// is wanted, or `other`.
    #[arg(long, value_name = "FILE")]
    requests: PathBuf,
    /// Print the prompts of requests, too; without it they are named by their lines.
    #[arg(long)]
    show_prompts: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Decides the requests and prints what they suggest.
pub(super) fn run(args: &SuggestArgs) -> anyhow::Result<ExitCode> {
    let snapshot = usable(&Compiler::new()?, &args.file)?;
    let requests = requests(&args.requests, Some(&snapshot.policy))?;
    let shown = Shown {
        policy: &snapshot.policy,
        found: &suggest(&snapshot, &requests),
        prompts: args.show_prompts,
    };
    print(&match args.format {
        Format::Text => shown.text(),
        Format::Json => format!("{:#}\n", shown.json()),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What was found, with what its names need.
struct Shown<'a> {
    policy: &'a Policy,
    found: &'a Suggestions<'a>,
    prompts: bool,
}

impl Shown<'_> {
    fn name(&self, label: Label) -> &str {
        label.map_or(OTHER, |route| &self.policy.routes[route].name)
    }

    fn never(&self) -> Vec<&str> {
        self.found
            .never
            .iter()
            .map(|route| self.name(Some(*route)))
            .collect()
    }

    fn those(&self, wanted: impl Fn(&Seen<'_>) -> bool) -> Vec<&RequestLine> {
        let seen = self.found.seen.iter().filter(|seen| wanted(seen));
        seen.map(|seen| seen.request).collect()
    }

    /// `2 of 9 what: lines 3, 4`, with the prompts where they are wanted.
    fn named(&self, text: &mut String, what: &str, requests: &[&RequestLine]) {
        let all = self.found.seen.len();
        // Writing to a String cannot fail.
        let _ = match requests {
            [] => writeln!(text, "0 of {all} {what}"),
            some => writeln!(text, "{} of {all} {what}: {}", some.len(), lines(some)),
        };
        self.prompts(text, requests);
    }

    fn prompts(&self, text: &mut String, requests: &[&RequestLine]) {
        if self.prompts {
            *text += &prompts(requests);
        }
    }

    fn text(&self) -> String {
        let mut text = match &self.never()[..] {
            [] => "every route wins some request\n".to_owned(),
            never => format!("routes that never win: {}\n", never.join(", ")),
        };
        self.named(
            &mut text,
            "requests fall to the default",
            &self.those(|seen| seen.fell),
        );
        let near = format!("requests are less than {NEAR} before the runner-up");
        self.named(&mut text, &near, &self.those(|seen| seen.is_near()));
        if self.found.right.all == 0 {
            text += "no line has `route`, the wanted one: confusions and examples worth adding need it\n";
            return text;
        }
        let _ = writeln!(text, "right: {}", share(self.found.right));
        for (wanted, got, requests) in &self.found.confused {
            let (wanted, got) = (self.name(*wanted), self.name(*got));
            let _ = writeln!(
                text,
                "  {wanted} is taken for {got}: {} x, {}",
                requests.len(),
                lines(requests)
            );
            self.prompts(&mut text, requests);
        }
        self.additions(&mut text);
        text
    }

    fn additions(&self, text: &mut String) {
        let found = self.found;
        if found.additions.is_empty() {
            *text += "no example is worth adding\n";
            return;
        }
        *text += "examples that may be worth adding, from every second request of a route:\n";
        for addition in &found.additions {
            let (name, requests) = (self.name(addition.label), &addition.requests);
            let _ = writeln!(
                text,
                "  {name}: {}; held out {} -> {}",
                lines(requests),
                count(addition.before),
                count(addition.after)
            );
            self.prompts(text, requests);
        }
        let (before, after) = (found.before, found.after);
        let verdict = match (before.all, after.right.cmp(&before.right)) {
            (0, _) => "nothing is held out to measure on: give more requests",
            (_, std::cmp::Ordering::Greater) => "they help",
            (_, std::cmp::Ordering::Equal) => "they change nothing that these requests show",
            (_, std::cmp::Ordering::Less) => "they do harm: look at them before you add any",
        };
        let _ = writeln!(
            text,
            "all of them together, on the other half: {} -> {}: {verdict}",
            share(before),
            share(after)
        );
    }

    fn json(&self) -> Value {
        let found = self.found;
        let numbers =
            |requests: &[&RequestLine]| requests.iter().map(|request| request.line).collect::<Vec<_>>();
        let near = found.seen.iter().filter(|seen| seen.is_near());
        let near: Vec<Value> = near
            .map(|seen| json!({"line": seen.request.line, "route": self.name(seen.got), "margin": seen.margin}))
            .collect();
        let confused = found.confused.iter().map(|(wanted, got, requests)| {
            json!({"wanted": self.name(*wanted), "got": self.name(*got), "lines": numbers(requests)})
        });
        let additions = found.additions.iter().map(|addition| {
            json!({
                "route": self.name(addition.label),
                "lines": numbers(&addition.requests),
                "held_out": held_out(addition.before, addition.after),
            })
        });
        let mut whole = json!({
            "requests": found.seen.len(),
            "never_win": self.never(),
            "default": numbers(&self.those(|seen| seen.fell)),
            "near": near,
            "labelled": {"n": found.right.all, "right": found.right.right},
            "confused": confused.collect::<Vec<_>>(),
            "examples": additions.collect::<Vec<_>>(),
            "held_out": held_out(found.before, found.after),
        });
        if self.prompts {
            let named = |seen: &&Seen<'_>| {
                let wrong = seen.wanted.is_some_and(|wanted| wanted != seen.got);
                seen.fell || seen.is_near() || wrong
            };
            let seen = found.seen.iter().filter(named).map(|seen| seen.request);
            let prompts: BTreeMap<String, &str> = seen.map(|r| (r.line.to_string(), prompt(r))).collect();
            whole["prompts"] = json!(prompts);
        }
        whole
    }
}

fn held_out(before: Share, after: Share) -> Value {
    json!({"n": before.all, "right_before": before.right, "right_after": after.right})
}

fn count(share: Share) -> String {
    format!("{} of {}", share.right, share.all)
}

fn share(share: Share) -> String {
    match share.value() {
        Some(value) => format!("{} ({:.1} %)", count(share), value * 100.0),
        None => count(share),
    }
}
