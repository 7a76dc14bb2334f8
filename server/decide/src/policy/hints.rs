//! Words for hints: the names that somebody probably meant, and lists of names as people write them.

use crate::decision::nearest;

/// Longest name that is compared, in bytes.
const LONGEST: usize = 128;
/// Most names that one is compared with.
const MOST_NAMES: usize = 2000;

/// `did you mean ...?`, or `otherwise` where no name is near.
pub(super) fn did_you_mean<'a>(
    wanted: &str,
    names: impl IntoIterator<Item = &'a str>,
    otherwise: impl FnOnce() -> String,
) -> String {
    // The comparison takes time by the product of the lengths, and the words are whatever a file says.
    let short = |name: &&str| name.len() <= LONGEST;
    if !short(&wanted) {
        return otherwise();
    }
    let near = nearest(wanted, names.into_iter().filter(short).take(MOST_NAMES));
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
