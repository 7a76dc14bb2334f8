//! The last decisions with the evidence behind them, for `Explain` by id and the churn of a reload. Holds scores and
//! facts, never text, and keeps no policy alive.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use signalbox_decide::{Decision, Evidence, Policy, Query};
use uuid::Uuid;

/// One decision as it was made.
#[derive(Clone, Debug)]
pub struct Record {
    /// The decision's id.
    pub id: Uuid,
    /// The tenant whose own policy decided; empty for everyone's.
    pub tenant: String,
    /// The policy that decided, while the store still holds it.
    pub policy: Weak<Policy>,
    /// Its checksum.
    pub checksum: String,
    /// Identity of what the evidence was learned from; scores mean nothing for other routes.
    pub scored_by: [u8; 32],
    /// The facts of the request.
    pub query: Query,
    /// The evidence, without the cache's.
    pub evidence: Evidence,
    /// What came out.
    pub decision: Arc<Decision>,
    /// When.
    pub time: SystemTime,
}

/// A bounded ring; the oldest record makes room.
#[derive(Debug)]
pub struct Ring {
    capacity: usize,
    records: Mutex<VecDeque<Arc<Record>>>,
}

impl Ring {
    /// A ring of `capacity` decisions; 0 keeps none.
    pub fn new(capacity: usize) -> Self {
        Ring {
            capacity,
            records: Mutex::new(VecDeque::with_capacity(capacity)),
        }
    }

    /// Adds a decision.
    pub fn push(&self, record: Arc<Record>) {
        if self.capacity == 0 {
            return;
        }
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let evicted = if records.len() == self.capacity {
            records.pop_front()
        } else {
            None
        };
        records.push_back(record);
        drop(records);
        // The old record is freed outside the lock.
        drop(evicted);
    }

    /// The decision with this id, newest first; a scan of the ring.
    pub fn find(&self, id: Uuid) -> Option<Arc<Record>> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().rev().find(|record| record.id == id).cloned()
    }

    /// Everything in the ring, oldest first.
    pub fn all(&self) -> Vec<Arc<Record>> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().cloned().collect()
    }
}
