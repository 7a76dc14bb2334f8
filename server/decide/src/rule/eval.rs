//! What a condition comes to for one request, and which part of it is to blame when it does not hold.
//!
//! As in CEL, `&&` and `||` do not depend on the order of their parts: a part that decides wins over one that fails at run
//! time. What is not known yet (signals nobody asked for) is carried as the set of [`Outcome`]s that are still possible,
//! so that the ladder asks only where the answer can make a difference.

use super::condition::{Comparison, Condition, Node, Operand, Term, TextTest};
use super::field::{Facts, Field, Read, Value};

/// What a condition may come to: any of *holds*, *does not hold*, *fails* (a label is missing, or the signals are).
/// With everything known it is exactly one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome(u8);

impl Outcome {
    /// It holds.
    pub const HOLDS: Outcome = Outcome(1);
    /// It does not.
    pub const FALSE: Outcome = Outcome(2);
    /// It cannot be evaluated, which is no match.
    pub const FAILS: Outcome = Outcome(4);
    const ANY: Outcome = Outcome(7);

    /// Whether it can hold, for all that is known.
    pub fn may_hold(self) -> bool {
        self.has(Self::HOLDS)
    }

    fn has(self, other: Outcome) -> bool {
        self.0 & other.0 != 0
    }

    fn when(holds: bool) -> Outcome {
        if holds { Self::HOLDS } else { Self::FALSE }
    }

    fn not(self) -> Outcome {
        Outcome((self.0 & 4) | ((self.0 & 1) << 1) | ((self.0 & 2) >> 1))
    }

    fn or_else(self, other: Outcome) -> Outcome {
        Outcome(self.0 | other.0)
    }

    fn and(self, other: Outcome) -> Outcome {
        let mut all = 0;
        if self.has(Self::FALSE) || other.has(Self::FALSE) {
            all |= Self::FALSE.0;
        }
        if self.has(Self::HOLDS) && other.has(Self::HOLDS) {
            all |= Self::HOLDS.0;
        }
        let not_false = |outcome: Outcome| outcome.has(Outcome(5));
        if (self.has(Self::FAILS) && not_false(other)) || (other.has(Self::FAILS) && not_false(self)) {
            all |= Self::FAILS.0;
        }
        Outcome(all)
    }
}

/// The part of a condition that kept it from holding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The part in its canonical spelling.
    pub term: String,
    /// What it read: the value where it reads one field, else `field is value` for each. Never prompt text.
    pub actual: String,
    /// Why it could not be evaluated, and what to do; `None` when it just did not hold.
    pub failure: Option<String>,
}

impl Condition {
    /// What it may come to with what is known. Linear in its length.
    pub fn outcome(&self, facts: &Facts<'_>) -> Outcome {
        self.root.outcome(facts)
    }

    /// The part to blame; `None` when the condition holds.
    ///
    /// Of `a && b` it is the first part that cannot hold, in the order of the text. `a || b`, `!a` and a single test are
    /// to blame as a whole, because changing any of their values may mend them.
    pub fn failing(&self, facts: &Facts<'_>) -> Option<Failing> {
        let outcome = self.outcome(facts);
        if outcome == Outcome::HOLDS {
            return None;
        }
        let part = self.root.to_blame(facts);
        Some(Failing {
            term: part.to_string(),
            actual: actual(part, facts),
            failure: (part.outcome(facts) == Outcome::FAILS)
                .then(|| failure(part, facts))
                .flatten(),
        })
    }
}

impl Node {
    pub(super) fn outcome(&self, facts: &Facts<'_>) -> Outcome {
        match self {
            Node::Const(value) => Outcome::when(*value),
            Node::Term(term) => term.outcome(facts),
            Node::Not(inner) => inner.outcome(facts).not(),
            Node::All(parts) => fold(parts, |part| part.outcome(facts)),
            Node::Any(parts) => fold(parts, |part| part.outcome(facts).not()).not(),
            Node::If(parts) => {
                let [when, then, otherwise] = &**parts;
                let outcome = when.outcome(facts);
                let mut all = Outcome(outcome.0 & Outcome::FAILS.0);
                if outcome.has(Outcome::HOLDS) {
                    all = all.or_else(then.outcome(facts));
                }
                if outcome.has(Outcome::FALSE) {
                    all = all.or_else(otherwise.outcome(facts));
                }
                all
            }
        }
    }

    fn to_blame(&self, facts: &Facts<'_>) -> &Node {
        match self {
            Node::All(parts) => {
                let never = parts.iter().find(|part| !part.outcome(facts).may_hold());
                let unsure = || parts.iter().find(|part| part.outcome(facts) != Outcome::HOLDS);
                never.or_else(unsure).map_or(self, |part| part.to_blame(facts))
            }
            Node::If(parts) => match parts[0].outcome(facts) {
                Outcome::HOLDS => parts[1].to_blame(facts),
                Outcome::FALSE => parts[2].to_blame(facts),
                _ => &parts[0],
            },
            _ => self,
        }
    }
}

/// `&&` over the parts; ends at the first that is certainly false.
fn fold(parts: &[Node], outcome: impl Fn(&Node) -> Outcome) -> Outcome {
    let mut all = Outcome::HOLDS;
    for part in parts {
        all = all.and(outcome(part));
        if all == Outcome::FALSE {
            break;
        }
    }
    all
}

impl Term {
    fn outcome(&self, facts: &Facts<'_>) -> Outcome {
        let test = || -> Result<bool, Outcome> {
            Ok(match self {
                Term::Truth(field) => known(facts.read(field))? == Value::Bool(true),
                Term::Has(field) => facts.read(field) != Read::Missing,
                Term::Compare(left, comparison, right) => {
                    holds(value(left, facts)?, *comparison, value(right, facts)?)
                }
                Term::Among(operand, literals) => {
                    let value = value(operand, facts)?;
                    literals.iter().any(|literal| literal.value() == value)
                }
                Term::Within(operand, list) => match (value(operand, facts)?, known(facts.read(list))?) {
                    (Value::Text(text), Value::List(list)) => list.iter().any(|item| item == text),
                    _ => false,
                },
                Term::Text(operand, test, text) => match (value(operand, facts)?, value(text, facts)?) {
                    (Value::Text(whole), Value::Text(part)) => match test {
                        TextTest::StartsWith => whole.starts_with(part),
                        TextTest::EndsWith => whole.ends_with(part),
                        TextTest::Contains => whole.contains(part),
                    },
                    _ => false,
                },
                Term::Matches(operand, pattern) => match value(operand, facts)? {
                    Value::Text(text) => pattern.0.is_match(text),
                    _ => false,
                },
            })
        };
        match test() {
            Ok(holds) => Outcome::when(holds),
            Err(outcome) => outcome,
        }
    }
}

fn known(read: Read<'_>) -> Result<Value<'_>, Outcome> {
    match read {
        Read::Is(value) => Ok(value),
        Read::Missing | Read::Failed => Err(Outcome::FAILS),
        Read::Unasked => Err(Outcome::ANY),
    }
}

fn value<'a>(operand: &'a Operand, facts: &Facts<'a>) -> Result<Value<'a>, Outcome> {
    match operand {
        Operand::Literal(literal) => Ok(literal.value()),
        Operand::Field(field) => known(facts.read(field)),
        Operand::Size(field) => Ok(match known(facts.read(field))? {
            Value::Text(text) => Value::Number(text.chars().count() as f64),
            Value::List(list) => Value::Number(list.len() as f64),
            other => other,
        }),
    }
}

fn holds(left: Value<'_>, comparison: Comparison, right: Value<'_>) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let order = match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.total_cmp(&right),
        (left, right) if left == right => Equal,
        _ => Less,
    };
    match comparison {
        Comparison::Equal => order == Equal,
        Comparison::Unequal => order != Equal,
        Comparison::Less => order == Less,
        Comparison::LessOrEqual => order != Greater,
        Comparison::Greater => order == Greater,
        Comparison::GreaterOrEqual => order != Less,
    }
}

/// What a part read, each operand once.
fn actual(part: &Node, facts: &Facts<'_>) -> String {
    let mut seen: Vec<(String, String)> = Vec::new();
    part.each_term(&mut |term| {
        if let Term::Has(field) = term {
            let there = if facts.read(field) == Read::Missing {
                "missing"
            } else {
                "there"
            };
            seen.push((field.to_string(), there.to_owned()));
        }
        for operand in term
            .operands()
            .into_iter()
            .flatten()
            .filter(|o| o.field().is_some())
        {
            let name = operand.to_string();
            if seen.iter().all(|(known, _)| *known != name) {
                seen.push((name, shown(&operand, facts)));
            }
        }
    });
    match seen.as_slice() {
        [(_, value)] => value.clone(),
        several => {
            let each: Vec<String> = several
                .iter()
                .map(|(name, value)| format!("{name} is {value}"))
                .collect();
            each.join(", ")
        }
    }
}

fn shown(operand: &Operand, facts: &Facts<'_>) -> String {
    if let Some(field) = operand.field() {
        match facts.read(field) {
            Read::Missing => return "missing".to_owned(),
            Read::Failed => return "unknown".to_owned(),
            Read::Unasked => return "not asked".to_owned(),
            Read::Is(_) => {}
        }
    }
    value(operand, facts).map_or_else(|_| String::new(), |value| value.to_string())
}

/// Why a part failed: its first field that cannot be read.
fn failure(part: &Node, facts: &Facts<'_>) -> Option<String> {
    let mut found = None;
    part.each_term(&mut |term| {
        for field in term.fields() {
            let why = match (facts.read(field), field) {
                (Read::Missing, Field::Label(name)) => {
                    format!("no label {name:?}, no match; test `{name:?} in caller.labels` first")
                }
                (Read::Failed, _) => {
                    "the signals of the prompt could not be had, so the rule does not match".to_owned()
                }
                _ => continue,
            };
            found.get_or_insert(why);
        }
    });
    found
}
