//! The settings of what replicas share.

use std::path::PathBuf;
use std::time::Duration;

use super::Checker;

/// What replicas share, if anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedConfig {
    /// Where the address is; `None` shares nothing.
    pub url: Option<SecretConfig>,
    /// Where the secret of all replicas is; there is one where there is an address.
    pub secret: Option<SecretConfig>,
    /// The longest that a request waits.
    pub wait: Duration,
    /// Most values that wait to be written.
    pub queue: usize,
}

/// Where something is that must not be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretConfig {
    /// In a file.
    File(PathBuf),
    /// In the environment variable of this name.
    Variable(String),
}

pub(super) fn shared(checker: &mut Checker<'_>) -> SharedConfig {
    let config = SharedConfig {
        url: one(checker, ["shared.url_file", "shared.url_env"]),
        secret: one(checker, ["shared.secret_file", "shared.secret_env"]),
        wait: checker.milliseconds("shared.timeout_ms"),
        queue: checker.size("shared.queue"),
    };
    match (&config.url, &config.secret) {
        (Some(_), None) => {
            let message = "is missing; replicas that share a Redis need a secret of their own, at least 32 bytes: give it here or \
                           in `shared.secret_env`";
            checker.problem("shared.secret_file", message.to_owned());
        }
        (None, Some(secret)) => {
            let key = match secret {
                SecretConfig::File(_) => "shared.secret_file",
                SecretConfig::Variable(_) => "shared.secret_env",
            };
            let message = "means nothing without `shared.url_file` or `shared.url_env`; set one of them too";
            checker.problem(key, message.to_owned());
        }
        _ => {}
    }
    config
}

fn one(checker: &mut Checker<'_>, [file, variable]: [&str; 2]) -> Option<SecretConfig> {
    let path = checker.text(file).map(|path| SecretConfig::File(path.into()));
    let name = checker
        .text(variable)
        .map(|name| SecretConfig::Variable(name.to_owned()));
    if path.is_some() && name.is_some() {
        checker.problem(variable, format!("`{file}` is set too; remove one of them"));
    }
    path.or(name)
}
