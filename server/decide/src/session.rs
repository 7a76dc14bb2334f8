//! Conversations that stay with their model: what a policy says of them, what is known of one, and what became of it in a
//! decision. The server keeps them; the ladder holds or leaves.

use std::fmt;

use crate::query::Query;

/// How a policy treats conversations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionSettings {
    /// Whether conversations are held at all.
    pub enabled: bool,
    /// Seconds without a request after which one is forgotten.
    pub ttl_s: u64,
    /// Whether a request without `caller.session_id` belongs to the conversation with the same tenant, first user
    /// message and system messages before it.
    pub derive: bool,
    /// What a whole point of quality (from 0 to 1) is worth for one request, in USD, when leaving a model is weighed.
    pub quality_usd: f64,
}

impl SessionSettings {
    /// Whether a request belongs to a conversation that is held.
    pub fn holds(&self, query: &Query) -> bool {
        self.enabled && (self.derive || !query.caller.session_id.is_empty())
    }
}

impl Default for SessionSettings {
    fn default() -> Self {
        SessionSettings {
            enabled: false,
            ttl_s: 3600,
            derive: false,
            quality_usd: 0.05,
        }
    }
}

/// What is known of a conversation. By name, because it outlives policies. No text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Id of the model that served it last.
    pub model: String,
    /// Name of the route that it was on.
    pub route: Option<String>,
}

/// What became of a conversation in a decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stay {
    /// It stays with its model.
    Kept(Kept),
    /// It was on another model.
    Switched(Switched),
}

/// Why a conversation stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kept {
    /// The last turn is not a person's: the model is at work.
    ToolLoop,
    /// Decided anew, it is the same model.
    Same,
    /// Decided anew, the turn belongs to no route.
    NoRoute,
    /// Another model is not worth it.
    NotWorth(Worth),
}

/// Why a conversation leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Switched {
    /// Its model may not serve this request, or is gone from the policy.
    Forced,
    /// Another model is worth it.
    Worth(Worth),
}

/// What leaving a model would bring and cost for this request, in USD.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Worth {
    /// The gain in quality for the route, as the policy values it.
    pub gain_usd: f64,
    /// What the request costs on the other model, which has to read all of it, less what it costs on this one, which
    /// remembers the turns before. Below 0 where the other is cheaper all the same; 0 where a price is unknown.
    pub cost_usd: f64,
}

impl Worth {
    /// Whether it is worth leaving.
    pub fn pays(&self) -> bool {
        self.gain_usd > self.cost_usd
    }
}

impl Stay {
    /// Machine-readable reason: `tool_loop`, `same_model`, `no_route`, `not_worth`, `forced` or `worth`.
    pub fn code(&self) -> &'static str {
        match self {
            Stay::Kept(Kept::ToolLoop) => "tool_loop",
            Stay::Kept(Kept::Same) => "same_model",
            Stay::Kept(Kept::NoRoute) => "no_route",
            Stay::Kept(Kept::NotWorth(_)) => "not_worth",
            Stay::Switched(Switched::Forced) => "forced",
            Stay::Switched(Switched::Worth(_)) => "worth",
        }
    }

    /// Whether the conversation stays with its model.
    pub fn is_kept(&self) -> bool {
        matches!(self, Stay::Kept(_))
    }
}

/// `leaving gains 0.002000 USD of quality and costs 0.013500 USD`.
impl fmt::Display for Worth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "leaving gains {:.6} USD of quality and costs {:.6} USD",
            self.gain_usd, self.cost_usd
        )
    }
}

impl fmt::Display for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stay::Kept(Kept::ToolLoop) => f.write_str("the conversation's model is at work with tools"),
            Stay::Kept(Kept::Same) => f.write_str("decided anew, it is the conversation's model"),
            Stay::Kept(Kept::NoRoute) => {
                f.write_str("the turn belongs to no route, so the conversation stays")
            }
            Stay::Kept(Kept::NotWorth(worth)) => write!(f, "the conversation stays: {worth}"),
            Stay::Switched(Switched::Forced) => {
                f.write_str("the conversation's model may not serve this request")
            }
            Stay::Switched(Switched::Worth(worth)) => write!(f, "the conversation moves: {worth}"),
        }
    }
}
