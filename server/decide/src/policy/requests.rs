//! A file of requests, one JSON object a line, that policies are compared and improved with. Written as in `tests:`, read
//! by the same lowering; `route` is the one that its author would want.

use std::str::from_utf8;

use serde_json::Value as Json;

use super::Policy;
use super::fields::Fields;
use super::link::link_routes_named;
use super::lower::asked;
use super::place::{Place, Report};
use super::shape::check::check;
use super::shape::{Kind, REQUEST_LINE};
use super::tree::{Key, Node, Style, Value};
use crate::diagnostic::Diagnostic;
use crate::query::Query;

/// One line of a file of requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestLine {
    /// 1-based line in the file.
    pub line: u32,
    /// The conversation as (role, text); roles are `system`, `user`, `assistant`, `tool`.
    pub messages: Vec<(String, String)>,
    /// The request's facts.
    pub query: Query,
    /// Name of the route that is wanted, `other` for none.
    pub route: Option<String>,
}

/// Reads JSON Lines; empty lines count and say nothing. With a policy, wanted routes must be its routes or `other`.
///
/// # Errors
/// Every problem of every line; the columns of what is JSON but no request are 1. A file without requests is one.
pub fn load_requests(bytes: &[u8], policy: Option<&Policy>) -> Result<Vec<RequestLine>, Vec<Diagnostic>> {
    let mut report = Report::without_values();
    let (mut requests, mut wanted) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let Some(node) = parse(line, number, &mut report) else {
            continue;
        };
        check(&node, &Kind::Object(&REQUEST_LINE), "", &mut report);
        let fields = Fields::new(&node, &REQUEST_LINE, "");
        let (messages, query) = asked(&fields, &mut report);
        let route = fields.spanned("route");
        wanted.extend(route.clone().filter(|route| route.value != "other"));
        requests.push(RequestLine {
            line: number,
            messages,
            query,
            route: route.map(|route| route.value),
        });
    }
    if requests.is_empty() && !report.has_errors() {
        let message = "there is no request in this file".into();
        let hint = "write one a line, such as {\"prompt\": \"…\"}";
        report.error("missing-key", &Place::default(), message, hint);
    }
    if let Some(policy) = policy {
        link_routes_named(&policy.names(), &wanted, &mut report);
    }
    if report.has_errors() {
        return Err(report.finish());
    }
    Ok(requests)
}

/// The tree of one line; `None` for a line that is empty or was reported.
fn parse(line: &[u8], number: u32, report: &mut Report) -> Option<Node> {
    let mut wrong = |column: usize, message: String| {
        let at = Place {
            path: String::new(),
            line: number,
            column: u32::try_from(column).unwrap_or(u32::MAX),
        };
        report.error("not-json", &at, message, "each line is one JSON object");
    };
    let text = match from_utf8(line) {
        Ok(text) => text.trim_start_matches('\u{feff}').trim(),
        Err(error) => {
            wrong(error.valid_up_to() + 1, "the line is not UTF-8".into());
            return None;
        }
    };
    if text.is_empty() {
        return None;
    }
    match serde_json::from_str(text) {
        Ok(json) => Some(tree(json, number)),
        Err(error) => {
            let message = error.to_string();
            // Where it is, is said by the place.
            let what = message
                .rsplit_once(" at line ")
                .map_or(message.as_str(), |(what, _)| what);
            wrong(error.column(), format!("not JSON: {what}"));
            None
        }
    }
}

/// JSON as the tree that descriptions are checked against. Its depth is bounded by the parser's 128.
fn tree(json: Json, line: u32) -> Node {
    let plain = |text: String| Value::Scalar { text, plain: true };
    let value = match json {
        Json::Null => plain("null".into()),
        Json::Bool(value) => plain(value.to_string()),
        Json::Number(number) => plain(number.to_string()),
        Json::String(text) => Value::Scalar { text, plain: false },
        Json::Array(items) => Value::Sequence(items.into_iter().map(|item| tree(item, line)).collect()),
        Json::Object(entries) => Value::Mapping(
            entries
                .into_iter()
                .map(|(text, value)| {
                    let key = Key {
                        text,
                        line,
                        column: 1,
                    };
                    (key, tree(value, line))
                })
                .collect(),
        ),
    };
    Node {
        value,
        line,
        column: 1,
        style: Style::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load;

    fn policy() -> Policy {
        let text = "schema: 1\ndefault: a\nmodels: [{id: a}]\nroutes: [{name: greet, description: greetings, models: [a]}]\n";
        load(text.as_bytes()).unwrap().policy
    }

    #[test]
    fn lines_are_read_as_tests_are_whatever_json_escapes() {
        let text = "\u{feff}{\"prompt\": \"hello \\ud83d\\ude00 \\/\", \"route\": \"greet\"}\r\n\n\
            {\"messages\": [{\"role\": \"user\", \"content\": \"1\"}, {\"role\": \"user\", \"content\": \"true\"}], \
             \"request\": {\"tier\": \"pro\", \"input_tokens\": 7e1}, \"route\": \"other\"}";
        let lines = load_requests(text.as_bytes(), Some(&policy())).unwrap();
        assert_eq!((lines[0].line, lines[1].line), (1, 3));
        assert_eq!(lines[0].messages, [("user".into(), "hello 😀 /".into())]);
        assert_eq!(lines[0].route.as_deref(), Some("greet"));
        assert_eq!((lines[1].query.turns, lines[1].query.input_tokens), (2, 70));
        assert_eq!(lines[1].query.caller.tier, "pro");
    }

    #[test]
    fn no_message_quotes_a_prompt() {
        let text = "{\"messages\": \"secret\"}\n\"secret\"\n{\"prompt\": \"x\", \"request\": \"secret\"}\n\
                    {\"prompt\": \"x\", \"request\": {\"input_tokens\": \"secret\", \"tier\": [\"secret\"]}}\nsecret";
        let found = load_requests(text.as_bytes(), None).unwrap_err();
        assert_eq!(found.len(), 6);
        assert!(!format!("{found:?}").contains("secret"), "{found:#?}");
    }

    #[test]
    fn all_bad_lines_are_reported_with_their_numbers() {
        let text = b"{\"prompt\": \"x\"}\n{\"prompt\": 1}\n[\n\"x\"\n{\"prompt\": \"x\", \"route\": \"gret\", \"tier\": \"pro\"}\n\xff\n{}";
        let found = load_requests(text, Some(&policy())).unwrap_err();
        let found: Vec<_> = found.iter().map(|d| (d.line, d.code)).collect();
        assert_eq!(
            found,
            [
                (2, "wrong-type"),
                (3, "not-json"),
                (4, "wrong-type"),
                (5, "unknown-key"),
                (5, "unknown-route"),
                (6, "not-json"),
                (7, "missing-key")
            ]
        );
        // Whoever only compares needs no routes.
        assert!(load_requests(b"{\"prompt\": \"x\", \"route\": \"y\"}", None).is_ok());
        assert!(load_requests(b"\n \n", None).is_err());
    }
}
