//! The binary, its answers, and files for it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use signalbox_api::v1;
use tokio::runtime::{Builder, Runtime};

pub(crate) const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policies/example.yaml");

pub(crate) const BAD: &str = "schema: 1\ndefault: missing\nmodels: [{id: a}]\n";

pub(crate) fn signalbox(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signalbox"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("SIGNALBOX__") || text.starts_with("OTEL_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command.args(args);
    command
}

/// Exit code, stdout, stderr.
pub(crate) fn run(args: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = signalbox(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

pub(crate) fn policy(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    fs::write(&path, text).unwrap();
    (directory, path)
}

/// Files in a new directory, and its path.
pub(crate) fn files(files: &[(&str, &str)]) -> (tempfile::TempDir, impl Fn(&str) -> String + use<>) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let path = directory.path().to_owned();
    (directory, move |name| path.join(name).display().to_string())
}

/// A request with one user message.
pub(crate) fn request(prompt: &str) -> v1::RouteRequest {
    let message = v1::Message {
        role: v1::Role::User.into(),
        content: prompt.into(),
        ..Default::default()
    };
    v1::RouteRequest {
        messages: vec![message],
        ..Default::default()
    }
}

/// For calls of a test that is not asynchronous itself.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}
