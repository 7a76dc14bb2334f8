//! `signalbox route "prompt"`: one decision in process, without a server.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use signalbox_decide::query::estimate_tokens;
use signalbox_decide::{Decision, Plan, Policy, Query, explain};

use crate::cli::policy::{compile, render};
use crate::cli::print;
use crate::conversation::{Conversation, Message, Role};
use crate::engine::{Live, settle};
use crate::store::{Compiler, Snapshot};
use crate::watcher::PolicySource;

/// Arguments of `signalbox route`.
#[derive(Debug, Args)]
pub struct RouteArgs {
    /// The prompt; `-` reads it from standard input.
    #[arg(required_unless_present = "messages")]
    prompt: Option<String>,
    /// The policy, or a directory of them; without it, the built-in example.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// A conversation instead of a prompt: a JSON file with `[{"role": "user", "content": "…"}]`.
    #[arg(long, conflicts_with = "prompt")]
    messages: Option<PathBuf>,
    /// Ask for this model or alias.
    #[arg(long)]
    model: Option<String>,
    /// Ask for this profile.
    #[arg(long)]
    profile: Option<String>,
    /// The caller's tier.
    #[arg(long, default_value = "")]
    tier: String,
    /// The caller's tenant.
    #[arg(long, default_value = "")]
    tenant: String,
    /// Print everything behind the decision.
    #[arg(long)]
    explain: bool,
    /// Print JSON.
    #[arg(long, conflicts_with = "explain")]
    json: bool,
}

/// One message as the command line and evaluation sets write it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct JsonMessage {
    role: String,
    content: String,
}

/// The conversation of a list of JSON messages.
pub(crate) fn conversation_of(messages: Vec<JsonMessage>) -> anyhow::Result<Conversation> {
    let message = |(index, JsonMessage { role, content }): (usize, JsonMessage)| {
        let role = match role.as_str() {
            "system" | "developer" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" => Role::Tool,
            other => {
                anyhow::bail!("[{index}].role: `{other}` is none of system, developer, user, assistant, tool")
            }
        };
        Ok(Message {
            role,
            content,
            has_tool_calls: false,
            attachments: Vec::new(),
        })
    };
    Ok(Conversation {
        messages: messages
            .into_iter()
            .enumerate()
            .map(message)
            .collect::<Result<_, _>>()?,
    })
}

/// The facts of a conversation of which nothing else is known.
pub(crate) fn query_of(conversation: &Conversation) -> Query {
    let sizes = conversation
        .messages
        .iter()
        .map(|message| (message.content.len(), 0));
    Query {
        input_tokens: estimate_tokens(sizes),
        turns: conversation.messages.len() as u32,
        ..Query::default()
    }
}

/// The policy of `--policy`, of a directory the one that `tenant` (empty: none) goes by, or the built-in example. Errors go to
/// standard error with their lines.
pub(crate) fn load(policy: Option<&PathBuf>, tenant: &str) -> anyhow::Result<Snapshot> {
    let compiler = Compiler::new()?;
    if let Some(path) = policy {
        let listing = PolicySource::path(path, u64::MAX).list()?;
        let file = listing.file(tenant).or_else(|| listing.file(""));
        let file = file
            .transpose()
            .map_err(|why| anyhow::anyhow!("{why}"))?
            .unwrap_or(path);
        let compiled = compile(&compiler, file)?;
        let rendered = render(file, &compiled);
        return compiled
            .snapshot
            .with_context(|| format!("{rendered}{}: the policy cannot be used", file.display()));
    }
    let (bytes, name) = PolicySource::builtin().read()?;
    let compiled = compiler.compile(&bytes, &name, None);
    compiled
        .map(|(snapshot, _)| snapshot)
        .map_err(|problems| anyhow::anyhow!("{}", problems[0]))
}

/// Decides and prints.
///
/// # Errors
/// When the policy or the conversation cannot be read. A refusal is exit code 1.
pub fn run(args: RouteArgs) -> anyhow::Result<ExitCode> {
    let snapshot = load(args.policy.as_ref(), &args.tenant)?;
    let conversation = read_conversation(&args)?;
    let mut query = query_of(&conversation);
    query.model = args.model.filter(|model| model != "auto");
    query.profile = args.profile;
    query.caller.tier = args.tier;
    query.caller.tenant = args.tenant;
    let settled = settle(&snapshot, &query, &conversation, Live::default());
    let policy = &snapshot.policy;
    if args.explain {
        let explanation = explain(policy, &query, &settled.evidence);
        let explanation =
            explanation.map_err(|probe| anyhow::anyhow!("no evidence from {}", probe.as_str()))?;
        print(&explanation.text(policy))?;
    }
    let decision = match settled.outcome {
        Ok(decision) => decision,
        Err(refused) if args.explain => {
            drop(refused);
            return Ok(ExitCode::FAILURE);
        }
        Err(refused) => anyhow::bail!("{}: {refused}", refused.reason()),
    };
    if args.json {
        print(&format!("{:#}\n", decision_json(policy, &decision)))?;
    } else if !args.explain {
        print(&summary(policy, &decision))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read_conversation(args: &RouteArgs) -> anyhow::Result<Conversation> {
    if let Some(file) = &args.messages {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let messages = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        return conversation_of(messages).with_context(|| file.display().to_string());
    }
    let prompt = match args.prompt.as_deref() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("standard input")?;
            text
        }
        other => other.unwrap_or_default().to_owned(),
    };
    Ok(Conversation::from_prompt(prompt))
}

fn summary(policy: &Policy, decision: &Decision) -> String {
    let mut text = format!("{}\n", policy.models[decision.model].id);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            text += &format!("  {name:<11} {value}\n");
        }
    };
    let names: Vec<&str> = decision
        .fallbacks
        .iter()
        .map(|&m| policy.models[m].id.as_str())
        .collect();
    line(
        "route",
        decision.route.map_or("", |route| &policy.routes[route].name),
    );
    line(
        "canary",
        decision.canary.map_or("", |canary| &policy.canaries[canary].name),
    );
    line(
        "confidence",
        &decision.confidence.map_or(String::new(), |p| format!("{p:.3}")),
    );
    line(
        "rule",
        decision.rule.map_or("", |rule| &policy.rules.all()[rule].name),
    );
    line("source", decision.source.as_str());
    if decision.plan != Plan::Single {
        let planned = decision.plan.models(decision.model);
        let planned: Vec<&str> = planned.iter().map(|&m| policy.models[m].id.as_str()).collect();
        line(
            "plan",
            &format!("{} of {}", decision.plan.as_str(), planned.join(", ")),
        );
    }
    line("fallbacks", &names.join(", "));
    for lost in &decision.degraded {
        line("degraded", &format!("{}: {}", lost.code, lost.detail));
    }
    line("reason", &decision.reason);
    text
}

fn decision_json(policy: &Policy, decision: &Arc<Decision>) -> serde_json::Value {
    let model = |&index: &usize| policy.models[index].id.clone();
    json!({
        "model_id": model(&decision.model),
        "fallback_model_ids": decision.fallbacks.iter().map(model).collect::<Vec<_>>(),
        "plan": {
            "kind": decision.plan.as_str(),
            "model_ids": decision.plan.models(decision.model).iter().map(model).collect::<Vec<_>>(),
        },
        "route": decision.route.map(|route| &policy.routes[route].name),
        "domain": decision.domain.map(|domain| &policy.domains[domain].name),
        "canary": decision.canary.map(|canary| &policy.canaries[canary].name),
        "profile": decision.profile.map(|profile| &policy.profiles[profile].name),
        "rule": decision.rule.map(|rule| &policy.rules.all()[rule].name),
        "confidence": decision.confidence,
        "margin": decision.margin,
        "source": decision.source.as_str(),
        "degraded": decision.degraded.iter().map(|d| json!({"code": d.code, "detail": d.detail})).collect::<Vec<_>>(),
        "reason": decision.reason,
    })
}
