//! The last good policies as files that outlive the process: a server whose policy is bad or gone at the start serves by what
//! served before, if it was told to keep that (`reload.last_good`). Written by [`Store::reload`](super::Store::reload), read by
//! [`Store::fall_back`](super::Store::fall_back).
//!
//! A file has the policy's bytes behind a first line that says where they came from: what a policy names stands beside it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::policies::is_tenant;

/// Everyone's file. No tenant's begins so.
const EVERYONE: &str = "policy.yaml";
const TENANT: &str = "tenant-";

/// A directory with the last good policies. One process writes there.
#[derive(Clone, Debug)]
pub struct LastGood {
    directory: PathBuf,
}

impl LastGood {
    /// In this directory, which is made if it is missing.
    ///
    /// # Errors
    /// When nothing can be written there: who asks for this must not find out when it is needed.
    pub fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let probe = directory.join(".writable");
        fs::write(&probe, [])?;
        fs::remove_file(&probe)?;
        Ok(LastGood {
            directory: directory.to_owned(),
        })
    }

    /// Keeps a tenant's policy (empty: everyone's). A failure is logged: the policy in force is none the worse.
    pub(super) fn keep(&self, tenant: &str, source: &str, bytes: &[u8]) {
        let file = self.file(tenant);
        // Written aside and renamed: there is always a whole one.
        let aside = file.with_extension("new");
        let written = fs::write(&aside, [format!("# {source}\n").as_bytes(), bytes].concat());
        if let Err(error) = written.and_then(|()| fs::rename(&aside, &file)) {
            tracing::error!("reload.last_good: {}: {error}", file.display());
        }
    }

    /// Forgets a tenant's policy: it has none any more.
    pub(super) fn forget(&self, tenant: &str) {
        match fs::remove_file(self.file(tenant)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::error!("reload.last_good: {}: {error}", self.file(tenant).display());
            }
            _ => {}
        }
    }

    /// Where a tenant's policy came from, and its bytes; `None` where none was kept.
    ///
    /// # Errors
    /// With a message that begins with the file, when it cannot be read.
    pub(super) fn read(&self, tenant: &str) -> io::Result<Option<(String, Vec<u8>)>> {
        let file = self.file(tenant);
        let named = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", file.display()));
        let bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(named(&error)),
        };
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let first = end.and_then(|end| std::str::from_utf8(&bytes[..end]).ok()?.strip_prefix("# "));
        match (first, end) {
            (Some(source), Some(end)) => Ok(Some((source.to_owned(), bytes[end + 1..].to_vec()))),
            _ => Err(named(&"the first line does not say where it came from")),
        }
    }

    /// The tenants whose policy was kept, sorted.
    pub(super) fn tenants(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let tenant = name.strip_prefix(TENANT)?.strip_suffix(".yaml")?;
            is_tenant(tenant).then(|| tenant.to_owned())
        });
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        names
    }

    fn file(&self, tenant: &str) -> PathBuf {
        self.directory.join(match tenant {
            "" => EVERYONE.to_owned(),
            tenant => format!("{TENANT}{tenant}.yaml"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_byte_by_byte_by_tenant() {
        let directory = tempfile::tempdir().unwrap();
        let kept = LastGood::open(&directory.path().join("new/one")).unwrap();
        assert_eq!(kept.read("").unwrap(), None);
        kept.keep("", "policies/default.yaml", b"schema: 1\n\nx");
        kept.keep("acme", "rpc", b"");
        kept.keep("acme", "rpc", b"second");
        let read = |tenant: &str| kept.read(tenant).unwrap().unwrap();
        assert_eq!(
            read(""),
            ("policies/default.yaml".to_owned(), b"schema: 1\n\nx".to_vec())
        );
        assert_eq!(read("acme"), ("rpc".to_owned(), b"second".to_vec()));
        assert_eq!(kept.tenants(), ["acme"]);
        kept.forget("acme");
        kept.forget("acme");
        assert_eq!((kept.read("acme").unwrap(), kept.tenants()), (None, Vec::new()));
    }

    #[test]
    fn a_file_that_was_put_there_by_others_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let kept = LastGood::open(directory.path()).unwrap();
        fs::write(directory.path().join("policy.yaml"), "schema: 1\n").unwrap();
        let error = kept.read("").unwrap_err().to_string();
        assert!(error.contains("policy.yaml: the first line"), "{error}");
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_refused_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        LastGood::open(file.path()).unwrap_err();
    }
}
