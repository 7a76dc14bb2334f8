//! The published words of the contract that are strings on the wire: what a `Degradation` or an `ErrorInfo`
//! may say. The server writes them and clients compare with them. A word, once published, keeps its meaning.

/// `ErrorInfo.domain` of every error.
pub const ERROR_DOMAIN: &str = "signalbox";

/// `Degradation.code`: what could not be had for a decision.
pub mod degraded {
    /// The language model did not answer within the time left.
    pub const LLM_DEADLINE: &str = "llm_deadline";
    /// The language model's queue was full.
    pub const LLM_OVERLOADED: &str = "llm_overloaded";
    /// The language model answered with an error or with nonsense.
    pub const LLM_FAILED: &str = "llm_failed";
    /// The language model is switched off, not loaded yet, or not part of this build.
    pub const LLM_UNAVAILABLE: &str = "llm_unavailable";
    /// The prompt could not be embedded.
    pub const EMBEDDING_FAILED: &str = "embedding_failed";
    /// The sentence encoder had no time left; the embedding decided.
    pub const ENCODER_DEADLINE: &str = "encoder_deadline";
    /// Too many requests wait for the sentence encoder; the embedding decided.
    pub const ENCODER_OVERLOADED: &str = "encoder_overloaded";
    /// The sentence encoder broke; the embedding decided.
    pub const ENCODER_FAILED: &str = "encoder_failed";
    /// What rules read of the prompt could not be had.
    pub const SIGNALS_FAILED: &str = "signals_failed";
    /// A rung matched, but none of its models may serve the request.
    pub const NO_ELIGIBLE_MODEL_IN_ROUTE: &str = "no_eligible_model_in_route";
    /// No model fits the profile; the nearest was taken.
    pub const PROFILE_UNSATISFIED: &str = "profile_unsatisfied";

    /// Nothing says how difficult the prompt is; the strong model was preferred.
    pub const DIFFICULTY_FAILED: &str = "difficulty_failed";
    /// Too few models may serve the request for the plan that the policy wants.
    pub const PLAN_UNSATISFIED: &str = "plan_unsatisfied";

    /// Reported outcomes left no model, or not the one that was named, so they were ignored.
    pub const MODEL_UNHEALTHY: &str = "model_unhealthy";

    /// All of them, in the order of the manual.
    pub const ALL: [&str; 14] = [
        LLM_DEADLINE,
        LLM_OVERLOADED,
        LLM_FAILED,
        LLM_UNAVAILABLE,
        EMBEDDING_FAILED,
        ENCODER_DEADLINE,
        ENCODER_OVERLOADED,
        ENCODER_FAILED,
        SIGNALS_FAILED,
        NO_ELIGIBLE_MODEL_IN_ROUTE,
        PROFILE_UNSATISFIED,
        DIFFICULTY_FAILED,
        PLAN_UNSATISFIED,
        MODEL_UNHEALTHY,
    ];
}

/// `ErrorInfo.reason`: why a call failed.
pub mod reason {
    /// Fields of the request are bad (`INVALID_ARGUMENT`).
    pub const INVALID_REQUEST: &str = "INVALID_REQUEST";
    /// No model or alias has this name (`NOT_FOUND`).
    pub const UNKNOWN_MODEL: &str = "UNKNOWN_MODEL";
    /// The decision is not in the ring of recent ones (`NOT_FOUND`).
    pub const UNKNOWN_DECISION: &str = "UNKNOWN_DECISION";
    /// A deny rule matched (`PERMISSION_DENIED`).
    pub const DENIED_BY_RULE: &str = "DENIED_BY_RULE";
    /// The named model is not for this tier or region (`PERMISSION_DENIED`).
    pub const MODEL_NOT_ALLOWED: &str = "MODEL_NOT_ALLOWED";
    /// No model may serve the request (`FAILED_PRECONDITION`).
    pub const NO_ELIGIBLE_MODEL: &str = "NO_ELIGIBLE_MODEL";
    /// The replica has an older or another policy than was asked for (`UNAVAILABLE`).
    pub const POLICY_BEHIND: &str = "POLICY_BEHIND";
    /// No policy was loaded yet, or the tenant's own does not load and was never good (`UNAVAILABLE`).
    pub const POLICY_NOT_LOADED: &str = "POLICY_NOT_LOADED";
    /// The replica is shutting down (`UNAVAILABLE`).
    pub const DRAINING: &str = "DRAINING";
    /// `expected_checksum` is not the checksum in force (`ABORTED`).
    pub const CHECKSUM_MISMATCH: &str = "CHECKSUM_MISMATCH";
    /// Too many requests are in flight, or too many new sets of inline routes (`RESOURCE_EXHAUSTED`).
    pub const OVERLOADED: &str = "OVERLOADED";
    /// The message is above the limit (`RESOURCE_EXHAUSTED`).
    pub const MESSAGE_TOO_LARGE: &str = "MESSAGE_TOO_LARGE";
    /// The caller's deadline passed (`DEADLINE_EXCEEDED`).
    pub const DEADLINE_PASSED: &str = "DEADLINE_PASSED";
    /// The policy given is bad (`INVALID_ARGUMENT`).
    pub const INVALID_POLICY: &str = "INVALID_POLICY";
    /// Pushing a policy is switched off (`PERMISSION_DENIED`).
    pub const PUSH_FORBIDDEN: &str = "PUSH_FORBIDDEN";
    /// An administrative call came without credentials (`UNAUTHENTICATED`).
    pub const CREDENTIALS_MISSING: &str = "CREDENTIALS_MISSING";
    /// An administrative call came with wrong credentials (`PERMISSION_DENIED`).
    pub const CREDENTIALS_WRONG: &str = "CREDENTIALS_WRONG";
    /// Part of the API that this version does not have yet (`UNIMPLEMENTED`).
    pub const NOT_SUPPORTED: &str = "NOT_SUPPORTED";
    /// A defect of the server (`INTERNAL`).
    pub const INTERNAL: &str = "INTERNAL";

    /// All of them, in the order of the manual.
    pub const ALL: [&str; 19] = [
        INVALID_REQUEST,
        UNKNOWN_MODEL,
        UNKNOWN_DECISION,
        DENIED_BY_RULE,
        MODEL_NOT_ALLOWED,
        NO_ELIGIBLE_MODEL,
        POLICY_BEHIND,
        POLICY_NOT_LOADED,
        DRAINING,
        CHECKSUM_MISMATCH,
        OVERLOADED,
        MESSAGE_TOO_LARGE,
        DEADLINE_PASSED,
        INVALID_POLICY,
        PUSH_FORBIDDEN,
        CREDENTIALS_MISSING,
        CREDENTIALS_WRONG,
        NOT_SUPPORTED,
        INTERNAL,
    ];
}
