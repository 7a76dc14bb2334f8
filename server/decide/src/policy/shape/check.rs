//! Compares a tree with its description and reports every difference, each with its place and what to do.

use super::{Kind, Object, Text};
use crate::policy::hints::{did_you_mean, quoted};
use crate::policy::place::{Place, Report, child, item};
use crate::policy::scalar::{self, Core};
use crate::policy::tree::{Key, Node, Value};

/// Reports whatever in `node` is not as `kind` says.
pub(in crate::policy) fn check(node: &Node, kind: &Kind, path: &str, report: &mut Report) {
    match kind {
        Kind::Text(rule) => text(node, *rule, path, report),
        Kind::Integer { .. } | Kind::Number { .. } => number(node, kind, path, report),
        Kind::Bool => {
            if !matches!(node.core(), Some(Core::Bool(_))) {
                wrong(node, kind, path, report);
            }
        }
        Kind::Null => {
            if node.core() != Some(Core::Null) {
                wrong(node, kind, path, report);
            }
        }
        Kind::Words(_) => word(node, kind, path, report),
        Kind::List { of, min } => list(node, kind, of, *min, path, report),
        Kind::Map(of) => match &node.value {
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    check(value, of, &child(path, &key.text), report);
                }
            }
            _ => wrong(node, kind, path, report),
        },
        Kind::Object(object) => match &node.value {
            Value::Mapping(entries) => keys(node, entries, object, path, report),
            _ => wrong(node, kind, path, report),
        },
        Kind::Either(kinds) => either(node, kind, kinds, path, report),
    }
}

fn keys(node: &Node, entries: &[(Key, Node)], object: &Object, path: &str, report: &mut Report) {
    for (key, value) in entries {
        let path = child(path, &key.text);
        match object.field(&key.text) {
            Some(field) => check(value, &field.kind, &path, report),
            None if object.open => report.ignored(object.name, &key.text, &key.place(path)),
            None => {
                let known = object.fields.iter().map(|field| field.name);
                let hint = did_you_mean(&key.text, known.clone(), || {
                    format!("known are {}", quoted(&known.collect::<Vec<_>>(), "and"))
                });
                report.error(
                    "unknown-key",
                    &key.place(path),
                    format!("there is no key `{}` here", key.text),
                    hint,
                );
            }
        }
    }
    for field in object
        .fields
        .iter()
        .filter(|field| field.required && node.get(field.name).is_none())
    {
        let message = format!("the key `{}` is missing", field.name);
        report.error(
            "missing-key",
            &node.place(path),
            message,
            format!("`{}`: {}", field.name, field.doc),
        );
    }
    if !object.one_of.is_empty() {
        let there = object
            .one_of
            .iter()
            .filter(|name| node.get(name).is_some())
            .count();
        if there != 1 {
            let code = if there == 0 { "missing-key" } else { "conflict" };
            let message = format!(
                "exactly one of {} is needed, not {there}",
                quoted(object.one_of, "and")
            );
            report.error(code, &node.place(path), message, "");
        }
    }
}

fn list(node: &Node, kind: &Kind, of: &Kind, min: usize, path: &str, report: &mut Report) {
    let Value::Sequence(items) = &node.value else {
        return wrong(node, kind, path, report);
    };
    if items.len() < min {
        report.error(
            "out-of-range",
            &node.place(path),
            "the list is empty".into(),
            "name at least one, or remove the key",
        );
    }
    for (index, node) in items.iter().enumerate() {
        check(node, of, &item(path, index), report);
    }
}

fn either(node: &Node, whole: &Kind, kinds: &[Kind], path: &str, report: &mut Report) {
    let fits = |kind: &&Kind| match (&node.value, kind) {
        (Value::Scalar { .. }, Kind::Text(_) | Kind::Words(_)) => matches!(node.core(), Some(Core::Text(_))),
        (Value::Scalar { .. }, Kind::Null) => node.core() == Some(Core::Null),
        (Value::Sequence(_), Kind::List { .. }) | (Value::Mapping(_), Kind::Object(_)) => true,
        _ => false,
    };
    // Among objects, the one that knows most of the keys is the one that was meant; the first one of equals.
    let known = |kind: &&Kind| match kind {
        Kind::Object(object) => node
            .entries()
            .iter()
            .filter(|(key, _)| object.field(&key.text).is_some())
            .count(),
        _ => 0,
    };
    match kinds.iter().filter(fits).rev().max_by_key(known) {
        Some(kind) => {
            if let (Kind::Words(_), false) = (kind, kinds.len() == 1) {
                return word(node, whole, path, report);
            }
            check(node, kind, path, report);
        }
        None => wrong(node, whole, path, report),
    }
}

fn word(node: &Node, kind: &Kind, path: &str, report: &mut Report) {
    let words: Vec<_> = match kind {
        Kind::Words(words) => words.iter().collect(),
        Kind::Either(kinds) => kinds
            .iter()
            .flat_map(|k| if let Kind::Words(words) = k { *words } else { &[] })
            .collect(),
        _ => Vec::new(),
    };
    let Some(Core::Text(text)) = node.core() else {
        return wrong(node, kind, path, report);
    };
    if words.iter().all(|word| word.word != text) {
        let hint = did_you_mean(text, words.iter().map(|word| word.word), String::new);
        let message = format!("expected {}, found `{}`", expected(kind), short(text));
        report.error("unknown-word", &node.place(path), message, hint);
    }
}

fn text(node: &Node, rule: Text, path: &str, report: &mut Report) {
    let Some(Core::Text(text)) = node.core() else {
        return wrong(node, &Kind::Text(rule), path, report);
    };
    let at = node.place(path);
    if rule != Text::Any && text.trim().is_empty() {
        return report.error(
            "out-of-range",
            &at,
            "the text is empty".into(),
            "write something, or remove the key",
        );
    }
    limits(text, rule, &at, report);
}

/// Reports a text that is too long or not printable where `rule` wants that.
pub(in crate::policy) fn limits(text: &str, rule: Text, at: &Place, report: &mut Report) {
    let Some(most) = rule.most() else { return };
    let length = text.chars().count();
    if length > most {
        let message = format!("{length} characters are too many, the most is {most}");
        report.error("out-of-range", at, message, "");
    }
    if text.chars().any(char::is_control) {
        let message = "a name cannot contain control characters such as line breaks".into();
        report.error("out-of-range", at, message, "");
    }
}

fn number(node: &Node, kind: &Kind, path: &str, report: &mut Report) {
    let value = match node.core() {
        #[expect(
            clippy::cast_precision_loss,
            reason = "only compared with bounds that are exact"
        )]
        Some(Core::Int(number)) => number as f64,
        Some(Core::Float(number)) => number,
        _ => return wrong(node, kind, path, report),
    };
    let fits = match *kind {
        #[expect(clippy::cast_precision_loss, reason = "bounds stay below 2^53")]
        Kind::Integer { min, max } => {
            if value.is_finite() && value.fract() != 0.0 {
                return wrong(node, kind, path, report);
            }
            value >= min as f64 && value <= max as f64
        }
        Kind::Number { min, max, above } => (value > min || (!above && value == min)) && value <= max,
        _ => true,
    };
    if !fits {
        let written = written(node);
        report.error(
            "out-of-range",
            &node.place(path),
            format!("expected {}, found {written}", expected(kind)),
            "",
        );
    }
}

fn wrong(node: &Node, kind: &Kind, path: &str, report: &mut Report) {
    let found = match (&node.value, node.core()) {
        (Value::Sequence(_), _) => "a list".into(),
        (Value::Mapping(_), _) => "a mapping".into(),
        (_, Some(Core::Null)) => "nothing".into(),
        (_, Some(Core::Text(_))) if !report.quotes_values() => "a text".into(),
        (_, Some(Core::Text(text))) => format!("the text `{}`", short(text)),
        (_, Some(Core::Bool(_))) => format!("the truth value {}", written(node)),
        _ => format!("the number {}", written(node)),
    };
    let hint = match (kind, node.core()) {
        (_, Some(Core::Null)) => "give it a value, or remove the key".into(),
        (Kind::Text(_), Some(Core::Bool(_) | Core::Int(_) | Core::Float(_))) => {
            format!("put it in quotes: \"{}\"", written(node))
        }
        (_, Some(Core::Text(_))) if !report.quotes_values() => String::new(),
        (Kind::Integer { .. } | Kind::Number { .. }, Some(Core::Text(text))) => number_in(text),
        (Kind::List { .. }, Some(Core::Text(text))) => format!("write a list: [{}]", short(text)),
        _ => String::new(),
    };
    report.error(
        "wrong-type",
        &node.place(path),
        format!("expected {}, found {found}", expected(kind)),
        hint,
    );
}

/// A kind in words.
fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Text(_) => "text".into(),
        Kind::Integer { min, max } if min == max => format!("the number {min}"),
        Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
        Kind::Number {
            min,
            max,
            above: true,
        } => format!("a number above {min}, up to {max}"),
        Kind::Number {
            min,
            max,
            above: false,
        } => format!("a number from {min} to {max}"),
        Kind::Bool => "true or false".into(),
        Kind::Null => "null".into(),
        Kind::Words(words) => quoted(&words.iter().map(|word| word.word).collect::<Vec<_>>(), "or"),
        Kind::List { .. } => "a list".into(),
        Kind::Map(_) => "a mapping".into(),
        Kind::Object(object) => {
            let keys: Vec<_> = object.fields.iter().map(|field| field.name).collect();
            if keys.len() > 4 {
                "a mapping".into()
            } else {
                format!("a mapping with {}", keys.join(", "))
            }
        }
        Kind::Either(kinds) => kinds.iter().map(expected).collect::<Vec<_>>().join(", or "),
    }
}

/// What to write where text looks like a number to people: `"0.9"` or `200_000`.
fn number_in(text: &str) -> String {
    let bare = text.replace(['_', ',', ' '], "");
    match scalar::resolve(&bare) {
        Core::Int(_) | Core::Float(_) => format!("write {bare}, without quotes or separators"),
        _ => String::new(),
    }
}

/// A scalar as it was written.
fn written(node: &Node) -> &str {
    match &node.value {
        Value::Scalar { text, .. } => short(text),
        _ => "",
    }
}

/// The beginning of a text, so that a message stays a line.
fn short(text: &str) -> &str {
    text.char_indices().nth(60).map_or(text, |(end, _)| &text[..end])
}
