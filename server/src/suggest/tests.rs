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

/// Two routes that were each other's, as the requests below say.
const TWINS: &str = "schema: 1
default: a
models: [{id: a}, {id: b}]
routes:
- {name: first, description: questions on baking, models: [a], examples: [how to bake a cake]}
- {name: second, description: questions on soup, models: [a], examples: [how to cook soup]}
- {name: third, description: bank accounts and payments, models: [b]}
";

/// One route for two things, and one for one.
const TWO: &str = "schema: 1
default: a
models: [{id: a}]
routes:
- name: first
  description: cooking and recipes; bank accounts, cards and payments
  models: [a]
  examples: [how to boil an egg, what is my account balance]
- {name: second, description: weather forecasts, models: [a], examples: [will it rain in Rome]}
";

const COOKING: [&str; 10] = [
    "how long do I bake a chocolate cake",
    "a recipe for tomato soup with basil",
    "what can I cook with leftover rice",
    "how do I knead dough for fresh bread",
    "which spices go into a lentil curry",
    "how do I roast a chicken in the oven",
    "a quick pasta sauce with garlic and cream",
    "how do I bake bread with dry yeast in the oven",
    "a recipe for apple cake without eggs",
    "how long must dough rest before I bake bread",
];
const MONEY: [&str; 10] = [
    "transfer two hundred dollars to my savings account",
    "why was my credit card payment declined",
    "how do I open a new savings account at the bank",
    "what is the interest rate on my loan",
    "block my credit card, I lost it",
    "show the last payments from my bank account",
    "raise the limit of my credit card",
    "pay my loan from the savings account",
    "when is the next payment of my loan due",
    "close my account and send the savings to another bank",
];
const BAKING: [&str; 5] = [
    "how long do I bake a cheese cake",
    "bake a cake without eggs",
    "which flour do I take to bake bread",
    "baking a cake for twelve people",
    "can I bake a cake in a pan",
];
const SOUP: [&str; 5] = [
    "a soup with tomatoes",
    "how long does chicken soup cook",
    "which herbs go into a soup",
    "can I freeze pumpkin soup",
    "cook a soup for ten people",
];

fn compile(policy: &str) -> Snapshot {
    let compiled = Compiler::new()
        .unwrap()
        .compile(policy.as_bytes(), "policy", None);
    compiled.unwrap().0
}

fn snapshot() -> Snapshot {
    compile(VAGUE)
}

/// A line for each text, with the routes by turns.
fn lines(texts: &[&str], routes: &[&str]) -> String {
    let line = |(text, route)| format!("{{\"prompt\": \"{text}\", \"route\": \"{route}\"}}\n");
    texts.iter().zip(routes.iter().cycle()).map(line).collect()
}

/// The lines of two routes, one after the other.
fn labelled() -> String {
    lines(&COOKING, &["first"]) + &lines(&MONEY, &["second"])
}

fn read(text: &str, snapshot: &Snapshot) -> Vec<RequestLine> {
    load_requests(text.as_bytes(), Some(&snapshot.policy)).unwrap()
}

fn numbers(requests: &[&RequestLine]) -> Vec<u32> {
    requests.iter().map(|request| request.line).collect()
}

#[test]
fn examples_are_measured_on_requests_that_they_were_not_made_of() {
    let snapshot = compile(TWO);
    let rain: Vec<String> = ["Oslo", "Paris", "Bern", "Cairo", "Tokyo"]
        .map(|city| format!("do I need an umbrella in {city}"))
        .to_vec();
    let rain: Vec<&str> = rain.iter().map(String::as_str).collect();
    // By their texts, these belong to the other route: what the others say can be learned, and is.
    let requests = read(
        &(lines(&COOKING, &["second"]) + &lines(&rain, &["second"])),
        &snapshot,
    );
    let found = suggest(&snapshot, &requests).examples;
    assert_eq!((found.together.before.all, found.together.after.all), (15, 15));
    assert!(found.together.is_gain(), "{:?}", found.together);
    assert_eq!(found.additions.len(), 1);
    assert_eq!(found.additions[0].change, found.together);
    assert!(found.additions[0].requests.len() <= MOST);
    assert_eq!(suggest(&snapshot, &requests).examples.together, found.together);
}

#[test]
fn what_cannot_be_learned_does_not_seem_to_help() {
    let snapshot = snapshot();
    let by_turns = ["first", "second"];
    let requests = read(
        &(lines(&COOKING, &by_turns) + &lines(&MONEY, &by_turns)),
        &snapshot,
    );
    let found = suggest(&snapshot, &requests);
    // Measured on what was learned, nearly all of the twenty would be right.
    let together = found.examples.together;
    assert!(!found.examples.additions.is_empty() && together.after.all == 20);
    assert!(together.after.right <= 12 && !together.is_gain(), "{together:?}");
    assert!(
        found.clauses.tried > 0 && found.clauses.found.is_empty(),
        "{:?}",
        found.clauses
    );
}

#[test]
fn each_route_is_spread_over_the_parts_and_turns_of_a_dialogue_stay_together() {
    let snapshot = snapshot();
    let dialogue: String = (0..10)
        .map(|turn| {
            let said = |text: &str| format!("{{\"role\": \"user\", \"content\": \"{text}\"}}");
            let more: Vec<String> = (0..turn).map(|turn| said(&format!("more {turn}"))).collect();
            let messages = [vec![said("a pancake please")], more].concat().join(", ");
            format!("{{\"messages\": [{messages}], \"route\": \"first\"}}\n")
        })
        .collect();
    let requests = read(&(labelled() + &dialogue), &snapshot);
    let seen: Vec<Seen<'_>> = requests.iter().map(|request| look(&snapshot, request)).collect();
    let cases = Cases::of(&snapshot, &seen, |seen| seen.wanted);
    assert_eq!(cases.all.len(), 30);
    let parts: Vec<Vec<usize>> = (0..FOLDS)
        .map(|fold| (0..30).filter(|at| cases.folds[*at] == fold).collect())
        .collect();
    for part in &parts {
        let of = |range: std::ops::Range<usize>| part.iter().filter(|at| range.contains(at)).count();
        assert_eq!((of(0..10), of(10..20)), (2, 2), "{parts:?}");
        assert!([0, 10].contains(&of(20..30)), "{parts:?}");
    }
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
    // The conversation is measured, and no example.
    assert_eq!(found.examples.together.before.all, 21);
    assert!(
        found
            .examples
            .additions
            .iter()
            .all(|addition| addition.label != Some(2))
    );
    // All lines count where nothing is learned.
    assert_eq!(found.right.all, 44);
}

#[test]
fn routes_that_are_taken_for_one_another_are_better_as_one() {
    let snapshot = compile(TWINS);
    let twins = lines(&BAKING, &["second"]) + &lines(&SOUP, &["first"]);
    let requests = read(&(twins + &lines(&MONEY, &["third"])), &snapshot);
    let merges = suggest(&snapshot, &requests).merges;
    assert_eq!(merges.len(), 1, "{merges:?}");
    let merge = &merges[0];
    assert_eq!((merge.pair, merge.of, merge.same_models), ((0, 1), 10, true));
    assert_eq!(numbers(&merge.mistakes), (1..=10).collect::<Vec<u32>>());
    assert_eq!((merge.change.gained, merge.change.lost), (10, 0));
    assert_eq!((merge.elsewhere.gained, merge.elsewhere.lost), (0, 0));

    // In one direction it is no confusion: the route that gets them needs examples of what it is not.
    let one_way = lines(&BAKING, &["second"]) + &lines(&SOUP, &["second"]);
    let requests = read(&(one_way + &lines(&MONEY, &["third"])), &snapshot);
    assert!(suggest(&snapshot, &requests).merges.is_empty());
}

#[test]
fn near_ties_count_where_they_are_more_than_half_of_what_the_two_win() {
    let tie = |pair, near, of| Tie { pair, near, of };
    let near = [[(0, 1); 5].as_slice(), &[(1, 2); 6], &[(3, 4); 4]].concat();
    let won = [[0; 4].as_slice(), &[1; 5], &[2; 7], &[3; 4]].concat();
    let found = merge::ties(near.into_iter(), won.into_iter());
    // Six of twelve are no more than half, and four of four are too few.
    assert_eq!(found, [tie((0, 1), 5, 9)]);
}

#[test]
fn a_route_for_two_things_may_be_two_and_one_for_one_thing_not() {
    let snapshot = compile(TWO);
    let rain: Vec<String> = [
        "Oslo", "Paris", "Berlin", "Madrid", "Lisbon", "Vienna", "Prague", "Dublin",
    ]
    .iter()
    .flat_map(|city| {
        [
            format!("will it rain in {city}"),
            format!("how cold is it in {city} tonight"),
        ]
    })
    .collect();
    let rain: Vec<&str> = rain.iter().map(String::as_str).collect();
    let first = [COOKING, MONEY].concat();
    let text = lines(&first, &["first"]) + &lines(&rain, &["second"]);
    let requests = read(&text, &snapshot);
    let splits = suggest(&snapshot, &requests).splits;
    let routes: Vec<RouteIndex> = splits.iter().map(|split| split.route).collect();
    assert_eq!(routes, [0], "{splits:?}");
    let [(one, nearest), (two, others)] = &splits[0].groups;
    assert_eq!((*one, *two, splits[0].told.all), (10, 10, 20));
    let mut sides =
        [nearest, others].map(|shown| numbers(shown).iter().map(|line| *line > 10).collect::<Vec<_>>());
    sides.sort();
    assert_eq!(sides, [vec![false; 3], vec![true; 3]]);

    // What evidence gave the route stands in for what is wanted.
    let bare: String = text
        .lines()
        .map(|line| line.split(", \"route\"").next().unwrap().to_owned() + "}\n")
        .collect();
    let requests = read(&bare, &snapshot);
    let found = suggest(&snapshot, &requests);
    assert_eq!(
        (found.right.all, found.splits.len()),
        (0, 1),
        "{:?}",
        found.splits
    );
}

#[test]
fn a_description_that_says_nothing_is_helped_by_the_words_of_its_requests() {
    let snapshot = snapshot();
    let requests = read(&labelled(), &snapshot);
    let clauses = suggest(&snapshot, &requests).clauses;
    let clause = &clauses.found[0];
    assert_eq!((clause.route, clause.kind), (0, Kind::Words), "{clauses:?}");
    assert!(clause.text.starts_with("bake"), "{clauses:?}");
    assert!(clause.change.is_gain() && clause.change.before.all == 20);
    assert!(clauses.tried > clauses.found.len());
    assert!(clause.from.iter().all(|request| request.line <= 10));
}

#[test]
fn requests_without_wanted_routes_still_show_what_never_wins_and_what_falls_through() {
    let snapshot = snapshot();
    let text = "{\"prompt\": \"what is my account balance\"}\n{\"prompt\": \"x\", \"request\": {\"model\": \"a\"}}\n{\"prompt\": \"qwrtz\"}\n";
    let requests = read(text, &snapshot);
    let found = suggest(&snapshot, &requests);
    assert_eq!(found.right.all, 0);
    assert!(found.examples.additions.is_empty() && found.confused.is_empty());
    assert!(found.merges.is_empty() && found.clauses.tried == 0);
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
