//! Rules that cannot do what they say, where that can be proved.

use std::collections::BTreeMap;

use crate::policy::draft::{Draft, DraftAction, DraftRule};
use crate::policy::place::Report;

/// Rules with a constant condition, and rules that stand in the shadow of an earlier one.
pub(super) fn rules(draft: &Draft, report: &mut Report) {
    // The first rule with a condition, by what it does; and the first that decides whatever the request.
    let mut seen: BTreeMap<(&'static str, String), &DraftRule> = BTreeMap::new();
    let mut always: Option<&DraftRule> = None;
    for rule in &draft.rules {
        let (Some(when), Some(action)) = (&rule.when, &rule.action) else {
            continue;
        };
        if when.constant() == Some(false) || when.contradicts_itself() {
            let message = format!("the condition of `{}` never holds", rule.name.value);
            report.warning(
                "never-matches",
                &rule.at,
                message,
                "correct it, or remove the rule",
            );
            continue;
        }
        let kind = kind(action);
        if kind == "deny" {
            if when.constant() == Some(true) {
                let message = format!("`{}` denies every request", rule.name.value);
                report.warning("denies-everything", &rule.at, message, "give it a condition");
            }
        } else if let Some(first) = always {
            shadowed(rule, first, report);
            continue;
        }
        match seen.get(&(kind, when.to_string())) {
            Some(first) if kind == "use" => shadowed(rule, first, report),
            Some(first) => {
                let message = format!(
                    "`{}` has the condition of `{}`, on line {}",
                    rule.name.value, first.name.value, first.name.at.line
                );
                report.warning("same-condition", &rule.at, message, "make one rule of the two");
            }
            None => {
                seen.insert((kind, when.to_string()), rule);
            }
        }
        if kind == "use" && when.constant() == Some(true) {
            always = Some(rule);
        }
    }
}

fn shadowed(rule: &DraftRule, first: &DraftRule, report: &mut Report) {
    let (own, first_name, line) = (&rule.name.value, &first.name.value, first.name.at.line);
    let message = format!(
        "`{own}` is only reached when no model of `{first_name}`, on line {line}, may serve the request"
    );
    let hint = "put the more special rule first, or remove one of them";
    report.warning("shadowed-rule", &rule.at, message, hint);
}

fn kind(action: &DraftAction) -> &'static str {
    match action {
        DraftAction::Deny(_) => "deny",
        DraftAction::Set(_) => "set",
        DraftAction::Use(..) => "use",
    }
}
