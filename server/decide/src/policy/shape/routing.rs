//! The file as a whole, and what decides: profiles, domains, routes, evidence, weights, cache.

use super::canary::CANARY;
use super::difficulty::{DIFFICULTY_FIELD, STRONG_WEAK};
use super::health::HEALTH;
use super::llm::LLM;
use super::models::{ALIASES, MODELS};
use super::plan::PLAN_OR_SINGLE;
use super::rules::RULE;
use super::session::SESSIONS;
use super::shadow::SHADOW;
use super::testing::TEST_ITEM;
use super::{
    FILLED, Field, ID, ID_OR_IDS, Kind, NAME, Object, SHARE, TOKENS, Word, defaults, list, object, optional,
    required, some, word,
};

pub(in crate::policy) static WEIGHTS: Object = object(
    "weights",
    "How much each counts in the score; what is left out counts nothing, and one must be above 0.",
    &[
        optional("latency", "Weight of the time to the complete answer.", WEIGHT),
        optional("cost", "Weight of the cost of the request.", WEIGHT),
        optional("quality", "Weight of the quality for the route.", WEIGHT),
    ],
);
const WEIGHT: Kind = Kind::Number {
    min: 0.0,
    max: 1e6,
    above: false,
};

const OBJECTIVES: &[Word] = &[
    word("order", "The first model of the list that may serve the request."),
    word("cheapest", "The least estimated cost of this request."),
    word("fastest", "The least estimated time to the complete answer."),
    word("best", "The highest quality for the route."),
];
/// Without the strong and weak pair, for places that compare more than two models.
pub(super) const OBJECTIVE: Kind = Kind::Either(&[Kind::Words(OBJECTIVES), Kind::Object(&WEIGHTS)]);
const SELECT: Kind = Kind::Either(&[
    Kind::Words(OBJECTIVES),
    Kind::Object(&WEIGHTS),
    Kind::Object(&STRONG_WEAK),
]);

pub(in crate::policy) static PROFILE: Object = object(
    "profile",
    "A choice among all models by size and ability. `fast`, `general`, `code` and `creative` are built in; one with the \
     same name replaces the built-in one.",
    &[
        required("name", "Unique name.", NAME),
        optional(
            "min_parameters_b",
            "Smallest size in billions of parameters, inclusive.",
            BILLIONS,
        ),
        optional(
            "max_parameters_b",
            "Largest size in billions of parameters, exclusive.",
            BILLIONS,
        ),
        defaults(
            "max_inclusive",
            "Whether a model of exactly `max_parameters_b` is inside.",
            Kind::Bool,
            "false",
        ),
        optional(
            "capabilities",
            "What a model must be able to do, all of it.",
            list(&FILLED),
        ),
        optional(
            "prefer_families",
            "Families of models, most wanted first.",
            list(&FILLED),
        ),
        optional("select", "How to choose among the models of the band.", OBJECTIVE),
        optional(
            "prefer_size",
            "Sizes wanted first where families and `select` leave a choice; models of unknown size go last.",
            Kind::Words(SIZES),
        ),
        optional(
            "models",
            "The models to choose among, in order of preference, then of fallback; by default the whole catalogue.",
            some(&ID),
        ),
    ],
);
const SIZES: &[Word] = &[
    word("smallest", "Fewest parameters first."),
    word("largest", "Most parameters first."),
];
const BILLIONS: Kind = Kind::Number {
    min: 0.0,
    max: 1e6,
    above: false,
};

pub(in crate::policy) static DOMAIN: Object = object(
    "domain",
    "A group of routes. A request that is surely inside it but of no single route gets the domain's models.",
    &[
        required("name", "Unique name.", NAME),
        optional("description", "What belongs here, in words.", FILLED),
        optional(
            "models",
            "In order of preference; without them those of the domain's routes.",
            some(&ID),
        ),
    ],
);

pub(in crate::policy) static ROUTE: Object = object(
    "route",
    "A kind of request and the models for it.",
    &[
        required(
            "name",
            "1 to 64 characters, unique ignoring case, not `other`.",
            NAME,
        ),
        optional("domain", "Name of the domain that it belongs to.", NAME),
        optional(
            "description",
            "What belongs here, in words; best a phrase of nouns.",
            FILLED,
        ),
        optional(
            "examples",
            "Requests that belong here. Ten to twenty help more than anything else.",
            list(&FILLED),
        ),
        required("models", "In order of preference, then of fallback.", some(&ID)),
        optional(
            "select",
            "How to choose among `models`; without it by the policy's `weights`, else in order.",
            SELECT,
        ),
        optional("expected_output_tokens", "Tokens of a usual answer.", TOKENS),
        defaults(
            "plan",
            "How the chosen models work together.",
            PLAN_OR_SINGLE,
            r#""single""#,
        ),
    ],
);

pub(in crate::policy) static OTHER: Object = object(
    "other",
    "What belongs to no route.",
    &[optional(
        "examples",
        "Requests that belong to no route; they keep the routes from taking everything.",
        list(&FILLED),
    )],
);

pub(in crate::policy) static EVIDENCE: Object = object(
    "evidence",
    "How sure a route must be, and by what.",
    &[
        optional(
            "threshold",
            "Least probability of a route that decides; by default the classifier's own.",
            SHARE,
        ),
        defaults(
            "embedding",
            "`builtin`, or the directory of a Model2Vec model.",
            FILLED,
            r#""builtin""#,
        ),
        defaults(
            "encoder",
            "A sentence encoder that looks again where the embedding is unsure: `builtin`, the directory of a BERT, or `off`. It takes \
             milliseconds, and reads single requests, not turns of a conversation.",
            FILLED,
            r#""off""#,
        ),
        defaults(
            "encoder_below",
            "Distance of the best route to the next, `other` counted, below which it is asked: 0.5 asks it for about a quarter of \
             requests.",
            SHARE,
            "0.5",
        ),
    ],
);

pub(in crate::policy) static CACHE: Object = object(
    "cache",
    "Decisions kept for the next request that is the same.",
    &[
        defaults(
            "enabled",
            "Whether decisions are kept at all.",
            Kind::Bool,
            "true",
        ),
        defaults(
            "ttl_s",
            "Seconds that a decision is kept.",
            Kind::Integer {
                min: 1,
                max: 31_536_000,
            },
            "3600",
        ),
        optional(
            "semantic",
            "What a language model said, kept for requests that ask for the same in other words.",
            Kind::Object(&SEMANTIC),
        ),
    ],
);

pub(in crate::policy) static SEMANTIC: Object = object(
    "semantic",
    "What a language model said, kept for requests that ask for the same in other words.",
    &[
        defaults("enabled", "Whether it is used.", Kind::Bool, "false"),
        defaults(
            "margin",
            "Least distance between the two most probable routes of an answer that is kept.",
            SHARE,
            "0.3",
        ),
        defaults(
            "audit",
            "Share of the reused answers after which the model is asked all the same, to see whether it agrees.",
            SHARE,
            "0.05",
        ),
        defaults(
            "budget",
            "Share of wrong ones among the audited past which no answer is reused any more.",
            SHARE,
            "0.01",
        ),
    ],
);

const SCHEMA: Field = required(
    "schema",
    "The version of this format; write `schema: 1` at the top.",
    Kind::Integer { min: 1, max: 1 },
);

const NULL_OR_SHADOW: Kind = Kind::Either(&[Kind::Null, Kind::Object(&SHADOW)]);

pub(in crate::policy) static POLICY: Object = object(
    "policy",
    "A Signalbox policy: the catalogue of models and who should serve what.",
    &[
        SCHEMA,
        defaults(
            "version",
            "The author's revision, counting up. Callers may ask for at least a certain one.",
            // Editors and other JSON tools keep whole numbers exact up to here.
            Kind::Integer {
                min: 0,
                max: (1 << 53) - 1,
            },
            "0",
        ),
        required(
            "default",
            "The model, or several in order, where nothing else decided.",
            ID_OR_IDS,
        ),
        MODELS,
        ALIASES,
        optional(
            "profile",
            "The profile tried before `default` when no route fits.",
            NAME,
        ),
        optional(
            "prefer_families",
            "Families of models, most wanted first, where neither request nor profile says.",
            list(&FILLED),
        ),
        optional("profiles", "Profiles of your own, in order.", list(&PROFILE_ITEM)),
        optional("domains", "Groups of routes.", list(&DOMAIN_ITEM)),
        optional(
            "routes",
            "Kinds of requests and the models for them.",
            list(&ROUTE_ITEM),
        ),
        optional("other", "What belongs to no route.", Kind::Object(&OTHER)),
        optional("evidence", "How sure a route must be.", Kind::Object(&EVIDENCE)),
        DIFFICULTY_FIELD,
        optional("llm", "A language model as second opinion.", Kind::Object(&LLM)),
        optional(
            "rules",
            "Conditions that go before everything else.",
            list(&RULE_ITEM),
        ),
        optional(
            "weights",
            "The objective where neither request, route nor profile has one.",
            Kind::Object(&WEIGHTS),
        ),
        optional(
            "expected_output_tokens",
            "Tokens of a usual answer where the route does not say.",
            TOKENS,
        ),
        optional("cache", "The cache of decisions.", Kind::Object(&CACHE)),
        optional(
            "sessions",
            "Conversations that stay with their model.",
            Kind::Object(&SESSIONS),
        ),
        optional(
            "health",
            "Models that fail are left alone for a while.",
            Kind::Object(&HEALTH),
        ),
        optional(
            "canary",
            "Shares of the traffic for a new model.",
            list(&CANARY_ITEM),
        ),
        optional(
            "shadow",
            "A second policy that decides beside this one.",
            NULL_OR_SHADOW,
        ),
        optional(
            "tests",
            "Your own checks: a request and what should come out.",
            list(&TEST_ITEM),
        ),
    ],
);

// Items of lists: a constant cannot hold a temporary that refers to a static.
static PROFILE_ITEM: Kind = Kind::Object(&PROFILE);
static DOMAIN_ITEM: Kind = Kind::Object(&DOMAIN);
static ROUTE_ITEM: Kind = Kind::Object(&ROUTE);
static RULE_ITEM: Kind = Kind::Object(&RULE);
static CANARY_ITEM: Kind = Kind::Object(&CANARY);
