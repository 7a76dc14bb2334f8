//! `signalbox policy suggest FILE`: prints what [`crate::suggest`] finds in requests or in an audit log.

mod json;
mod log;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use signalbox_decide::Policy;
use signalbox_decide::policy::RequestLine;

use super::requests::{prompts, requests};
use super::{Format, usable};
use crate::cli::print;
use crate::eval::OTHER;
use crate::store::Compiler;
use crate::suggest::{Label, Seen, Suggestions, suggest};

/// Arguments of `signalbox policy suggest`.
#[derive(Debug, Args)]
pub struct SuggestArgs {
    /// The policy.
    file: PathBuf,
    #[command(flatten)]
    source: Source,
    /// Print the prompts of requests, and the words that descriptions should have; without it requests are named by their
    /// lines.
    #[arg(long, requires = "requests")]
    show_prompts: bool,
    /// Of a log: what this tenant's own policy decided; without it, what everyone's did.
    #[arg(long, value_name = "NAME", default_value = "", requires = "audit")]
    tenant: String,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Where use is learned from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// Requests, one JSON object a line: `prompt` or `messages`, and `request`, as in `tests:`; and `route`, the one that
    /// is wanted, or `other`.
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
    /// An audit log; may be repeated. It has no text: it shows routes that never win, what falls to the default, and near ties.
    #[arg(long, value_name = "LOG")]
    audit: Vec<PathBuf>,
}

/// Decides the requests and prints what they suggest.
pub(super) fn run(args: &SuggestArgs) -> anyhow::Result<ExitCode> {
    let snapshot = usable(&Compiler::new()?, &args.file)?;
    let Some(file) = &args.source.requests else {
        return log::run(&snapshot, &args.source.audit, &args.tenant, args.format);
    };
    let requests = requests(file, Some(&snapshot.policy))?;
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
        name(self.policy, label)
    }

    fn those(&self, wanted: impl Fn(&Seen<'_>) -> bool) -> Vec<&RequestLine> {
        let seen = self.found.seen.iter().filter(|seen| wanted(seen));
        seen.map(|seen| seen.request).collect()
    }

    fn prompts(&self, text: &mut String, requests: &[&RequestLine]) {
        if self.prompts {
            *text += &prompts(requests);
        }
    }
}

fn name(policy: &Policy, label: Label) -> &str {
    label.map_or(OTHER, |route| &policy.routes[route].name)
}

fn names<'p>(policy: &'p Policy, routes: &[usize]) -> Vec<&'p str> {
    routes.iter().map(|route| name(policy, Some(*route))).collect()
}
