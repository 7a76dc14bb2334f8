//! Suggestions for people.

use std::fmt::Write;

use signalbox_decide::Policy;
use signalbox_decide::policy::{RequestLine, RouteIndex};

use super::super::requests::lines;
use super::{Shown, name, names};
use crate::eval::Share;
use crate::suggest::{Change, Kind, NEAR, Tie};

impl Shown<'_> {
    /// `2 of 9 what: lines 3, 4`, with the prompts where they are wanted.
    fn named(&self, text: &mut String, what: &str, requests: &[&RequestLine]) {
        let all = self.found.seen.len();
        // Writing to a String cannot fail, here and below.
        let _ = match requests {
            [] => writeln!(text, "0 of {all} {what}"),
            some => writeln!(text, "{} of {all} {what}: {}", some.len(), lines(some)),
        };
        self.prompts(text, requests);
    }

    pub(super) fn text(&self) -> String {
        let mut text = never(self.policy, &self.found.never);
        self.named(
            &mut text,
            "requests fall to the default",
            &self.those(|seen| seen.fell),
        );
        let near = format!("requests are less than {NEAR} before the runner-up");
        self.named(&mut text, &near, &self.those(|seen| seen.is_near()));
        text += &ties(self.policy, &self.found.ties);
        if self.found.right.all == 0 {
            self.splits(&mut text);
            text += "no line has `route`, the wanted one: confusions, examples worth adding, routes that are better as one and \
                     clauses for descriptions need it\n";
            return text;
        }
        let _ = writeln!(text, "right: {}", share(self.found.right));
        for (wanted, got, requests) in &self.found.confused {
            let (wanted, got) = (self.name(*wanted), self.name(*got));
            let _ = writeln!(
                text,
                "  {wanted} is taken for {got}: {} x, {}",
                requests.len(),
                lines(requests)
            );
            self.prompts(&mut text, requests);
        }
        self.examples(&mut text);
        self.merges(&mut text);
        self.splits(&mut text);
        self.clauses(&mut text);
        text += "what changes bring is measured on requests that they were not made of, each once, by cross-validation\n";
        text
    }

    fn examples(&self, text: &mut String) {
        let found = &self.found.examples;
        if found.additions.is_empty() {
            *text += "no example is worth adding\n";
            return;
        }
        *text += "examples that may be worth adding:\n";
        for addition in &found.additions {
            let (name, requests) = (self.name(addition.label), &addition.requests);
            let change = addition.change;
            let (before, after) = (count(change.before), count(change.after));
            let _ = writeln!(text, "  {name}: {}; {before} -> {after}", lines(requests));
            self.prompts(text, requests);
        }
        let _ = writeln!(text, "all of them together: {}", measured(found.together));
    }

    fn merges(&self, text: &mut String) {
        if self.found.merges.is_empty() {
            *text += "no two routes are better as one\n";
            return;
        }
        *text += "routes that may be one, either name being right then:\n";
        for merge in &self.found.merges {
            let (a, b) = (self.name(Some(merge.pair.0)), self.name(Some(merge.pair.1)));
            let models = match merge.same_models {
                true => "their models are the same",
                false => "their models differ, so one list must serve both",
            };
            let elsewhere = merge.elsewhere;
            let _ = writeln!(
                text,
                "  {a} and {b}: {} of {} taken for the other, {}; {models}\n    {}; beside those, {} gained and {} lost",
                merge.mistakes.len(),
                merge.of,
                lines(&merge.mistakes),
                measured(merge.change),
                elsewhere.gained,
                elsewhere.lost
            );
            self.prompts(text, &merge.mistakes);
        }
    }

    fn splits(&self, text: &mut String) {
        if self.found.splits.is_empty() {
            *text += "no route's requests are of two kinds\n";
            return;
        }
        *text += "routes that may be two:\n";
        for split in &self.found.splits {
            let [(one, first), (two, second)] = &split.groups;
            let _ = writeln!(
                text,
                "  {}: {one} requests such as {}, and {two} such as {}; silhouette {:.2}, told apart {}",
                self.name(Some(split.route)),
                lines(first),
                lines(second),
                split.silhouette,
                share(split.told)
            );
            if self.found.right.all > 0 {
                let _ = writeln!(text, "    as two, either being right: {}", counted(split.change));
            }
            self.prompts(text, first);
            self.prompts(text, second);
        }
    }

    fn clauses(&self, text: &mut String) {
        let clauses = &self.found.clauses;
        if clauses.found.is_empty() {
            let _ = writeln!(text, "no clause of {} tried helps a description", clauses.tried);
            return;
        }
        let _ = writeln!(
            text,
            "what descriptions should say besides ({} tried; of 20 that do nothing one seems to help):",
            clauses.tried
        );
        for clause in &clauses.found {
            let route = self.name(Some(clause.route));
            let what = match (self.prompts, clause.kind) {
                (true, _) => format!("`; {}`", clause.text),
                (false, Kind::Words) => "characteristic words (--show-prompts) of".to_owned(),
                (false, Kind::Request) => "the words of".to_owned(),
            };
            let _ = writeln!(
                text,
                "  {route}: {what} {}\n    {}",
                lines(&clause.from),
                measured(clause.change)
            );
        }
    }
}

pub(super) fn never(policy: &Policy, never: &[RouteIndex]) -> String {
    match never {
        [] => "every route wins some request\n".to_owned(),
        never => format!("routes that never win: {}\n", names(policy, never).join(", ")),
    }
}

pub(super) fn ties(policy: &Policy, ties: &[Tie]) -> String {
    let mut text = String::new();
    for tie in ties {
        let [a, b] = [tie.pair.0, tie.pair.1].map(|route| name(policy, Some(route)));
        let _ = writeln!(
            text,
            "{a} and {b} are near ties most of the time: in {} of the {} requests that they win; they may be one",
            tie.near, tie.of
        );
    }
    text
}

/// `5 of 9 (55.6 %) -> 8 of 9 (88.9 %), 3 gained, 0 lost`.
fn counted(change: Change) -> String {
    let (before, after) = (share(change.before), share(change.after));
    format!(
        "{before} -> {after}, {} gained, {} lost",
        change.gained, change.lost
    )
}

/// The same with what it says: `: no more than chance (p = 0.13)`.
fn measured(change: Change) -> String {
    let verdict = if change.before.all == 0 {
        "nothing is left to measure on: give more requests".to_owned()
    } else if change.gained + change.lost == 0 {
        "no difference that these requests show".to_owned()
    } else if change.is_harm() {
        "that does harm".to_owned()
    } else {
        let more = if change.is_gain() { "more" } else { "no more" };
        format!("{more} than chance (p {})", probability(change.chance()))
    };
    format!("{}: {verdict}", counted(change))
}

fn probability(p: f64) -> String {
    if p < 0.005 {
        "< 0.005".to_owned()
    } else {
        format!("= {p:.2}")
    }
}

fn count(share: Share) -> String {
    format!("{} of {}", share.right, share.all)
}

fn share(share: Share) -> String {
    match share.value() {
        Some(value) => format!("{} ({:.1} %)", count(share), value * 100.0),
        None => count(share),
    }
}
