//! The settings of the server, from flags, environment, file and defaults, in this order of strength. Read once at the
//! start by the command line. Every problem is found before any is reported.
//!
//! [`RawConfig`] holds what was written and where; [`Config`] holds what it means. A policy is not a setting: it is
//! checked and reloaded by itself.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use layers::{FILE_VARIABLE, Inputs, Origin, Problem};
pub use llm::{EngineConfig, LlmConfig};
pub use security::AdminConfig;
pub use settings::{Kind, SETTINGS, Setting};
pub use shared::{SecretConfig, SharedConfig};

use layers::Values;

use crate::audit::AuditConfig;
use crate::serve::tls::TlsFiles;

mod layers;
mod llm;
pub mod memory;
mod security;
pub mod settings;
mod shared;

/// What was written, and where.
#[derive(Clone, Debug)]
pub struct RawConfig {
    values: Values,
}

/// Checked settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where gRPC listens.
    pub listen: SocketAddr,
    /// Where Prometheus reads; `None` is `off`.
    pub metrics: Option<SocketAddr>,
    /// Where JSON over HTTP is taken; `None` is `off`.
    pub http: Option<SocketAddr>,
    /// Whether the console is there too.
    pub console: bool,
    /// The policy's file or directory; `None` is the built-in example.
    pub policy: Option<PathBuf>,
    /// The decision cache.
    pub cache: StoreConfig,
    /// Conversations.
    pub sessions: StoreConfig,
    /// Recent decisions kept.
    pub ring_size: usize,
    /// How the policy is kept up to date.
    pub reload: ReloadConfig,
    /// Limits of the transport.
    pub limits: LimitsConfig,
    /// Where the certificates are; `None` is no encryption.
    pub tls: Option<TlsFiles>,
    /// Who may make administrative calls.
    pub admin: AdminConfig,
    /// How long to serve on after the signal to stop.
    pub drain: Duration,
    /// The longest wait for calls in flight after that.
    pub stop_deadline: Duration,
    /// The language model.
    pub llm: LlmConfig,
    /// What replicas share.
    pub shared: SharedConfig,
    /// The audit log; `None` is none.
    pub audit: Option<AuditConfig>,
    /// Logging.
    pub log: LogConfig,
}

/// Bounds of what is held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Most entries.
    pub max_entries: usize,
    /// Most bytes.
    pub max_bytes: usize,
}

/// How the policy is kept up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadConfig {
    /// Between two looks at the content.
    pub poll: Duration,
    /// How long a change must stay as it is.
    pub debounce: Duration,
    /// The largest file.
    pub max_bytes: u64,
    /// Whether a call may bring a policy along.
    pub allow_push: bool,
    /// Where the last good policies are kept.
    pub last_good: Option<PathBuf>,
}

/// Limits of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// The largest request.
    pub message_bytes: usize,
    /// Most decisions in progress.
    pub decisions: usize,
    /// Most calls at once on one connection.
    pub max_concurrent_streams: u32,
    /// Between two pings on a connection.
    pub keepalive: Duration,
    /// Most bytes of a call's headers.
    pub header_bytes: u32,
    /// Most connections at once.
    pub connections: usize,
    /// When a connection is asked to end.
    pub connection_age: Option<Duration>,
    /// For a connection to finish its handshake.
    pub handshake: Duration,
}

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A level of `tracing`, or `off`.
    pub level: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

/// Reads and checks all settings.
///
/// # Errors
/// Every problem, in the order of the keys.
pub fn load(inputs: &Inputs) -> Result<(Config, RawConfig), Vec<Problem>> {
    let mut problems = Vec::new();
    let raw = RawConfig {
        values: layers::read(inputs, &mut problems),
    };
    let config = Checker {
        values: &raw.values,
        problems: &mut problems,
    }
    .config();
    problems.sort_by(|a, b| a.key.cmp(&b.key));
    if problems.is_empty() {
        Ok((config, raw))
    } else {
        Err(problems)
    }
}

impl RawConfig {
    /// The configuration in force as a YAML file, with the origin of each value behind it.
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for setting in SETTINGS {
            let (value, origin) = match self.values.get(setting.key) {
                Some((value, origin)) => (value.as_str(), origin),
                None => ("", &Origin::Default),
            };
            let (own, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
            if own != section && !own.is_empty() {
                let _ = writeln!(text, "{own}:");
            }
            section = own;
            let indent = if own.is_empty() { "" } else { "  " };
            let line = format!("{indent}{name}: {}", quoted(value));
            let _ = writeln!(text, "{line:<40} # {origin}");
        }
        text
    }
}

/// A value as YAML reads it back; numbers, words and addresses stand for themselves.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:[]".contains(c);
    if value.chars().all(plain) && !value.starts_with(['[', '-', ':']) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "''"))
}

/// Gives values their types, and collects what cannot be given one.
struct Checker<'a> {
    values: &'a Values,
    problems: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    fn config(&mut self) -> Config {
        let config = Config {
            listen: self.address("listen"),
            metrics: self.address_or_off("metrics"),
            http: self.address_or_off("http.listen"),
            console: self.word("http.console", &["true", "false"]) == "true",
            policy: self.text("policy").map(PathBuf::from),
            cache: StoreConfig {
                max_entries: self.size("cache.max_entries"),
                max_bytes: self.size("cache.max_bytes"),
            },
            sessions: StoreConfig {
                max_entries: self.size("sessions.max_entries"),
                max_bytes: self.size("sessions.max_bytes"),
            },
            ring_size: self.size("ring.size"),
            reload: ReloadConfig {
                poll: self.milliseconds("reload.poll_ms"),
                debounce: self.milliseconds("reload.debounce_ms"),
                max_bytes: self.integer("reload.max_bytes"),
                allow_push: self.word("reload.allow_push", &["true", "false"]) == "true",
                last_good: self.text("reload.last_good").map(PathBuf::from),
            },
            limits: LimitsConfig {
                message_bytes: self.size("limits.message_bytes"),
                decisions: self.size("limits.decisions"),
                max_concurrent_streams: u32::try_from(self.integer("limits.max_concurrent_streams"))
                    .unwrap_or(u32::MAX),
                keepalive: self.milliseconds("limits.keepalive_ms"),
                header_bytes: u32::try_from(self.integer("limits.header_bytes")).unwrap_or(u32::MAX),
                connections: self.size("limits.connections"),
                connection_age: Some(self.milliseconds("limits.connection_age_ms"))
                    .filter(|age| !age.is_zero()),
                handshake: self.milliseconds("tls.handshake_ms"),
            },
            tls: security::tls(self),
            admin: security::admin(self),
            drain: self.milliseconds("drain_ms"),
            stop_deadline: self.milliseconds("stop_deadline_ms"),
            llm: llm::llm(self),
            shared: shared::shared(self),
            audit: self.audit(),
            log: LogConfig {
                level: self.one_of("log.level"),
                json: self.one_of("log.format") == "json",
            },
        };
        self.together(&config);
        config
    }

    fn audit(&mut self) -> Option<AuditConfig> {
        let path = self.text("audit.path").map(PathBuf::from);
        let (sample, max_bytes) = (self.share("audit.sample"), self.integer("audit.max_bytes"));
        let (files, queue) = (self.size("audit.files"), self.size("audit.queue"));
        Some(AuditConfig {
            path: path?,
            sample,
            max_bytes,
            files,
            queue,
        })
    }

    /// What is wrong with values that are right by themselves.
    fn together(&mut self, config: &Config) {
        let addresses = [
            ("listen", Some(config.listen)),
            ("metrics", config.metrics),
            ("http.listen", config.http),
        ];
        for (at, (key, address)) in addresses.into_iter().enumerate() {
            let same = |&&(_, other): &&(_, Option<SocketAddr>)| other == address;
            let taken = addresses[..at].iter().find(same);
            if let (Some(address), Some((other, _))) = (address, taken)
                && address.port() != 0
            {
                let message = format!("{address} is the address of `{other}` too; choose another port");
                self.problem(key, message);
            }
        }
        if config.console && config.http.is_none() {
            let message = "the console is a page of the listener for JSON; set `http.listen` too, such as 127.0.0.1:8080";
            self.problem("http.console", message.to_owned());
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.values
            .get(key)
            .map(|(value, _)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn problem(&mut self, key: &str, message: String) {
        let origin = self
            .values
            .get(key)
            .map_or(Origin::Default, |(_, origin)| origin.clone());
        self.problems.push(Problem {
            key: key.to_owned(),
            origin,
            message,
        });
    }

    fn address_or_off(&mut self, key: &str) -> Option<SocketAddr> {
        (self.text(key) != Some("off")).then(|| self.address(key))
    }

    fn address(&mut self, key: &str) -> SocketAddr {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let value = self.text(key).unwrap_or_default().to_owned();
        value.parse().unwrap_or_else(|_| {
            let or_off = if matches!(
                Setting::named(key),
                Some(Setting {
                    kind: Kind::AddressOrOff,
                    ..
                })
            ) {
                ", or `off`"
            } else {
                ""
            };
            let wanted = "an IP address and a port, such as 0.0.0.0:50051 or [::1]:50051";
            self.problem(key, format!("`{value}` is not an address; give {wanted}{or_off}"));
            nowhere
        })
    }

    fn integer(&mut self, key: &str) -> u64 {
        let bounds = match Setting::named(key) {
            Some(Setting {
                kind: Kind::Integer { min, max },
                ..
            }) => *min..=*max,
            _ => 0..=u64::MAX,
        };
        let value = self.text(key).unwrap_or_default().to_owned();
        match value.replace('_', "").parse() {
            Ok(number) if bounds.contains(&number) => number,
            _ => {
                let (min, max) = (bounds.start(), bounds.end());
                self.problem(
                    key,
                    format!("`{value}` is not a whole number from {min} to {max}"),
                );
                *min
            }
        }
    }

    fn share(&mut self, key: &str) -> f64 {
        let value = self.text(key).unwrap_or_default().to_owned();
        match value.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => share,
            _ => {
                self.problem(key, format!("`{value}` is not a number from 0 to 1"));
                0.0
            }
        }
    }

    fn size(&mut self, key: &str) -> usize {
        usize::try_from(self.integer(key)).unwrap_or(usize::MAX)
    }

    fn milliseconds(&mut self, key: &str) -> Duration {
        Duration::from_millis(self.integer(key))
    }

    fn one_of(&mut self, key: &str) -> String {
        match Setting::named(key) {
            Some(Setting {
                kind: Kind::Word(words),
                ..
            }) => self.word(key, words),
            _ => String::new(),
        }
    }

    fn word(&mut self, key: &str, words: &[&str]) -> String {
        let value = self.text(key).unwrap_or_default().to_owned();
        if !words.contains(&value.as_str()) {
            self.problem(key, format!("`{value}` is not one of {}", words.join(", ")));
        }
        value
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
