//! A condition as a typed tree. Made by [`Condition::parse`], which reports everything that is wrong with a text at once.
//!
//! [`Display`](fmt::Display) writes a condition in one canonical spelling: literals on the right, double quotes, single
//! spaces. Two conditions with the same spelling are the same condition.

use std::fmt;

use regex::Regex;

use super::field::{Field, Type, Value};
use super::{lower, syntax};

/// Longest condition, in bytes. Evaluation is linear in it, so this is also the bound on the cost of one rule.
pub const MAX_BYTES: usize = 8 << 10;
/// Deepest nesting of a condition.
pub const MAX_DEPTH: u16 = 32;
/// Most memory of one compiled pattern, in bytes.
pub const MAX_PATTERN_BYTES: usize = 256 << 10;

/// A checked condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub(super) root: Node,
    patterns: usize,
}

/// Something wrong with the text of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes from the beginning of the text.
    pub offset: usize,
    /// Stable kind: `condition-syntax`, `condition-field`, `condition-type`, `condition-unsupported`, `condition-limit`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

/// A part of a condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Const(bool),
    Term(Term),
    Not(Box<Node>),
    /// `&&`, two or more.
    All(Vec<Node>),
    /// `||`, two or more.
    Any(Vec<Node>),
    /// `condition ? then : otherwise`.
    If(Box<[Node; 3]>),
}

/// A part that asks one thing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    /// A field that is true or false.
    Truth(Field),
    /// Both sides have the same type; a literal stands on the right.
    Compare(Operand, Comparison, Operand),
    /// One of some literals of the same type.
    Among(Operand, Vec<Literal>),
    /// Text inside a field that is a list.
    Within(Operand, Field),
    /// Whether the request has a label.
    Has(Field),
    /// A test of text against text.
    Text(Operand, TextTest, Operand),
    /// A pattern that is found in text.
    Matches(Operand, Pattern),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The comparison with its sides exchanged.
    pub(super) fn turned(self) -> Self {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Unequal};
        match self {
            Equal => Equal,
            Unequal => Unequal,
            Less => Greater,
            LessOrEqual => GreaterOrEqual,
            Greater => Less,
            GreaterOrEqual => LessOrEqual,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::Unequal => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

impl TextTest {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            TextTest::StartsWith => "startsWith",
            TextTest::EndsWith => "endsWith",
            TextTest::Contains => "contains",
        }
    }
}

/// A value that a term compares.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Field(Field),
    /// Characters of text, or items of a list.
    Size(Field),
    Literal(Literal),
}

impl Operand {
    pub(super) fn kind(&self) -> Type {
        match self {
            Operand::Field(field) => field.kind(),
            Operand::Size(_) => Type::Number,
            Operand::Literal(literal) => literal.value_type(),
        }
    }

    /// The field that it reads.
    pub(super) fn field(&self) -> Option<&Field> {
        match self {
            Operand::Field(field) | Operand::Size(field) => Some(field),
            Operand::Literal(_) => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Bool(bool),
    Number(f64),
    Text(String),
}

impl Literal {
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Literal::Bool(value) => Value::Bool(*value),
            Literal::Number(value) => Value::Number(*value),
            Literal::Text(value) => Value::Text(value),
        }
    }

    fn value_type(&self) -> Type {
        match self {
            Literal::Bool(_) => Type::Bool,
            Literal::Number(_) => Type::Number,
            Literal::Text(_) => Type::Text,
        }
    }
}

/// A pattern in the syntax of the `regex` crate, which is RE2's: linear in the text, without backreferences.
#[derive(Clone, Debug)]
pub(super) struct Pattern(pub(super) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Condition {
    /// Parses and checks a condition. Takes about 30 µs for one of two terms.
    ///
    /// # Errors
    /// Every problem found, in the order of the text.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let parsed = syntax::parse(text)?;
        let root = lower::lower(text, &parsed)?;
        let mut condition = Condition { root, patterns: 0 };
        let mut patterns = 0;
        condition.each_term(&mut |term| patterns += usize::from(matches!(term, Term::Matches(..))));
        condition.patterns = patterns;
        Ok(condition)
    }

    /// Patterns that it holds.
    pub fn patterns(&self) -> usize {
        self.patterns
    }

    /// What it always is, where nothing of the request can change it.
    pub fn constant(&self) -> Option<bool> {
        match self.root {
            Node::Const(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it reads a field.
    pub fn reads(&self, field: &Field) -> bool {
        let mut found = false;
        self.each_term(&mut |term| found |= term.fields().any(|read| read == field));
        found
    }

    fn each_term<'a>(&'a self, visit: &mut impl FnMut(&'a Term)) {
        self.root.each_term(visit);
    }
}

impl Node {
    pub(super) fn each_term<'a>(&'a self, visit: &mut impl FnMut(&'a Term)) {
        match self {
            Node::Const(_) => {}
            Node::Term(term) => visit(term),
            Node::Not(inner) => inner.each_term(visit),
            Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| part.each_term(visit)),
            Node::If(parts) => parts.iter().for_each(|part| part.each_term(visit)),
        }
    }
}

impl Term {
    /// Everything that it compares, literals too.
    pub(super) fn operands(&self) -> [Option<Operand>; 2] {
        match self {
            Term::Truth(field) => [Some(Operand::Field(field.clone())), None],
            Term::Has(_) => [None, None],
            Term::Compare(left, _, right) | Term::Text(left, _, right) => {
                [Some(left.clone()), Some(right.clone())]
            }
            Term::Among(operand, _) | Term::Matches(operand, _) => [Some(operand.clone()), None],
            Term::Within(operand, list) => [Some(operand.clone()), Some(Operand::Field(list.clone()))],
        }
    }

    /// The fields that it reads.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Field> {
        let (first, second) = match self {
            Term::Truth(field) | Term::Has(field) => (Some(field), None),
            Term::Compare(left, _, right) | Term::Text(left, _, right) => (left.field(), right.field()),
            Term::Among(operand, _) | Term::Matches(operand, _) => (operand.field(), None),
            Term::Within(operand, list) => (operand.field(), Some(list)),
        };
        first.into_iter().chain(second)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Const(value) => write!(f, "{value}"),
            Node::Term(term) => term.fmt(f),
            Node::Not(inner) => match **inner {
                Node::Term(Term::Truth(_) | Term::Text(..) | Term::Matches(..)) => {
                    write!(f, "!{inner}")
                }
                _ => write!(f, "!({inner})"),
            },
            Node::All(parts) => joined(f, parts, " && "),
            Node::Any(parts) => joined(f, parts, " || "),
            Node::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                write!(f, "({condition}) ? ({then}) : ({otherwise})")
            }
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Node], operator: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(operator)?;
        }
        match part {
            Node::All(_) | Node::Any(_) | Node::If(_) => write!(f, "({part})")?,
            _ => write!(f, "{part}")?,
        }
    }
    Ok(())
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Truth(field) => field.fmt(f),
            Term::Compare(left, comparison, right) => write!(f, "{left} {} {right}", comparison.as_str()),
            Term::Among(operand, literals) => {
                write!(f, "{operand} in [")?;
                for (at, literal) in literals.iter().enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    write!(f, "{comma}{literal}")?;
                }
                f.write_str("]")
            }
            Term::Within(operand, list) => write!(f, "{operand} in {list}"),
            Term::Has(Field::Label(name)) => write!(f, "{name:?} in caller.labels"),
            Term::Has(field) => field.fmt(f),
            Term::Text(operand, test, text) => write!(f, "{operand}.{}({text})", test.as_str()),
            Term::Matches(operand, pattern) => write!(f, "{operand}.matches({:?})", pattern.0.as_str()),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Field(field) => field.fmt(f),
            Operand::Size(field) => write!(f, "size({field})"),
            Operand::Literal(literal) => literal.fmt(f),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Bool(value) => write!(f, "{value}"),
            Literal::Number(value) => write!(f, "{value}"),
            Literal::Text(value) => write!(f, "{value:?}"),
        }
    }
}
