//! What an audit log suggests, printed.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::Format;
use super::{json, names, text};
use crate::cli::replay::read_log;
use crate::cli::{BadInput, print};
use crate::store::Snapshot;
use crate::suggest::{Logged, NEAR};

/// Decision ids that a text names; JSON has them all.
const NAMED: usize = 3;

/// Reads the logs and prints what they suggest.
pub(super) fn run(
    snapshot: &Snapshot,
    logs: &[PathBuf],
    tenant: &str,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let mut logged = Logged::new(snapshot, tenant);
    let mut unreadable = 0;
    for log in logs {
        unreadable += read_log(log, |line| logged.read(line))?;
    }
    if unreadable > 0 && logged.decided() + logged.left_out + logged.undecidable == 0 {
        return Err(BadInput("no line is one of an audit log".to_owned()).into());
    }
    print(&match format {
        Format::Text => for_people(snapshot, &logged, unreadable),
        Format::Json => format!("{:#}\n", for_programs(snapshot, &logged, unreadable)),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn for_people(snapshot: &Snapshot, logged: &Logged<'_>, unreadable: u64) -> String {
    let all = logged.decided();
    // Writing to a String cannot fail, here and below.
    let mut text = format!("{all} decisions\n");
    for (count, what) in [
        (logged.undecidable as u64, "cannot be decided without their text"),
        (
            logged.left_out as u64,
            "lines of other tenants' policies are left out; `--tenant NAME` takes those of one",
        ),
        (unreadable, "lines cannot be read and are left out"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "{count} {what}");
        }
    }
    if all > 0 {
        text += &text::never(&snapshot.policy, &logged.never());
    }
    let near = format!("decisions are less than {NEAR} before the runner-up");
    for (ids, what) in [
        (&logged.fell, "decisions fall to the default"),
        (&logged.near, near.as_str()),
    ] {
        let some: Vec<&str> = ids.iter().take(NAMED).map(String::as_str).collect();
        let such = if some.is_empty() { "" } else { ", such as " };
        let _ = writeln!(text, "{} of {all} {what}{such}{}", ids.len(), some.join(", "));
    }
    text += &text::ties(&snapshot.policy, &logged.ties());
    text += "a log has neither text nor wanted routes: the rest needs a file of requests\n";
    text
}

fn for_programs(snapshot: &Snapshot, logged: &Logged<'_>, unreadable: u64) -> Value {
    json!({
        "decisions": logged.decided(),
        "undecidable": logged.undecidable,
        "left_out": logged.left_out,
        "unreadable": unreadable,
        "never_win": names(&snapshot.policy, &logged.never()),
        "default": logged.fell,
        "near": logged.near,
        "ties": json::ties(&snapshot.policy, &logged.ties()),
    })
}
