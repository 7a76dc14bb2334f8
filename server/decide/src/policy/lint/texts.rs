//! Remarks on what routes say of themselves: the classifier knows nothing else of them.

use std::collections::BTreeMap;

use crate::policy::draft::{Draft, Name};
use crate::policy::place::Report;

/// Words below which a description says little more than the name.
const FEW_WORDS: usize = 3;

/// Descriptions that are missing, too short or the same.
pub(super) fn descriptions(draft: &Draft, report: &mut Report) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for route in &draft.routes {
        let name = &route.name.value;
        let Some(description) = &route.description else {
            let message = format!("`{name}` has no description");
            let hint = "say in a phrase of nouns what belongs here; examples help even more";
            report.warning("missing-description", route.described_at(), message, hint);
            continue;
        };
        if words(&description.value) < FEW_WORDS {
            let message = format!("the description of `{name}` is very short");
            report.warning(
                "short-description",
                &description.at,
                message,
                "say what belongs here, in a phrase of nouns",
            );
        }
        match seen.get(&folded(&description.value)) {
            Some(first) => {
                let message = format!("`{name}` has the same description as `{first}`");
                report.warning(
                    "same-description",
                    &description.at,
                    message,
                    "say what sets them apart, or merge them",
                );
            }
            None => {
                seen.insert(folded(&description.value), name);
            }
        }
    }
}

/// Examples that stand in two places and so speak for neither.
pub(super) fn examples(draft: &Draft, report: &mut Report) {
    let routes = draft
        .routes
        .iter()
        .flat_map(|r| r.examples.iter().map(|e| (r.name.value.as_str(), e)));
    let other = draft.other_examples.iter().map(|example| ("other", example));
    let mut seen: BTreeMap<String, (&str, &Name)> = BTreeMap::new();
    for (route, example) in routes.chain(other) {
        match seen.get(&folded(&example.value)) {
            Some((first, at)) => {
                let message = match *first == route {
                    true => format!("this example is already on line {}", at.at.line),
                    false => format!(
                        "this example of `{route}` is also one of `{first}`, on line {}",
                        at.at.line
                    ),
                };
                report.warning("duplicate-example", &example.at, message, "keep it in one place");
            }
            None => {
                seen.insert(folded(&example.value), (route, example));
            }
        }
    }
}

/// Words between spaces; scripts that write without spaces count by the character.
fn words(text: &str) -> usize {
    let unspaced = text.chars().filter(|c| *c >= '\u{2e80}').count();
    text.split_whitespace().count().max(unspaced)
}

/// A text without what does not change its meaning.
fn folded(text: &str) -> String {
    text.split_whitespace()
        .map(str::to_lowercase)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_without_spaces_are_not_short() {
        assert_eq!(words("生成新的代码"), 6);
        assert_eq!(words("code  stuff"), 2);
    }
}
