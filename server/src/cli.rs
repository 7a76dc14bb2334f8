//! The command line of `signalbox`. `main` calls [`run`]; each subcommand has a file of its own below. Answers go to
//! stdout, everything else to stderr. Exit codes: 0 done, 1 it did not work or the answer is no, 2 wrong usage, or a file
//! given on the command line that cannot be read.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, Inputs, RawConfig, Setting};

pub mod audit;
mod cost_quality;
pub mod eval;
pub mod healthcheck;
pub mod policy;
pub mod replay;
pub mod route;
pub mod serve;

/// Which model should serve this request? Without a command: serve.
#[derive(Debug, Parser)]
#[command(
    name = "signalbox",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: SettingArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer requests over gRPC until SIGTERM or Ctrl-C
    Serve(SettingArgs),
    /// Check, test, describe and compare policy files
    Policy {
        #[command(subcommand)]
        command: policy::PolicyCommand,
    },
    /// Decide one prompt here, without a server
    Route(route::RouteArgs),
    /// Measure a policy on labelled conversations
    Eval(eval::EvalArgs),
    /// Ask the server at the configured address whether it is ready; exit code 0 if it is
    Healthcheck(SettingArgs),
    /// Describe the audit log
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Show what another policy would have made of the decisions in an audit log; exit code 1 if anything changes
    Replay(replay::ReplayArgs),
    /// Print all settings in force, and where each comes from
    Config(SettingArgs),
}

/// The settings that are flags; every other is in the file and the environment.
#[derive(Clone, Debug, Default, Args)]
pub struct SettingArgs {
    /// Read settings from this TOML or YAML file
    #[arg(long, value_name = "FILE", env = config::FILE_VARIABLE)]
    config: Option<PathBuf>,
    #[arg(long, value_name = "FILE|DIR", help = doc("policy"))]
    policy: Option<String>,
    #[arg(long, value_name = "ADDR", help = doc("listen"))]
    listen: Option<String>,
    #[arg(long, value_name = "ADDR", help = doc("metrics"))]
    metrics: Option<String>,
    #[arg(id = "llm.path", long = "llm", value_name = "PATH|hf:org/name@revision", help = doc("llm.path"))]
    llm: Option<String>,
}

fn doc(key: &str) -> &'static str {
    Setting::named(key).map_or("", |setting| setting.doc)
}

impl SettingArgs {
    /// All settings, with these flags as the strongest.
    ///
    /// # Errors
    /// Every problem, one a line.
    fn load(self) -> anyhow::Result<(Config, RawConfig)> {
        let SettingArgs {
            config,
            policy,
            listen,
            metrics,
            llm,
        } = self;
        let flags = [
            ("policy", policy),
            ("listen", listen),
            ("metrics", metrics),
            ("llm.path", llm),
        ];
        let flags = flags
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        let inputs = Inputs {
            file: config,
            variables: std::env::vars_os().collect(),
            flags,
            memory: config::memory::limit(),
        };
        config::load(&inputs).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
            anyhow::anyhow!("{} problem(s) in the settings:{}", problems.len(), lines.concat())
        })
    }
}

/// Reads the arguments, does what they say, and reports what went wrong.
pub fn run() -> ExitCode {
    let Cli { command, settings } = Cli::parse();
    crate::serve::tls::install_provider();
    let done = match command {
        None => serve::run(settings),
        Some(Command::Serve(settings)) => serve::run(settings),
        Some(Command::Policy { command }) => policy::run(command),
        Some(Command::Route(args)) => route::run(args),
        Some(Command::Eval(args)) => eval::run(args),
        Some(Command::Healthcheck(settings)) => healthcheck::run(settings),
        Some(Command::Audit { command }) => audit::run(command),
        Some(Command::Replay(args)) => replay::run(&args),
        Some(Command::Config(settings)) => show(settings),
    };
    done.unwrap_or_else(|error| {
        if !is_closed_pipe(&error) {
            // Nothing is left to do about a closed stderr.
            let _ = writeln!(io::stderr(), "error: {error:#}");
        }
        if error.is::<BadInput>() {
            ExitCode::from(2)
        } else {
            ExitCode::FAILURE
        }
    })
}

/// An input that is not there, or not usable where that must be told from the answer no: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadInput(pub(crate) String);

fn show(settings: SettingArgs) -> anyhow::Result<ExitCode> {
    let (_, raw) = settings.load()?;
    print(&raw.to_yaml())?;
    Ok(ExitCode::SUCCESS)
}

/// Writes to stdout.
///
/// # Errors
/// When it is closed.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// `signalbox … | head` is no mistake.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_but_the_file_is_a_setting_with_its_words() {
        let cli = Cli::command();
        for flag in cli.get_arguments().filter(|flag| flag.get_id() != "config") {
            let setting = Setting::named(flag.get_id().as_str()).unwrap();
            assert_eq!(flag.get_help().unwrap().to_string(), setting.doc);
        }
    }
}
