//! Where the policy comes from: a file, a directory that holds one, or the example in the binary.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// The policy of a server that was given none.
pub const BUILTIN: &str = include_str!("../../examples/policies/example.yaml");

/// The name of [`BUILTIN`] as a source.
pub const BUILTIN_NAME: &str = "builtin";

/// The file that is taken from a directory with several.
const PREFERRED: &str = "policy.yaml";

/// Where the policy comes from. Nothing is kept: every read sees what is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySource {
    /// `None` is the example in the binary.
    path: Option<PathBuf>,
    max_bytes: u64,
}

impl PolicySource {
    /// The example in the binary.
    pub fn builtin() -> Self {
        PolicySource {
            path: None,
            max_bytes: u64::MAX,
        }
    }

    /// A file, or a directory with exactly one `*.yaml` or `*.yml`, or with a `policy.yaml`. More than `max_bytes` is
    /// refused before it is read.
    pub fn path(path: impl Into<PathBuf>, max_bytes: u64) -> Self {
        PolicySource {
            path: Some(path.into()),
            max_bytes,
        }
    }

    /// The bytes as they are now, and the name of where they are: the file's path or `builtin`. Blocks.
    ///
    /// # Errors
    /// With a message that begins with the path, when there is nothing to read, or too much.
    pub fn read(&self) -> io::Result<(Vec<u8>, String)> {
        let Some(path) = &self.path else {
            return Ok((BUILTIN.into(), BUILTIN_NAME.to_owned()));
        };
        let file = if fs::metadata(path).map_err(|e| named(path, &e))?.is_dir() {
            only_policy_in(path)?
        } else {
            path.clone()
        };
        let bytes = self.read_file(&file)?;
        Ok((bytes, file.display().to_string()))
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

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        // A pipe would block on open, and a device may have no end.
        if !fs::metadata(path).map_err(|e| named(path, &e))?.is_file() {
            let message = format!("{}: not a regular file", path.display());
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        let file = File::open(path).map_err(|e| named(path, &e))?;
        let mut bytes = Vec::new();
        file.take(self.max_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|e| named(path, &e))?;
        if bytes.len() as u64 > self.max_bytes {
            let (path, limit) = (path.display(), self.max_bytes);
            let message =
                format!("{path}: larger than {limit} bytes; shorten it, or raise `reload.max_bytes`");
            return Err(io::Error::new(ErrorKind::FileTooLarge, message));
        }
        Ok(bytes)
    }
}

/// A ConfigMap's `..data` and an editor's `.policy.yaml.swp` begin with a dot and do not count.
fn only_policy_in(directory: &Path) -> io::Result<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(directory).map_err(|e| named(directory, &e))? {
        let path = entry.map_err(|e| named(directory, &e))?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && !hidden {
            found.push(path);
        }
    }
    found.sort();
    if let Some(at) = found.iter().position(|path| path.ends_with(PREFERRED)) {
        return Ok(found.swap_remove(at));
    }
    let message = match found.len() {
        1 => return Ok(found.swap_remove(0)),
        0 => format!(
            "{}: no *.yaml or *.yml in this directory; put the policy there",
            directory.display()
        ),
        n => {
            let hint = format!("keep one, or name the one to use {PREFERRED}");
            format!("{}: {n} policies in this directory; {hint}", directory.display())
        }
    };
    Err(io::Error::new(ErrorKind::NotFound, message))
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

    #[test]
    fn a_directory_gives_its_only_policy_and_ignores_hidden_files() {
        let dir = directory(&[
            ("routes.yml", "one"),
            (".routes.yml.swp", "x"),
            ("..data.yaml", "x"),
            ("notes.txt", "x"),
        ]);
        assert_eq!(read(dir.path(), 10), Ok("one".to_owned()));
    }

    #[test]
    fn a_directory_with_several_policies_gives_policy_yaml_or_an_error_that_says_so() {
        let dir = directory(&[("a.yaml", "a"), ("b.yaml", "b")]);
        assert!(read(dir.path(), 10).unwrap_err().contains("2 policies"));
        fs::write(dir.path().join("policy.yaml"), "the one").unwrap();
        assert_eq!(read(dir.path(), 10), Ok("the one".to_owned()));
    }

    #[test]
    fn exactly_the_limit_is_read_and_one_byte_more_is_refused() {
        let dir = directory(&[("p.yaml", "12345")]);
        assert_eq!(read(dir.path(), 5), Ok("12345".to_owned()));
        assert!(read(dir.path(), 4).unwrap_err().contains("larger than 4 bytes"));
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
