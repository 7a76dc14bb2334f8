//! Reads a mapping that `check` has compared with its description. What is not as described reads as absent: it has
//! been reported, and the reader goes on to find the other problems.

use std::collections::BTreeMap;

use super::place::{Place, Spanned, child, item};
use super::scalar::Core;
use super::shape::Object;
use super::tree::{Key, Node, Value};

/// The keys of one mapping.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    object: &'static Object,
    node: &'a Node,
    path: String,
}

impl<'a> Fields<'a> {
    pub(super) fn new(node: &'a Node, object: &'static Object, path: impl Into<String>) -> Self {
        Fields {
            object,
            node,
            path: path.into(),
        }
    }

    /// Whether the mapping is `{}`.
    pub(super) fn is_empty(&self) -> bool {
        self.node.entries().is_empty()
    }

    /// Where the mapping begins.
    pub(super) fn at(&self) -> Place {
        self.node.place(self.path.clone())
    }

    /// The value of a key that the description has.
    pub(super) fn get(&self, name: &'static str) -> Option<&'a Node> {
        #[cfg(test)]
        reads::record(self.object.name, name);
        self.object
            .field(name)
            .and_then(|field| self.node.get(field.name))
    }

    /// Where the value of a key stands; where the mapping begins if it is absent.
    pub(super) fn place(&self, name: &'static str) -> Place {
        let node = self.get(name).unwrap_or(self.node);
        node.place(child(&self.path, name))
    }

    pub(super) fn object(&self, name: &'static str, object: &'static Object) -> Option<Fields<'a>> {
        let node = self
            .get(name)
            .filter(|node| matches!(node.value, Value::Mapping(_)))?;
        Some(Fields::new(node, object, child(&self.path, name)))
    }

    pub(super) fn objects(&self, name: &'static str, object: &'static Object) -> Vec<Fields<'a>> {
        let path = child(&self.path, name);
        let items = self.get(name).map_or(&[][..], Node::items);
        items
            .iter()
            .enumerate()
            .map(|(at, node)| Fields::new(node, object, item(&path, at)))
            .collect()
    }

    pub(super) fn spanned(&self, name: &'static str) -> Option<Spanned<String>> {
        spanned(self.get(name)?, child(&self.path, name))
    }

    pub(super) fn text(&self, name: &'static str) -> Option<String> {
        Some(text(self.get(name)?)?.to_owned())
    }

    /// A list of text; one text is a list of it.
    pub(super) fn spanned_list(&self, name: &'static str) -> Vec<Spanned<String>> {
        self.get(name)
            .map_or_else(Vec::new, |node| spanned_list(node, &child(&self.path, name)))
    }

    pub(super) fn texts(&self, name: &'static str) -> Vec<String> {
        self.get(name).map_or_else(Vec::new, texts)
    }

    pub(super) fn bool(&self, name: &'static str) -> Option<bool> {
        match self.get(name)?.core() {
            Some(Core::Bool(value)) => Some(value),
            _ => None,
        }
    }

    pub(super) fn number(&self, name: &'static str) -> Option<f64> {
        number(self.get(name)?)
    }

    pub(super) fn integer(&self, name: &'static str) -> Option<u64> {
        match self.get(name)?.core() {
            Some(Core::Int(value)) => u64::try_from(value).ok(),
            #[expect(
                clippy::cast_sign_loss,
                clippy::cast_possible_truncation,
                reason = "described as whole and below 2^53"
            )]
            Some(Core::Float(value)) => Some(value as u64),
            _ => None,
        }
    }

    /// A mapping of names to text.
    pub(super) fn labels(&self, name: &'static str) -> BTreeMap<String, String> {
        let entries = self.get(name).map_or(&[][..], Node::entries);
        entries
            .iter()
            .filter_map(|(key, node)| Some((key.text.clone(), text(node)?.to_owned())))
            .collect()
    }

    /// The entries of a mapping with names of the author's choice: each name with its place, its value, the value's path.
    pub(super) fn named(&self, name: &'static str) -> Vec<(Spanned<String>, &'a Node, String)> {
        let path = child(&self.path, name);
        let entries = self.get(name).map_or(&[][..], Node::entries);
        let entry = |(key, node): &'a (Key, Node)| {
            let path = child(&path, &key.text);
            (
                Spanned {
                    value: key.text.clone(),
                    at: key.place(path.clone()),
                },
                node,
                path,
            )
        };
        entries.iter().map(entry).collect()
    }
}

/// Text, not what only looks like it.
pub(super) fn text(node: &Node) -> Option<&str> {
    match node.core() {
        Some(Core::Text(text)) => Some(text),
        _ => None,
    }
}

pub(super) fn number(node: &Node) -> Option<f64> {
    match node.core() {
        #[expect(
            clippy::cast_precision_loss,
            reason = "bounds of every described number are below 2^53"
        )]
        Some(Core::Int(value)) => Some(value as f64),
        Some(Core::Float(value)) => Some(value),
        _ => None,
    }
}

pub(super) fn spanned(node: &Node, path: String) -> Option<Spanned<String>> {
    Some(Spanned {
        value: text(node)?.to_owned(),
        at: node.place(path),
    })
}

pub(super) fn spanned_list(node: &Node, path: &str) -> Vec<Spanned<String>> {
    if let Some(one) = spanned(node, path.to_owned()) {
        return vec![one];
    }
    node.items()
        .iter()
        .enumerate()
        .filter_map(|(at, node)| spanned(node, item(path, at)))
        .collect()
}

fn texts(node: &Node) -> Vec<String> {
    node.items().iter().filter_map(text).map(str::to_owned).collect()
}

/// What was read, so that a test can compare it with what is described.
#[cfg(test)]
pub(super) mod reads {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    thread_local! {
        static READ: RefCell<BTreeSet<(&'static str, &'static str)>> = const { RefCell::new(BTreeSet::new()) };
    }

    pub(super) fn record(object: &'static str, field: &'static str) {
        READ.with_borrow_mut(|read| read.insert((object, field)));
    }

    /// Pairs of object and key read on this thread so far.
    pub(in crate::policy) fn take() -> BTreeSet<(&'static str, &'static str)> {
        READ.take()
    }
}
