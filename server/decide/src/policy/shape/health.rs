//! What reported outcomes change, and how a test says what they were.

use super::{Kind, Object, SHARE, defaults, object, optional};

pub(in crate::policy) static HEALTH: Object = object(
    "health",
    "Models that fail or are rate limited are left alone for a while, as outcomes reported to this replica say. It alone \
     never fails a request: where it leaves no model, the decision is made without it and says so.",
    &[
        defaults(
            "enabled",
            "Whether reported outcomes change decisions.",
            Kind::Bool,
            "false",
        ),
        defaults(
            "half_life_s",
            "Seconds after which an outcome counts half.",
            SECONDS,
            "300",
        ),
        defaults(
            "cooldown_s",
            "Seconds for which a rate-limited model is left alone where the provider asked for no time.",
            SECONDS,
            "30",
        ),
        defaults(
            "failure_share",
            "Share of failed calls (errors and timeouts) from which a model is left alone.",
            Kind::Number {
                min: 0.0,
                max: 1.0,
                above: true,
            },
            "0.5",
        ),
        defaults(
            "min_calls",
            "Calls, old ones counting less, before which neither failures nor times say anything.",
            Kind::Integer {
                min: 1,
                max: 1_000_000,
            },
            "5",
        ),
        defaults(
            "open_s",
            "Seconds for which a model that failed too often is left alone. After them one decision in as many seconds may try \
             it; the first call that is answered ends it.",
            SECONDS,
            "30",
        ),
        defaults(
            "latency",
            "Whether observed times take the place of the stated ones in scores, limits and estimates. The cache of decisions is \
             not used while there are any.",
            Kind::Bool,
            "false",
        ),
    ],
);
const SECONDS: Kind = Kind::Integer {
    min: 1,
    max: 31_536_000,
};

pub(in crate::policy) static MODEL_HEALTH: Object = object(
    "model_health",
    "What reported outcomes say of a model.",
    &[
        optional(
            "cooling_s",
            "Seconds for which it is still rate limited.",
            ABOVE_0,
        ),
        optional(
            "failure_share",
            "It failed too often: the share of its calls that did.",
            SHARE,
        ),
        defaults(
            "trial",
            "Whether the request may try it all the same.",
            Kind::Bool,
            "false",
        ),
        optional(
            "latency_ms",
            "Observed milliseconds to the complete answer.",
            ABOVE_0,
        ),
        defaults("output_tokens", "Tokens of those answers.", ABOVE_0, "512"),
        defaults(
            "calls",
            "Calls behind `failure_share` and `latency_ms`.",
            ABOVE_0,
            "10",
        ),
    ],
);
const ABOVE_0: Kind = Kind::Number {
    min: 0.0,
    max: 1e9,
    above: true,
};
