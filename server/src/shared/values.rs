//! What is written of a conversation and of an answer, in bytes; numbers are little-endian. The first byte of each is the version
//! of its form: what is of another, of another length or out of range is nothing.

use std::sync::Arc;
use std::time::Duration;

use signalbox_decide::{Held, Judgement, Policy, RouteScores, SaidTo};
use signalbox_evidence::DEFAULT_THRESHOLD;

use super::now;
use super::seal::Seals;

const VERSION: u8 = 1;

/// Where a conversation was at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Its model and its route.
    pub held: Held,
    /// When that was noted, since the beginning of Unix time: of two replicas' notes the later one counts.
    pub at: Duration,
}

impl Noted {
    /// Version, microseconds of Unix time, the route's hash (zeros: none), the model's id.
    pub(super) fn write(&self, seals: &Seals) -> Vec<u8> {
        let Held { model, route } = &self.held;
        let route = route.as_ref().map_or([0; 16], |name| seals.name(name));
        let mut value = vec![VERSION];
        value.extend_from_slice(&micros(self.at).to_le_bytes());
        value.extend_from_slice(&route);
        value.extend_from_slice(model.as_bytes());
        value
    }

    pub(super) fn read(value: &[u8], policy: &Policy, seals: &Seals) -> Option<Noted> {
        let (version, rest) = value.split_first()?;
        let (at, rest) = rest.split_first_chunk()?;
        let (route, model) = rest.split_first_chunk::<16>()?;
        if *version != VERSION || model.is_empty() {
            return None;
        }
        let named = policy
            .routes
            .iter()
            .find(|known| seals.name(&known.name) == *route);
        Some(Noted {
            held: Held {
                model: std::str::from_utf8(model).ok()?.to_owned(),
                route: named.map(|known| known.name.clone()),
            },
            at: Duration::from_micros(u64::from_le_bytes(*at)),
        })
    }
}

/// Version, seconds of Unix time, microseconds that it took, whether it was measured, then the probabilities of no route and of
/// each in their order.
pub(super) fn saying(said: &Judgement) -> Vec<u8> {
    let mut value = vec![VERSION];
    value.extend_from_slice(&now().as_secs().to_le_bytes());
    value.extend_from_slice(&micros(said.computed).to_le_bytes());
    value.push(u8::from(said.measured));
    for p in [said.scores.other].iter().chain(&said.scores.routes) {
        value.extend_from_slice(&p.to_le_bytes());
    }
    value
}

/// What was said of so many `routes`, unless that is longer ago than `ttl`.
pub(super) fn said(value: &[u8], routes: usize, ttl: Duration) -> Option<Judgement> {
    let (version, rest) = value.split_first()?;
    let (at, rest) = rest.split_first_chunk()?;
    let (micros, rest) = rest.split_first_chunk()?;
    let (measured, rest) = rest.split_first()?;
    let (all, []) = rest.as_chunks::<4>() else {
        return None;
    };
    let all: Vec<f32> = all.iter().map(|p| f32::from_le_bytes(*p)).collect();
    let sum: f32 = all.iter().sum();
    let right = *version == VERSION
        && *measured <= 1
        && all.len() == routes + 1
        && all.iter().all(|p| (0.0..=1.0).contains(p))
        && (sum - 1.0).abs() < 0.01;
    // Clocks that differ make it no younger than new.
    let seconds = now().as_secs().saturating_sub(u64::from_le_bytes(*at));
    if !right || seconds >= ttl.as_secs() {
        return None;
    }
    let (other, routes) = all.split_first()?;
    let scores = RouteScores {
        routes: routes.to_vec(),
        other: *other,
        default_threshold: DEFAULT_THRESHOLD,
        ..RouteScores::default()
    };
    Some(Judgement {
        scores: Arc::new(scores),
        measured: *measured == 1,
        computed: Duration::from_micros(u64::from_le_bytes(*micros)),
        said_to: SaidTo::Earlier { seconds },
        ..Judgement::default()
    })
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn policy() -> Policy {
        let text =
            "schema: 1\ndefault: m\nmodels: [{id: m}]\nroutes: [{name: code, description: d, models: [m]}]\n";
        signalbox_decide::policy::load(text.as_bytes()).unwrap().policy
    }

    #[test]
    fn a_conversation_reads_as_it_was_written_and_its_route_where_the_policy_has_it() {
        let seals = Seals::new(&[7; 32]);
        for (route, read) in [(Some("code"), Some("code")), (Some("gone"), None), (None, None)] {
            let held = |route: Option<&str>| Held {
                model: "acme/large".into(),
                route: route.map(str::to_owned),
            };
            let noted = Noted {
                held: held(route),
                at: Duration::from_micros(1_764_000_000_123_456),
            };
            let value = noted.write(&seals);
            assert!(!String::from_utf8_lossy(&value).contains("code"));
            let found = Noted::read(&value, &policy(), &seals).unwrap();
            assert_eq!((found.held, found.at), (held(read), noted.at));
            for end in 0..26 {
                assert_eq!(Noted::read(&value[..end.min(25)], &policy(), &seals), None);
            }
            let other = [&[VERSION + 1], &value[1..]].concat();
            assert_eq!(Noted::read(&other, &policy(), &seals), None);
        }
    }

    fn judgement(routes: &[f32], other: f32) -> Judgement {
        let scores = RouteScores {
            routes: routes.to_vec(),
            other,
            default_threshold: DEFAULT_THRESHOLD,
            ..RouteScores::default()
        };
        Judgement {
            scores: Arc::new(scores),
            measured: true,
            computed: Duration::from_micros(41_300),
            ..Judgement::default()
        }
    }

    #[test]
    fn an_answer_reads_as_it_was_given_to_the_bit() {
        let first = judgement(&[0.1, 0.7, 0.123_456_79], 0.076_543_21);
        let read = said(&saying(&first), 3, HOUR).unwrap();
        let expected = Judgement {
            said_to: SaidTo::Earlier { seconds: 0 },
            ..first
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn an_answer_that_is_old_of_other_routes_or_no_probabilities_is_none() {
        let value = saying(&judgement(&[0.25, 0.25], 0.5));
        assert!(said(&value, 2, HOUR).is_some());
        assert_eq!(said(&value, 1, HOUR), None);
        assert_eq!(said(&value, 3, HOUR), None);
        assert_eq!(said(&value, 2, Duration::ZERO), None);
        for end in 0..value.len() {
            assert_eq!(said(&value[..end], 2, HOUR), None, "{end}");
        }
        let other = [&[VERSION + 1], &value[1..]].concat();
        assert_eq!(said(&other, 2, HOUR), None);
        for wrong in [f32::NAN, -0.25, 1.5, f32::INFINITY] {
            assert_eq!(
                said(&saying(&judgement(&[wrong, 0.5], 0.5)), 2, HOUR),
                None,
                "{wrong}"
            );
        }
    }
}
