//! `signalbox audit …`: what a reader of the audit log needs.

use std::process::ExitCode;

use clap::Subcommand;

use crate::audit::schema;
use crate::cli::print;

/// The subcommands of `signalbox audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Print the JSON Schema of a line.
    Schema,
}

/// Runs a subcommand.
///
/// # Errors
/// When standard output is closed.
pub fn run(command: AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Schema => print(&format!("{:#}\n", schema()))?,
    }
    Ok(ExitCode::SUCCESS)
}
