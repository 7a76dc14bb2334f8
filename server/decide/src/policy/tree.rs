//! A YAML document as one tree in which every key and value knows its line and column. Called by `load` for every
//! format. It promises bounded memory whatever the bytes are: size, depth, number of values and what aliases expand to
//! are all limited, and the parser is read event by event, so nothing recurses deeper than [`MAX_DEPTH`].
//!
//! Absent on purpose: tags other than the core ones, merge keys and several documents. A policy needs none of them.

mod build;

use std::collections::BTreeMap;

use super::place::{Place, Report, child, item};
use super::scalar::{self, Core};
use crate::diagnostic::Diagnostic;

/// Largest file, in bytes: the default limit of a gRPC message, so that whatever is served can also be pushed.
pub(super) const MAX_BYTES: usize = 4 << 20;
/// Most values in one document, aliases expanded. A thousand routes of a hundred examples need a fifth of it.
pub(super) const MAX_NODES: usize = 500_000;
/// Most text in one document once aliases are expanded, in bytes.
pub(super) const MAX_TEXT: usize = 4 * MAX_BYTES;
/// Deepest nesting. The format itself needs eight levels.
pub(super) const MAX_DEPTH: usize = 64;

/// A value and where it begins; line and column are 1-based, columns count characters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) style: Style,
}

/// How a scalar is written, as far as it moves what stands inside it. Anything else is `Plain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// Behind `|` or `>`. Such a node begins where its text does.
    Block,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Text; `plain` when it stood without quotes and may therefore mean a number, a truth value or nothing.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    /// In file order; keys may repeat until [`repeated_keys`] has refused them.
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Key {
    pub(super) fn place(&self, path: String) -> Place {
        Place {
            path,
            line: self.line,
            column: self.column,
        }
    }
}

impl Node {
    pub(super) fn place(&self, path: impl Into<String>) -> Place {
        Place {
            path: path.into(),
            line: self.line,
            column: self.column,
        }
    }

    /// The place of something inside this scalar, `offset` bytes into its text. Exact for text on one line with the usual
    /// escapes and in a `|` block.
    pub(super) fn place_inside(&self, path: impl Into<String>, offset: usize) -> Place {
        let Value::Scalar { text, .. } = &self.value else {
            return self.place(path);
        };
        let before = text.get(..offset).unwrap_or(text);
        let escaped = |c: &char| match self.style {
            Style::SingleQuoted => *c == '\'',
            Style::DoubleQuoted => matches!(c, '"' | '\\') || c.is_control(),
            Style::Plain | Style::Block => false,
        };
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (line, column) = match (self.style, before.rsplit_once('\n')) {
            (Style::Block, Some((lines, last))) => {
                let lines = lines.matches('\n').count() + 1;
                (
                    self.line + count(lines),
                    self.column + count(last.chars().count()),
                )
            }
            (style, _) => {
                let quoted = matches!(style, Style::SingleQuoted | Style::DoubleQuoted);
                let moved = before.chars().count() + before.chars().filter(escaped).count();
                (self.line, self.column + u32::from(quoted) + count(moved))
            }
        };
        Place {
            path: path.into(),
            line,
            column,
        }
    }

    /// The value of a key of this mapping; the first one where it is repeated.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|(k, _)| k.text == key)
            .map(|(_, node)| node)
    }

    /// The entries of a mapping, none for anything else.
    pub(super) fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence, none for anything else.
    pub(super) fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// What a scalar means under the YAML 1.2 core schema; `None` for a sequence or a mapping.
    pub(super) fn core(&self) -> Option<Core<'_>> {
        match &self.value {
            Value::Scalar { text, plain: true } => Some(scalar::resolve(text)),
            Value::Scalar { text, plain: false } => Some(Core::Text(text)),
            _ => None,
        }
    }
}

/// Reads one document.
///
/// # Errors
/// The first thing that is not YAML, or past a limit. Nothing after it can be trusted, so there is only one.
pub(super) fn parse(bytes: &[u8]) -> Result<Node, Diagnostic> {
    build::document(bytes)
}

/// Reports every key that a mapping has twice; the later one would silently win or lose.
pub(super) fn repeated_keys(node: &Node, path: &str, report: &mut Report) {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for (key, value) in node.entries() {
        let path = child(path, &key.text);
        match seen.get(key.text.as_str()) {
            Some(line) => report.error(
                "duplicate-key",
                &key.place(path.clone()),
                format!("the key `{}` is already on line {line}", key.text),
                "keep one of the two",
            ),
            None => {
                seen.insert(&key.text, key.line);
            }
        }
        repeated_keys(value, &path, report);
    }
    for (at, value) in node.items().iter().enumerate() {
        repeated_keys(value, &item(path, at), report);
    }
}

#[cfg(test)]
mod tests;
