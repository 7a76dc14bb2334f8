//! Rules: their conditions are parsed and checked here, with every problem at its own place inside the text.

use super::plan::plan;
use super::{testing, weights};
use crate::policy::draft::{DraftAction, DraftRule, DraftUse};
use crate::policy::fields::{Fields, text};
use crate::policy::place::Report;
use crate::policy::shape;
use crate::query::Requirements;
use crate::rule::{Condition, Set};

/// Most rules of a policy.
const MAX_RULES: usize = 20_000;
/// Most patterns in all rules: each may take 256 KiB.
const MAX_PATTERNS: usize = 200;

/// All rules.
pub(super) fn rules(file: &Fields<'_>, report: &mut Report) -> Vec<DraftRule> {
    let all = file.objects("rules", &shape::RULE);
    if let Some(first) = all.get(MAX_RULES) {
        let message = format!("more than {MAX_RULES} rules");
        report.error(
            "out-of-range",
            &first.at(),
            message,
            "use `in` with a list of values",
        );
        return Vec::new();
    }
    let mut patterns = 0;
    let mut rules = Vec::with_capacity(all.len());
    for fields in &all {
        let rule = DraftRule {
            name: fields.spanned("name").unwrap_or_default(),
            when: condition(fields, report),
            at: fields.place("when"),
            action: action(fields, report),
        };
        let before = patterns;
        patterns += rule.when.as_ref().map_or(0, Condition::patterns);
        if before <= MAX_PATTERNS && patterns > MAX_PATTERNS {
            let message = format!("more than {MAX_PATTERNS} patterns in all rules");
            report.error(
                "condition-limit",
                &rule.at,
                message,
                "use `startsWith`, `contains` or `in`",
            );
        }
        rules.push(rule);
    }
    rules
}

fn condition(fields: &Fields<'_>, report: &mut Report) -> Option<Condition> {
    let node = fields.get("when")?;
    let written = text(node).filter(|text| !text.trim().is_empty())?;
    match Condition::parse(written) {
        Ok(condition) => Some(condition),
        Err(problems) => {
            let path = fields.place("when").path;
            for problem in problems {
                let at = node.place_inside(path.clone(), problem.offset);
                report.error(problem.code, &at, problem.message, problem.hint);
            }
            None
        }
    }
}

fn action(fields: &Fields<'_>, report: &mut Report) -> Option<DraftAction> {
    let deny = fields.text("deny").map(DraftAction::Deny);
    let whom = fields
        .object("use", &shape::USE)
        .and_then(|fields| whom(&fields, report));
    let set = fields
        .object("set", &shape::SET)
        .map(|fields| set(&fields, report))
        .map(DraftAction::Set);
    deny.or(whom).or(set)
}

fn whom(fields: &Fields<'_>, report: &mut Report) -> Option<DraftAction> {
    let plan = plan(fields, "plan", report);
    let models = fields.get("model").map(|_| fields.spanned_list("model"));
    let route = fields.spanned("route").map(DraftUse::Route);
    let profile = fields.spanned("profile").map(DraftUse::Profile);
    let named = [models.map(DraftUse::Models), route, profile];
    let mut named: Vec<DraftUse> = named.into_iter().flatten().collect();
    // A plan that names its models needs nothing else.
    let own = plan
        .as_ref()
        .map(|plan| plan.models.clone())
        .filter(|models| !models.is_empty());
    if let (true, Some(models)) = (named.is_empty(), own) {
        named.push(DraftUse::Models(models));
    }
    if named.len() != 1 {
        let message = format!(
            "exactly one of `model`, `route` and `profile` is needed, not {}",
            named.len()
        );
        let hint = "or a `plan` that names its models";
        let code = if named.is_empty() {
            "missing-key"
        } else {
            "conflict"
        };
        report.error(code, &fields.at(), message, hint);
        return None;
    }
    let whom = named.pop();
    Some(DraftAction::Use(whom?, plan))
}

fn set(fields: &Fields<'_>, report: &mut Report) -> Set {
    let requirements = fields.object("requirements", &shape::REQUIREMENTS);
    let requirements = requirements.map(testing::requirements).unwrap_or_default();
    let weights = fields
        .object("weights", &shape::WEIGHTS)
        .and_then(|fields| weights(&fields, report));
    if requirements == Requirements::default() && fields.get("weights").is_none() {
        let message = "this rule sets nothing".into();
        report.error(
            "empty-set",
            &fields.at(),
            message,
            "give `requirements` or `weights`",
        );
    }
    Set {
        requirements,
        weights,
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::load;

    fn found(rules: &str) -> Vec<String> {
        let text = format!("schema: 1\ndefault: a\nmodels: [{{id: a}}]\nrules:\n{rules}");
        let found = load(text.as_bytes()).expect_err(rules);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn problems_of_a_condition_stand_at_their_own_place_in_any_kind_of_quotes() {
        for when in [
            r#"caller.tier == "" || nobody"#,
            r#"'caller.tier == "" || nobody'"#,
            r"'caller.tier == '''' || nobody'",
            r#""caller.tier == \"\" || nobody""#,
            r#""'ä' == caller.tier || nobody""#,
        ] {
            let first = &found(&format!("- name: r\n  when: {when}\n  deny: no\n"))[0];
            let (before, _) = when.split_once("nobody").unwrap();
            let column = "  when: ".len() + before.chars().count() + 1;
            assert!(first.starts_with(&format!("6:{column}: ")), "{when}: {first}");
        }
    }

    #[test]
    fn problems_in_a_block_stand_on_their_own_line() {
        let first = &found("- name: r\n  when: |\n    caller.tier == \"\"\n    && nobody\n  deny: no\n")[0];
        assert!(first.starts_with("8:8: "), "{first}");
    }

    #[test]
    fn patterns_and_rules_are_limited_in_number() {
        let rule = |n: usize| format!("- {{name: r{n}, when: 'caller.tier.matches(\"a{n}\")', deny: no}}\n");
        let many: String = (0..=super::MAX_PATTERNS).map(rule).collect();
        assert!(found(&many)[0].contains("more than 200 patterns"));
        let rule = |n: usize| format!("- {{name: r{n}, when: \"true\", deny: no}}\n");
        let many: String = (0..=super::MAX_RULES).map(rule).collect();
        assert!(found(&many)[0].contains("more than 20000 rules"));
    }
}
