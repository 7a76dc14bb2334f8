//! Every policy of a server: the one for everybody, and one for each tenant that has its own. `engine` takes from here
//! what decides a request; `watcher` and `ReloadPolicy` put policies in. Each is a [`Store`] of its own, so that what
//! happens to one (a bad file, a reload, a compare-and-swap) is nothing to the others. A server with one file has no tenants.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use signalbox_decide::{Diagnostic, Severity};

use super::churn::Churn;
use super::last_good::LastGood;
use super::{Compiler, ReloadError, ReloadOptions, ReloadReport, Store};
use crate::engine::ring::Ring;

/// Most characters of the name of a tenant that has a policy.
const MOST_CHARACTERS: usize = 64;

/// Whether a tenant of this name can have a policy of its own: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
pub fn is_tenant(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.len() <= MOST_CHARACTERS
        && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && name.bytes().all(plain)
}

/// The policies.
#[derive(Debug)]
pub struct Policies {
    everyone: Arc<Store>,
    /// By name, of tenants with a policy of their own. One that was never good is here too, and keeps its tenant from
    /// being served by somebody else's.
    tenants: ArcSwap<BTreeMap<String, Arc<Store>>>,
    compiler: Arc<Compiler>,
    ring: Arc<Ring>,
    last_good: Option<LastGood>,
}

impl Policies {
    /// No policy yet; `ring` is what churn is measured over.
    pub fn new(compiler: Compiler, ring: Arc<Ring>) -> Self {
        Policies::keeping(compiler, ring, None)
    }

    /// The same, with a place where the last good ones are kept.
    pub fn keeping(compiler: Compiler, ring: Arc<Ring>, last_good: Option<LastGood>) -> Self {
        let compiler = Arc::new(compiler);
        let everyone = Store::new(String::new(), compiler.clone(), ring.clone(), last_good.clone());
        Policies {
            everyone: Arc::new(everyone),
            tenants: ArcSwap::default(),
            compiler,
            ring,
            last_good,
        }
    }

    /// Tenants that had a policy of their own when the last good ones were kept, sorted.
    pub fn kept(&self) -> Vec<String> {
        self.last_good.as_ref().map(LastGood::tenants).unwrap_or_default()
    }

    /// The policy of callers without a tenant, and of tenants without one of their own.
    pub fn everyone(&self) -> &Arc<Store> {
        &self.everyone
    }

    /// The policy that a tenant goes by; empty is no tenant. A look into a map.
    pub fn of(&self, tenant: &str) -> Arc<Store> {
        self.own(tenant).unwrap_or_else(|| self.everyone.clone())
    }

    /// The policy that is a tenant's own; empty is everyone's.
    pub fn own(&self, tenant: &str) -> Option<Arc<Store>> {
        if tenant.is_empty() {
            return Some(self.everyone.clone());
        }
        self.tenants.load().get(tenant).cloned()
    }

    /// A tenant's own, or a new one that is in nobody's way until it is [added](Policies::add).
    pub fn own_or_new(&self, tenant: &str) -> Arc<Store> {
        let (compiler, ring) = (self.compiler.clone(), self.ring.clone());
        let new = || Store::new(tenant.to_owned(), compiler, ring, self.last_good.clone());
        self.own(tenant).unwrap_or_else(|| Arc::new(new()))
    }

    /// From now on its tenant goes by this policy.
    pub fn add(&self, store: &Arc<Store>) {
        let known = self.own(store.tenant());
        if known.is_some_and(|known| Arc::ptr_eq(&known, store)) {
            return;
        }
        self.change(|tenants| tenants.insert(store.tenant().to_owned(), store.clone()));
    }

    /// From now on the tenant goes by everyone's policy. Whether it had its own; everyone's own stays.
    pub fn remove(&self, tenant: &str) -> bool {
        let had = !tenant.is_empty() && self.own(tenant).is_some();
        if had {
            self.change(|tenants| tenants.remove(tenant));
            if let Some(last_good) = &self.last_good {
                last_good.forget(tenant);
            }
        }
        had
    }

    /// As [`Store::reload`], where the source has no policy for the tenant any more: it goes by everyone's.
    ///
    /// # Errors
    /// `Conflict`, and `Invalid` where the tenant had no policy of its own anyway.
    pub fn give_up(&self, tenant: &str, options: &ReloadOptions) -> Result<ReloadReport, ReloadError> {
        let Some(store) = self.own(tenant).filter(|_| !tenant.is_empty()) else {
            let message = format!("tenant `{tenant}` has no policy of its own");
            return Err(ReloadError::Invalid(vec![Diagnostic {
                severity: Severity::Error,
                code: "no-policy",
                path: String::new(),
                line: 0,
                column: 0,
                message,
                hint: "put one into the policy directory, or push one".into(),
            }]));
        };
        let before = store.current();
        store.expect(before.as_deref(), options)?;
        if !options.dry_run {
            self.remove(tenant);
        }
        let current = self.everyone.current();
        Ok(ReloadReport {
            applied: !options.dry_run,
            previous: before.map(|before| before.info.clone()),
            current: current.map(|current| current.info.clone()),
            diagnostics: Vec::new(),
            diff: None,
            churn: Churn::default(),
            tests: None,
        })
    }

    /// All of them: everyone's, then the tenants' by name.
    pub fn all(&self) -> Vec<Arc<Store>> {
        let tenants = self.tenants.load();
        std::iter::once(&self.everyone)
            .chain(tenants.values())
            .cloned()
            .collect()
    }

    fn change(&self, change: impl Fn(&mut BTreeMap<String, Arc<Store>>) -> Option<Arc<Store>>) {
        self.tenants.rcu(|tenants| {
            let mut tenants = BTreeMap::clone(tenants);
            change(&mut tenants);
            tenants
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_with_equal_route_texts_share_a_classifier_as_long_as_one_is_held() {
        let text = |description: &str, model: &str| {
            format!(
                "schema: 1\ndefault: {model}\nmodels: [{{id: {model}}}]\n\
                 routes: [{{name: code, description: {description}, models: [{model}]}}]\n"
            )
        };
        let compiler = Compiler::new().unwrap();
        let compile = |text: String| compiler.compile(text.as_bytes(), "test", None).unwrap().0;
        let one = compile(text("writing source code", "a"));
        let two = compile(text("writing source code", "b"));
        let other = compile(text("writing poems", "a"));
        assert!(one.shares_classifier(&two) && !one.shares_classifier(&other));
        assert_eq!(compiler.classifiers(), 2);
        drop((one, two));
        let third = compile(text("writing letters", "a"));
        assert_eq!(
            compiler.classifiers(),
            2,
            "the one that nobody holds is forgotten"
        );
        drop((other, third));
    }

    #[test]
    fn the_name_of_a_tenant_with_a_policy_is_a_plain_word() {
        let longest = "x".repeat(64);
        for name in ["a", "7", "acme", "acme.eu-1_b", "A..", longest.as_str()] {
            assert!(is_tenant(name), "{name}");
        }
        let too_long = "x".repeat(65);
        for name in [
            "",
            ".a",
            "..data",
            "_a",
            "-a",
            "a b",
            "a/b",
            "größe",
            "a\n",
            too_long.as_str(),
        ] {
            assert!(!is_tenant(name), "{name}");
        }
    }
}
