//! `signalboxctl`: asks a Signalbox server from the command line. `args` parses, `run` calls the server through
//! the client library, `human` and `json` render, `failure` says what went wrong and how to exit.
//!
//! Exit codes: 0 done, 1 the server said no, 2 wrong usage, 3 the server cannot be reached.

mod args;
mod failure;
mod human;
mod json;
mod request;
mod run;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    match run::run(args).await {
        Ok(done) => match write_stdout(&done.text) {
            Ok(()) => ExitCode::from(done.exit),
            Err(error) => {
                complain(&format!("error: cannot write to stdout: {error}\n"));
                ExitCode::from(failure::SAID_NO)
            }
        },
        Err(failure) => {
            complain(&failure.to_string());
            ExitCode::from(failure.exit())
        }
    }
}

/// A reader that has seen enough (`signalboxctl policy | head -1`) is no failure.
fn write_stdout(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

fn complain(text: &str) {
    // Nothing is left to say when stderr is gone.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
