//! The grammar of what this version does not do yet. It is checked like everything else and then refused: a policy that
//! asks for it would otherwise be served without it, and nobody would know.

use super::{Kind, Later, Object, SHARE, Word, defaults, object, optional, word};

pub(super) static SEMANTIC: Object = object(
    "semantic",
    "Decisions kept for requests that mean the same.",
    &[
        defaults(
            "enabled",
            "Whether it is used.",
            Kind::Off(Later {
                what: "the semantic cache is",
                instead: "write `enabled: false`",
            }),
            "false",
        ),
        optional("threshold", "Least similarity that counts as the same.", SHARE),
    ],
);

pub(super) static SESSIONS: Object = object(
    "sessions",
    "Conversations that stay with their model.",
    &[
        defaults(
            "enabled",
            "Whether they do.",
            Kind::Off(Later {
                what: "sessions are",
                instead: "write `enabled: false`",
            }),
            "false",
        ),
        optional(
            "ttl_s",
            "Seconds without a request after which one is forgotten.",
            SECONDS,
        ),
    ],
);

const SECONDS: Kind = Kind::Integer {
    min: 1,
    max: 31_536_000,
};

const ASKING: Later = Later {
    what: "asking a language model is",
    instead: "write `mode: never`",
};
const MODES: &[Word] = &[
    word("never", "Do not ask it."),
    Word {
        word: "fallback_only",
        doc: "Ask it where no route is sure, before `default`.",
        later: Some(ASKING),
    },
    Word {
        word: "when_unsure",
        doc: "Ask it where the best route is below `ask_below`.",
        later: Some(ASKING),
    },
    Word {
        word: "always",
        doc: "Ask it for every request that routes decide.",
        later: Some(ASKING),
    },
];

pub(super) static LLM: Object = object(
    "llm",
    "When to ask the embedded language model for the route.",
    &[
        defaults("mode", "When it is asked.", Kind::Words(MODES), r#""never""#),
        optional(
            "ask_below",
            "Probability of the best route below which it is asked.",
            SHARE,
        ),
        optional(
            "timeout_ms",
            "Milliseconds that it may take; after them the decision is made without it.",
            Kind::Integer { min: 1, max: 600_000 },
        ),
    ],
);
