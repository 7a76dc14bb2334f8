//! Policies nobody would write, made by walking the description of the format: mostly well formed, sometimes broken in
//! one place. Whatever comes, it loads and decides, or every problem has a place and a message.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::*;
use crate::decide::{Step, decide};
use crate::evidence::{Answer, Evidence, Probe, RouteScores, Signals};
use crate::health::{Health, ModelHealth};
use crate::policy::load::load;
use crate::query::Query;
use crate::session::Held;

/// `SIGNALBOX_FUZZ_CASES`, or what takes seconds.
fn cases() -> u64 {
    let wanted = std::env::var("SIGNALBOX_FUZZ_CASES").ok();
    wanted.map_or(100_000, |text| {
        text.parse().expect("SIGNALBOX_FUZZ_CASES is a number")
    })
}

/// Models, routes and so on have names of one letter and a small number, so that most references find something.
const KINDS: &[(&str, &[&str])] = &[
    (
        "m",
        &[
            "model",
            "models",
            "default",
            "id",
            "strong",
            "weak",
            "judge",
            "fast",
            "slow",
            "plan_models",
            "fallbacks",
            "model_id",
            "aliases",
        ],
    ),
    ("r", &["route"]),
    ("d", &["domain"]),
    ("p", &["profile"]),
    ("u", &["rule"]),
    ("c", &["canary"]),
];

const CONDITIONS: &[&str] = &[
    "true",
    "caller.tier == \"free\"",
    "caller.tenant == \"a\" || caller.tenant in [\"b\", \"c\"]",
    "request.tokens > 100 && signals.has_code",
    "\"image\" in request.modalities",
    "caller.labels.x == \"1\" ? signals.complexity > 0.5 : !signals.is_question",
    "signals.language.matches(\"^(de|fr)$\")",
    "request.tokens > \"1\"",
    "caller.teir == 1 &&",
    "[1, 2].all(x, x > 0)",
    "1 == 1.0",
];

const TEXTS: &[&str] = &[
    "a plain text of five words",
    "naïve “text” → 文字",
    "x: y # z",
    "tools",
    "eu",
];

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

struct Author {
    dice: Dice,
    /// One value in so many is wrong; `None`: none is on purpose.
    wrong: Option<usize>,
    /// By kind, names given so far to what must have a name of its own.
    named: BTreeMap<&'static str, usize>,
}

impl Author {
    fn object(&mut self, object: &Object, depth: usize) -> Value {
        let mut map = Map::new();
        let chosen = (!object.one_of.is_empty()).then(|| *self.dice.pick(object.one_of));
        for field in object.fields {
            if field.name == "models" && object.name == "policy" {
                continue;
            }
            // Nothing is named before there is one.
            let unknown = !field.required
                && self
                    .kind_of(field.name)
                    .is_some_and(|kind| !self.named.contains_key(kind));
            let unknown = unknown && matches!(field.kind, Kind::Text(_) | Kind::Either(_)) && !self.slips();
            let rival = object.one_of.contains(&field.name) && chosen != Some(field.name);
            let wanted = field.required || chosen == Some(field.name);
            // Half of the optional keys at the top; deeper fewer, so that policies stay small.
            let there = if unknown {
                false
            } else if rival || wanted {
                wanted
            } else {
                self.dice.once_in(2 + depth)
            };
            if there != self.slips() {
                map.insert(
                    field.name.into(),
                    self.value(object.name, field.name, &field.kind, depth + 1),
                );
            }
        }
        if self.slips() {
            map.insert("modles".into(), json!(1));
        }
        Value::Object(map)
    }

    fn value(&mut self, owner: &str, key: &str, kind: &Kind, depth: usize) -> Value {
        if self.slips() {
            let odd = [
                json!(null),
                json!(-1),
                json!(1e300),
                json!(true),
                json!(""),
                json!("\u{7}"),
                json!([[]]),
                json!({"a": {}}),
            ];
            return self.dice.pick(&odd).clone();
        }
        match kind {
            Kind::Text(text) => json!(self.text(owner, key, *text)),
            Kind::Integer { .. } if key == "schema" => json!(1),
            Kind::Integer { min, max } => {
                json!(
                    *self
                        .dice
                        .pick(&[*min, *max, min + (max - min) / 2, 3.clamp(*min, *max)])
                )
            }
            Kind::Number { min, max, above } => {
                let low = if *above || self.wrong.is_none() {
                    max * 0.25
                } else {
                    *min
                };
                json!(if key.starts_with("min") {
                    low
                } else {
                    *self.dice.pick(&[*max, max * 0.5, low])
                })
            }
            Kind::Bool => json!(self.dice.once_in(2)),
            Kind::Null => Value::Null,
            Kind::Words(words) => json!(self.dice.pick(words).word),
            Kind::List { of, min } => {
                let length = min + self.dice.below(3) + usize::from(depth == 1);
                let mut items: Vec<Value> = Vec::new();
                for _ in 0..length {
                    let item = self.value(owner, key, of, depth);
                    // Few lists may name a thing twice.
                    if !items.contains(&item) || self.slips() {
                        items.push(item);
                    }
                }
                Value::Array(items)
            }
            Kind::Map(of) => {
                let keys: &[&str] = match key {
                    "quality" => &["default"],
                    "health" => &["m0", "m1"],
                    _ => &["batch", "a1"],
                };
                let chosen: Vec<_> = keys.iter().copied().filter(|_| self.dice.once_in(2)).collect();
                chosen
                    .into_iter()
                    .map(|name| (name.to_owned(), self.value(owner, key, of, depth)))
                    .collect()
            }
            Kind::Object(object) => self.object(object, depth),
            Kind::Either(kinds) => {
                let kind = self.dice.below(kinds.len());
                self.value(owner, key, &kinds[kind], depth)
            }
        }
    }

    /// The letter of what a key names or an object is.
    fn kind_of(&self, topic: &str) -> Option<&'static str> {
        KINDS
            .iter()
            .find(|(letter, keys)| keys.contains(&topic) || topic == *letter)
            .map(|(letter, _)| *letter)
    }

    fn slips(&mut self) -> bool {
        self.wrong.is_some_and(|n| self.dice.once_in(n))
    }

    fn text(&mut self, owner: &str, key: &str, kind: Text) -> String {
        if matches!(key, "when") {
            let known = if self.wrong.is_some() { CONDITIONS.len() } else { 7 };
            return (*self.dice.pick(&CONDITIONS[..known])).to_owned();
        }
        let topic = if key == "name" { owner } else { key };
        let letter = self.kind_of(topic).unwrap_or("x");
        if matches!(key, "name" | "id") {
            let named = self.named.entry(letter).or_default();
            *named += 1;
            return format!("{letter}{}", *named - 1);
        }
        if topic == "key" {
            return "caller.labels.user".to_owned();
        }
        match kind {
            Text::Id | Text::Name => {
                let last = if self.slips() {
                    9
                } else {
                    self.named.get(letter).map_or(0, |&n| n.clamp(1, 3) - 1)
                };
                format!("{letter}{}", self.dice.below(last + 1))
            }
            _ => (*self.dice.pick(TEXTS)).to_owned(),
        }
    }
}

/// Puts the catalogue first: keys of our format come in any order, but what is named must be known to the author.
fn policy(seed: u64) -> String {
    let mut author = Author {
        dice: Dice(seed),
        wrong: [None, Some(400), Some(60)][(seed % 3) as usize],
        named: BTreeMap::new(),
    };
    let models = POLICY.field("models").expect("policies have models");
    let catalogue = author.value("policy", "models", &models.kind, 1);
    let mut root = author.object(&POLICY, 0);
    if let (Value::Object(root), false) = (&mut root, author.slips()) {
        root.insert("models".into(), catalogue);
        // The built-in catalogue's and other formats' files are fixtures of their own.
        root.remove("catalogue");
    }
    if seed.is_multiple_of(2) {
        root.to_string()
    } else {
        format!("{root:#}")
    }
}

/// Decides with the weakest and with the strongest answers; both must end.
fn decides(policy: &crate::Policy, dice: &mut Dice) {
    let cooling = ModelHealth {
        cooling_s: Some(1.0),
        ..ModelHealth::default()
    };
    for known in [false, true] {
        let query = Query {
            input_tokens: 10,
            read_cache: true,
            ..Query::default()
        };
        let mut evidence = Evidence::default();
        for _ in 0..10 {
            let failed = || ("embedding_failed", "no".to_owned());
            match decide(policy, &query, &evidence) {
                Step::Done(_) => break,
                Step::Ask(Probe::ExactCache) => evidence.cache = Answer::Got(None),
                Step::Ask(Probe::Health) => {
                    let ids = policy.models.iter().map(|model| model.id.clone());
                    let models = ids.filter(|_| !known).map(|id| (id, cooling)).collect();
                    evidence.health = Answer::Got(Health { models }.into());
                }
                Step::Ask(Probe::Session) => {
                    let held = policy.models.first().filter(|_| known).map(|model| Held {
                        model: model.id.clone(),
                        route: policy.routes.first().map(|route| route.name.clone()),
                    });
                    evidence.session = Answer::Got(held);
                }
                Step::Ask(Probe::Signals) => evidence.signals = Answer::Got(Signals::default()),
                Step::Ask(Probe::Difficulty(_)) => evidence.difficulty = Answer::Got(0.5),
                Step::Ask(Probe::Encoder) => evidence.encoder = evidence.embedding.clone(),
                Step::Ask(Probe::Llm) => {
                    evidence.llm = Answer::Failed {
                        code: "llm_failed",
                        detail: String::new(),
                    }
                }
                Step::Ask(Probe::Embedding) if known => {
                    let mut routes = vec![0.0; policy.scored().len()];
                    let best = dice.below(routes.len());
                    routes[best] = 1.0;
                    evidence.embedding = Answer::Got(
                        RouteScores {
                            routes,
                            second_look: true,
                            ..RouteScores::default()
                        }
                        .into(),
                    );
                }
                Step::Ask(Probe::Embedding) => {
                    let (code, detail) = failed();
                    evidence.embedding = Answer::Failed { code, detail };
                }
            }
        }
        assert!(matches!(decide(policy, &query, &evidence), Step::Done(_)));
    }
}

#[test]
fn any_policy_loads_and_decides_or_says_where_it_is_wrong() {
    let validator = jsonschema::draft202012::new(&json_schema()).unwrap();
    let (mut loaded, mut codes, cases) = (0, BTreeSet::new(), cases());
    for seed in 0..cases {
        let text = policy(seed);
        match load(text.as_bytes()) {
            Ok(found) => {
                loaded += 1;
                codes.extend(found.diagnostics.iter().map(|d| d.code));
                decides(&found.policy, &mut Dice(seed));
                if loaded % 10 == 0 {
                    let json: Value = serde_json::from_str(&text).unwrap();
                    assert!(validator.is_valid(&json), "the schema refuses what loads: {text}");
                }
            }
            Err(found) => {
                assert!(!found.is_empty(), "{text}");
                for problem in &found {
                    assert!(!problem.message.is_empty(), "{problem:?} in {text}");
                    assert!(
                        problem.code == "more" || problem.line > 0,
                        "{problem:?} in {text}"
                    );
                }

                codes.extend(found.iter().map(|d| d.code));
            }
        }
    }
    assert!(loaded > cases / 10, "only {loaded} of {cases} policies load");
    assert!(codes.len() >= 35, "only these findings were reached: {codes:?}");
}
