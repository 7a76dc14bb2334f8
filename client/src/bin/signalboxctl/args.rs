//! The command line, as clap reads it. `run` takes it apart. Wrong usage ends in clap with exit code 2.

use std::{path::PathBuf, time::Duration};

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use signalbox_client::v1;

/// Ask a Signalbox server: which model, why, and by which policy.
///
/// Exit codes: 0 done, 1 the server said no, 2 wrong usage, 3 the server cannot be reached.
#[derive(Debug, Parser)]
#[command(name = "signalboxctl", version)]
pub(crate) struct Args {
    /// The server
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "SIGNALBOX_ENDPOINT",
        default_value = "http://127.0.0.1:50051"
    )]
    pub(crate) endpoint: String,

    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Read the bearer token for administrative calls from this file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// The environment variable that holds the token; SIGNALBOX_TOKEN where neither is given
    #[arg(long, global = true, value_name = "VARIABLE", conflicts_with = "token_file")]
    pub(crate) token_env: Option<String>,

    /// Trust the authorities in this PEM file instead of the system's, for https:// endpoints
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Show this certificate (PEM) to the server
    #[arg(long, global = true, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,

    /// Its private key (PEM)
    #[arg(long, global = true, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,

    /// The name in the server's certificate, where it is not the endpoint's host
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) server_name: Option<String>,

    /// Give up after this long: `500ms`, `10s` or `2m`
    #[arg(long, global = true, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) timeout: Duration,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Choose a model for a prompt; the first line is the model
    Route(RequestArgs),
    /// Choose a model for a prompt and tell why, or explain an earlier decision
    Explain(ExplainArgs),
    /// Check a policy and put it in force
    Reload(ReloadArgs),
    /// Show the policy in force
    Policy(PolicyArgs),
    /// Report what became of a decision; exit code 0 if the server took it, now or before
    Outcome(OutcomeArgs),
    /// Ask whether the server is ready; exit code 0 if it is
    Health(HealthArgs),
}

#[derive(Debug, Group)]
pub(crate) struct RequestArgs {
    /// What the user says; `-` reads it from stdin
    pub(crate) prompt: Option<String>,

    /// A JSON array of {"role", "content"} to send before the prompt; `-` reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) messages: Option<PathBuf>,

    /// Take this model or alias, or fail
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,

    /// Choose within this profile: fast, general, code, creative, or the policy's own
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// On whose behalf
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,

    /// The caller's tier
    #[arg(long, value_name = "NAME")]
    pub(crate) tier: Option<String>,

    /// The session to stay with
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,

    /// A label of the caller; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) labels: Vec<(String, String)>,

    /// A capability the model must have; may be repeated
    #[arg(long = "capability", value_name = "NAME")]
    pub(crate) capabilities: Vec<String>,

    /// A kind of content the model must accept; may be repeated
    #[arg(long = "modality", value_name = "KIND")]
    pub(crate) modalities: Vec<Modality>,

    /// The most this request may cost, in US dollars
    #[arg(long, value_name = "USD")]
    pub(crate) max_cost_usd: Option<f64>,

    /// The lowest quality, 0 to 1
    #[arg(long, value_name = "QUALITY")]
    pub(crate) min_quality: Option<f64>,

    /// A region the model may be served in; may be repeated
    #[arg(long = "region", value_name = "NAME")]
    pub(crate) regions: Vec<String>,

    /// The one thing to rank by
    #[arg(long, value_name = "WHAT")]
    pub(crate) optimize_for: Option<OptimizeFor>,

    /// A model already tried, and error, rate-limited, timeout, low-confidence or refused; may be repeated
    #[arg(long = "attempt", value_name = "MODEL=OUTCOME", value_parser = attempt)]
    pub(crate) attempts: Vec<v1::Attempt>,
}

#[derive(Debug, Group)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) request: RequestArgs,

    /// Explain this earlier decision instead of a prompt
    #[arg(long, value_name = "ID", conflicts_with = "RequestArgs")]
    pub(crate) decision_id: Option<String>,

    /// What would this policy have done? `-` reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// Show the text that was classified
    #[arg(long)]
    pub(crate) include_prompt: bool,
}

#[derive(Debug, Group)]
pub(crate) struct ReloadArgs {
    /// Push this policy; else the server reads its own source again. `-` reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// Only check, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Go on only while the policy in force has this SHA-256
    #[arg(long, value_name = "HEX")]
    pub(crate) expected_checksum: Option<String>,

    /// Run the policy's own tests first
    #[arg(long)]
    pub(crate) run_tests: bool,

    /// This tenant's own policy; else everyone's
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) tenant: String,
}

#[derive(Debug, Group)]
pub(crate) struct PolicyArgs {
    /// The policy that this tenant goes by; else everyone's
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) tenant: String,
}

#[derive(Debug, Group)]
pub(crate) struct OutcomeArgs {
    /// The decision; without it, name the model
    #[arg(long, value_name = "ID", required_unless_present = "model")]
    pub(crate) decision: Option<String>,

    /// The model that was called; without it, the decision's
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,

    /// What became of the call: success, error, rate-limited, timeout, low-confidence or refused
    #[arg(long, value_name = "OUTCOME", value_parser = outcome)]
    pub(crate) outcome: v1::AttemptOutcome,

    /// For how long the provider asked to be left alone
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) retry_after: Option<Duration>,

    /// Time to the complete answer
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) latency: Option<Duration>,

    /// Tokens of the prompt, as billed
    #[arg(long, value_name = "COUNT")]
    pub(crate) input_tokens: Option<u32>,

    /// Tokens of the answer, as billed
    #[arg(long, value_name = "COUNT")]
    pub(crate) output_tokens: Option<u32>,

    /// What the call cost, in US dollars
    #[arg(long, value_name = "USD")]
    pub(crate) cost_usd: Option<f64>,

    /// How good the answer was, 0 to 1
    #[arg(long, value_name = "QUALITY")]
    pub(crate) quality: Option<f64>,

    /// On whose behalf the decision was made
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) tenant: String,

    /// A key under which this outcome counts once, however often it is sent; else a new one
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Debug, Group)]
pub(crate) struct HealthArgs {
    /// signalbox.v1.RouterService, signalbox.llm or liveness; else the server as a whole
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) service: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Modality {
    Text,
    Image,
    Audio,
    Video,
    Document,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum OptimizeFor {
    Latency,
    Cost,
    Quality,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn attempt(text: &str) -> Result<v1::Attempt, String> {
    let (model, outcome) = text.rsplit_once('=').ok_or("write it as model=outcome")?;
    Ok(v1::Attempt {
        model_id: model.to_owned(),
        outcome: self::outcome(outcome)?.into(),
        confidence: None,
    })
}

fn outcome(text: &str) -> Result<v1::AttemptOutcome, String> {
    let name = format!("ATTEMPT_OUTCOME_{}", text.to_uppercase().replace('-', "_"));
    v1::AttemptOutcome::from_str_name(&name)
        .filter(|outcome| *outcome != v1::AttemptOutcome::Unspecified)
        .ok_or_else(|| {
            "the outcome is one of error, rate-limited, timeout, low-confidence, refused, success".to_owned()
        })
}

fn duration(text: &str) -> Result<Duration, String> {
    let wanted = "write it as a number with ms, s or m, such as 500ms or 10s";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        _ => return Err(wanted.into()),
    };
    let number: f64 = digits.parse().map_err(|_| wanted)?;
    Duration::try_from_secs_f64(number * unit)
        .ok()
        .filter(|d| !d.is_zero())
        .ok_or_else(|| wanted.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }

    #[test]
    fn times_are_read_with_their_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        for bad in ["", "s", "0s", "-1s", "1h", "inf", "nan", "1 s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_attempt_names_a_model_and_its_outcome() {
        let found = attempt("openai/gpt-5=rate-limited").unwrap();
        assert_eq!(found.model_id, "openai/gpt-5");
        assert_eq!(found.outcome(), v1::AttemptOutcome::RateLimited);
        for bad in ["openai/gpt-5", "a=unspecified", "a=slow"] {
            assert!(attempt(bad).is_err(), "{bad}");
        }
    }
}
