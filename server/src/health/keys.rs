//! The idempotency keys of the last outcomes, as hashes.

use std::collections::{HashSet, VecDeque};

/// Keys remembered. A report is repeated within its caller's deadline, 10 s by default: at 10,000 outcomes a second, more
/// than a replica decides for callers that report each one, this is 13 s. 16 bytes twice and the set's slack make about 6 MB.
pub(super) const KEPT: usize = 131_072;

/// The last [`KEPT`] keys. 128 bits of a hash stand for a key; two equal ones would take more reports than there will be.
#[derive(Default)]
pub(super) struct Keys {
    seen: HashSet<u128>,
    order: VecDeque<u128>,
}

impl Keys {
    pub(super) fn has(&self, whose: &str, key: &str) -> bool {
        self.seen.contains(&hash(whose, key))
    }

    /// Remembers a key; the oldest makes room.
    pub(super) fn add(&mut self, whose: &str, key: &str) {
        let hash = hash(whose, key);
        if !self.seen.insert(hash) {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }
}

/// A key is its tenant's own: two tenants may use the same.
fn hash(whose: &str, key: &str) -> u128 {
    let mut hash = blake3::Hasher::new();
    // No tenant with a policy has a zero in its name.
    hash.update(whose.as_bytes()).update(&[0]).update(key.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    u128::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_key_makes_room() {
        let mut keys = Keys::default();
        for key in 0..=KEPT {
            keys.add("", &key.to_string());
            keys.add("", &key.to_string());
        }
        assert!(!keys.has("", "0"));
        assert!(keys.has("", "1") && !keys.has("acme", "1") && keys.has("", &KEPT.to_string()));
        assert_eq!((keys.seen.len(), keys.order.len()), (KEPT, KEPT));
    }
}
