//! `signalbox replay LOG --policy NEW`: what another policy would have made of logged decisions.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::policy::{Format, usable};
use crate::cli::{BadInput, print};
use crate::replay::{Count, Replay, Tally};
use crate::store::Compiler;

/// Unreadable lines that are named.
const NAMED: u64 = 10;

/// Changes that a text names; JSON has them all.
const SHOWN: usize = 30;

/// Arguments of `signalbox replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The audit log: its files, in any order
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// The policy to decide by
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Decide what this tenant's own policy decided; without it, what everyone's did
    #[arg(long, value_name = "NAME", default_value = "")]
    tenant: String,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Replays and prints.
///
/// # Errors
/// When the policy has errors, a log cannot be read or has no line that is one.
pub fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let policy = usable(&Compiler::new()?, &args.policy)?;
    let mut replay = Replay::new(&policy, &args.tenant);
    let mut unreadable = 0;
    for log in &args.logs {
        unreadable += read_log(log, |line| replay.read(line))?;
    }
    let tally = replay.tally;
    if tally.lines() == 0 && unreadable > 0 {
        return Err(BadInput("no line is one of an audit log".to_owned()).into());
    }
    print(&match args.format {
        Format::Text => text(&tally, unreadable),
        Format::Json => format!("{:#}\n", json(&tally, unreadable)),
    })?;
    Ok(if tally.changes.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Reads a file of a log line by line and says how many `take` cannot use, naming the first of them on stderr.
pub(crate) fn read_log(log: &Path, mut take: impl FnMut(&[u8]) -> Result<(), String>) -> anyhow::Result<u64> {
    let unusable = |error| BadInput(format!("{}: {error}", log.display()));
    let mut file = BufReader::new(File::open(log).map_err(unusable)?);
    let (mut line, mut unreadable) = (Vec::new(), 0);
    for number in 1_u64.. {
        line.clear();
        if file.read_until(b'\n', &mut line).map_err(unusable)? == 0 {
            break;
        }
        let Err(why) = take(&line) else { continue };
        unreadable += 1;
        if unreadable <= NAMED {
            let name = log.display();
            writeln!(std::io::stderr(), "{name}:{number}: is left out: {why}").context("stderr")?;
        }
    }
    Ok(unreadable)
}

fn text(tally: &Tally, unreadable: u64) -> String {
    let all = tally.replayed();
    let mut text = format!("{} decisions\n", all.lines);
    let mut row = |name: &str, count: Count| {
        let share = 100.0 * count.decisions / all.decisions.max(f64::MIN_POSITIVE);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<12} {:>9}  {share:>5.1} %", count.lines);
    };
    row("the same", tally.same);
    row("changed", tally.changed);
    row("undecidable", tally.undecidable);
    if all.decisions.round() > all.lines as f64 {
        let _ = writeln!(
            text,
            "The log is a sample: shares are estimates for about {:.0} decisions.",
            all.decisions
        );
    }
    if tally.left_out.lines > 0 {
        let _ = writeln!(
            text,
            "{} lines of other tenants' policies are left out; `--tenant NAME` takes those of one.",
            tally.left_out.lines
        );
    }
    if unreadable > 0 {
        let _ = writeln!(text, "{unreadable} lines cannot be read and are left out.");
    }
    if !tally.missing.is_empty() {
        let missing: Vec<String> = tally
            .missing
            .iter()
            .map(|(probe, count)| format!("{probe} {count}"))
            .collect();
        let _ = writeln!(
            text,
            "What only the text of undecidable ones could say: {}.",
            missing.join(", ")
        );
    }
    let mut changes: Vec<_> = tally.changes.iter().collect();
    changes.sort_by_key(|(_, seen)| Reverse(seen.count.lines));
    for (change, seen) in changes.iter().take(SHOWN) {
        let _ = write!(
            text,
            "\n{:>9}  {}\n           {} -> {}\n           such as {}\n",
            seen.count.lines,
            change.what,
            change.before,
            change.after,
            seen.examples.join(", ")
        );
    }
    if changes.len() > SHOWN {
        let _ = writeln!(text, "\nand {} more kinds of change", changes.len() - SHOWN);
    }
    text
}

fn json(tally: &Tally, unreadable: u64) -> Value {
    let count = |count: &Count| json!({"lines": count.lines, "decisions": count.decisions});
    let changes: Vec<Value> = tally
        .changes
        .iter()
        .map(|(change, seen)| {
            json!({
                "what": change.what,
                "before": change.before,
                "after": change.after,
                "count": count(&seen.count),
                "examples": seen.examples,
            })
        })
        .collect();
    json!({
        "same": count(&tally.same),
        "changed": count(&tally.changed),
        "undecidable": count(&tally.undecidable),
        "left_out": count(&tally.left_out),
        "unreadable": unreadable,
        "missing": tally.missing,
        "changes": changes,
    })
}
