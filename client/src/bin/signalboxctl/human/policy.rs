//! Policies for people: what is in force, and what a reload found. Diagnostics look like a compiler's, so that
//! editors can jump to them.

use signalbox_client::v1;

use super::{line, short};

/// What a reload did. `file` is the policy as the user named it.
pub(crate) fn reload(answer: &v1::ReloadPolicyResponse, file: Option<&str>, dry_run: bool) -> String {
    let source = answer
        .current
        .as_ref()
        .map(|info| info.source.as_str())
        .filter(|source| !source.is_empty());
    let name = file.or(source).unwrap_or("policy");
    let mut out = String::new();
    for found in &answer.diagnostics {
        diagnostic(&mut out, name, found);
    }
    out.push_str(match (answer.applied, dry_run) {
        (true, _) => "applied\n",
        (false, true) => "checked, not applied (dry run)\n",
        (false, false) => "not applied\n",
    });
    for (what, info) in [("previous", &answer.previous), ("current", &answer.current)] {
        if let Some(info) = info {
            let text = format!(
                "version {}, {}, {}",
                info.version,
                short(&info.checksum),
                info.source
            );
            line(&mut out, what, &text);
        }
    }
    let diff = answer.diff.clone().unwrap_or_default();
    for (what, names) in [
        ("routes", diff.routes),
        ("models", diff.models),
        ("rules", diff.rules),
    ] {
        line(&mut out, what, &changes(&names.unwrap_or_default()));
    }
    if let Some(churn) = answer.churn.filter(|churn| churn.decisions > 0) {
        let text = format!(
            "{} of {} recent decisions change, {} cannot be told",
            churn.changed, churn.decisions, churn.undecidable
        );
        line(&mut out, "churn", &text);
    }
    if let Some(tests) = &answer.tests {
        line(
            &mut out,
            "tests",
            &format!("{} passed, {} failed", tests.passed, tests.failed),
        );
    }
    out
}

/// The policy in force.
pub(crate) fn policy(answer: &v1::GetPolicyResponse) -> String {
    let mut out = format!("version {}, {}\n", answer.version, answer.checksum);
    line(&mut out, "tenant", &answer.tenant);
    line(&mut out, "source", &answer.source);
    line(
        &mut out,
        "loaded",
        &answer.load_time.map(|time| time.to_string()).unwrap_or_default(),
    );
    for model in &answer.models {
        line(&mut out, "model", &model_line(model));
    }
    for route in &answer.routes {
        line(
            &mut out,
            "route",
            &format!("{} -> {}", route.name, route.model_ids.join(", ")),
        );
    }
    for alias in &answer.aliases {
        line(
            &mut out,
            "alias",
            &format!("{} -> {}", alias.name, alias.model_ids.join(", ")),
        );
    }
    if let Some(error) = &answer.last_error {
        let time = error.time.map(|time| format!(" at {time}")).unwrap_or_default();
        line(
            &mut out,
            "last error",
            &format!("{} was refused{time}", short(&error.checksum)),
        );
        for found in &error.diagnostics {
            diagnostic(&mut out, &answer.source, found);
        }
    }
    out
}

fn diagnostic(out: &mut String, file: &str, found: &v1::Diagnostic) {
    let severity = match found.severity() {
        v1::Severity::Error => "error",
        v1::Severity::Warning => "warning",
        v1::Severity::Info | v1::Severity::Unspecified => "info",
    };
    let place = match (found.line, found.column) {
        (0, _) => file.to_owned(),
        (line, 0) => format!("{file}:{line}"),
        (line, column) => format!("{file}:{line}:{column}"),
    };
    let path = match found.path.as_str() {
        // Many messages begin with their path already.
        path if path.is_empty() || found.message.starts_with(path) => String::new(),
        path => format!("{path}: "),
    };
    let code = if found.code.is_empty() {
        String::new()
    } else {
        format!(" [{}]", found.code)
    };
    out.push_str(&format!("{place}: {severity}: {path}{}{code}\n", found.message));
    if !found.hint.is_empty() {
        out.push_str(&format!("  hint: {}\n", found.hint));
    }
}

fn changes(names: &v1::NameDiff) -> String {
    let signed = |sign: char, names: &[String]| -> Vec<String> {
        names.iter().map(|name| format!("{sign}{name}")).collect()
    };
    [
        signed('+', &names.added),
        signed('-', &names.removed),
        signed('~', &names.changed),
    ]
    .concat()
    .join(", ")
}

fn model_line(model: &v1::PolicyModel) -> String {
    let mut parts = vec![model.id.clone()];
    if let Some(window) = model.context_window {
        parts.push(format!("{window} tokens"));
    }
    if let Some((input, output)) = model
        .price
        .as_ref()
        .and_then(|price| Some((price.input?, price.output?)))
    {
        parts.push(format!("{input}/{output} USD per million"));
    }
    if let Some(quality) = model.quality {
        parts.push(format!("quality {quality}"));
    }
    for (what, names) in [("tiers", &model.tiers), ("regions", &model.regions)] {
        if !names.is_empty() {
            parts.push(format!("{what} {}", names.join(" ")));
        }
    }
    parts.join(", ")
}
