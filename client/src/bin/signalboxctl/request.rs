//! Turns arguments and files into requests. Called by `run` before anything is sent, so every mistake found
//! here is wrong usage. No text of a prompt is ever repeated in a message.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
    process,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use signalbox_client::v1::{self, explain_request::Target};

use crate::args::{ExplainArgs, Modality, OptimizeFor, OutcomeArgs, ReloadArgs, RequestArgs};

/// One element of `--messages`, as chat interfaces write it.
#[derive(Deserialize)]
struct Turn {
    role: String,
    content: String,
}

/// The request of `route`, and of `explain` without a decision id.
pub(crate) fn route(args: RequestArgs) -> Result<v1::RouteRequest> {
    let messages = messages(&args)?;
    ensure!(
        !messages.is_empty() || args.model.is_some() || args.profile.is_some(),
        "nothing to route: give a prompt, --messages, --model or --profile"
    );
    let requirements = v1::Requirements {
        capabilities: args.capabilities,
        modalities: args
            .modalities
            .into_iter()
            .map(|kind| modality(kind).into())
            .collect(),
        max_cost_usd: args.max_cost_usd,
        min_quality: args.min_quality,
        regions: args.regions,
        ..Default::default()
    };
    let preferences = v1::Preferences {
        optimize_for: args.optimize_for.map_or(0, |what| optimize_for(what).into()),
        ..Default::default()
    };
    let caller = v1::Caller {
        tenant: args.tenant.unwrap_or_default(),
        tier: args.tier.unwrap_or_default(),
        session_id: args.session.unwrap_or_default(),
        labels: args.labels.into_iter().collect(),
    };
    Ok(v1::RouteRequest {
        messages,
        model: args.model.unwrap_or_default(),
        profile: args.profile.unwrap_or_default(),
        requirements: Some(requirements),
        preferences: Some(preferences),
        caller: Some(caller),
        attempts: args.attempts,
        ..Default::default()
    })
}

/// The request of `explain`.
pub(crate) fn explain(args: ExplainArgs) -> Result<v1::ExplainRequest> {
    let target = match args.decision_id {
        Some(id) => Target::DecisionId(id),
        None => Target::Request(route(args.request).context("or give --decision-id")?),
    };
    Ok(v1::ExplainRequest {
        target: Some(target),
        policy_yaml: args.policy.as_deref().map(read).transpose()?,
        include_prompt: args.include_prompt,
    })
}

/// The request of `reload`.
pub(crate) fn reload(args: ReloadArgs) -> Result<v1::ReloadPolicyRequest> {
    Ok(v1::ReloadPolicyRequest {
        dry_run: args.dry_run,
        expected_checksum: args.expected_checksum.unwrap_or_default(),
        policy_yaml: args.policy.as_deref().map(read).transpose()?,
        run_tests: args.run_tests,
        tenant: args.tenant,
    })
}

/// The request of `outcome`.
pub(crate) fn outcome(args: OutcomeArgs) -> Result<v1::ReportOutcomeRequest> {
    let outcome = v1::Outcome {
        idempotency_key: args.idempotency_key.unwrap_or_else(fresh_key),
        decision_id: args.decision.unwrap_or_default(),
        model_id: args.model.unwrap_or_default(),
        outcome: args.outcome.into(),
        latency_duration: args
            .latency
            .map(TryInto::try_into)
            .transpose()
            .context("--latency")?,
        input_tokens: args.input_tokens,
        output_tokens: args.output_tokens,
        cost_usd: args.cost_usd,
        quality: args.quality,
        end_time: None,
        retry_after_duration: args
            .retry_after
            .map(TryInto::try_into)
            .transpose()
            .context("--retry-after")?,
    };
    Ok(v1::ReportOutcomeRequest {
        outcomes: vec![outcome],
        tenant: args.tenant,
    })
}

/// A key that no other call has: repeats of this one carry it along.
fn fresh_key() -> String {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("signalboxctl-{}-{}", since.as_nanos(), process::id())
}

/// Set once `-` was read.
static STDIN_TAKEN: AtomicBool = AtomicBool::new(false);

/// A file as text; `-` is stdin. A second `-` would read nothing, and send an empty policy or prompt: it is
/// refused.
pub(crate) fn read(path: &Path) -> Result<String> {
    if path != Path::new("-") {
        return fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    }
    ensure!(
        !STDIN_TAKEN.swap(true, Ordering::Relaxed),
        "stdin can be read once only: write `-` in one place"
    );
    let mut text = String::new();
    io::stdin()
        .lock()
        .read_to_string(&mut text)
        .context("cannot read stdin")?;
    Ok(text)
}

fn messages(args: &RequestArgs) -> Result<Vec<v1::Message>> {
    let mut messages = Vec::new();
    if let Some(path) = &args.messages {
        let shape = "write a JSON array of {\"role\": …, \"content\": …}";
        let turns: Vec<Turn> = serde_json::from_str(&read(path)?)
            .with_context(|| format!("{} is not a list of messages; {shape}", path.display()))?;
        for (index, turn) in turns.into_iter().enumerate() {
            let role = role(&turn.role).with_context(|| format!("{}: [{index}].role", path.display()))?;
            messages.push(v1::Message {
                role: role.into(),
                content: turn.content,
                ..Default::default()
            });
        }
    }
    let prompt = match args.prompt.as_deref() {
        Some("-") => Some(read(Path::new("-"))?),
        given => given.map(str::to_owned),
    };
    if let Some(content) = prompt {
        messages.push(v1::Message {
            role: v1::Role::User.into(),
            content,
            ..Default::default()
        });
    }
    Ok(messages)
}

fn role(name: &str) -> Result<v1::Role> {
    Ok(match name {
        "system" | "developer" => v1::Role::System,
        "user" => v1::Role::User,
        "assistant" => v1::Role::Assistant,
        "tool" => v1::Role::Tool,
        _ => bail!("unknown role `{name}`; write system, user, assistant or tool"),
    })
}

fn modality(kind: Modality) -> v1::Modality {
    match kind {
        Modality::Text => v1::Modality::Text,
        Modality::Image => v1::Modality::Image,
        Modality::Audio => v1::Modality::Audio,
        Modality::Video => v1::Modality::Video,
        Modality::Document => v1::Modality::Document,
    }
}

fn optimize_for(what: OptimizeFor) -> v1::OptimizeFor {
    match what {
        OptimizeFor::Latency => v1::OptimizeFor::Latency,
        OptimizeFor::Cost => v1::OptimizeFor::Cost,
        OptimizeFor::Quality => v1::OptimizeFor::Quality,
    }
}
