//! What a setting is: its key, kind, default and meaning. The command line, the checks, `signalbox config` and README's
//! table are all made from the list of them.

use std::fmt::Write as _;

pub use list::SETTINGS;

mod list;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key in a file; sections and keys are joined by a dot.
    pub key: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// What holds where nothing is set, as it would be written; empty when that is nothing.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
}

/// What may stand in a setting.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// An IP address and a port.
    Address,
    /// An IP address and a port, or `off`.
    AddressOrOff,
    /// A path, or another name, that is not checked here.
    Text,
    /// A whole number within bounds.
    Integer {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A number from 0 to 1.
    Share,
    /// `true` or `false`.
    Bool,
    /// One of a few words.
    Word(&'static [&'static str]),
}

impl Setting {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        variable(self.key)
    }

    /// The setting with this key.
    pub fn named(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

/// The environment variable of a key, known or not.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// What the environment variables of settings begin with.
pub(super) const PREFIX: &str = "SIGNALBOX__";

/// The settings as a Markdown table, as README has it.
pub fn markdown() -> String {
    let mut table = "| key | default | meaning |\n|---|---|---|\n".to_owned();
    for Setting {
        key, default, doc, ..
    } in SETTINGS
    {
        let default = if default.is_empty() {
            String::new()
        } else {
            format!("`{default}`")
        };
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| `{key}` | {default} | {doc} |");
    }
    table
}
