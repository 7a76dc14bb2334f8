//! The binary `signalbox`. Everything is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    signalbox_server::cli::run()
}
