//! The binary as users and containers meet it: exit codes, what goes to stdout and what to stderr, signals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod audit;
mod collector;
mod eval;
mod last_good;
#[cfg(feature = "mistralrs")]
mod llm;
mod policy;
mod replay;
mod secured;
mod shared;
mod support;
mod traces;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{policy, run, signalbox};

/// A running server; it is killed when the test ends early.
struct Server {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    ready: String,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let ports = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
        Server::spawn(signalbox(&[&ports, args].concat()))
    }

    /// As it was prepared.
    fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        stdout.read_line(&mut ready).unwrap();
        Server { child, stdout, ready }
    }

    fn word(&self, name: &str) -> &str {
        let mut words = self.ready.split_whitespace();
        words
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            .unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Exit code, the rest of stdout, all of stderr.
    fn end(mut self) -> (Option<i32>, String, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "still running 30 s after the signal"
            );
            std::thread::sleep(Duration::from_millis(20));
        };
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out).unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        (status.code(), out, err)
    }

    /// Waits until a line of the metrics is there.
    fn until(&self, line: &str) {
        let start = Instant::now();
        while !self.metrics().contains(line) {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "no {line:?} after 30 s"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn metrics(&self) -> String {
        self.get("/metrics")
    }

    /// What the listener for metrics answers.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.word("metrics")).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_server_prints_one_line_answers_its_health_and_stops_on_sigterm() {
    let server = Server::start(&[]);
    assert!(
        server.ready.starts_with("signalbox ready grpc=127.0.0.1:"),
        "{}",
        server.ready
    );
    assert!(server.word("policy").starts_with("builtin@"), "{}", server.ready);
    let (code, out, err) = run(&["healthcheck", "--listen", server.word("grpc")]);
    assert_eq!((code, out.as_str()), (0, "serving\n"), "{err}");
    let metrics = server.metrics();
    assert!(
        metrics.contains("\nsignalbox_policy_reload_successful 1\n"),
        "{metrics}"
    );
    assert!(metrics.contains("text/plain; version=0.0.4"), "{metrics}");
    server.signal("-TERM");
    let (code, rest, err) = server.end();
    assert_eq!((code, rest.as_str()), (Some(0), ""), "{err}");
    assert!(err.contains("draining"), "{err}");
}

#[test]
fn sigint_stops_and_a_second_signal_does_not_wait_for_the_drain() {
    let (_directory, config) = policy("drain_ms: 3600000\n");
    let server = Server::start(&["--config", config.to_str().unwrap()]);
    server.signal("-INT");
    std::thread::sleep(Duration::from_millis(200));
    let metrics = server.metrics();
    assert!(
        metrics.contains("\nsignalbox_build_info{"),
        "answered while it drains: {metrics}"
    );
    server.signal("-INT");
    let (code, _, err) = server.end();
    assert_eq!(code, Some(1), "{err}");
}

#[test]
fn sighup_reloads_the_policy() {
    let (_directory, path) = policy("schema: 1\nversion: 1\ndefault: a\nmodels: [{id: a}]\n");
    let server = Server::start(&["--policy", path.to_str().unwrap()]);
    assert!(
        server
            .metrics()
            .contains("\nsignalbox_policy_reloads_total{result=\"applied\"} 1\n")
    );
    let start = Instant::now();
    while !server
        .metrics()
        .contains("\nsignalbox_policy_reloads_total{result=\"applied\"} 2\n")
    {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "not reloaded after 30 s"
        );
        server.signal("-HUP");
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn a_bad_policy_at_the_start_is_reported_in_full_and_nothing_is_served() {
    let (_directory, path) = policy("schema: 1\ndefault: missing\nmodels: [{id: a}]\nroutez: 1\n");
    let (code, out, err) = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--policy",
        path.to_str().unwrap(),
    ]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.contains(":2:10: error: default") && err.contains(":4:1: error: routez"),
        "{err}"
    );
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flags in [
        ["--listen", &address, "--metrics", "off"],
        ["--listen", "127.0.0.1:0", "--metrics", &address],
    ] {
        let (code, out, err) = run(&flags);
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains(&format!("cannot listen on {address}")), "{err}");
    }
}

#[test]
fn wrong_settings_and_wrong_usage_have_their_exit_codes() {
    let (code, _, err) = run(&["config", "--listen", "nowhere", "--metrics", "x"]);
    assert!(code == 1 && err.contains("2 problem(s)"), "{err}");
    assert_eq!(run(&["serve", "--no-such-flag"]).0, 2);
    let (code, out, _) = run(&["config", "--metrics", "off"]);
    assert!(code == 0 && out.contains("metrics: off"), "{out}");
}

#[test]
fn a_required_language_model_that_does_not_answer_keeps_the_server_from_starting() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = signalbox(&["--listen", "127.0.0.1:0", "--metrics", "off"]);
    command
        .env("SIGNALBOX__LLM__REMOTE__URL", format!("http://{closed}/v1"))
        .env("SIGNALBOX__LLM__REMOTE__MODEL", "m")
        .env("SIGNALBOX__LLM__REQUIRED", "true");
    let output = command.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{err}");
    assert!(
        err.contains("llm.required: the language model cannot be used") && err.contains("cannot be reached"),
        "{err}"
    );
    let output = command
        .env("SIGNALBOX__LLM__REMOTE__API_KEY_ENV", "NO_SUCH_KEY")
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1)
            && err.contains("llm.remote.api_key_env: the environment variable `NO_SUCH_KEY` is not set"),
        "{err}"
    );
}

#[test]
fn the_environment_sets_what_flags_do_not() {
    let mut command = signalbox(&["config"]);
    let output = command
        .env("SIGNALBOX__RING__SIZE", "7")
        .env("SIGNALBOX_PORT", "tcp://1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.lines()
            .any(|l| l.starts_with("  size: 7") && l.ends_with("# SIGNALBOX__RING__SIZE")),
        "{text}"
    );
}

#[test]
fn healthcheck_fails_where_nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    assert_eq!(run(&["healthcheck", "--listen", &free]).0, 1);
}

#[test]
fn a_directory_is_served_though_a_tenants_policy_is_bad_and_not_though_everyones_is() {
    let (directory, everyones) = policy("schema: 1\ndefault: a\nmodels: [{id: a}]\n");
    let folder = directory.path().to_str().unwrap();
    fs::write(directory.path().join("acme.yaml"), support::BAD).unwrap();
    let server = Server::start(&["--policy", folder]);
    assert!(server.word("policy").contains("policy.yaml@"), "{}", server.ready);
    drop(server);
    fs::write(everyones, support::BAD).unwrap();
    let (code, _, err) = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--metrics",
        "off",
        "--policy",
        folder,
    ]);
    assert!(code == 1 && err.contains("nothing to serve"), "{err}");
}

#[test]
fn route_decides_without_a_server_and_refuses_with_exit_code_1() {
    let (code, out, err) = run(&["route", "write a python function that parses dates", "--json"]);
    let decision: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &decision["route"]),
        (0, &serde_json::json!("code_generation")),
        "{err}"
    );
    let (code, out, err) = run(&["route", "hello", "--model", "no-such-model"]);
    assert!(
        code == 1 && out.is_empty() && err.contains("no-such-model"),
        "{err}"
    );
}

/// The numbers of a decision change with the classifier; the manual must show those of today.
#[test]
fn the_readme_shows_what_the_binary_really_prints() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let prompt = "write a python function that parses dates";
    for (args, flag) in [
        (vec!["route", prompt], ""),
        (vec!["route", prompt, "--explain"], " --explain"),
    ] {
        let (code, stdout, _) = run(&args);
        assert_eq!(code, 0);
        let mut shown = format!("    $ target/release/signalbox route \"{prompt}\"{flag}\n");
        for line in stdout.lines() {
            shown += format!("    {line}").trim_end();
            shown.push('\n');
        }
        assert!(readme.contains(&shown), "README.md should show:\n{shown}");
    }
}
