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
