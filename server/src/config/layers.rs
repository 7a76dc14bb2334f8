//! The places that settings come from, read and laid over each other: defaults, then the file, then the environment, then
//! flags. Values stay text here; `config` gives them their types.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use ::config::{Environment, File, Source as _, Value, ValueKind};
use signalbox_decide::decision::nearest;

use super::memory;
use super::settings::{PREFIX, SETTINGS, Setting, variable};

/// Names the file and is not a setting.
pub const FILE_VARIABLE: &str = "SIGNALBOX__CONFIG";

/// What a process was started with.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The file of `--config`.
    pub file: Option<PathBuf>,
    /// The environment; only what begins with `SIGNALBOX__` is looked at.
    pub variables: Vec<(OsString, OsString)>,
    /// Flags that were given, by the key that they set.
    pub flags: Vec<(&'static str, String)>,
    /// Bytes of memory that the process may use, where that is limited: see [`memory::limit`].
    pub memory: Option<u64>,
}

/// Settings that are less by default where little memory may be used.
const STORES: [&str; 2] = ["cache.max_bytes", "sessions.max_bytes"];

/// Where a value comes from, the weakest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The list of settings.
    Default,
    /// The least of that and a share of the memory, which is limited to so many bytes.
    Memory(u64),
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Memory(limit) => write!(f, "default, an eighth of the memory limit of {limit} bytes"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Variable(name) | Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// Something that is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key; empty when a whole file is meant.
    pub key: String,
    /// Where it was found.
    pub origin: Origin,
    /// What is wrong and what to do, lower case.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.origin, self.message),
            key => write!(f, "{key} (from {}): {}", self.origin, self.message),
        }
    }
}

/// The strongest value of each setting that was set, and where it comes from.
pub(super) type Values = BTreeMap<&'static str, (String, Origin)>;

/// Reads all places. What is not a setting is a problem wherever it stands.
pub(super) fn read(inputs: &Inputs, problems: &mut Vec<Problem>) -> Values {
    let mut values = Values::new();
    for setting in SETTINGS.iter().filter(|setting| !setting.default.is_empty()) {
        values.insert(setting.key, usual(setting, inputs.memory));
    }
    if let Some(path) = &inputs.file {
        let origin = |_: &str| Origin::File(path.clone());
        match File::from(path.clone()).collect() {
            Ok(root) => take(root, &origin, &mut values, problems),
            Err(error) => {
                let message = format!("{error}; give a TOML or YAML file");
                problems.push(Problem {
                    key: String::new(),
                    origin: origin(""),
                    message,
                });
            }
        }
    }
    let origin = |key: &str| Origin::Variable(variable(key));
    match environment(&inputs.variables).collect() {
        Ok(root) => take(root, &origin, &mut values, problems),
        Err(error) => {
            let message = error.to_string();
            problems.push(Problem {
                key: String::new(),
                origin: origin(""),
                message,
            });
        }
    }
    for (key, value) in &inputs.flags {
        // A flag has the name of its setting, or of the section that the setting heads.
        let flag = key.strip_suffix(".path").unwrap_or(key);
        values.insert(key, (value.clone(), Origin::Flag(format!("--{flag}"))));
    }
    values
}

/// What holds where nothing is set.
fn usual(setting: &Setting, limit: Option<u64>) -> (String, Origin) {
    let default = setting.default.to_owned();
    let store = STORES.contains(&setting.key);
    let less = default.parse().ok().filter(|_| store);
    match (less.and_then(|usual| memory::default_bytes(limit, usual)), limit) {
        (Some(bytes), Some(limit)) => (bytes.to_string(), Origin::Memory(limit)),
        _ => (default, Origin::Default),
    }
}

/// An empty variable counts as not set: charts and compose files leave them behind.
fn environment(variables: &[(OsString, OsString)]) -> Environment {
    let texts = variables
        .iter()
        .map(|(name, value)| (name.to_string_lossy(), value.to_string_lossy()));
    let ours = texts.filter(|(name, _)| name.starts_with(PREFIX) && name != FILE_VARIABLE);
    let source = ours
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let prefix = PREFIX.trim_end_matches('_');
    Environment::with_prefix(prefix)
        .prefix_separator("__")
        .separator("__")
        .ignore_empty(true)
        .source(Some(source))
}

/// Lays one place over what is there.
fn take(
    root: ::config::Map<String, Value>,
    origin: &dyn Fn(&str) -> Origin,
    values: &mut Values,
    problems: &mut Vec<Problem>,
) {
    for (key, value) in flat(root) {
        let origin = origin(&key);
        let Some(setting) = Setting::named(&key) else {
            problems.push(Problem {
                message: unknown(&key, &origin),
                key,
                origin,
            });
            continue;
        };
        // An empty value in YAML leaves the setting as it is.
        if value.kind == ValueKind::Nil {
            continue;
        }
        match value.into_string() {
            Ok(text) => {
                values.insert(setting.key, (text, origin));
            }
            Err(_) => {
                let message = "one value is needed, not a list; remove the brackets".to_owned();
                problems.push(Problem { key, origin, message });
            }
        }
    }
}

/// Sections dissolved into dotted keys, sorted.
fn flat(root: ::config::Map<String, Value>) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    // Sorted at once; a section never shares a key with another.
    let mut open: Vec<(String, Value)> = root.into_iter().collect();
    while let Some((key, value)) = open.pop() {
        match value.kind {
            ValueKind::Table(table) => {
                open.extend(
                    table
                        .into_iter()
                        .map(|(name, value)| (format!("{key}.{name}"), value)),
                );
            }
            _ => {
                found.insert(key, value);
            }
        }
    }
    found
}

fn unknown(key: &str, origin: &Origin) -> String {
    let shown = |key: &str| match origin {
        Origin::Variable(_) => variable(key),
        _ => key.to_owned(),
    };
    let inside: Vec<String> = SETTINGS
        .iter()
        .filter(|s| s.key.starts_with(&format!("{key}.")))
        .map(|s| shown(s.key))
        .collect();
    if !inside.is_empty() {
        return format!("this is a section; set {} instead", inside.join(", "));
    }
    match nearest(key, SETTINGS.iter().map(|setting| setting.key)).first() {
        Some(near) => format!("there is no such setting; did you mean `{}`?", shown(near)),
        None => "there is no such setting; `signalbox config` lists them all".to_owned(),
    }
}
