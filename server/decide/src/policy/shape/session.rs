//! Conversations that stay with their model.

use super::{Field, ID, Kind, Object, defaults, object, optional, required};

pub(in crate::policy) static SESSIONS: Object = object(
    "sessions",
    "Conversations that stay with their model. While it works with tools nothing else is looked at; when a person speaks, the \
     request is decided anew, and the conversation moves only if its model may not serve it, or if the other is worth more than \
     leaving costs.",
    &[
        defaults("enabled", "Whether they do.", Kind::Bool, "false"),
        defaults(
            "ttl_s",
            "Seconds without a request after which one is forgotten.",
            SECONDS,
            "3600",
        ),
        defaults(
            "derive",
            "Whether a request without `caller.session_id` belongs to the conversation with the same tenant, first user message and \
             system messages before it.",
            Kind::Bool,
            "false",
        ),
        defaults(
            "quality_usd",
            "What a whole point of quality (from 0 to 1) is worth for one request, in USD. A conversation moves if that times the \
             difference in quality for the route exceeds the difference in cost, where its present model reads the earlier turns \
             at its `cached_input` price.",
            Kind::Number {
                min: 0.0,
                max: 1e6,
                above: false,
            },
            "0.05",
        ),
    ],
);

const SECONDS: Kind = Kind::Integer {
    min: 1,
    max: 31_536_000,
};

pub(in crate::policy) static HELD: Object = object(
    "held",
    "A conversation before a request.",
    &[
        required("model", "Id of the model that served it last.", ID),
        optional("route", "Name of the route that it was on.", super::FILLED),
    ],
);

/// The key of a test.
pub(super) const SESSION: Field = optional(
    "session",
    "The conversation before the request; new without it.",
    Kind::Object(&HELD),
);
