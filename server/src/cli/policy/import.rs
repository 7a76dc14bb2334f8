//! `signalbox policy import plano|ollm FILE`: another product's file in our own format.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;
use signalbox_decide::policy::{Foreign, import};

use super::{read, render_found};
use crate::cli::print;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// Plano's configuration.
    Plano,
    /// oLLM's configuration.
    Ollm,
}

/// Prints the policy; what was ignored goes to standard error.
pub(super) fn run(from: From, file: &Path) -> anyhow::Result<ExitCode> {
    let from = match from {
        From::Plano => Foreign::Plano,
        From::Ollm => Foreign::Ollm,
    };
    let bytes = read(file)?;
    match import(&bytes, from) {
        Ok((text, remarks)) => {
            // A closed stderr only means that nobody wants to know.
            let _ = std::io::stderr().write_all(render_found(file, &bytes, &remarks).as_bytes());
            print(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(found) => anyhow::bail!(
            "{}{}: not imported",
            render_found(file, &bytes, &found),
            file.display()
        ),
    }
}
