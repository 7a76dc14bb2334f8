//! What a look at the source shows, by tenant: enough to tell what changed, and the bytes of that alone.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use signalbox_decide::policy::{self, checksum};

use super::PolicySource;
use crate::store::{Snapshot, Store, shadow};

/// What was seen of each tenant's policy; the empty name is everyone's.
pub(super) type SeenByTenant = BTreeMap<String, Seen>;

/// What a look at one policy shows, enough to tell it from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    /// Bytes, by their checksum, and the shadow that they name.
    Content(String, Option<Beside>),
    /// Nothing, and why.
    Unreadable(String),
}

/// The file of a shadow, and its checksum or why it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Beside {
    file: PathBuf,
    seen: Result<String, String>,
}

impl Beside {
    fn at(file: PathBuf) -> Self {
        let read = shadow::read(&file);
        let seen = read.map(|bytes| checksum(&bytes));
        Beside { file, seen }
    }
}

impl Seen {
    /// What a policy in force was made of.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let beside = snapshot.shadow.as_ref().map(|shadow| Beside {
            file: shadow.info.source.clone().into(),
            seen: Ok(shadow.info.checksum.clone()),
        });
        Seen::Content(snapshot.info.checksum.clone(), beside)
    }

    /// What is there now. `known` saves reading from bytes that did not change which file they name.
    fn now(bytes: &[u8], source: &str, known: Option<&Seen>) -> Self {
        let checksum = checksum(bytes);
        let file = match known {
            Some(Seen::Content(before, Some(beside))) if *before == checksum => Some(beside.file.clone()),
            _ => shadow_of(bytes, source),
        };
        Seen::Content(checksum, file.map(Beside::at))
    }

    /// What a store was given last, if it can be told.
    pub(super) fn last_of(store: &Store) -> Option<Self> {
        match store.last_error() {
            Some(error) if error.checksum.is_empty() => {
                let first = error.diagnostics.first()?;
                Some(Seen::Unreadable(first.message.clone()))
            }
            Some(error) => Some(Seen::Content(error.checksum.clone(), None)),
            None => Some(Seen::of(&*store.current()?)),
        }
    }
}

/// The file of the shadow that a policy names, if it is one. Most say nothing of a shadow and need not be read as policies.
fn shadow_of(bytes: &[u8], source: &str) -> Option<PathBuf> {
    const KEY: &[u8] = b"shadow";
    if !bytes.windows(KEY.len()).any(|window| window == KEY) {
        return None;
    }
    let loaded = policy::load(bytes).ok()?;
    shadow::file_of(&loaded.policy, source)
}

/// One policy as it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) seen: Seen,
    /// Empty where it is what was known.
    pub(super) bytes: Vec<u8>,
    pub(super) name: String,
}

impl Found {
    fn unreadable(why: String) -> Self {
        Found {
            seen: Seen::Unreadable(why),
            bytes: Vec::new(),
            name: String::new(),
        }
    }
}

/// A look at the source.
#[derive(Debug)]
pub(super) struct Look {
    /// By tenant.
    pub(super) found: BTreeMap<String, Found>,
    /// Names that are nobody's policy.
    pub(super) ignored: Vec<String>,
    /// Whether what was not found is not there.
    pub(super) complete: bool,
}

impl Look {
    /// Reads all there is. Blocks. Bytes that are `known` are not kept.
    ///
    /// # Errors
    /// When the source cannot be looked into.
    pub(super) fn at(source: &PolicySource, known: &SeenByTenant) -> io::Result<Self> {
        let listing = source.list()?;
        let found = listing.tenants().map(|tenant| {
            let found = match listing.read(tenant) {
                Ok((bytes, name)) => {
                    let seen = Seen::now(&bytes, &name, known.get(tenant));
                    let is_known = known.get(tenant) == Some(&seen);
                    let bytes = if is_known { Vec::new() } else { bytes };
                    Found { seen, bytes, name }
                }
                Err(error) => Found::unreadable(error.to_string()),
            };
            (tenant.to_owned(), found)
        });
        Ok(Look {
            found: found.collect(),
            ignored: listing.ignored.clone(),
            complete: true,
        })
    }

    /// A look that saw nothing: a failure of everyone's policy, and no news of the tenants'.
    pub(super) fn failed(why: &str) -> Self {
        let everyone = (String::new(), Found::unreadable(why.to_owned()));
        Look {
            found: BTreeMap::from([everyone]),
            ignored: Vec::new(),
            complete: false,
        }
    }

    /// What was seen of a tenant's policy.
    pub(super) fn seen_of(&self, tenant: &str) -> Option<Seen> {
        self.found.get(tenant).map(|found| found.seen.clone())
    }

    /// Tenants whose policy is not what was `seen` of it, and those of which there is none any more.
    pub(super) fn changed(&self, seen: &SeenByTenant) -> Vec<String> {
        let other = self
            .found
            .iter()
            .filter(|(tenant, found)| seen.get(*tenant) != Some(&found.seen));
        let gone = seen
            .keys()
            .filter(|tenant| self.complete && !self.found.contains_key(*tenant));
        other.map(|(tenant, _)| tenant).chain(gone).cloned().collect()
    }

    /// What was found of a tenant's policy. The bytes are moved out, what was seen stays.
    pub(super) fn take(&mut self, tenant: &str) -> Option<Found> {
        let found = self.found.get_mut(tenant)?;
        Some(Found {
            seen: found.seen.clone(),
            bytes: std::mem::take(&mut found.bytes),
            name: found.name.clone(),
        })
    }
}
