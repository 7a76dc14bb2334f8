//! The catalogue: models, what they cost and what they can do, and other names for them.

use super::defaults;
use super::{
    FILLED, Field, ID, ID_OR_IDS, Kind, Object, SHARE, TOKENS, Text, list, object, optional, required, some,
};

pub(in crate::policy) static PRICE: Object = object(
    "price",
    "USD per million tokens.",
    &[
        required("input", "Prompt tokens.", USD),
        required("output", "Answer tokens.", USD),
        optional("cached_input", "Prompt tokens that the provider has cached.", USD),
    ],
);
const USD: Kind = Kind::Number {
    min: 0.0,
    max: 1e6,
    above: false,
};

pub(in crate::policy) static LATENCY: Object = object(
    "latency",
    "Expected speed.",
    &[
        required(
            "first_token_ms",
            "Milliseconds to the first token.",
            Kind::Number {
                min: 0.0,
                max: 3.6e6,
                above: false,
            },
        ),
        required(
            "tokens_per_second",
            "Tokens a second after the first.",
            Kind::Number {
                min: 0.0,
                max: 1e6,
                above: true,
            },
        ),
    ],
);

pub(in crate::policy) static MODEL: Object = object(
    "model",
    "One model of the catalogue. What is not stated never satisfies a hard requirement.",
    &[
        required("id", "The id that callers get, for example `openai/gpt-5`.", ID),
        optional(
            "family",
            "Family, for example `claude`; compared ignoring case.",
            FILLED,
        ),
        optional(
            "parameters_b",
            "Size in billions of parameters. A model without it is in no profile's band.",
            Kind::Number {
                min: 0.0,
                max: 1e6,
                above: true,
            },
        ),
        optional("context_window", "Tokens of prompt and answer together.", TOKENS),
        optional("max_output_tokens", "Most tokens of one answer.", TOKENS),
        optional(
            "capabilities",
            "What it can do, for example `tools`, `json`, `reasoning`, `code`.",
            list(&FILLED),
        ),
        defaults("modalities", "What it accepts.", some(&FILLED), r#"["text"]"#),
        optional("price", "What it costs.", Kind::Object(&PRICE)),
        optional("latency", "How fast it answers.", Kind::Object(&LATENCY)),
        optional(
            "quality",
            "How good it is, 0 to 1: `default` in general, and by the name of a route.",
            Kind::Map(&SHARE),
        ),
        optional(
            "tiers",
            "Tiers of callers that may use it; empty means everyone.",
            list(&FILLED),
        ),
        optional(
            "regions",
            "Regions it is served in; empty satisfies no demand for a region.",
            list(&FILLED),
        ),
        optional(
            "labels",
            "Returned with the decision: endpoint, deployment, …",
            Kind::Map(&Kind::Text(Text::Any)),
        ),
    ],
);

pub(in crate::policy) const MODELS: Field = optional(
    "models",
    "The catalogue, in order of preference where nothing else decides. Without it the built-in one is used.",
    some(&MODEL_ITEM),
);

pub(in crate::policy) const ALIASES: Field = optional(
    "aliases",
    "Other names for a model, or for several in order of preference.",
    Kind::Map(&ID_OR_IDS),
);

/// The built-in catalogue is a file of models alone.
pub(in crate::policy) static CATALOGUE_FILE: Object = object("catalogue", "Models alone.", &[MODELS]);

// Items of lists: a constant cannot hold a temporary that refers to a static.
static MODEL_ITEM: Kind = Kind::Object(&MODEL);
