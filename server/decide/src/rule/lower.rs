//! From a syntax tree to the typed tree: names become fields, every term gets a type, and what lies outside the subset is
//! refused with what to write instead. Called by [`Condition::parse`](super::Condition::parse). Collects every problem.

mod operand;

use ::cel::IdedExpr;
use ::cel::common::ast::{CallExpr, Expr, operators as op};

use super::condition::{Comparison, Literal, MAX_DEPTH, Node, Operand, Problem, Term, TextTest};
use super::field::Type;
use super::syntax::Parsed;

/// Lowers a parsed text.
///
/// # Errors
/// Every problem, in the order of the text.
pub(super) fn lower(text: &str, parsed: &Parsed) -> Result<Node, Vec<Problem>> {
    let mut lowering = Lowering {
        text,
        parsed,
        problems: Vec::new(),
    };
    match lowering.condition(&parsed.root, 0) {
        Some(node) if lowering.problems.is_empty() => Ok(node),
        _ => {
            // A rule must never be dropped without a word, whatever part of the language it is written in.
            if lowering.problems.is_empty() {
                lowering.problems.push(Problem {
                    offset: 0,
                    code: "condition-unsupported",
                    message: "the condition uses a part of CEL that is not supported".into(),
                    hint: "compare fields of `request`, `caller` and `signals` with literals".into(),
                });
            }
            lowering.problems.sort_by_key(|problem| problem.offset);
            Err(lowering.problems)
        }
    }
}

struct Lowering<'a> {
    text: &'a str,
    parsed: &'a Parsed,
    problems: Vec<Problem>,
}

impl Lowering<'_> {
    /// An expression that is true or false.
    fn condition(&mut self, expr: &IdedExpr, depth: u16) -> Option<Node> {
        if depth > MAX_DEPTH {
            let message = format!("the condition is nested more than {MAX_DEPTH} levels deep");
            return self.problem(expr, "condition-limit", message, "make several rules of it");
        }
        let call = match &expr.expr {
            Expr::Call(call) => call,
            Expr::Select(select) if select.test => return self.presence(expr),
            _ => return self.truth(expr),
        };
        match (call.func_name.as_str(), call.args.as_slice()) {
            (op::LOGICAL_AND, _) => {
                let parts = self.chain(expr, op::LOGICAL_AND, depth)?;
                Some(all(parts))
            }
            (op::LOGICAL_OR, _) => {
                let parts = self.chain(expr, op::LOGICAL_OR, depth)?;
                Some(any(parts))
            }
            (op::LOGICAL_NOT, [inner]) => Some(not(self.condition(inner, depth + 1)?)),
            (op::CONDITIONAL, [when, then, otherwise]) => {
                let parts = [when, then, otherwise].map(|part| self.condition(part, depth + 1));
                let [when, then, otherwise] = parts;
                Some(either(when?, then?, otherwise?))
            }
            (op::IN, [needle, list]) => self.membership(expr, needle, list),
            (name, [left, right]) if comparison(name).is_some() => {
                self.compare(expr, comparison(name)?, left, right)
            }
            _ => match text_test(call) {
                Some(test) => self.text_test(expr, call, test),
                None => self.truth(expr),
            },
        }
    }

    /// The parts of `a && b && c`, however they are grouped.
    fn chain(&mut self, expr: &IdedExpr, operator: &str, depth: u16) -> Option<Vec<Node>> {
        let (mut parts, mut whole) = (Vec::new(), true);
        let mut open = vec![expr];
        while let Some(next) = open.pop() {
            match &next.expr {
                Expr::Call(call) if call.func_name == operator => open.extend(call.args.iter().rev()),
                _ => match self.condition(next, depth + 1) {
                    Some(node) => parts.push(node),
                    None => whole = false,
                },
            }
        }
        whole.then_some(parts)
    }

    /// A literal, or a field that is true or false by itself.
    fn truth(&mut self, expr: &IdedExpr) -> Option<Node> {
        match self.operand(expr)? {
            Operand::Literal(Literal::Bool(value)) => Some(Node::Const(value)),
            Operand::Field(field) if field.kind() == Type::Bool => Some(Node::Term(Term::Truth(field))),
            other => {
                let message = format!("`{other}` is {}, not a condition", other.kind().as_str());
                let hint = match other.kind() {
                    _ if other.field().is_none() => "compare a field with it".into(),
                    Type::List => format!("compare it: `\"…\" in {other}`"),
                    Type::Number => format!("compare it: `{other} > 0`"),
                    _ => format!("compare it: `{other} == \"…\"`"),
                };
                self.problem(expr, "condition-type", message, &hint)
            }
        }
    }

    fn compare(
        &mut self,
        expr: &IdedExpr,
        comparison: Comparison,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Option<Node> {
        let (left, right) = (self.operand(left), self.operand(right));
        let (left, right) = (left?, right?);
        let (left_type, right_type) = (left.kind(), right.kind());
        if left_type != right_type {
            let message = format!(
                "`{left}` is {} and `{right}` is {}: they cannot be compared",
                left_type.as_str(),
                right_type.as_str()
            );
            let hint = match (&left, &right) {
                (other, Operand::Literal(literal)) | (Operand::Literal(literal), other) => {
                    instead(literal, other.kind())
                }
                _ => String::new(),
            };
            return self.problem(expr, "condition-type", message, &hint);
        }
        let equality = matches!(comparison, Comparison::Equal | Comparison::Unequal);
        match left_type {
            Type::Bool | Type::Text if !equality => {
                let message = format!(
                    "`{}` compares numbers, not {}",
                    comparison.as_str(),
                    left_type.as_str()
                );
                return self.problem(expr, "condition-type", message, "use `==`, `!=` or `in`");
            }
            Type::List => {
                let message = "lists cannot be compared".into();
                let hint = "write `\"…\" in list`, or compare `size(list)`";
                return self.problem(expr, "condition-type", message, hint);
            }
            _ => {}
        }
        Some(Node::Term(match (&left, &right) {
            (Operand::Literal(_), Operand::Literal(_)) => {
                let message = format!(
                    "`{left} {} {right}` reads nothing of the request",
                    comparison.as_str()
                );
                let hint = "compare a field, or write `true` or `false`";
                return self.problem(expr, "condition-type", message, hint);
            }
            (Operand::Literal(_), _) => Term::Compare(right, comparison.turned(), left),
            _ => Term::Compare(left, comparison, right),
        }))
    }

    fn text_test(&mut self, expr: &IdedExpr, call: &CallExpr, test: Option<TextTest>) -> Option<Node> {
        let (target, argument) = (call.target.as_ref()?, call.args.first()?);
        let (target, text) = (self.operand(target), self.operand(argument));
        let (target, text) = (target?, text?);
        for operand in [&target, &text] {
            if operand.kind() != Type::Text {
                let kind = operand.kind().as_str();
                let message = format!("`{}` tests text, and `{operand}` is {kind}", call.func_name);
                let hint = match operand.kind() {
                    Type::List => format!("write `\"…\" in {operand}`"),
                    _ => String::new(),
                };
                return self.problem(expr, "condition-type", message, &hint);
            }
        }
        let term = match test {
            Some(test) => Term::Text(target, test, text),
            None => Term::Matches(target, self.pattern(argument, &text)?),
        };
        if term.fields().next().is_none() {
            let message = "this reads nothing of the request".into();
            return self.problem(expr, "condition-type", message, "test a field");
        }
        Some(Node::Term(term))
    }

    /// Notes a problem at the beginning of an expression.
    fn problem<T>(&mut self, expr: &IdedExpr, code: &'static str, message: String, hint: &str) -> Option<T> {
        let offset = self.parsed.start(self.text, expr);
        self.problem_at(offset, code, message, hint)
    }

    fn problem_at<T>(&mut self, offset: usize, code: &'static str, message: String, hint: &str) -> Option<T> {
        let hint = hint.into();
        self.problems.push(Problem {
            offset,
            code,
            message,
            hint,
        });
        None
    }
}

/// A literal as it would have to be written to have a type.
fn instead(literal: &Literal, wanted: Type) -> String {
    match (literal, wanted) {
        (Literal::Text(text), Type::Number) if text.parse::<f64>().is_ok() => {
            format!("write {text} without quotes")
        }
        (Literal::Text(text), Type::Bool) if text == "true" || text == "false" => {
            format!("write {text} without quotes")
        }
        (Literal::Number(_) | Literal::Bool(_), Type::Text) => format!("write \"{literal}\" in quotes"),
        (_, Type::List) => "write `… in list`, or compare `size(list)`".into(),
        _ => String::new(),
    }
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        op::EQUALS => Comparison::Equal,
        op::NOT_EQUALS => Comparison::Unequal,
        op::LESS => Comparison::Less,
        op::LESS_EQUALS => Comparison::LessOrEqual,
        op::GREATER => Comparison::Greater,
        op::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

/// The test of a call such as `a.startsWith(b)`; `Some(None)` for a pattern.
fn text_test(call: &CallExpr) -> Option<Option<TextTest>> {
    if call.target.is_none() || call.args.len() != 1 {
        return None;
    }
    [TextTest::StartsWith, TextTest::EndsWith, TextTest::Contains]
        .into_iter()
        .find(|test| test.as_str() == call.func_name)
        .map(Some)
        .or((call.func_name == "matches").then_some(None))
}

/// `&&` without what is always true.
fn all(parts: Vec<Node>) -> Node {
    if parts.contains(&Node::Const(false)) {
        return Node::Const(false);
    }
    let mut parts: Vec<Node> = parts
        .into_iter()
        .filter(|part| *part != Node::Const(true))
        .collect();
    match parts.len() {
        0 => Node::Const(true),
        1 => parts.remove(0),
        _ => Node::All(parts),
    }
}

/// `||` without what is never true.
fn any(parts: Vec<Node>) -> Node {
    if parts.contains(&Node::Const(true)) {
        return Node::Const(true);
    }
    let mut parts: Vec<Node> = parts
        .into_iter()
        .filter(|part| *part != Node::Const(false))
        .collect();
    match parts.len() {
        0 => Node::Const(false),
        1 => parts.remove(0),
        _ => Node::Any(parts),
    }
}

fn not(inner: Node) -> Node {
    match inner {
        Node::Const(value) => Node::Const(!value),
        Node::Not(inner) => *inner,
        inner => Node::Not(Box::new(inner)),
    }
}

fn either(when: Node, then: Node, otherwise: Node) -> Node {
    match when {
        Node::Const(true) => then,
        Node::Const(false) => otherwise,
        when => Node::If(Box::new([when, then, otherwise])),
    }
}
