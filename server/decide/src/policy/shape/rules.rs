//! Rules: a condition, and what follows from it.

use super::plan::PLAN;
use super::testing::REQUIREMENTS;
use super::{FILLED, ID_OR_IDS, Kind, NAME, Object, WEIGHTS, exactly_one, object, optional, required};

/// Exactly one of the first three; lowering sees to that, because a plan that names its models may stand alone.
pub(in crate::policy) static USE: Object = object(
    "use",
    "Who serves the request: exactly one of `model`, `route` and `profile`, or a `plan` that names its models. When none of \
     these models may, the next rule or rung is asked.",
    &[
        optional(
            "model",
            "A model or an alias, or several in order of preference.",
            ID_OR_IDS,
        ),
        optional(
            "route",
            "The models of a route, chosen as that route chooses.",
            NAME,
        ),
        optional("profile", "The models of a profile.", NAME),
        optional(
            "plan",
            "How they work together; without it, as the route says.",
            Kind::Object(&PLAN),
        ),
    ],
);

pub(in crate::policy) static SET: Object = object(
    "set",
    "Changes to the request, for all that is decided after it; for a request that names its model, too.",
    &[
        optional(
            "requirements",
            "Further hard limits. They only tighten: what the request demands still holds.",
            Kind::Object(&REQUIREMENTS),
        ),
        optional(
            "weights",
            "The objective; it goes before that of the request, the route and the profile.",
            Kind::Object(&WEIGHTS),
        ),
    ],
);

pub(in crate::policy) static RULE: Object = exactly_one(
    object(
        "rule",
        "A condition and what follows from it. `deny` rules go before everything; the others are read in the order of the \
         file, and the first matching `use` decides.",
        &[
            required("name", "Unique name, shown with the decision.", NAME),
            required(
                "when",
                "A CEL expression over `request`, `caller` and `signals`, in quotes.",
                FILLED,
            ),
            optional("deny", "Refuse the request with this message.", FILLED),
            optional("use", "Decide.", Kind::Object(&USE)),
            optional(
                "set",
                "Tighten requirements, set weights, then go on.",
                Kind::Object(&SET),
            ),
        ],
    ),
    &["deny", "use", "set"],
);
