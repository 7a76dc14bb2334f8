//! An index over rules that ask for a certain value: `caller.tenant == "acme"`, `caller.tier in ["a", "b"]`,
//! `"image" in request.modalities`, anywhere in the top-level `&&` of a condition. A request then meets the rules of its
//! own tenant and not ten thousand others. Exact: what it leaves out cannot match.

use std::collections::BTreeMap;

use super::condition::{Comparison, Condition, Literal, Node, Operand, Term};
use super::field::{Facts, Field, Read, Type, Value};
use super::{Rule, RuleIndex};

/// Rules by the value that they ask for.
type ByValue = BTreeMap<String, Vec<RuleIndex>>;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    /// Rules that ask for no certain value.
    always: Vec<RuleIndex>,
    fields: Vec<(Field, ByValue)>,
    /// By the name of the label.
    labels: BTreeMap<String, ByValue>,
}

/// A field and the values of it, one of which a rule needs.
type Key<'a> = (&'a Field, Vec<&'a str>);

impl Index {
    /// Each rule goes under the rarest of the keys that it has.
    pub(super) fn new(rules: &[Rule]) -> Self {
        let keys: Vec<Vec<Key<'_>>> = rules.iter().map(|rule| keys(&rule.when.root)).collect();
        let mut counts: BTreeMap<(&Field, &str), usize> = BTreeMap::new();
        for (field, values) in keys.iter().flatten() {
            for value in values {
                *counts.entry((field, value)).or_default() += 1;
            }
        }
        let mut index = Index::default();
        for (rule, keys) in keys.iter().enumerate() {
            let common = |(field, values): &&Key<'_>| -> usize {
                values.iter().map(|value| counts[&(*field, *value)]).sum()
            };
            match keys.iter().min_by_key(common) {
                Some((field, values)) => index.add(field, values, rule),
                None => index.always.push(rule),
            }
        }
        index
    }

    fn add(&mut self, field: &Field, values: &[&str], rule: RuleIndex) {
        let by_value = match field {
            Field::Label(name) => self.labels.entry(name.clone()).or_default(),
            field => match self.fields.iter().position(|(known, _)| known == field) {
                Some(at) => &mut self.fields[at].1,
                None => {
                    self.fields.push((field.clone(), ByValue::new()));
                    let last = self.fields.len() - 1;
                    &mut self.fields[last].1
                }
            },
        };
        for value in values {
            let rules = by_value.entry((*value).to_owned()).or_default();
            if rules.last() != Some(&rule) {
                rules.push(rule);
            }
        }
    }

    /// See [`Rules::candidates`](super::Rules::candidates). Takes time by the request's labels and by what it finds.
    pub(super) fn candidates(&self, facts: &Facts<'_>) -> Vec<RuleIndex> {
        let mut found = self.always.clone();
        let before = found.len();
        for (field, by_value) in &self.fields {
            match facts.read(field) {
                Read::Is(Value::Text(text)) => found.extend(by_value.get(text).into_iter().flatten()),
                Read::Is(Value::List(list)) => {
                    for item in list {
                        found.extend(by_value.get(item).into_iter().flatten());
                    }
                }
                _ => {}
            }
        }
        if !self.labels.is_empty() {
            for (name, value) in facts.labels() {
                let rules = self.labels.get(name).and_then(|by_value| by_value.get(value));
                found.extend(rules.into_iter().flatten());
            }
        }
        if found.len() > before {
            found.sort_unstable();
            found.dedup();
        }
        found
    }
}

/// The keys of a condition: what each of its top-level parts asks for, where that is a certain text of the request.
fn keys(root: &Node) -> Vec<Key<'_>> {
    let parts = match root {
        Node::All(parts) => parts.as_slice(),
        single => std::slice::from_ref(single),
    };
    parts.iter().filter_map(key).collect()
}

impl Condition {
    /// Whether two of its parts ask one field for different values, so that it never holds. Not every contradiction is seen.
    pub fn contradicts_itself(&self) -> bool {
        let mut wanted: BTreeMap<&Field, Vec<&str>> = BTreeMap::new();
        for (field, values) in keys(&self.root) {
            if field.kind() == Type::List {
                continue;
            }
            let left = wanted.entry(field).or_insert_with(|| values.clone());
            left.retain(|value| values.contains(value));
        }
        wanted.values().any(Vec::is_empty)
    }
}

fn key(part: &Node) -> Option<Key<'_>> {
    let Node::Term(term) = part else {
        return None;
    };
    match term {
        Term::Compare(Operand::Field(field), Comparison::Equal, Operand::Literal(Literal::Text(text))) => {
            indexed(field).then(|| (field, vec![text.as_str()]))
        }
        Term::Among(Operand::Field(field), literals) => {
            let texts = literals.iter().map(|literal| match literal {
                Literal::Text(text) => Some(text.as_str()),
                _ => None,
            });
            Some((field, texts.collect::<Option<Vec<_>>>()?)).filter(|_| indexed(field))
        }
        Term::Within(Operand::Literal(Literal::Text(text)), list) => Some((list, vec![text.as_str()])),
        _ => None,
    }
}

/// Text that is known without asking.
fn indexed(field: &Field) -> bool {
    field.kind() == Type::Text && !field.is_signal()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::field::FIELDS;

    #[test]
    fn every_text_and_list_of_the_request_can_be_indexed() {
        let of_prompt = |field: &Field| matches!(field, Field::Language);
        for (name, field, kind) in &FIELDS {
            let texts = *kind == Type::Text && !of_prompt(field);
            assert_eq!(indexed(field), texts, "{name}");
        }
    }
}
