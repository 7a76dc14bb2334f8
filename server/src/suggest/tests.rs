use signalbox_decide::policy::load_requests;

use super::*;
use crate::store::Compiler;

/// Descriptions that say nothing: what the routes are for shows only in requests.
const VAGUE: &str = "schema: 1
default: a
models: [{id: a}]
routes:
- {name: first, description: requests of the first kind, models: [a], examples: [boil the potatoes in salted water]}
- {name: second, description: requests of the second kind, models: [a], examples: [what is my account balance]}
- {name: third, description: requests of the third kind, models: [a]}
";

const COOKING: [&str; 8] = [
    "how long do I bake a chocolate cake",
    "a recipe for tomato soup with basil",
    "what can I cook with leftover rice",
    "how do I knead dough for fresh bread",
    "which spices go into a lentil curry",
    "how do I roast a chicken in the oven",
    "a quick pasta sauce with garlic and cream",
    "how do I bake bread with dry yeast in the oven",
];
const MONEY: [&str; 8] = [
    "transfer two hundred dollars to my savings account",
    "why was my credit card payment declined",
    "how do I open a new savings account at the bank",
    "what is the interest rate on my loan",
    "block my credit card, I lost it",
    "show the last payments from my bank account",
    "raise the limit of my credit card",
    "pay my loan from the savings account",
];

fn snapshot() -> Snapshot {
    Compiler::new()
        .unwrap()
        .compile(VAGUE.as_bytes(), "vague", None)
        .unwrap()
        .0
}

/// The lines of two routes, one after the other.
fn labelled() -> String {
    let line = |(text, route): (&&str, &str)| format!("{{\"prompt\": \"{text}\", \"route\": \"{route}\"}}\n");
    let lines = COOKING.iter().zip(std::iter::repeat("first")).map(line);
    lines
        .chain(MONEY.iter().zip(std::iter::repeat("second")).map(line))
        .collect()
}

fn read(text: &str, snapshot: &Snapshot) -> Vec<RequestLine> {
    load_requests(text.as_bytes(), Some(&snapshot.policy)).unwrap()
}

#[test]
fn examples_come_from_one_half_and_are_measured_on_the_other() {
    let snapshot = snapshot();
    let requests = read(&labelled(), &snapshot);
    let found = suggest(&snapshot, &requests);
    let lines = found.additions.iter().flat_map(|addition| &addition.requests);
    let lines: Vec<u32> = lines.map(|request| request.line).collect();
    // Eight lines of each route: the odd ones are learned from.
    assert!(
        !lines.is_empty() && lines.iter().all(|line| line % 2 == 1),
        "{lines:?}"
    );
    assert_eq!((found.before.all, found.after.all), (8, 8));
    assert!(
        found.after.right > found.before.right,
        "{:?} {:?}",
        found.before,
        found.after
    );
    assert_eq!(found.right.all, 16);
    assert!(found.never.contains(&2));
    assert_eq!(suggest(&snapshot, &requests).after, found.after);
}

#[test]
fn a_text_counts_once_and_an_example_of_the_policy_not_at_all() {
    let snapshot = snapshot();
    let twice: String = labelled()
        .lines()
        .flat_map(|line| [line, "\n", line, "\n"])
        .collect();
    let known = "{\"prompt\": \" what is my account balance \", \"route\": \"third\"}\n";
    let turns = "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}, {\"role\": \"user\", \"content\": \"soup\"}], \"route\": \"third\"}\n";
    let requests = read(&(twice + known + known + turns + turns), &snapshot);
    let found = suggest(&snapshot, &requests);
    assert_eq!(found.before.all, 8);
    assert!(found.additions.iter().all(|addition| addition.label != Some(2)));
    // All lines count where nothing is learned.
    assert_eq!(found.right.all, 36);
}

#[test]
fn requests_without_wanted_routes_still_show_what_never_wins_and_what_falls_through() {
    let snapshot = snapshot();
    let text = "{\"prompt\": \"what is my account balance\"}\n{\"prompt\": \"x\", \"request\": {\"model\": \"a\"}}\n{\"prompt\": \"qwrtz\"}\n";
    let requests = read(text, &snapshot);
    let found = suggest(&snapshot, &requests);
    assert_eq!(found.right.all, 0);
    assert!(found.additions.is_empty() && found.confused.is_empty());
    let fell: Vec<bool> = found.seen.iter().map(|seen| seen.fell).collect();
    assert_eq!((fell[0], fell[1]), (false, false));
    assert_eq!(found.never, [0, 2]);
    assert_eq!(found.seen[1].margin, None);
}

#[test]
fn confusions_are_grouped_by_what_was_wanted_and_what_came() {
    let snapshot = snapshot();
    let text = "{\"prompt\": \"what is my account balance\", \"route\": \"third\"}\n{\"prompt\": \"boil the potatoes in salted water\", \"route\": \"first\"}\n\
                {\"prompt\": \"what is my account balance?\", \"route\": \"third\"}\n{\"prompt\": \"what is my account balance\", \"route\": \"other\"}\n";
    let requests = read(text, &snapshot);
    let found = suggest(&snapshot, &requests);
    let confused: Vec<_> = found
        .confused
        .iter()
        .map(|(wanted, got, requests)| (*wanted, *got, requests.iter().map(|r| r.line).collect::<Vec<_>>()))
        .collect();
    assert_eq!(
        confused,
        [(Some(2), Some(1), vec![1, 3]), (None, Some(1), vec![4])]
    );
}
