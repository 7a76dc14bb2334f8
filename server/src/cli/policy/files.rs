//! The files that a command is about: those of its arguments, where a directory stands for all of its policies.

use std::path::PathBuf;

use signalbox_decide::{Diagnostic, Severity};

use super::check::diagnostic_json;
use crate::watcher::PolicySource;

/// What is worth knowing about a file or a directory.
pub(super) type Remark = (PathBuf, Diagnostic);

/// The files of the arguments, where a directory stands for all of its policies, and what is odd about the directories.
pub(super) fn expand(arguments: &[PathBuf]) -> anyhow::Result<(Vec<PathBuf>, Vec<Remark>)> {
    let (mut files, mut odd) = (Vec::new(), Vec::new());
    for argument in arguments {
        if !argument.is_dir() {
            files.push(argument.clone());
            continue;
        }
        let mut remark = |severity, code, message: String| {
            let found = Diagnostic {
                severity,
                code,
                path: String::new(),
                line: 0,
                column: 0,
                message,
                hint: String::new(),
            };
            odd.push((argument.clone(), found));
        };
        let listing = PolicySource::path(argument, u64::MAX).list()?;
        for file in listing.files() {
            match file {
                Ok(file) => files.push(file.to_owned()),
                Err(why) => remark(Severity::Error, "unclear-policy", why.to_owned()),
            }
        }
        for name in &listing.ignored {
            let message =
                format!("{name:?} is nobody's policy; a tenant's is NAME.yaml, of A-Z a-z 0-9 . _ -");
            remark(Severity::Info, "ignored-file", message);
        }
    }
    Ok((files, odd))
}

/// What is odd about directories, for people and for programs, and whether it is an error.
pub(super) fn odd_directories(odd: &[Remark]) -> (String, Vec<serde_json::Value>, bool) {
    let lines = odd
        .iter()
        .map(|(path, found)| format!("{}:{found}\n", path.display()));
    let rows = odd.iter().map(|(path, found)| diagnostic_json(path, found));
    let failed = odd.iter().any(|(_, found)| found.severity == Severity::Error);
    (lines.collect(), rows.collect(), failed)
}
