//! Canaries: a share of the requests that get a new model. Whether a request is in the share is a pure function of the
//! canary's name and one key of the request, so that callers in any language can foresee it (`server/notes/0003`).

use std::fmt;

use sha2::{Digest, Sha256};

use crate::policy::{ModelIndex, Policy, RouteIndex};
use crate::query::Query;

/// A share of the requests for a new model.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    /// Unique name; it seeds the hash, so two canaries of one share do not hit the same requests.
    pub name: String,
    /// The new model.
    pub model: ModelIndex,
    /// Share of the requests, 0..=1.
    pub share: f64,
    /// Only decisions by this route.
    pub route: Option<RouteIndex>,
    /// What keeps requests together.
    pub key: CanaryKey,
}

/// What of a request is hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CanaryKey {
    /// Each request by itself.
    RequestId,
    /// All requests of a conversation together.
    #[default]
    SessionId,
    /// All requests of a tenant together.
    Tenant,
    /// All requests with one value of this label together.
    Label(String),
}

impl CanaryKey {
    /// From `request_id`, `caller.session_id`, `caller.tenant` or `caller.labels.NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "request_id" => Some(CanaryKey::RequestId),
            "caller.session_id" => Some(CanaryKey::SessionId),
            "caller.tenant" => Some(CanaryKey::Tenant),
            _ => {
                let label = text.strip_prefix("caller.labels.")?;
                (!label.is_empty()).then(|| CanaryKey::Label(label.into()))
            }
        }
    }

    /// The value in a request; `None` where it has none.
    fn value<'q>(&self, query: &'q Query) -> Option<&'q str> {
        let value = match self {
            CanaryKey::RequestId => &query.request_id,
            CanaryKey::SessionId => &query.caller.session_id,
            CanaryKey::Tenant => &query.caller.tenant,
            CanaryKey::Label(label) => query.caller.labels.get(label)?,
        };
        (!value.is_empty()).then_some(value)
    }
}

impl fmt::Display for CanaryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CanaryKey::RequestId => f.write_str("request_id"),
            CanaryKey::SessionId => f.write_str("caller.session_id"),
            CanaryKey::Tenant => f.write_str("caller.tenant"),
            CanaryKey::Label(label) => write!(f, "caller.labels.{label}"),
        }
    }
}

/// Where a key's value lies, in units of 2⁻⁶⁴: the first 8 bytes, big-endian, of SHA-256(name ‖ 0x00 ‖ value).
pub fn point(name: &str, value: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([0]);
    hash.update(value.as_bytes());
    let digest = hash.finalize();
    digest[..8]
        .iter()
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

/// Whether a point is below `share` × 2⁶⁴.
pub fn is_inside(point: u64, share: f64) -> bool {
    // Scaling by a power of two is exact; a point is whole, so rounding the bound up changes nothing.
    let bound = (share * 2f64.powi(64)).ceil();
    u128::from(point) < bound as u128
}

impl Canary {
    /// Where the request lies; `None` for one without the key, which is in no share.
    pub fn point(&self, query: &Query) -> Option<u64> {
        Some(point(&self.name, self.key.value(query)?))
    }

    /// Whether the request is in the share: its point is below `share` × 2⁶⁴.
    pub fn holds(&self, query: &Query) -> bool {
        self.point(query)
            .is_some_and(|point| is_inside(point, self.share))
    }
}

impl Policy {
    /// In which canaries' shares a request is, in policy order: all that a decision depends on of the keys.
    pub fn canaries_of(&self, query: &Query) -> impl Iterator<Item = bool> {
        self.canaries.iter().map(|canary| canary.holds(query))
    }

    /// What can make two equal requests differ under this policy, in the words of the API.
    pub fn varying_evidence(&self) -> Vec<&'static str> {
        let random = |canary: &Canary| canary.key == CanaryKey::RequestId;
        let varying = [
            (self.sessions.enabled, "sessions"),
            (self.health.enabled, "health"),
            (self.evidence.encoder.is_some(), "encoder"),
            (self.llm.asks(), "llm"),
            (self.llm.asks() && self.cache.semantic.is_some(), "semantic_cache"),
            (self.canaries.iter().any(random), "canary"),
        ];
        let there = varying.into_iter().filter(|(there, _)| *there);
        there.map(|(_, word)| word).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published in `server/notes/0003` for implementations in other languages.
    const VECTORS: &[(&str, &str, u64)] = &[
        ("new-model", "session-1", 0x46b28dab7392f76b),
        ("new-model", "session-2", 0x5519f2e909a99e07),
        ("new-model", "", 0xb1d7492a8dc4016d),
        ("try", "0190c0de-0000-7000-8000-000000000000", 0x1a813cb34a65b32d),
        ("größer", "kunde-7", 0x219c55f147a33927),
        ("a", "b\0c", 0x8badde10c760e9b7),
    ];

    #[test]
    fn the_published_vectors_hold() {
        for &(name, value, wanted) in VECTORS {
            assert_eq!(point(name, value), wanted, "{name} {value}");
        }
    }

    fn canary(share: f64, key: CanaryKey) -> Canary {
        Canary {
            name: "try".into(),
            model: 0,
            share,
            route: None,
            key,
        }
    }

    fn session(id: impl ToString) -> Query {
        let mut query = Query::default();
        query.caller.session_id = id.to_string();
        query
    }

    #[test]
    fn shares_are_within_binomial_bounds() {
        for share in [0.01, 0.1, 0.5, 0.9] {
            let canary = canary(share, CanaryKey::SessionId);
            let n = 100_000u32;
            let inside = (0..n).filter(|id| canary.holds(&session(id))).count() as f64;
            let (mean, deviation) = (
                f64::from(n) * share,
                (f64::from(n) * share * (1.0 - share)).sqrt(),
            );
            assert!((inside - mean).abs() < 4.0 * deviation, "{share}: {inside}");
        }
    }

    #[test]
    fn two_canaries_do_not_hit_the_same_requests() {
        let one = canary(0.5, CanaryKey::SessionId);
        let two = Canary {
            name: "other".into(),
            ..one.clone()
        };
        let both = (0..10_000)
            .map(session)
            .filter(|query| one.holds(query) && two.holds(query))
            .count();
        assert!((2300..2700).contains(&both), "{both}");
    }

    #[test]
    fn nobody_is_in_a_share_of_nothing_and_everybody_with_a_key_in_all() {
        for id in 0..1000 {
            assert!(!canary(0.0, CanaryKey::SessionId).holds(&session(id)));
            assert!(canary(1.0, CanaryKey::SessionId).holds(&session(id)));
        }
        assert!(!canary(1.0, CanaryKey::SessionId).holds(&Query::default()));
        assert!(!canary(1.0, CanaryKey::Label("ring".into())).holds(&session(1)));
    }

    #[test]
    fn keys_are_written_as_they_are_read() {
        for text in [
            "request_id",
            "caller.session_id",
            "caller.tenant",
            "caller.labels.ring",
        ] {
            assert_eq!(CanaryKey::parse(text).unwrap().to_string(), text);
        }
        for text in ["session_id", "caller.labels.", "caller.labels", "tenant", ""] {
            assert_eq!(CanaryKey::parse(text), None, "{text}");
        }
    }
}
