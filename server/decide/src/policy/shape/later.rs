//! The grammar of what this version does not do yet. It is checked like everything else and then refused: a policy that
//! asks for it would otherwise be served without it, and nobody would know.

use super::{Kind, Later, Object, SHARE, defaults, object, optional};

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
