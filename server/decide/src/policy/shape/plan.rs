//! The grammar of plans: how several models work together on one request.

use super::{
    ID, Kind, NAME, Object, SHARE, Word, defaults, exactly_one, object, optional, required, some, word,
};

pub(in crate::policy) static CASCADE: Object = object(
    "cascade",
    "The next model where the answer is not good enough. The models that may serve the request, from cheap to dear by \
     the estimate for it; one whose answer was reported as `LOW_CONFIDENCE` drops out, so the plan moves along.",
    &[
        required("accept_at", "Confidence from which an answer is accepted.", SHARE),
        optional("models", PARTICIPANTS, some(&ID)),
    ],
);
const PARTICIPANTS: &str = "Who takes part, at least two of the route's models; by default all of them.";

pub(in crate::policy) static ENSEMBLE: Object = object(
    "ensemble",
    "Several models answer at once, one answer is made of theirs.",
    &[
        optional("models", PARTICIPANTS, some(&ID)),
        optional(
            "n",
            "How many of them, the preferred first; by default all.",
            Kind::Integer { min: 2, max: 64 },
        ),
        defaults(
            "combine",
            "How the answers become one.",
            Kind::Words(COMBINE),
            r#""majority""#,
        ),
        optional(
            "judge",
            "The model that judges (`best_of`) or writes the answer (`merge`); by default the first.",
            ID,
        ),
    ],
);
const COMBINE: &[Word] = &[
    word("majority", "What most say, among equals the earlier model."),
    word("best_of", "The answer that the judge prefers."),
    word("merge", "One that the judge writes from all of them."),
];

pub(in crate::policy) static SPECULATIVE: Object = object(
    "speculative",
    "A race of a fast model and a slow one. Without `fast` and `slow`: the model that would win, and the fastest of the \
     others.",
    &[
        optional("fast", "The fast model; only together with `slow`.", ID),
        optional("slow", "The slow model; only together with `fast`.", ID),
        defaults(
            "prefer",
            "Whose answer counts when there is a choice.",
            Kind::Words(PREFER),
            r#""slow""#,
        ),
        required(
            "wait_ms",
            "Milliseconds to wait for the preferred one.",
            Kind::Integer { min: 1, max: 600_000 },
        ),
    ],
);
const PREFER: &[Word] = &[
    word("fast", "The fast one alone; the slow one joins after the wait."),
    word("slow", "Both at once; the slow one's answer if it comes in time."),
];

pub(in crate::policy) static TOOL_THEN_MODEL: Object = object(
    "tool_then_model",
    "A tool first, then the chosen model with its result.",
    &[required(
        "tool",
        "The tool, by the name that the caller knows it by.",
        NAME,
    )],
);

/// Also what a rule may `use`.
pub(in crate::policy) static PLAN: Object = exactly_one(
    object(
        "plan",
        "How several models work together.",
        &[
            optional("cascade", "Cheap first.", Kind::Object(&CASCADE)),
            optional("ensemble", "All at once.", Kind::Object(&ENSEMBLE)),
            optional("speculative", "A race.", Kind::Object(&SPECULATIVE)),
            optional("tool_then_model", "A tool first.", Kind::Object(&TOOL_THEN_MODEL)),
        ],
    ),
    &["cascade", "ensemble", "speculative", "tool_then_model"],
);

/// A plan, or the word for none.
pub(super) const PLAN_OR_SINGLE: Kind = Kind::Either(&[
    Kind::Words(&[word("single", "One model answers.")]),
    Kind::Object(&PLAN),
]);
