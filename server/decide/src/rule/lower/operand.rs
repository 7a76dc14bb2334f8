//! What a term compares: fields by name, literals, `size`, lists of literals and patterns.

use ::cel::IdedExpr;
use ::cel::common::ast::{CallExpr, Expr, LiteralValue, operators as op};
use regex::RegexBuilder;

use super::Lowering;
use crate::decision::nearest;
use crate::rule::condition::{Literal, MAX_PATTERN_BYTES, Node, Operand, Pattern, Term};
use crate::rule::field::{FIELDS, Field, Type};

/// The functions of the subset.
const FUNCTIONS: [&str; 6] = ["size", "has", "startsWith", "endsWith", "contains", "matches"];
/// The whole numbers that a float holds exactly.
const MOST: f64 = 9_007_199_254_740_992.0;

impl Lowering<'_> {
    /// A field, a literal or a size.
    pub(super) fn operand(&mut self, expr: &IdedExpr) -> Option<Operand> {
        match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal).map(Operand::Literal),
            Expr::Ident(_) | Expr::Select(_) => self.field(expr).map(Operand::Field),
            Expr::Call(call) if call.func_name == op::INDEX => self.field(expr).map(Operand::Field),
            Expr::Call(call) if call.func_name == "size" => self.size(expr, call),
            Expr::Call(call) => self.unsupported_call(expr, call),
            Expr::Comprehension(_) => {
                let message = "`exists`, `all`, `map` and `filter` are not supported".into();
                let hint = "write `\"…\" in list`, and join several of them with `||` or `&&`";
                self.problem(expr, "condition-unsupported", message, hint)
            }
            Expr::List(_) => {
                let message = "a list can only stand to the right of `in`".into();
                self.problem(
                    expr,
                    "condition-unsupported",
                    message,
                    "write `field in [\"a\", \"b\"]`",
                )
            }
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                let message = "maps and messages are not supported".into();
                self.problem(
                    expr,
                    "condition-unsupported",
                    message,
                    "compare fields with literals",
                )
            }
        }
    }

    fn unsupported_call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Operand> {
        let name = call.func_name.as_str();
        let (message, hint) = match name {
            op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO | op::NEGATE => {
                let message = "arithmetic is not supported".into();
                (message, "work the number out and write it down".into())
            }
            "int" | "uint" | "double" | "string" | "bool" => {
                let message = format!("there is no conversion `{name}`");
                (message, "compare with a literal of the field's own type".into())
            }
            name if name.starts_with(['_', '!', '@']) => {
                let message = "a condition cannot be compared".into();
                (message, "join conditions with `&&`, `||` and `!`".into())
            }
            name if FUNCTIONS.contains(&name) => {
                let message = format!("`{name}` is not called like this");
                (
                    message,
                    "write `size(list)`, `has(caller.labels.x)` or `field.contains(\"text\")`".into(),
                )
            }
            name => {
                let near = nearest(name, FUNCTIONS.into_iter());
                let hint = match near.first() {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}", FUNCTIONS.join(", ")),
                };
                (format!("there is no function `{name}`"), hint)
            }
        };
        self.problem(expr, "condition-unsupported", message, &hint)
    }

    fn literal(&mut self, expr: &IdedExpr, literal: &LiteralValue) -> Option<Literal> {
        let number = match literal {
            LiteralValue::Boolean(value) => return Some(Literal::Bool(**value)),
            LiteralValue::String(value) => return Some(Literal::Text(value.inner().to_owned())),
            LiteralValue::Int(value) => **value as f64,
            LiteralValue::UInt(value) => **value as f64,
            LiteralValue::Double(value) => **value,
            LiteralValue::Bytes(_) | LiteralValue::Null => {
                let message = "bytes and null are not supported".into();
                let hint = "an absent text is `\"\"`; test a label with `\"name\" in caller.labels`";
                return self.problem(expr, "condition-unsupported", message, hint);
            }
        };
        if number.abs() > MOST {
            let message = format!("{number} is too large to be compared exactly");
            return self.problem(expr, "condition-limit", message, "");
        }
        Some(Literal::Number(number))
    }

    fn size(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Operand> {
        let of = match (&call.target, call.args.as_slice()) {
            (Some(target), []) => target,
            (None, [argument]) => argument,
            _ => return self.unsupported_call(expr, call),
        };
        match self.operand(of)? {
            Operand::Field(field) if matches!(field.kind(), Type::Text | Type::List) => {
                Some(Operand::Size(field))
            }
            other => {
                let message = format!("`size` measures a field that is text or a list, not `{other}`");
                self.problem(expr, "condition-type", message, "")
            }
        }
    }

    /// A field by its name; `caller.labels.x` and `caller.labels["x"]` are labels, `request.labels` the same ones.
    pub(super) fn field(&mut self, expr: &IdedExpr) -> Option<Field> {
        let (mut names, mut end) = (Vec::new(), None);
        let mut next = expr;
        loop {
            // Where the last name stands: after its dot.
            end.get_or_insert_with(|| self.name_at(next));
            next = match &next.expr {
                Expr::Ident(name) => {
                    names.push(name.as_str());
                    break;
                }
                Expr::Select(select) if !select.test => {
                    names.push(select.field.as_str());
                    &select.operand
                }
                Expr::Call(call) if call.func_name == op::INDEX => match call.args.as_slice() {
                    [
                        of,
                        IdedExpr {
                            expr: Expr::Literal(LiteralValue::String(key)),
                            ..
                        },
                    ] if self.is_labels(of) => return Some(Field::Label(key.inner().to_owned())),
                    _ => {
                        let message = "only labels are looked up by name".into();
                        let hint = "write `caller.labels[\"name\"]` with the name in quotes";
                        return self.problem(expr, "condition-unsupported", message, hint);
                    }
                },
                Expr::Select(_) => {
                    let message = "`has` is a condition of its own".into();
                    return self.problem(
                        expr,
                        "condition-type",
                        message,
                        "join conditions with `&&` and `||`",
                    );
                }
                _ => return self.operand(next).and(None),
            };
        }
        names.reverse();
        if let [root, "labels", name] = names[..]
            && is_root(root)
        {
            return Some(Field::Label(name.to_owned()));
        }
        let name = names.join(".");
        if let Some((_, field, _)) = FIELDS.iter().find(|(known, ..)| *known == name) {
            return Some(field.clone());
        }
        if self.is_labels(expr) {
            let message = format!("`{name}` is not a value by itself");
            let hint = "write `caller.labels[\"name\"]`, or `\"name\" in caller.labels`";
            return self.problem(expr, "condition-type", message, hint);
        }
        let hint = nearest_field(&name);
        let offset = end.unwrap_or_default();
        self.problem_at(
            offset,
            "condition-field",
            format!("there is no field `{name}`"),
            &hint,
        )
    }

    fn name_at(&self, expr: &IdedExpr) -> usize {
        let own = self.parsed.own(expr);
        match &expr.expr {
            Expr::Select(_) => {
                let after = self.text.get(own + 1..).unwrap_or_default();
                own + 1 + (after.len() - after.trim_start().len())
            }
            _ => own,
        }
    }

    /// Whether an expression is `caller.labels` or `request.labels`.
    fn is_labels(&self, expr: &IdedExpr) -> bool {
        let Expr::Select(select) = &expr.expr else {
            return false;
        };
        let root = matches!(&select.operand.expr, Expr::Ident(root) if is_root(root));
        root && !select.test && select.field == "labels"
    }

    /// `has(caller.labels.x)`.
    pub(super) fn presence(&mut self, expr: &IdedExpr) -> Option<Node> {
        match &expr.expr {
            Expr::Select(select) if self.is_labels(&select.operand) => {
                Some(Node::Term(Term::Has(Field::Label(select.field.clone()))))
            }
            _ => {
                let message = "`has` tests labels: every other field is always there".into();
                let hint = "write `has(caller.labels.name)`, or compare the field with `\"\"`";
                self.problem(expr, "condition-type", message, hint)
            }
        }
    }

    pub(super) fn membership(&mut self, expr: &IdedExpr, needle: &IdedExpr, list: &IdedExpr) -> Option<Node> {
        let needle = self.operand(needle);
        if self.is_labels(list) {
            return match needle? {
                Operand::Literal(Literal::Text(name)) => Some(Node::Term(Term::Has(Field::Label(name)))),
                _ => {
                    let message = "the name of a label must be written out".into();
                    self.problem(
                        expr,
                        "condition-type",
                        message,
                        "write `\"name\" in caller.labels`",
                    )
                }
            };
        }
        if let Expr::List(of) = &list.expr {
            let found: Vec<_> = of.elements.iter().map(|item| self.operand(item)).collect();
            let (needle, found) = (needle?, found.into_iter().collect::<Option<Vec<_>>>()?);
            return self.among(expr, needle, found);
        }
        let list_operand = self.operand(list);
        let (needle, found) = (needle?, list_operand?);
        match found {
            Operand::Field(field) if field.kind() == Type::List && needle.kind() == Type::Text => {
                Some(Node::Term(Term::Within(needle, field)))
            }
            Operand::Field(field) if field.kind() == Type::List => {
                let message = format!(
                    "`{field}` holds text, and `{needle}` is {}",
                    needle.kind().as_str()
                );
                self.problem(expr, "condition-type", message, "")
            }
            other => {
                let message = format!("`{other}` is {}, not a list", other.kind().as_str());
                let hint = format!("write `{needle} == {other}`, or a list in brackets");
                self.problem(list, "condition-type", message, &hint)
            }
        }
    }

    fn among(&mut self, expr: &IdedExpr, needle: Operand, items: Vec<Operand>) -> Option<Node> {
        let mut literals = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Operand::Literal(literal) if item_fits(&needle, &literal) => literals.push(literal),
                item => {
                    let (kind, wanted) = (item.kind().as_str(), needle.kind().as_str());
                    let message = match item {
                        Operand::Literal(_) => format!("`{item}` is {kind}, and `{needle}` is {wanted}"),
                        _ => format!("`{item}` is a field; lists hold literals"),
                    };
                    return self.problem(expr, "condition-type", message, "");
                }
            }
        }
        if literals.is_empty() {
            let message = "the list is empty, so this is never true".into();
            return self.problem(expr, "condition-type", message, "name a value, or write `false`");
        }
        if needle.field().is_none() {
            let message = "this reads nothing of the request".into();
            return self.problem(expr, "condition-type", message, "test a field");
        }
        Some(Node::Term(Term::Among(needle, literals)))
    }

    pub(super) fn pattern(&mut self, at: &IdedExpr, text: &Operand) -> Option<Pattern> {
        let Operand::Literal(Literal::Text(pattern)) = text else {
            let message = "a pattern must be written out".into();
            let hint = "patterns are compiled when the policy loads; use `contains` to compare fields";
            return self.problem(at, "condition-unsupported", message, hint);
        };
        let built = RegexBuilder::new(pattern)
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES)
            .build();
        match built {
            Ok(regex) => Some(Pattern(regex)),
            Err(regex::Error::CompiledTooBig(_)) => {
                let message = "the pattern takes too much memory".into();
                self.problem(
                    at,
                    "condition-limit",
                    message,
                    "use smaller repetitions or `[a-z]` for `\\w`",
                )
            }
            Err(error) => {
                let text = error.to_string();
                let last = text
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ");
                let message = format!("the pattern is not valid: {last}");
                self.problem(at, "condition-syntax", message, "")
            }
        }
    }
}

fn item_fits(needle: &Operand, literal: &Literal) -> bool {
    Operand::Literal(literal.clone()).kind() == needle.kind()
}

fn is_root(name: &str) -> bool {
    matches!(name, "caller" | "request")
}

fn nearest_field(name: &str) -> String {
    let last = |name: &'static str| name.rsplit('.').next().unwrap_or(name);
    let names = || FIELDS.iter().map(|(name, ..)| *name).chain(["caller.labels"]);
    // The word may be right and the place wrong (`request.tier`), or the place right and the word wrong.
    let word = name.rsplit('.').next().unwrap_or(name);
    let near = nearest(word, names().map(last));
    let by_word = near
        .first()
        .and_then(|near| names().find(|name| last(name) == near.as_str()));
    let by_name = || nearest(name, names()).into_iter().next();
    match by_word.map(str::to_owned).or_else(by_name) {
        Some(near) => format!("did you mean `{near}`?"),
        None if !name.contains('.') => format!("write \"{name}\" in quotes if it is text"),
        None => "known are `request`, `caller` and `signals`; see the README".into(),
    }
}
