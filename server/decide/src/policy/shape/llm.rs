//! When a language model is asked.

use super::{Kind, Object, SHARE, Word, defaults, object, word};

pub(in crate::policy) static LLM: Object = object(
    "llm",
    "When to ask a language model for the route, if the server has one. Its answer goes before the embedding's; without one, in time, \
     the embedding decides and the decision says so.",
    &[
        defaults("mode", "When it is asked.", Kind::Words(MODES), r#""never""#),
        defaults(
            "ask_below",
            "With `when_unsure`: probability of the embedding's best route below which it is asked.",
            SHARE,
            "0.8",
        ),
        defaults(
            "timeout_ms",
            "Milliseconds that it may take; after them the decision is made without it.",
            Kind::Integer { min: 1, max: 600_000 },
            "200",
        ),
    ],
);

const MODES: &[Word] = &[
    word("never", "Do not ask it."),
    word(
        "fallback_only",
        "Ask it where no route and no domain is sure, before `default`.",
    ),
    word(
        "when_unsure",
        "Ask it where the best route is below `ask_below`, or none fits.",
    ),
    word("always", "Ask it for every request that routes decide."),
];
