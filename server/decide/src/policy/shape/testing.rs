//! The author's own checks: a request, and what should come out.

use super::health::MODEL_HEALTH;
use super::routing::{OBJECTIVE, WEIGHTS};
use super::session::SESSION;
use super::{
    FILLED, Field, ID, Kind, NAME, Object, SHARE, TOKENS, Text, Word, exactly_one, list, object, optional,
    required, some, word,
};

pub(in crate::policy) static MESSAGE: Object = object(
    "message",
    "One turn of a conversation.",
    &[
        required("role", "Who speaks.", Kind::Words(ROLES)),
        required("content", "What is said.", Kind::Text(Text::Any)),
    ],
);
const ROLES: &[Word] = &[
    word("system", "The application."),
    word("user", "The person."),
    word("assistant", "The model."),
    word("tool", "A tool's answer."),
];

pub(in crate::policy) static REQUIREMENTS: Object = object(
    "requirements",
    "Hard limits. A model that does not state a value never satisfies a limit on it.",
    &[
        optional(
            "min_context_tokens",
            "Smallest acceptable context window.",
            TOKENS,
        ),
        optional(
            "max_output_tokens",
            "Tokens that the model must be able to produce.",
            TOKENS,
        ),
        optional(
            "capabilities",
            "What the model must be able to do, all of it.",
            list(&FILLED),
        ),
        optional(
            "modalities",
            "What the model must accept, all of it.",
            list(&FILLED),
        ),
        optional(
            "max_cost_usd",
            "Most that the request may cost.",
            Kind::Number {
                min: 0.0,
                max: 1e6,
                above: false,
            },
        ),
        optional(
            "max_latency_ms",
            "Longest acceptable time to the complete answer.",
            Kind::Number {
                min: 0.0,
                max: 3.6e6,
                above: false,
            },
        ),
        optional("min_quality", "Lowest acceptable quality.", SHARE),
        optional(
            "regions",
            "Regions, one of which the model must be served in.",
            list(&FILLED),
        ),
    ],
);

pub(in crate::policy) static PREFERENCES: Object = object(
    "preferences",
    "Wishes within the requirements.",
    &[
        optional(
            "families",
            "Families of models, most wanted first.",
            list(&FILLED),
        ),
        optional(
            "weights",
            "Weights of the objective; they go before `optimize_for`.",
            Kind::Object(&WEIGHTS),
        ),
        optional("optimize_for", "What to choose for.", OBJECTIVE),
    ],
);

pub(in crate::policy) static ATTEMPT: Object = object(
    "attempt",
    "A model that was already tried.",
    &[
        required("model_id", "Its id.", ID),
        optional("outcome", "What became of it.", Kind::Words(OUTCOMES)),
        optional("confidence", "Confidence in its answer.", SHARE),
    ],
);
const OUTCOMES: &[Word] = &[
    word("error", "The provider failed."),
    word("rate_limited", "The provider refused for now."),
    word("timeout", "No answer in time."),
    word("low_confidence", "The answer was not good enough."),
    word("refused", "The model declined."),
];

pub(in crate::policy) static REQUEST: Object = object(
    "request",
    "The rest of the request; everything may be left out.",
    &[
        optional("request_id", "The caller's id, which a canary may read.", FILLED),
        optional("model", "An id or an alias that the caller asks for.", ID),
        optional("profile", "A profile that the caller asks for.", FILLED),
        optional("tier", "The caller's tier.", FILLED),
        optional("tenant", "The caller's tenant.", FILLED),
        optional("session_id", "The conversation.", FILLED),
        optional(
            "labels",
            "The caller's labels.",
            Kind::Map(&Kind::Text(Text::Any)),
        ),
        optional("modalities", "What is attached besides text.", list(&FILLED)),
        optional(
            "input_tokens",
            "Tokens of the prompt; estimated without it.",
            TOKENS,
        ),
        optional("expected_output_tokens", "Tokens expected back.", TOKENS),
        optional("requirements", "Hard limits.", Kind::Object(&REQUIREMENTS)),
        optional("preferences", "Wishes.", Kind::Object(&PREFERENCES)),
        optional("attempts", "What was already tried.", list(&ATTEMPT_ITEM)),
    ],
);

pub(in crate::policy) static WANT: Object = object(
    "want",
    "What should come out; what is left out is not checked.",
    &[
        optional("route", "Name of the route, or `other` for none.", FILLED),
        optional("model", "Id of the model.", ID),
        optional("canary", "Name of the canary whose model it is.", NAME),
        optional("plan", "Kind of the plan.", Kind::Words(PLANS)),
        optional(
            "plan_models",
            "Ids of the plan's models, in order, all of them.",
            list(&ID),
        ),
        optional("source", "Who decides.", Kind::Words(SOURCES)),
        optional("domain", "Name of the domain.", FILLED),
        optional("profile", "Name of the profile.", FILLED),
        optional("rule", "Name of the rule that decides or denies.", FILLED),
        optional(
            "fallbacks",
            "Ids of the fallbacks, in order, all of them.",
            list(&ID),
        ),
        optional(
            "degraded",
            "Codes of what could not be had, in order, all of them.",
            list(&FILLED),
        ),
        optional("session", "What becomes of the conversation.", Kind::Words(STAYS)),
        optional(
            "error",
            "Reason of the error, for example `DENIED_BY_RULE`.",
            FILLED,
        ),
        optional(
            "probes",
            "What is asked, in order, all of it: this pins the cost of the decision.",
            list(&PROBE_ITEM),
        ),
    ],
);
const PLANS: &[Word] = &[
    word("single", "One model answers."),
    word("cascade", "Cheap first."),
    word("ensemble", "Several at once."),
    word("speculative", "A race."),
    word("tool_then_model", "A tool first."),
];
const SOURCES: &[Word] = &[
    word("direct", "The model that the caller named."),
    word("alias", "The alias that the caller named."),
    word("rule", "A rule."),
    word("session", "The session."),
    word("profile", "A profile."),
    word("embedding", "A route by the embedding."),
    word("llm", "A route by the language model."),
    word("default", "Nothing else."),
];
const STAYS: &[Word] = &[
    word(
        "new",
        "There is none, or it begins with this request, or a higher rung decides.",
    ),
    word("tool_loop", "It stays: its model is at work with tools."),
    word("same_model", "It stays: decided anew, it is the same model."),
    word("no_route", "It stays: the turn belongs to no route."),
    word("not_worth", "It stays: another model is not worth it."),
    word("forced", "It moves: its model may not serve this request."),
    word("worth", "It moves: another model is worth it."),
];
const PROBES: &[Word] = &[
    word("exact_cache", "Was exactly this request decided before?"),
    word("embedding", "How probable is each route by the embedding?"),
    word("encoder", "How probable is each route by the sentence encoder?"),
    word("llm", "How probable is each route by the language model?"),
    word("difficulty", "How much does the prompt need the strong model?"),
    word("signals", "What do rules read of the prompt?"),
    word("session", "Which model served this conversation last?"),
    word("health", "What do reported outcomes say of the models?"),
];

const PROMPT: Field = optional("prompt", "A conversation of one user turn.", FILLED);
const MESSAGES: Field = optional("messages", "A conversation.", some(&MESSAGE_ITEM));
const REQUEST_FIELD: Field = optional("request", "The rest of the request.", Kind::Object(&REQUEST));

pub(in crate::policy) static TEST: Object = Object {
    one_of: &["prompt", "messages"],
    ..object(
        "test",
        "A request and what should come out.",
        &[
            optional("name", "Shown in reports.", FILLED),
            PROMPT,
            MESSAGES,
            REQUEST_FIELD,
            optional(
                "health",
                "What reported outcomes say of models when the request comes, by id; the rest are well.",
                Kind::Map(&MODEL_HEALTH_ITEM),
            ),
            optional(
                "llm",
                "What the language model says when it is asked: probabilities by route, at most 1 together; `other`, none of them, has \
                 the rest. Without this it does not answer.",
                Kind::Map(&SHARE),
            ),
            SESSION,
            required("want", "What should come out.", Kind::Object(&WANT)),
        ],
    )
};

pub(in crate::policy) static REQUEST_LINE: Object = exactly_one(
    object(
        "request_line",
        "A request in a file of them.",
        &[
            PROMPT,
            MESSAGES,
            REQUEST_FIELD,
            optional(
                "route",
                "Name of the route that is wanted, or `other` for none.",
                FILLED,
            ),
        ],
    ),
    &["prompt", "messages"],
);

pub(in crate::policy) static SUITE: Object = object(
    "suite",
    "Tests of a policy in a file beside it.",
    &[required(
        "tests",
        "Your own checks, as in a policy.",
        some(&TEST_ITEM),
    )],
);

// Items of lists: a constant cannot hold a temporary that refers to a static.
pub(super) static TEST_ITEM: Kind = Kind::Object(&TEST);
static MODEL_HEALTH_ITEM: Kind = Kind::Object(&MODEL_HEALTH);
static ATTEMPT_ITEM: Kind = Kind::Object(&ATTEMPT);
static MESSAGE_ITEM: Kind = Kind::Object(&MESSAGE);
static PROBE_ITEM: Kind = Kind::Words(PROBES);
