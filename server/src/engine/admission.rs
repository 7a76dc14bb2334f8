//! How many decisions that cost something may be in progress at once. Between the cache, whose hits are never refused, and the
//! probes that read the prompt: the first of them asks to be let in, and further ones have that.
//!
//! Reading a prompt keeps a processor busy, so decisions take turns, as many as there are processors, first come first
//! served; a decision that waits for a language model leaves its turn to others. What comes in while others wait is looked up
//! in the cache or refused before they go on, so that a refusal takes no longer when there is much to do.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Who is let in.
#[derive(Debug)]
pub struct Admission {
    most: usize,
    in_progress: AtomicUsize,
    /// Of tenants that have a name; those without decisions in progress are not in it.
    tenants: Mutex<HashMap<String, usize>>,
    processors: usize,
    turns: Semaphore,
}

/// Why a decision was not let in.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Overloaded {
    /// Too many are in progress.
    #[error(
        "{most} decisions are in progress, which is `limits.decisions`; retry in a moment, or add replicas"
    )]
    Full {
        /// Most at once.
        most: usize,
    },
    /// One tenant has its half.
    #[error("the tenant has {half} decisions in progress, half of `limits.decisions`; retry in a moment")]
    Tenant {
        /// Most of one tenant at once.
        half: usize,
    },
}

impl Overloaded {
    /// The word for it in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Overloaded::Full { .. } => "all",
            Overloaded::Tenant { .. } => "tenant",
        }
    }
}

/// A decision in progress, until dropped.
#[derive(Debug)]
pub struct Admitted<'a> {
    admission: &'a Admission,
    tenant: Option<String>,
}

impl Default for Admission {
    /// Lets everybody in, and nobody waits.
    fn default() -> Self {
        Admission::new(usize::MAX, Semaphore::MAX_PERMITS)
    }
}

impl Admission {
    /// At most `most` decisions in progress, of one named tenant half as many, but one; `processors` of them work while the
    /// others wait.
    pub fn new(most: usize, processors: usize) -> Self {
        Admission {
            most,
            in_progress: AtomicUsize::new(0),
            tenants: Mutex::default(),
            processors,
            turns: Semaphore::new(processors),
        }
    }

    /// Decisions in progress, those that wait for a language model included.
    pub fn in_progress(&self) -> usize {
        self.in_progress.load(Ordering::Relaxed)
    }

    /// Lets a decision in for a tenant (empty: none).
    ///
    /// # Errors
    /// `Full`, or `Tenant` where there is still room for others.
    pub fn enter(&self, tenant: &str) -> Result<Admitted<'_>, Overloaded> {
        if self.in_progress.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.in_progress.fetch_sub(1, Ordering::Relaxed);
            return Err(Overloaded::Full { most: self.most });
        }
        let mut admitted = Admitted {
            admission: self,
            tenant: None,
        };
        if !tenant.is_empty() {
            let half = (self.most / 2).max(1);
            let mut tenants = self.tenants();
            match tenants.get_mut(tenant) {
                Some(count) if *count >= half => return Err(Overloaded::Tenant { half }),
                Some(count) => *count += 1,
                None => drop(tenants.insert(tenant.to_owned(), 1)),
            }
            admitted.tenant = Some(tenant.to_owned());
        }
        Ok(admitted)
    }

    /// Waits for a turn; it ends when what is returned is dropped.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let Ok(turn) = self.turns.try_acquire() else {
            return self.turns.acquire().await.ok();
        };
        // All processors may be at it: what came in meanwhile is let in or refused first.
        if self.in_progress() >= self.processors {
            tokio::task::yield_now().await;
        }
        Some(turn)
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        // A count is changed in one step: it is right after a panic too.
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.admission.in_progress.fetch_sub(1, Ordering::Relaxed);
        let Some(tenant) = &self.tenant else { return };
        let mut tenants = self.admission.tenants();
        if let Some(count) = tenants.get_mut(tenant) {
            *count -= 1;
            if *count == 0 {
                tenants.remove(tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_the_bound_is_refused_until_something_ends() {
        let admission = Admission::new(2, 1);
        let first = admission.enter("").unwrap();
        let _second = admission.enter("").unwrap();
        for _ in 0..3 {
            assert_eq!(admission.enter("").unwrap_err(), Overloaded::Full { most: 2 });
        }
        drop(first);
        let _third = admission.enter("acme").unwrap();
        assert_eq!(admission.in_progress(), 2);
    }

    #[test]
    fn no_tenant_holds_more_than_half_and_those_that_end_are_forgotten() {
        let admission = Admission::new(4, 1);
        let mut acme: Vec<_> = (0..2).map(|_| admission.enter("acme").unwrap()).collect();
        assert_eq!(
            admission.enter("acme").unwrap_err(),
            Overloaded::Tenant { half: 2 }
        );
        assert_eq!(admission.in_progress(), 2, "who was refused is not in progress");
        let clinic = admission.enter("clinic").unwrap();
        acme.pop();
        acme.push(admission.enter("acme").unwrap());
        drop((acme, clinic));
        assert_eq!(admission.in_progress(), 0);
        assert!(admission.tenants().is_empty());
    }

    #[test]
    fn one_is_let_in_for_a_tenant_where_half_is_none() {
        let admission = Admission::new(1, 1);
        let _one = admission.enter("acme").unwrap();
        assert_eq!(
            admission.enter("clinic").unwrap_err(),
            Overloaded::Full { most: 1 }
        );
    }

    #[tokio::test]
    async fn who_comes_while_others_wait_is_refused_before_they_go_on() {
        let admission = Admission::new(3, 1);
        let order = Mutex::new(Vec::new());
        let one = async |number: usize| {
            let noted = match admission.enter("") {
                Err(_) => (number, "refused"),
                Ok(admitted) => {
                    let turn = admission.turn().await;
                    let noted = (number, "decided");
                    drop((turn, admitted));
                    noted
                }
            };
            order.lock().unwrap().push(noted);
        };
        tokio::join!(one(1), one(2), one(3), one(4), one(5));
        let order = order.into_inner().unwrap();
        assert_eq!(
            order,
            [
                (4, "refused"),
                (5, "refused"),
                (1, "decided"),
                (2, "decided"),
                (3, "decided")
            ]
        );
    }
}
