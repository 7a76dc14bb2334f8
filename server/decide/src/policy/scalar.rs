//! What an unquoted word means: the core schema of YAML 1.2 (chapter 10.3.2), nothing of YAML 1.1. `yes`, `on` and
//! `0777` are therefore not what they were, and `1_000` is text.

/// A scalar by meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Core<'a> {
    Null,
    Bool(bool),
    /// A whole number written as one.
    Int(i128),
    /// Any other number, `.nan` and `.inf` among them.
    Float(f64),
    Text(&'a str),
}

/// Resolves a plain scalar.
pub(super) fn resolve(text: &str) -> Core<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Core::Null,
        "true" | "True" | "TRUE" => return Core::Bool(true),
        "false" | "False" | "FALSE" => return Core::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Core::Float(f64::NAN),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Core::Float(if text.starts_with('-') {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        });
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && digits.starts_with(|c: char| c.is_ascii_hexdigit())
            && let Ok(number) = i128::from_str_radix(digits, radix)
        {
            return Core::Int(number);
        }
    }
    if !is_number(unsigned) {
        return Core::Text(text);
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit())
        && let Ok(number) = text.parse()
    {
        return Core::Int(number);
    }
    text.parse().map_or(Core::Text(text), Core::Float)
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_number(text: &str) -> bool {
    let digits = |s: &str| s.len() - s.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let whole = digits(text);
    let mut rest = &text[whole..];
    let mut fraction = 0;
    if let Some(after) = rest.strip_prefix('.') {
        fraction = digits(after);
        rest = &after[fraction..];
    }
    if whole + fraction == 0 {
        return false;
    }
    if let Some(after) = rest.strip_prefix(['e', 'E']) {
        let exponent = after.strip_prefix(['-', '+']).unwrap_or(after);
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_follow_the_core_schema() {
        for text in ["", "~", "null", "NULL"] {
            assert_eq!(resolve(text), Core::Null, "{text}");
        }
        assert_eq!(resolve("True"), Core::Bool(true));
        for (text, number) in [
            ("0", 0),
            ("-12", -12),
            ("+3", 3),
            ("0x1F", 31),
            ("0o17", 15),
            ("007", 7),
        ] {
            assert_eq!(resolve(text), Core::Int(number), "{text}");
        }
        for (text, number) in [
            ("1.5", 1.5),
            (".5", 0.5),
            ("1.", 1.0),
            ("-2e3", -2000.0),
            ("1E-2", 0.01),
        ] {
            assert_eq!(resolve(text), Core::Float(number), "{text}");
        }
        assert!(matches!(resolve(".nan"), Core::Float(n) if n.is_nan()));
        assert_eq!(resolve("-.inf"), Core::Float(f64::NEG_INFINITY));
    }

    #[test]
    fn what_only_looks_like_a_number_is_text() {
        for text in [
            "yes", "on", "1_000", "1e", "e5", ".", "-", "+", "0x", "0x-1", "1.2.3", "nan", "inf", "0o8",
            "--1",
        ] {
            assert_eq!(resolve(text), Core::Text(text), "{text}");
        }
    }

    #[test]
    fn a_number_past_every_integer_is_still_a_number() {
        assert_eq!(resolve(&"9".repeat(60)), Core::Float(1e60));
    }
}
