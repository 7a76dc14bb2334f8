//! Policies with the routes of single requests in the place of their own. The gRPC service asks for one before it
//! decides such a request. A set of routes that was seen lately costs a hash and a short search; a new one is compiled once,
//! however many requests bring it, on a blocking thread.
//!
//! Bounds: [`KEPT`] sets stay, the least recently used makes room; [`AT_ONCE`] are compiled at a time, and with
//! [`IN_LINE`] begun or waiting further new sets are refused, so that callers who invent routes for every request slow
//! down themselves and not the rest. A set is held under the policy that it was added to, and a tenant's own policy is its alone
//! even where the bytes are equal: nobody else's request finds it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use signalbox_decide::policy::InlineRoute;
use signalbox_decide::{Diagnostic, Policy};
use tokio::sync::Semaphore;

use crate::engine::EngineError;
use crate::store::Snapshot;

/// Sets of routes kept ready. Each holds about 2 MB, most of it the weights of its classifier, and a copy of the policy.
pub const KEPT: usize = 32;
/// Sets compiled at a time.
pub const AT_ONCE: usize = 2;
/// Sets being compiled or waiting for it. One takes 0.1 s (few routes) to 0.5 s (64 on a busy machine), so the last one waits
/// seconds at worst.
pub const IN_LINE: usize = 16;

/// Identity of a policy with a set of routes.
type Identity = [u8; 32];

/// The same compilation for everybody who waits for it; `None` when it broke.
type Compiling = Shared<BoxFuture<'static, Option<Arc<Snapshot>>>>;

/// The sets of routes in use.
#[derive(Debug)]
pub struct InlineRoutes {
    sets: Arc<Mutex<Sets>>,
    turns: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Sets {
    /// The least recently used first.
    ready: VecDeque<(Identity, Arc<Snapshot>)>,
    begun: BTreeMap<Identity, Compiling>,
}

/// A request's routes, checked.
#[derive(Debug)]
pub enum Found {
    /// Seen lately.
    Ready(Arc<Snapshot>),
    /// To be compiled.
    New(Box<New>),
}

/// Routes that hold, and the policy that they were added to.
#[derive(Debug)]
pub struct New {
    identity: Identity,
    base: Arc<Snapshot>,
    policy: Policy,
}

impl Default for InlineRoutes {
    fn default() -> Self {
        InlineRoutes {
            sets: Arc::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl InlineRoutes {
    /// Looks a request's routes up, and checks them if they are new.
    ///
    /// # Errors
    /// Everything that is wrong with them, with paths into the request.
    pub fn find(&self, base: &Arc<Snapshot>, routes: &[InlineRoute<'_>]) -> Result<Found, Vec<Diagnostic>> {
        let identity = identity(base, routes);
        if let Some(ready) = lock(&self.sets).ready(&identity) {
            return Ok(Found::Ready(ready));
        }
        let policy = base.policy.with_inline(routes)?;
        let base = base.clone();
        Ok(Found::New(Box::new(New {
            identity,
            base,
            policy,
        })))
    }

    /// The policy with the routes, compiled if they are new: 0.1 to 0.5 s then. Needs a runtime. Whoever stops waiting
    /// does not stop the compilation, which others may wait for.
    ///
    /// # Errors
    /// `InlineOverload`, `InlineFailed`.
    pub async fn ready(&self, found: Found) -> Result<Arc<Snapshot>, EngineError> {
        let new = match found {
            Found::Ready(snapshot) => return Ok(snapshot),
            Found::New(new) => new,
        };
        let compiling = {
            let mut sets = lock(&self.sets);
            // It may have become ready since it was looked for.
            if let Some(ready) = sets.ready(&new.identity) {
                return Ok(ready);
            }
            match sets.begun.get(&new.identity) {
                Some(compiling) => compiling.clone(),
                None if sets.begun.len() >= IN_LINE => return Err(EngineError::InlineOverload),
                None => {
                    let identity = new.identity;
                    let compiling = self.begin(*new);
                    sets.begun.insert(identity, compiling.clone());
                    compiling
                }
            }
        };
        compiling.await.ok_or(EngineError::InlineFailed)
    }

    /// Sets kept ready.
    pub fn len(&self) -> usize {
        lock(&self.sets).ready.len()
    }

    /// Whether no set is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Compiles in a task of its own, in turn.
    fn begin(&self, new: New) -> Compiling {
        let (sets, turns) = (self.sets.clone(), self.turns.clone());
        let New {
            identity,
            base,
            policy,
        } = new;
        let task = tokio::spawn(async move {
            // The semaphore is never closed, so there is always a turn.
            let _turn = turns.acquire_owned().await;
            let compiled = tokio::task::spawn_blocking(move || Arc::new(base.with_routes(policy, identity)));
            let compiled = compiled.await.ok();
            let mut sets = lock(&sets);
            sets.begun.remove(&identity);
            if let Some(snapshot) = &compiled {
                sets.keep(identity, snapshot.clone());
            }
            compiled
        });
        task.map(|ended| ended.ok().flatten()).boxed().shared()
    }
}

impl Sets {
    /// A set that is ready, now the most recently used.
    fn ready(&mut self, wanted: &Identity) -> Option<Arc<Snapshot>> {
        let at = self.ready.iter().position(|(identity, _)| identity == wanted)?;
        let used = self.ready.remove(at)?;
        let snapshot = used.1.clone();
        self.ready.push_back(used);
        Some(snapshot)
    }

    fn keep(&mut self, identity: Identity, snapshot: Arc<Snapshot>) {
        if self.ready.len() >= KEPT {
            self.ready.pop_front();
        }
        self.ready.push_back((identity, snapshot));
    }
}

fn lock(sets: &Mutex<Sets>) -> MutexGuard<'_, Sets> {
    sets.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A hash of the policy and of whose it is, of what its evidence is learned from, and of all of the routes.
fn identity(base: &Snapshot, routes: &[InlineRoute<'_>]) -> Identity {
    let mut hash = blake3::Hasher::new();
    let mut text = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    text(&base.info.tenant);
    text(&base.policy.checksum);
    for InlineRoute {
        name,
        description,
        model_ids,
    } in routes
    {
        text(name);
        text(description);
        text(&model_ids.len().to_string());
        model_ids.iter().for_each(|id| text(id));
    }
    hash.update(&base.evidence_fingerprint);
    *hash.finalize().as_bytes()
}

#[cfg(test)]
mod tests;
