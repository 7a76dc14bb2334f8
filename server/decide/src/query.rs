//! The facts of one request that a policy may read. Built by the server from a `RouteRequest`; holds no prompt text,
//! so that what decides, is recorded and is explained cannot leak it.

use std::collections::BTreeMap;

/// Tokens assumed for the answer where neither the request, the route nor the policy says.
pub const DEFAULT_OUTPUT_TOKENS: u64 = 512;

/// One request as the ladder sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The caller's id, else a generated one; only a canary may read it.
    pub request_id: String,
    /// Tokens of the full prompt: the caller's count, else [`estimate_tokens`].
    pub input_tokens: u64,
    /// Tokens the caller expects back; `None` leaves it to the route, then the policy.
    pub expected_output_tokens: Option<u64>,
    /// Number of messages in the conversation.
    pub turns: u32,
    /// Modalities of the attachments, sorted, without `text`.
    pub modalities: Vec<String>,
    /// An exact model id or an alias; `None` means: decide.
    pub model: Option<String>,
    /// A profile asked for by name.
    pub profile: Option<String>,
    /// What the model must be able to do.
    pub requirements: Requirements,
    /// What the caller would like, within the requirements.
    pub preferences: Preferences,
    /// Who asks.
    pub caller: Caller,
    /// What was already tried for this request.
    pub attempts: Vec<Attempt>,
    /// Whether a person spoke last: the last message that is not the operator's is a user's, and does not answer a call of
    /// tools. Otherwise the model is at work.
    pub user_turn: bool,
    /// Tokens of the prompt without its last message: what a provider that served them before may have cached.
    pub earlier_tokens: u64,
    /// Whether the request brings routes of its own. Then a policy without them cannot decide by routes: it asks.
    pub inline_routes: bool,
    /// Whether a cached decision may answer; false for `BYPASS` and `REFRESH`.
    pub read_cache: bool,
}

/// Hard limits. A model that does not state a value never satisfies a limit on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requirements {
    /// Smallest acceptable context window, in tokens.
    pub min_context_tokens: Option<u64>,
    /// Output tokens that the model must be able to produce.
    pub max_output_tokens: Option<u64>,
    /// Capabilities that the model must have, all of them.
    pub capabilities: Vec<String>,
    /// Modalities that the model must accept, all of them.
    pub modalities: Vec<String>,
    /// Most that this request may cost, in USD.
    pub max_cost_usd: Option<f64>,
    /// Longest acceptable time to the complete answer, in milliseconds.
    pub max_latency_ms: Option<f64>,
    /// Lowest acceptable quality, 0..=1.
    pub min_quality: Option<f64>,
    /// Regions, one of which the model must be served in.
    pub regions: Vec<String>,
    /// The request and a rule demand regions that exclude each other, so that no model will do. Never set in a request.
    pub regions_exclude: bool,
}

impl Requirements {
    /// Adds further limits. Nothing that was demanded is ever given up: the larger minimum, the smaller maximum, all
    /// capabilities and modalities of both, and only the regions that both allow.
    pub fn tighten(&mut self, more: &Requirements) {
        let Requirements {
            min_context_tokens,
            max_output_tokens,
            capabilities,
            modalities,
            max_cost_usd,
            max_latency_ms,
            min_quality,
            regions,
            regions_exclude,
        } = more;
        self.min_context_tokens = self.min_context_tokens.max(*min_context_tokens);
        self.max_output_tokens = self.max_output_tokens.max(*max_output_tokens);
        for (own, more) in [
            (&mut self.capabilities, capabilities),
            (&mut self.modalities, modalities),
        ] {
            for name in more {
                if !own.contains(name) {
                    own.push(name.clone());
                }
            }
        }
        let least = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.max_cost_usd = least(self.max_cost_usd, *max_cost_usd);
        self.max_latency_ms = least(self.max_latency_ms, *max_latency_ms);
        self.min_quality = match (self.min_quality, *min_quality) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        self.regions_exclude |= regions_exclude;
        if self.regions.is_empty() {
            self.regions.clone_from(regions);
        } else if !regions.is_empty() {
            self.regions.retain(|region| regions.contains(region));
            self.regions_exclude |= self.regions.is_empty();
        }
    }
}

/// Soft wishes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preferences {
    /// Model families, most wanted first.
    pub families: Vec<String>,
    /// Weights of the objective for this request.
    pub weights: Option<Weights>,
    /// One objective for this request; `weights` go before it.
    pub optimize_for: Option<Objective>,
}

/// What a choice among eligible models optimises for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Objective {
    /// The order in which the policy lists them.
    Order,
    /// Least estimated cost of this request.
    Cheapest,
    /// Least estimated time to the complete answer.
    Fastest,
    /// Highest quality for the route.
    Best,
    /// A weighted sum.
    Weights(Weights),
}

/// Weights of the score `quality × q − latency × l − cost × c`; each ≥ 0, at least one above it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weights {
    /// Weight of latency, divided by the slowest candidate's.
    pub latency: f64,
    /// Weight of cost, divided by the dearest candidate's.
    pub cost: f64,
    /// Weight of quality, as it is.
    pub quality: f64,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caller {
    /// Tenant, empty when not given.
    pub tenant: String,
    /// Tier, empty when not given.
    pub tier: String,
    /// Conversation, empty when not given.
    pub session_id: String,
    /// Free labels that rules may read.
    pub labels: BTreeMap<String, String>,
}

/// A model that was already tried for this request and is not to be chosen again.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The model's id.
    pub model_id: String,
    /// What became of it.
    pub outcome: AttemptOutcome,
    /// The caller's confidence in that answer, 0..=1, where it has one.
    pub confidence: Option<f64>,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// Not said.
    Unspecified,
    /// The provider failed.
    Error,
    /// The provider refused for now.
    RateLimited,
    /// No answer in time.
    Timeout,
    /// An answer that was not good enough.
    LowConfidence,
    /// The model declined.
    Refused,
}

impl AttemptOutcome {
    /// The words used in explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            AttemptOutcome::Unspecified => "already tried",
            AttemptOutcome::Error => "failed",
            AttemptOutcome::RateLimited => "was rate limited",
            AttemptOutcome::Timeout => "timed out",
            AttemptOutcome::LowConfidence => "answered with low confidence",
            AttemptOutcome::Refused => "refused",
        }
    }
}

/// What the facts of a request take from a message; never its text.
#[derive(Clone, Copy, Debug)]
pub struct MessageFacts {
    /// Who speaks.
    pub speaker: Speaker,
    /// Bytes of its text.
    pub bytes: usize,
    /// Tokens of what is attached.
    pub attached_tokens: u64,
}

/// Who speaks in a message, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The operator.
    System,
    /// The person, or what a client sends as one.
    User,
    /// The model; whether it calls tools.
    Assistant {
        /// Whether it does.
        calls_tools: bool,
    },
    /// A tool.
    Tool,
}

impl Query {
    /// Sets what follows from the messages: `turns`, `user_turn`, `earlier_tokens` and, unless the caller counted them,
    /// `input_tokens`.
    pub fn read_messages(&mut self, counted: Option<u64>, messages: &[MessageFacts]) {
        let sizes = |messages: &[MessageFacts]| {
            estimate_tokens(
                messages
                    .iter()
                    .map(|message| (message.bytes, message.attached_tokens)),
            )
        };
        self.turns = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        self.input_tokens = counted.unwrap_or_else(|| sizes(messages));
        self.earlier_tokens = match messages {
            [earlier @ .., last] if !earlier.is_empty() => self.input_tokens.saturating_sub(sizes(&[*last])),
            _ => 0,
        };
        let mut speakers = messages.iter().rev().map(|message| message.speaker);
        let mut spoke = || speakers.find(|speaker| *speaker != Speaker::System);
        self.user_turn = match (spoke(), spoke()) {
            (Some(Speaker::User), Some(Speaker::Assistant { calls_tools })) => !calls_tools,
            (last, _) => last == Some(Speaker::User),
        };
    }
}

/// Estimated prompt tokens: bytes / 4 rounded up, plus 4 a message, plus the attachments' own counts.
///
/// `messages` yields (bytes of content, tokens of attachments) for each message.
pub fn estimate_tokens(messages: impl Iterator<Item = (usize, u64)>) -> u64 {
    let (mut bytes, mut rest) = (0u64, 0u64);
    for (length, attachments) in messages {
        bytes = bytes.saturating_add(length as u64);
        rest = rest.saturating_add(4).saturating_add(attachments);
    }
    bytes.div_ceil(4).saturating_add(rest)
}
