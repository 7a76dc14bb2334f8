//! What stands in the store: keys that are keyed hashes, and values with a keyed hash in front that only who has the secret can
//! make, for this very key. So the store can lose and delay what it was given, and do nothing else.

use crate::engine::bounded::Key;
use crate::metrics;

/// Changes with the form of values: what another version wrote is not found.
const PREFIX: &str = "signalbox:1:";

/// Bytes of a seal.
const SEAL: usize = blake3::OUT_LEN;

/// What a value is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A conversation.
    Session,
    /// A question to the language model.
    Question,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Session => "session",
            Kind::Question => "llm",
        }
    }

    pub(super) fn count_read(self, result: &'static str) {
        metrics::shared_read(self.as_str(), result);
    }

    pub(super) fn count_written(self, result: &'static str) {
        metrics::shared_write(self.as_str(), result);
    }
}

/// What is made of the secret, for each use its own.
pub(super) struct Seals {
    pub(super) sessions: [u8; 32],
    pub(super) questions: [u8; 32],
    names: [u8; 32],
    values: [u8; 32],
}

// Secrets: a `{:?}` that slips into a log shows nothing.
impl std::fmt::Debug for Seals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seals")
    }
}

impl Seals {
    pub(super) fn new(secret: &[u8]) -> Self {
        let derived = |of: &str| blake3::derive_key(&format!("signalbox 2026-11 shared {of}"), secret);
        Seals {
            sessions: derived("sessions"),
            questions: derived("questions"),
            names: derived("names"),
            values: derived("values"),
        }
    }

    /// Stands for the name of a route, which may be a caller's own words.
    pub(super) fn name(&self, name: &str) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::keyed_hash(&self.names, name.as_bytes()).as_bytes()[..16]);
        short
    }

    pub(super) fn seal(&self, kind: Kind, key: &Key, value: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(SEAL + value.len());
        sealed.extend_from_slice(self.of(kind, key, value).as_bytes());
        sealed.extend_from_slice(value);
        sealed
    }

    /// The value, if it is what was sealed for this key.
    pub(super) fn open<'a>(&self, kind: Kind, key: &Key, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let (seal, value) = sealed.split_first_chunk::<SEAL>()?;
        // `Hash` compares in constant time.
        (self.of(kind, key, value) == *seal).then_some(value)
    }

    fn of(&self, kind: Kind, key: &Key, value: &[u8]) -> blake3::Hash {
        let mut hash = blake3::Hasher::new_keyed(&self.values);
        // All that has no fixed length comes last.
        hash.update(&[kind as u8]).update(key).update(value);
        hash.finalize()
    }
}

/// Where a value stands.
pub(super) fn place(kind: Kind, key: &Key) -> String {
    format!("{PREFIX}{}:{}", kind.as_str(), hex::encode(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_one_key_one_kind_and_one_secret() {
        let (seals, key) = (Seals::new(&[7; 32]), [1; 32]);
        let sealed = seals.seal(Kind::Session, &key, b"value");
        assert_eq!(seals.open(Kind::Session, &key, &sealed), Some(&b"value"[..]));
        assert_eq!(seals.open(Kind::Question, &key, &sealed), None);
        assert_eq!(seals.open(Kind::Session, &[2; 32], &sealed), None);
        assert_eq!(Seals::new(&[8; 32]).open(Kind::Session, &key, &sealed), None);
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert_eq!(seals.open(Kind::Session, &key, &bent), None, "{at}");
            assert_eq!(seals.open(Kind::Session, &key, &sealed[..at]), None, "{at}");
        }
        assert_eq!(format!("{seals:?}"), "Seals");
    }

    #[test]
    fn secrets_of_different_uses_differ() {
        let Seals {
            sessions,
            questions,
            names,
            values,
        } = Seals::new(&[7; 32]);
        let mut all = vec![sessions, questions, names, values, [7; 32]];
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
    }
}
