//! From bytes to a tree: the event stream of the YAML parser, folded with an explicit stack.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::{Key, MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_TEXT, Node, Style, Value};
use crate::diagnostic::{Diagnostic, Severity};

/// See [`super::parse`].
pub(super) fn document(bytes: &[u8]) -> Result<Node, Diagnostic> {
    if bytes.len() > MAX_BYTES {
        let message = format!(
            "the file has {} bytes, more than the {MAX_BYTES} allowed",
            bytes.len()
        );
        return Err(problem(
            "too-large",
            (0, 0),
            message,
            "split the policy or shorten its examples",
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let place = end_of(&String::from_utf8_lossy(&bytes[..error.valid_up_to()]));
        problem(
            "not-utf8",
            place,
            "this byte is not UTF-8".into(),
            "save the file as UTF-8",
        )
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| syntax(text, &error))?;
        builder.event(event, place_of(&span.start))?;
    }
    match builder.root {
        Some(Node {
            value: Value::Scalar { text, plain: true },
            ..
        }) if text.is_empty() => Err(empty()),
        Some(root) => Ok(root),
        None => Err(empty()),
    }
}

/// Folds events into a tree.
#[derive(Default)]
struct Builder {
    /// The containers that are still open, outermost first.
    open: Vec<Open>,
    /// Finished nodes that an alias may repeat, by the parser's anchor number.
    anchors: BTreeMap<usize, Node>,
    documents: usize,
    nodes: usize,
    text: usize,
    root: Option<Node>,
}

/// A container being filled. `key` is the mapping key that waits for its value.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, at: (u32, u32)) -> Result<(), Diagnostic> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "a second document begins here".into();
                    return Err(problem(
                        "several-documents",
                        at,
                        message,
                        "keep one policy per file",
                    ));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = match core_tag(tag.as_deref(), at)? {
                    Some("str") => false,
                    Some(_) => true,
                    None => style == ScalarStyle::Plain,
                };
                let value = Value::Scalar {
                    text: text.into_owned(),
                    plain,
                };
                let node = Node {
                    style: style_of(style),
                    ..node(value, at)
                };
                self.finished(node, anchor)?;
            }
            Event::SequenceStart(anchor, tag) => {
                core_tag(tag.as_deref(), at)?;
                self.begin(node(Value::Sequence(Vec::new()), at), anchor)?;
            }
            Event::MappingStart(anchor, tag) => {
                core_tag(tag.as_deref(), at)?;
                self.begin(node(Value::Mapping(Vec::new()), at), anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    self.attach(open.node, open.anchor)?;
                }
            }
            Event::Alias(anchor) => self.alias(anchor, at)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn begin(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        let at = (node.line, node.column);
        if self.open.len() >= MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(problem(
                "too-deep",
                at,
                message,
                "a policy needs eight levels at most",
            ));
        }
        if self
            .open
            .last()
            .is_some_and(|o| o.key.is_none() && matches!(o.node.value, Value::Mapping(_)))
        {
            return Err(complex_key(at));
        }
        self.count(1, 0, at)?;
        self.open.push(Open {
            node,
            anchor,
            key: None,
        });
        Ok(())
    }

    /// A scalar or an alias's copy is complete at once.
    fn finished(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        let (nodes, text) = weight(&node);
        self.count(nodes, text, (node.line, node.column))?;
        self.attach(node, anchor)
    }

    fn alias(&mut self, anchor: usize, at: (u32, u32)) -> Result<(), Diagnostic> {
        let Some(original) = self.anchors.get(&anchor) else {
            let message = "this alias stands inside the value that it repeats".into();
            return Err(problem("alias", at, message, "write the value out"));
        };
        let (nodes, text) = weight(original);
        self.count(nodes, text, at)?;
        let copy = Node {
            line: at.0,
            column: at.1,
            ..self.anchors[&anchor].clone()
        };
        self.attach(copy, 0)
    }

    /// Puts a complete node where it belongs. An anchored one is copied aside, which counts as much as the original.
    fn attach(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        let at = (node.line, node.column);
        if anchor > 0 {
            let (nodes, text) = weight(&node);
            self.count(nodes, text, at)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut parent.node.value {
            Value::Sequence(items) => items.push(node),
            Value::Mapping(entries) => match parent.key.take() {
                Some(key) => entries.push((key, node)),
                None => match node.value {
                    Value::Scalar { text, .. } => {
                        parent.key = Some(Key {
                            text,
                            line: at.0,
                            column: at.1,
                        })
                    }
                    _ => return Err(complex_key(at)),
                },
            },
            Value::Scalar { .. } => {}
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, text: usize, at: (u32, u32)) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        self.text += text;
        if self.nodes <= MAX_NODES && self.text <= MAX_TEXT {
            return Ok(());
        }
        let message =
            format!("more than {MAX_NODES} values or {MAX_TEXT} bytes of text, aliases written out");
        Err(problem(
            "too-large",
            at,
            message,
            "split the policy or use fewer aliases",
        ))
    }
}

/// How many values and bytes of text a subtree holds. Depth is limited, so this may recurse.
fn weight(node: &Node) -> (usize, usize) {
    let sum = |(nodes, text): (usize, usize), (n, t): (usize, usize)| (nodes + n, text + t);
    match &node.value {
        Value::Scalar { text, .. } => (1, text.len()),
        Value::Sequence(items) => items.iter().map(weight).fold((1, 0), sum),
        Value::Mapping(entries) => entries
            .iter()
            .map(|(key, node)| sum((1, key.text.len()), weight(node)))
            .fold((1, 0), sum),
    }
}

/// The suffix of a core tag such as `!!str`; any other tag is refused.
fn core_tag(tag: Option<&Tag>, at: (u32, u32)) -> Result<Option<&str>, Diagnostic> {
    match tag {
        None => Ok(None),
        Some(tag) if tag.is_yaml_core_schema() => Ok(Some(&tag.suffix)),
        Some(tag) => {
            let message = format!("the tag `{tag}` is not understood");
            Err(problem("tag", at, message, "remove the tag"))
        }
    }
}

fn node(value: Value, (line, column): (u32, u32)) -> Node {
    Node {
        value,
        line,
        column,
        style: Style::Plain,
    }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    }
}

fn empty() -> Diagnostic {
    problem(
        "empty",
        (1, 1),
        "the policy is empty".into(),
        "start from `schema: 1`, `default` and `models`",
    )
}

fn complex_key(at: (u32, u32)) -> Diagnostic {
    problem(
        "syntax",
        at,
        "a key must be plain text".into(),
        "a list or mapping cannot be a key",
    )
}

fn syntax(text: &str, error: &ScanError) -> Diagnostic {
    // The parser ends a last line that has no end, and may then point behind it.
    let at = place_of(error.marker()).min(end_of(text));
    // It has a limit of its own for brackets, which it reaches while looking ahead.
    let code = if error.info().contains("recursion limit") {
        "too-deep"
    } else {
        "syntax"
    };
    let line = text
        .lines()
        .nth(at.0.saturating_sub(1) as usize)
        .unwrap_or_default();
    let indent = &line[..line.len() - line.trim_start().len()];
    let hint = if indent.contains('\t') || error.info().contains("tab") {
        "indent with spaces: YAML does not allow tabs"
    } else if at >= end_of(text) || error.info().contains("end of stream") {
        "is a quote or bracket left open here, or is the file cut off?"
    } else {
        "check the indentation, quotes and brackets on and above this line"
    };
    problem(code, at, format!("not valid YAML: {}", error.info()), hint)
}

/// The parser counts lines from 1 and columns from 0.
fn place_of(marker: &Marker) -> (u32, u32) {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (number(marker.line()), number(marker.col()).saturating_add(1))
}

/// Line and column just after the last character.
fn end_of(text: &str) -> (u32, u32) {
    let line = text.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}

fn problem(code: &'static str, (line, column): (u32, u32), message: String, hint: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code,
        path: String::new(),
        line,
        column,
        message,
        hint: hint.into(),
    }
}
