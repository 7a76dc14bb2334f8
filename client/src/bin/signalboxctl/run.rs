//! Runs one command: builds the request, calls the server, renders the answer. `main` prints what comes back.

use std::path::PathBuf;

use anyhow::Context as _;
use signalbox_client::{Client, Error, Health, Options, Tls, codes, v1};

use crate::{
    args::{Args, Command, HealthArgs, OutcomeArgs, ReloadArgs},
    failure::{Failure, SAID_NO},
    human, json, request,
};

/// Holds the token where no flag says otherwise.
const TOKEN: &str = "SIGNALBOX_TOKEN";

/// What a command that got an answer leaves to do.
pub(crate) struct Done {
    /// For stdout.
    pub(crate) text: String,
    /// 0, or 1 where the answer is a no.
    pub(crate) exit: u8,
}

impl Done {
    fn well(text: String) -> Self {
        Self { text, exit: 0 }
    }
}

pub(crate) async fn run(args: Args) -> Result<Done, Failure> {
    let client = connect(&args)?;
    match args.command {
        Command::Route(flags) => {
            let request = request::route(flags).map_err(Failure::Usage)?;
            let answer = client.route(request).await.map_err(Failure::Call)?;
            show(args.json, "RouteResponse", &answer, human::route).map(Done::well)
        }
        Command::Explain(flags) => {
            let request = request::explain(flags).map_err(Failure::Usage)?;
            let answer = client.explain(request).await.map_err(Failure::Call)?;
            show(args.json, "ExplainResponse", &answer, human::explain).map(Done::well)
        }
        Command::Reload(flags) => reload(&client, args.json, flags).await,
        Command::Policy(flags) => {
            let answer = client.get_policy_of(&flags.tenant).await.map_err(Failure::Call)?;
            show(args.json, "GetPolicyResponse", &answer, human::policy).map(Done::well)
        }
        Command::Outcome(flags) => outcome(&client, args.json, flags).await,
        Command::Health(flags) => health(&client, args.json, flags).await,
    }
}

fn connect(args: &Args) -> Result<Client, Failure> {
    let read = |path: &Option<PathBuf>| {
        let read = path.as_deref().map(request::read);
        read.transpose().map_err(Failure::Usage)
    };
    let identity = read(&args.cert)?.zip(read(&args.key)?);
    let options = Options {
        deadline: args.timeout,
        bearer_token: token(args)?,
        tls: Tls {
            ca: read(&args.ca)?,
            identity,
            server_name: args.server_name.clone(),
        },
        ..Options::default()
    };
    Client::connect_with(args.endpoint.as_str(), options).map_err(Failure::Call)
}

/// From a file or the environment: what stands on a command line is seen by everybody on the machine.
fn token(args: &Args) -> Result<Option<String>, Failure> {
    if let Some(path) = &args.token_file {
        return request::read(path).map(Some).map_err(Failure::Usage);
    }
    match &args.token_env {
        Some(name) => {
            let missing = || format!("--token-env: the environment variable `{name}` is not set");
            let token = std::env::var(name).with_context(missing);
            token.map(Some).map_err(Failure::Usage)
        }
        None => Ok(std::env::var(TOKEN).ok().filter(|token| !token.trim().is_empty())),
    }
}

async fn reload(client: &Client, as_json: bool, flags: ReloadArgs) -> Result<Done, Failure> {
    let dry_run = flags.dry_run;
    let file = flags.policy.as_ref().map(|path| path.display().to_string());
    let request = request::reload(flags).map_err(Failure::Usage)?;
    let answer = match client.reload_policy(request.clone()).await {
        Ok(answer) => answer,
        Err(error) => diagnose(client, request, error).await.map_err(Failure::Call)?,
    };
    let good = !has_errors(&answer) && (answer.applied || dry_run);
    let text = show(as_json, "ReloadPolicyResponse", &answer, |answer| {
        human::reload(answer, file.as_deref(), dry_run)
    })?;
    Ok(Done {
        text,
        exit: if good { 0 } else { SAID_NO },
    })
}

/// A refused policy comes back as an error, whose details are cut to fit a trailer and have no lines. A dry run
/// tells all of it and changes nothing. If it finds no error (the source was mended, say), `refusal` stands.
async fn diagnose(
    client: &Client,
    request: v1::ReloadPolicyRequest,
    refusal: Error,
) -> Result<v1::ReloadPolicyResponse, Error> {
    if refusal.reason() != Some(codes::reason::INVALID_POLICY) {
        return Err(refusal);
    }
    let request = v1::ReloadPolicyRequest {
        dry_run: true,
        ..request
    };
    match client.reload_policy(request).await {
        Ok(answer) if has_errors(&answer) => Ok(answer),
        _ => Err(refusal),
    }
}

fn has_errors(answer: &v1::ReloadPolicyResponse) -> bool {
    answer
        .diagnostics
        .iter()
        .any(|found| found.severity() == v1::Severity::Error)
}

async fn outcome(client: &Client, as_json: bool, flags: OutcomeArgs) -> Result<Done, Failure> {
    let request = request::outcome(flags).map_err(Failure::Usage)?;
    let answer = client.report_outcome(request).await.map_err(Failure::Call)?;
    let text = show(as_json, "ReportOutcomeResponse", &answer, human::outcome)?;
    Ok(Done {
        text,
        exit: if answer.unknown == 0 { 0 } else { SAID_NO },
    })
}

async fn health(client: &Client, as_json: bool, flags: HealthArgs) -> Result<Done, Failure> {
    let found = client.health(&flags.service).await.map_err(Failure::Call)?;
    let status = match found {
        Health::Serving => "SERVING",
        Health::NotServing => "NOT_SERVING",
        Health::Unknown => "UNKNOWN",
    };
    let text = match as_json {
        true => format!(
            "{:#}\n",
            serde_json::json!({"service": flags.service, "status": status})
        ),
        false => format!("{status}\n"),
    };
    Ok(Done {
        text,
        exit: if found == Health::Serving { 0 } else { SAID_NO },
    })
}

fn show<M: prost::Message>(
    as_json: bool,
    name: &str,
    answer: &M,
    human: impl Fn(&M) -> String,
) -> Result<String, Failure> {
    if as_json {
        json::render(name, answer).map_err(Failure::Output)
    } else {
        Ok(human(answer))
    }
}
