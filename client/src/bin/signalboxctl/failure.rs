//! What the user sees when something goes wrong: one message, what to do about it, and an exit code.

use std::fmt;

use signalbox_client::{Code, Error, Rejection};

/// The server answered, and said no.
pub(crate) const SAID_NO: u8 = 1;
/// The command line or a file it names is wrong.
pub(crate) const USAGE: u8 = 2;
/// The server did not answer.
pub(crate) const UNREACHED: u8 = 3;

/// Why a command gave no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Found before anything was sent.
    Usage(anyhow::Error),
    /// Found by the client or the server.
    Call(Error),
    /// The answer could not be shown.
    Output(anyhow::Error),
}

impl Failure {
    pub(crate) fn exit(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Call(Error::Options(_)) => USAGE,
            Self::Call(error) if error.rejection().is_none() => UNREACHED,
            // The two clocks race: the same lateness must not end in one code or the other.
            Self::Call(error) if error.code() == Code::DeadlineExceeded => UNREACHED,
            Self::Call(_) | Self::Output(_) => SAID_NO,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) | Self::Output(error) => writeln!(f, "error: {error:#}"),
            Self::Call(error) => {
                writeln!(f, "error: {error}")?;
                if let Some(rejection) = error.rejection() {
                    details(f, rejection)?;
                }
                match advice(error) {
                    Some(advice) => writeln!(f, "  {advice}"),
                    None => Ok(()),
                }
            }
        }
    }
}

fn details(f: &mut fmt::Formatter<'_>, rejection: &Rejection) -> fmt::Result {
    for violation in &rejection.field_violations {
        // The whole request or policy has no path.
        let colon = if violation.field.is_empty() { "" } else { ": " };
        writeln!(f, "  {}{colon}{}", violation.field, violation.description)?;
    }
    for (key, value) in rejection.metadata.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(f, "  {key}: {value}")?;
    }
    if let Some(reason) = &rejection.reason {
        writeln!(f, "  reason: {reason}")?;
    }
    Ok(())
}

fn advice(error: &Error) -> Option<String> {
    if let Some(wait) = error.retry_after() {
        return Some(format!("try again in {wait:?}"));
    }
    let advice = match error {
        Error::Unreachable { .. } => "is the server running? name it with --endpoint or SIGNALBOX_ENDPOINT",
        Error::DeadlineExceeded { .. } => "allow more time with --timeout",
        _ => match error.code() {
            Code::DeadlineExceeded => "allow more time with --timeout",
            Code::Unauthenticated => "give a token with --token-file or SIGNALBOX_TOKEN",
            Code::PermissionDenied if error.reason().is_some_and(|r| r.starts_with("CREDENTIALS")) => {
                "the token or certificate given is not one of the server's administrators"
            }
            Code::Aborted => "see what is in force with `signalboxctl policy`, then try again",
            Code::Unimplemented => "the server is older than this program, or no Signalbox",
            _ => return None,
        },
    };
    Some(advice.to_owned())
}
