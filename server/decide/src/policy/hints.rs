//! Words for hints: the names that somebody probably meant, and lists of names as people write them.

use crate::decision::nearest;

/// `did you mean ...?`, or `otherwise` where no name is near.
pub(super) fn did_you_mean<'a>(
    wanted: &str,
    names: impl IntoIterator<Item = &'a str>,
    otherwise: impl FnOnce() -> String,
) -> String {
    let near = nearest(wanted, names.into_iter());
    if near.is_empty() {
        return otherwise();
    }
    format!(
        "did you mean {}?",
        quoted(&near.iter().map(String::as_str).collect::<Vec<_>>(), "or")
    )
}

/// Names in backquotes: `a`, `b` or `c`.
pub(super) fn quoted(names: &[&str], last: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_in_a_sentence() {
        assert_eq!(quoted(&["a"], "or"), "`a`");
        assert_eq!(quoted(&["a", "b", "c"], "and"), "`a`, `b` and `c`");
        assert_eq!(
            did_you_mean("latancy", ["latency", "cost"], String::new),
            "did you mean `latency`?"
        );
        assert_eq!(did_you_mean("zzz", ["latency"], || "no".into()), "no");
    }
}
