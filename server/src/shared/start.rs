//! From settings to what replicas share.

use std::fmt;
use std::fs;
use std::path::Path;

use redis::{Client, IntoConnectionInfo as _};
use thiserror::Error;

use super::{Bounds, Shared};
use crate::config::{SecretConfig, SharedConfig};

/// Fewer bytes can be guessed.
const LEAST_SECRET: usize = 32;

/// Why it cannot be used: every problem, each beginning with its setting.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{}", .0.join("; "))]
pub struct SharedError(pub Vec<String>);

/// Where Redis or Valkey is, and as whom to come.
#[derive(Clone)]
pub struct Address {
    pub(super) client: Client,
}

// It may have a password in it.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

impl Address {
    /// `redis://user:password@host:port/database`, or `rediss://` for TLS; all but the host can be left out.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = "give one such as redis://redis:6379/0, or rediss:// for TLS";
        let known = text.starts_with("redis://") || text.starts_with("rediss://");
        let info = text
            .into_connection_info()
            .ok()
            .filter(|_| known && !text.contains('#'));
        let client = info.and_then(|info| Client::open(info).ok());
        client
            .map(|client| Address { client })
            .ok_or_else(|| format!("this is no address of Redis; {wanted}"))
    }
}

/// Starts what the settings name, which is nothing by default. Needs a runtime; whether anybody answers shows later. Blocks to
/// read files.
///
/// # Errors
/// See [`SharedError`].
pub fn start(config: &SharedConfig) -> Result<Option<Shared>, SharedError> {
    let SharedConfig {
        url,
        secret,
        wait,
        queue,
    } = config;
    let (Some(url), Some(secret)) = (url, secret) else {
        return Ok(None);
    };
    let address = read("shared.url", url)
        .and_then(|(text, from)| Address::parse(&text).map_err(|problem| format!("{from}: {problem}")));
    let secret = read("shared.secret", secret).and_then(|(text, from)| {
        let short = || {
            format!(
                "{from}: the secret has {} bytes, and fewer than {LEAST_SECRET} can be guessed; make one with \
                 `openssl rand -hex 32` and give the same to all replicas",
                text.len()
            )
        };
        if text.len() < LEAST_SECRET { Err(short()) } else { Ok(text) }
    });
    match (address, secret) {
        (Ok(address), Ok(secret)) => {
            let bounds = Bounds {
                wait: *wait,
                queue: *queue,
            };
            Ok(Some(Shared::new(address, secret.as_bytes(), bounds)))
        }
        (address, secret) => Err(SharedError(
            address.err().into_iter().chain(secret.err()).collect(),
        )),
    }
}

/// What stands there without white space around it, and where that is.
fn read(setting: &str, from: &SecretConfig) -> Result<(String, String), String> {
    let (text, from) = match from {
        SecretConfig::File(path) => (file(path), format!("{setting}_file: {}", path.display())),
        SecretConfig::Variable(name) => {
            let missing = || "the environment variable is not set".to_owned();
            (
                std::env::var(name).map_err(|_| missing()),
                format!("{setting}_env: `{name}`"),
            )
        }
    };
    match text {
        Ok(text) => Ok((text.trim().to_owned(), from)),
        Err(why) => Err(format!("{from}: {why}")),
    }
}

fn file(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn config(url: &str, secret: &str) -> (tempfile::TempDir, SharedConfig) {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            Some(SecretConfig::File(path))
        };
        let config = SharedConfig {
            url: write("url", url),
            secret: write("secret", secret),
            wait: Duration::from_millis(20),
            queue: 8,
        };
        (folder, config)
    }

    #[test]
    fn a_bad_address_and_a_short_secret_are_told_together_and_never_shown() {
        for bad in [
            "hunter2@h:1",
            "http://:hunter2@h",
            "redis://",
            "",
            "unix:/hunter2",
            "redis://h/x",
            "redis://h#insecure",
        ] {
            let (_folder, config) = config(bad, "too short hunter2\n");
            let SharedError(told) = start(&config).unwrap_err();
            assert_eq!(told.len(), 2, "{told:?}");
            assert!(
                told[0].starts_with("shared.url_file: ") && told[0].contains("no address of Redis"),
                "{told:?}"
            );
            assert!(
                told[1].starts_with("shared.secret_file: ") && told[1].contains("17 bytes"),
                "{told:?}"
            );
            assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        let (_folder, mut config) = config("redis://h", &"s".repeat(32));
        config.url = Some(SecretConfig::File("/nowhere/url".into()));
        config.secret = Some(SecretConfig::Variable("SIGNALBOX_TEST_NO_SUCH".into()));
        assert_eq!(
            start(&config).unwrap_err().0,
            [
                "shared.url_file: /nowhere/url: cannot be read: No such file or directory (os error 2)",
                "shared.secret_env: `SIGNALBOX_TEST_NO_SUCH`: the environment variable is not set"
            ]
        );
    }

    #[tokio::test]
    async fn whatever_is_printed_has_no_password() {
        let (_folder, config) = config("redis://me:hunter2@127.0.0.1:1/3\n", &"hunter2".repeat(5));
        let shared = start(&config).unwrap().unwrap();
        let shown = format!(
            "{shared:?} {:?} {config:?}",
            Address::parse("redis://:hunter2@h").unwrap()
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shared.is_up());
    }
}
