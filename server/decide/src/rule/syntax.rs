//! From the text of a condition to the syntax tree of the `cel` crate. Called by [`Condition::parse`]; only the crate's
//! parser is used, never its interpreter. Its messages speak of grammars, so they are put into plain words here.
//!
//! [`Condition::parse`]: super::Condition::parse

use ::cel::IdedExpr;
use ::cel::common::ast::{Expr, SourceInfo, operators};
use ::cel::parser::Parser;

use super::condition::{MAX_BYTES, MAX_DEPTH, Problem};

/// A syntax tree, and where its nodes stand.
pub(super) struct Parsed {
    pub(super) root: IdedExpr,
    places: SourceInfo,
}

/// Parses a text.
///
/// # Errors
/// The first thing that is not CEL: what follows it cannot be trusted.
pub(super) fn parse(text: &str) -> Result<Parsed, Vec<Problem>> {
    if text.len() > MAX_BYTES {
        let message = format!("the condition has {} bytes, the most is {MAX_BYTES}", text.len());
        return Err(vec![limit(message, "make several rules of it")]);
    }
    let parser = Parser::new().max_recursion_depth(MAX_DEPTH);
    match parser.parse_with_source_info(text) {
        Ok((root, places)) => Ok(Parsed { root, places }),
        Err(found) => {
            // The parser has no words of its own for its limit.
            if found
                .errors
                .iter()
                .any(|error| error.msg.contains("Recursion limit"))
            {
                let message = format!("the condition is nested more than {MAX_DEPTH} levels deep");
                return Err(vec![limit(message, "make several rules of it")]);
            }
            let first = found.errors.first();
            let (place, message) = first.map_or(((0, 0), ""), |error| (error.pos, error.msg.as_str()));
            let offset = offset_of(text, place);
            Err(vec![Problem {
                offset,
                code: "condition-syntax",
                message: plain(message),
                hint: hint(text, offset).into(),
            }])
        }
    }
}

fn limit(message: String, hint: &str) -> Problem {
    Problem {
        offset: 0,
        code: "condition-limit",
        message,
        hint: hint.into(),
    }
}

impl Parsed {
    /// The byte where an expression begins. A node's own place is its operator: `==`, the dot, the bracket.
    pub(super) fn start(&self, text: &str, expr: &IdedExpr) -> usize {
        let mut expr = expr;
        loop {
            expr = match &expr.expr {
                Expr::Call(call) => match (&call.target, call.args.first()) {
                    (Some(target), _) => target,
                    (None, Some(first)) if is_infix(&call.func_name) => first,
                    _ => return word_before(text, self.own(expr)),
                },
                Expr::Select(select) if !select.test => &select.operand,
                Expr::Select(_) => return word_before(text, self.own(expr)),
                Expr::Comprehension(comprehension) => &comprehension.iter_range,
                _ => return self.own(expr),
            };
        }
    }

    /// The byte of an expression's own sign.
    pub(super) fn own(&self, expr: &IdedExpr) -> usize {
        self.places
            .offset_for(expr.id)
            .map_or(0, |(start, _)| start as usize)
    }
}

fn is_infix(name: &str) -> bool {
    name.starts_with('_') || name == operators::IN
}

/// A call stands at its bracket: the beginning of the word before that.
fn word_before(text: &str, offset: usize) -> usize {
    let Some(before) = text.get(..offset).filter(|_| text[offset..].starts_with('(')) else {
        return offset;
    };
    let word = |c: char| c.is_alphanumeric() || c == '_';
    before.trim_end().trim_end_matches(word).len()
}

/// Bytes before a place that counts lines from 1 and characters from 1.
fn offset_of(text: &str, (line, column): (isize, isize)) -> usize {
    let (line, column) = (
        usize::try_from(line).unwrap_or(0),
        usize::try_from(column).unwrap_or(0),
    );
    if line == 0 {
        return 0;
    }
    let before: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = &text[before..];
    let inside = rest.char_indices().nth(column.saturating_sub(1));
    before + inside.map_or(rest.len(), |(at, _)| at)
}

/// A message without the grammar.
fn plain(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let message = message.split(" expecting").next().unwrap_or_default();
    for start in [
        "token recognition error at: ",
        "mismatched input ",
        "extraneous input ",
        "no viable alternative at input ",
    ] {
        if let Some(what) = message.strip_prefix(start) {
            let what = what.trim_matches('\'').trim();
            return match what {
                "<EOF>" => "the condition ends too early".into(),
                "" => "a quote is left open".into(),
                what => format!("`{what}` is not expected here"),
            };
        }
    }
    message.replace(" at '<EOF>'", " at the end")
}

/// What was probably meant.
fn hint(text: &str, offset: usize) -> &'static str {
    let rest = text.get(offset..).unwrap_or_default();
    let before = text.get(..offset).unwrap_or_default().trim_end();
    let word = rest
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    match word {
        "and" | "AND" => return "write `&&`",
        "or" | "OR" => return "write `||`",
        _ if before.ends_with("not") || before.ends_with("NOT") => return "write `!`",
        _ => {}
    }
    match rest.chars().next() {
        Some('=') => "write `==`",
        Some('&') => "write `&&`",
        Some('|') => "write `||`",
        Some('"' | '\'') => "is a quote left open, or a backslash in text? Write `\\\\` for one",
        None => "is something missing at the end?",
        _ => "",
    }
}
