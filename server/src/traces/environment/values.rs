//! Variables of the environment, read as OpenTelemetry's specification says: an empty one is as if it were not set, and one for
//! traces alone goes before the one for everything. What cannot be read is noted as a problem and is as if it were not set.

use std::ffi::OsString;
use std::fs;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::traces::environment::Problems;

/// A variable that is set.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) value: String,
}

/// All variables, and what was found about them.
pub(super) struct Variables<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    problems: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// A day.
const MAX_MS: u64 = 86_400_000;

impl<'a> Variables<'a> {
    pub(super) fn new(variable: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Variables {
            variable,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, found: &Found, what: &str) {
        self.problems.push(format!("{} {what}", found.name));
    }

    /// This, unless there were problems.
    pub(super) fn unless_problems<T>(self, good: T) -> Result<T, Problems> {
        if self.problems.is_empty() {
            Ok(good)
        } else {
            Err(Problems(self.problems))
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Option<Found> {
        let value = (self.variable)(name).filter(|value| !value.is_empty())?;
        let name = name.to_owned();
        match value.into_string() {
            Ok(value) => Some(Found { name, value }),
            Err(_) => {
                self.problems.push(format!("{name} is no UTF-8"));
                None
            }
        }
    }

    /// A variable of the exporter.
    pub(super) fn otlp(&mut self, name: &str) -> Option<Found> {
        let of_traces = self.text(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"));
        of_traces.or_else(|| self.text(&format!("OTEL_EXPORTER_OTLP_{name}")))
    }

    pub(super) fn one_of(&mut self, found: Option<Found>, words: &[&'static str]) -> Option<&'static str> {
        let found = found?;
        let word = words.iter().find(|word| **word == found.value).copied();
        if word.is_none() {
            let advice = format!("is `{}`, and can be `{}`", found.value, words.join("`, `"));
            self.problem(&found, &advice);
        }
        word
    }

    /// Whether it is on; it is off where it is not set.
    pub(super) fn switch(&mut self, found: Option<Found>) -> bool {
        let Some(found) = found else { return false };
        let on = found.value.eq_ignore_ascii_case("true");
        if !on && !found.value.eq_ignore_ascii_case("false") {
            let advice = format!("is `{}`, and can be `true` or `false`", found.value);
            self.problem(&found, &advice);
        }
        on
    }

    pub(super) fn number(&mut self, found: Option<Found>, range: RangeInclusive<u64>) -> Option<u64> {
        let found = found?;
        let number = found.value.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (value, from, to) = (&found.value, range.start(), range.end());
            let advice = format!("is `{value}`, which is no whole number from {from} to {to}");
            self.problem(&found, &advice);
        }
        number
    }

    pub(super) fn milliseconds(&mut self, found: Option<Found>) -> Option<Duration> {
        self.number(found, 1..=MAX_MS).map(Duration::from_millis)
    }

    /// The certificates in the file that the variable names. Whoever sends spans would take a file without any as it is.
    pub(super) fn certificates(&mut self, found: &Found) -> Option<String> {
        let some = |text: &str| {
            let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
            all.is_ok_and(|all| !all.is_empty())
        };
        self.pem(found, "certificate", some)
    }

    /// The key in the file that the variable names.
    pub(super) fn key(&mut self, found: &Found) -> Option<String> {
        self.pem(found, "private key", |text| {
            PrivateKeyDer::from_pem_slice(text.as_bytes()).is_ok()
        })
    }

    fn pem(&mut self, found: &Found, what: &str, holds: impl Fn(&str) -> bool) -> Option<String> {
        let wrong = match fs::read_to_string(&found.value) {
            Ok(text) if holds(&text) => return Some(text),
            Ok(_) => format!("names a file that holds no {what} in PEM"),
            Err(error) => format!("names a file that cannot be read: {error}"),
        };
        self.problem(found, &wrong);
        None
    }
}

/// A text without its percent-encoding.
pub(super) fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        let digits = std::str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}
