//! The rules of an explanation, a line each: whether it matched, else the term that failed and what it read.

use std::fmt::{self, Write};

use crate::explanation::RuleSeen;
use crate::policy::Policy;

/// Rules shown that did not match; those that matched are all shown.
const SHOWN: usize = 12;
/// Most characters of a rule; the terminal's width is kept afterwards, for all lines.
const LONGEST: usize = 240;

pub(super) fn write(policy: &Policy, rules: &[RuleSeen], out: &mut String) -> fmt::Result {
    if rules.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nrules")?;
    let (mut left, mut unshown) = (SHOWN, 0);
    for seen in rules {
        let rule = &policy.rules.all()[seen.rule];
        let (mark, what) = match &seen.failing {
            None => ('+', "matched".to_owned()),
            Some(_) if left == 0 => {
                unshown += 1;
                continue;
            }
            Some(failing) => {
                left -= 1;
                ('-', format!("{}: {}", failing.term, failing.actual))
            }
        };
        let action = rule.action.as_str();
        line(out, &format!("  {mark} {:<24} {action:<4} {what}", rule.name))?;
        if let Some(why) = seen.failing.as_ref().and_then(|failing| failing.failure.as_ref()) {
            line(out, &format!("      {why}"))?;
        }
    }
    match unshown {
        0 => Ok(()),
        more => writeln!(out, "  … and {more} more that did not match"),
    }
}

/// A line, cut where a condition goes on for ever.
fn line(out: &mut String, text: &str) -> fmt::Result {
    match text.char_indices().nth(LONGEST) {
        None => writeln!(out, "{text}"),
        Some((end, _)) => writeln!(out, "{}…", &text[..end]),
    }
}
