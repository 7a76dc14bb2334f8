//! Where policies come from: a file, a directory with one for everybody and one for each tenant that has its own, or the
//! example in the binary.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::store::policies::is_tenant;

pub use crate::store::BUILTIN_NAME;

/// The policy of a server that was given none.
pub const BUILTIN: &str = include_str!("../../examples/policies/example.yaml");

/// The names, without `.yaml` or `.yml`, of everyone's policy in a directory. The first is the usual one, the second that
/// of a directory which holds nothing else.
const EVERYONE: [&str; 2] = ["default", "policy"];

/// Where policies come from. Nothing is kept: every look sees what is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySource {
    /// `None` is the example in the binary.
    path: Option<PathBuf>,
    max_bytes: u64,
}

/// What a source holds, by tenant; the empty name is everyone's policy and always there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Where each policy is.
    places: BTreeMap<String, Place>,
    /// Names in the directory that are nobody's policy, sorted; hidden ones are not even mentioned.
    pub ignored: Vec<String>,
    max_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Builtin,
    File(PathBuf),
    /// None, or two; with what to do.
    Unclear(String),
}

impl PolicySource {
    /// The example in the binary.
    pub fn builtin() -> Self {
        PolicySource {
            path: None,
            max_bytes: u64::MAX,
        }
    }

    /// A file, which is everyone's policy, or a directory: `default.yaml` (or `policy.yaml`) in it is everyone's, and any
    /// other `NAME.yaml` that of tenant NAME; `.yml` is as good. `NAME_test.yaml` beside `NAME.yaml` is its suite and
    /// nobody's policy. More than `max_bytes` in a file are refused before they are read.
    pub fn path(path: impl Into<PathBuf>, max_bytes: u64) -> Self {
        PolicySource {
            path: Some(path.into()),
            max_bytes,
        }
    }

    /// Which policies there are now. Blocks; reads no policy.
    ///
    /// # Errors
    /// With a message that begins with the path, when it is not there or cannot be looked into.
    pub fn list(&self) -> io::Result<Listing> {
        let mut listing = Listing {
            places: BTreeMap::new(),
            ignored: Vec::new(),
            max_bytes: self.max_bytes,
        };
        let everyone = match &self.path {
            None => Place::Builtin,
            Some(path) if fs::metadata(path).map_err(|e| named(path, &e))?.is_dir() => {
                return listing.filled(path);
            }
            Some(path) => Place::File(path.clone()),
        };
        listing.places.insert(String::new(), everyone);
        Ok(listing)
    }

    /// Everyone's policy as it is now, and the name of where it is: the file's path or `builtin`. Blocks.
    ///
    /// # Errors
    /// With a message that begins with the path, when there is nothing to read, or too much.
    pub fn read(&self) -> io::Result<(Vec<u8>, String)> {
        self.list()?.read("")
    }

    /// The directory in which a change of the policy shows, for a watch on it.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        let path = self.path.as_ref()?;
        if path.is_dir() {
            return Some(path.clone());
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Some(parent.unwrap_or(Path::new(".")).to_owned())
    }
}

impl Listing {
    /// With what is in a directory. A ConfigMap's `..data` and an editor's `.policy.yaml.swp` begin with a dot and do not
    /// count; whether an entry can be read does not matter here, so that a broken link is no policy that went away.
    fn filled(mut self, directory: &Path) -> io::Result<Listing> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in fs::read_dir(directory).map_err(|e| named(directory, &e))? {
            let name = entry.map_err(|e| named(directory, &e))?.file_name();
            let suite = tested_by(&directory.join(&name)).is_some();
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let stem = name.strip_suffix(".yaml").or(name.strip_suffix(".yml"));
            match stem.filter(|stem| is_tenant(stem) && !suite) {
                Some(stem) if EVERYONE.contains(&stem) => found.entry(String::new()),
                Some(stem) => found.entry(stem.to_owned()),
                None => {
                    self.ignored.push(name.into_owned());
                    continue;
                }
            }
            .or_default()
            .push(name.into_owned());
        }
        self.ignored.sort_unstable();
        let (shown, [usual, _]) = (directory.display(), EVERYONE);
        let unclear = format!("{shown}: no {usual}.yaml in this directory; put everyone's policy there");
        self.places.insert(String::new(), Place::Unclear(unclear));
        for (tenant, mut names) in found {
            names.sort_unstable();
            let place = match names.as_slice() {
                [name] => Place::File(directory.join(name)),
                _ => Place::Unclear(format!("{shown}: {} say the same; keep one", names.join(" and "))),
            };
            self.places.insert(tenant, place);
        }
        Ok(self)
    }

    /// The tenants that have a policy, in order; the empty one, which is everyone, first.
    pub fn tenants(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Where the policies are, or why that cannot be told; in the order of [`Listing::tenants`], the built-in one left out.
    pub fn files(&self) -> impl Iterator<Item = Result<&Path, &str>> {
        self.tenants().filter_map(|tenant| self.file(tenant))
    }

    /// Where the policy of a tenant is, or why that cannot be told; `None` for the built-in one and for one that is not there.
    pub fn file(&self, tenant: &str) -> Option<Result<&Path, &str>> {
        match self.places.get(tenant)? {
            Place::Builtin => None,
            Place::File(file) => Some(Ok(file.as_path())),
            Place::Unclear(why) => Some(Err(why.as_str())),
        }
    }

    /// Whether a tenant has a policy of its own here; the empty one always has.
    pub fn has(&self, tenant: &str) -> bool {
        self.places.contains_key(tenant)
    }

    /// The policy of a tenant as it is now, and the name of where it is: the file's path or `builtin`. Blocks.
    ///
    /// # Errors
    /// With a message that begins with the path, when there is nothing to read, or too much.
    pub fn read(&self, tenant: &str) -> io::Result<(Vec<u8>, String)> {
        let missing = |message: String| io::Error::new(ErrorKind::NotFound, message);
        match self.places.get(tenant) {
            Some(Place::Builtin) => Ok((BUILTIN.into(), BUILTIN_NAME.to_owned())),
            Some(Place::File(file)) => Ok((read_file(file, self.max_bytes)?, file.display().to_string())),
            Some(Place::Unclear(why)) => Err(missing(why.clone())),
            None => Err(missing(format!("tenant `{tenant}` has no policy of its own"))),
        }
    }
}

fn read_file(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    // A pipe would block on open, and a device may have no end.
    if !fs::metadata(path).map_err(|e| named(path, &e))?.is_file() {
        let message = format!("{}: not a regular file", path.display());
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    let file = File::open(path).map_err(|e| named(path, &e))?;
    let mut bytes = Vec::new();
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| named(path, &e))?;
    if bytes.len() as u64 > max_bytes {
        let path = path.display();
        let message =
            format!("{path}: larger than {max_bytes} bytes; shorten it, or raise `reload.max_bytes`");
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The policy that a file is the suite of: `NAME.yaml` of `NAME_test.yaml`, in either spelling, if it is there. Whether it
/// can be read does not matter.
pub(crate) fn tested_by(suite: &Path) -> Option<PathBuf> {
    let name = suite.file_stem()?.to_str()?.strip_suffix("_test")?;
    suite
        .extension()
        .filter(|extension| *extension == "yaml" || *extension == "yml")?;
    let named = |extension: &str| suite.with_file_name(format!("{name}.{extension}"));
    ["yaml", "yml"]
        .map(named)
        .into_iter()
        .find(|policy| policy.symlink_metadata().is_ok())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    let what = match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::PermissionDenied => "permission denied; let the server's user read it".to_owned(),
        _ => error.to_string(),
    };
    io::Error::new(error.kind(), format!("{}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    fn read(path: &Path, max_bytes: u64) -> Result<String, String> {
        let source = PolicySource::path(path, max_bytes);
        source
            .read()
            .map(|(bytes, _)| String::from_utf8(bytes).unwrap())
            .map_err(|e| e.to_string())
    }

    fn listed(directory: &tempfile::TempDir) -> Listing {
        PolicySource::path(directory.path(), 10).list().unwrap()
    }

    #[test]
    fn a_directory_gives_everyones_policy_and_ignores_hidden_files() {
        for name in ["default.yaml", "default.yml", "policy.yaml", "policy.yml"] {
            let dir = directory(&[(name, "one"), (".routes.yml.swp", "x"), ("..data.yaml", "x")]);
            assert_eq!(read(dir.path(), 10), Ok("one".to_owned()));
            assert_eq!(listed(&dir).tenants().collect::<Vec<_>>(), [""], "{name}");
            assert!(listed(&dir).ignored.is_empty());
        }
    }

    #[test]
    fn every_other_policy_is_a_tenants_and_what_is_nobodys_is_told() {
        let dir = directory(&[
            ("default.yaml", "all"),
            ("acme.eu.yaml", "acme"),
            ("globex.yml", "globex"),
            ("_odd.yaml", "x"),
            ("notes.txt", "x"),
            ("a b.yaml", "x"),
        ]);
        fs::create_dir(dir.path().join("shadow")).unwrap();
        let listing = listed(&dir);
        assert_eq!(listing.tenants().collect::<Vec<_>>(), ["", "acme.eu", "globex"]);
        assert_eq!(listing.read("acme.eu").unwrap().0, b"acme");
        assert_eq!(listing.ignored, ["_odd.yaml", "a b.yaml", "notes.txt", "shadow"]);
    }

    #[test]
    fn a_suite_beside_a_policy_is_nobodys_policy() {
        let dir = directory(&[
            ("default.yaml", "all"),
            ("default_test.yml", "tests"),
            ("acme.yml", "acme"),
            ("acme_test.yaml", "tests"),
            ("load_test.yaml", "a tenant's"),
        ]);
        let listing = listed(&dir);
        assert_eq!(listing.tenants().collect::<Vec<_>>(), ["", "acme", "load_test"]);
        assert_eq!(listing.ignored, ["acme_test.yaml", "default_test.yml"]);
    }

    #[test]
    fn two_files_for_one_policy_are_an_error_of_that_one_alone() {
        let dir = directory(&[
            ("default.yaml", "all"),
            ("acme.yaml", "a"),
            ("acme.yml", "b"),
            ("globex.yaml", "g"),
        ]);
        let error = listed(&dir).read("acme").unwrap_err().to_string();
        assert!(
            error.ends_with("acme.yaml and acme.yml say the same; keep one"),
            "{error}"
        );
        assert_eq!(listed(&dir).read("globex").unwrap().0, b"g");
        fs::write(dir.path().join("policy.yaml"), "x").unwrap();
        let error = read(dir.path(), 10).unwrap_err();
        assert!(error.contains("default.yaml and policy.yaml"), "{error}");
    }

    #[test]
    fn a_tenants_policy_is_never_taken_for_everyones() {
        let dir = directory(&[("acme.yaml", "acme")]);
        assert!(read(dir.path(), 10).unwrap_err().contains("no default.yaml"));
    }

    #[test]
    fn exactly_the_limit_is_read_and_one_byte_more_is_refused() {
        let dir = directory(&[("p.yaml", "12345")]);
        let file = dir.path().join("p.yaml");
        assert_eq!(read(&file, 5), Ok("12345".to_owned()));
        assert!(read(&file, 4).unwrap_err().contains("larger than 4 bytes"));
    }

    #[test]
    fn an_error_begins_with_the_path() {
        let dir = directory(&[]);
        let gone = dir.path().join("gone.yaml");
        assert_eq!(
            read(&gone, 10).unwrap_err(),
            format!("{}: no such file or directory", gone.display())
        );
        assert!(
            read(dir.path(), 10)
                .unwrap_err()
                .starts_with(&dir.path().display().to_string())
        );
    }

    #[test]
    fn a_device_is_not_read() {
        assert!(
            read(Path::new("/dev/zero"), 10)
                .unwrap_err()
                .ends_with("not a regular file")
        );
    }
}
