//! The author's own checks.

use super::health::health;
use super::llm;
use super::session::held;
use super::{objective, weights};
use crate::policy::draft::{DraftTest, Wanted};
use crate::policy::fields::Fields;
use crate::policy::place::Report;
use crate::policy::{PolicyTest, Want, shape};
use crate::query::{
    Attempt, AttemptOutcome, Caller, MessageFacts, Preferences, Query, Requirements, Speaker,
};

/// Characters of the prompt that stand for a test without a name.
const NAME_LENGTH: usize = 60;

/// One test with its request and what is wanted.
pub(in crate::policy) fn test(fields: &Fields<'_>, report: &mut Report) -> DraftTest {
    let (messages, query) = asked(fields, report);
    let begin = messages
        .iter()
        .rev()
        .find(|(role, _)| role == "user")
        .or(messages.last());
    let name = fields
        .text("name")
        .or_else(|| Some(shortened(&begin?.1)))
        .unwrap_or_default();
    let (health, named) = health(fields);
    let (llm, judged) = llm::said(fields, report);
    let (session, on, along) = held(fields);
    let (want, mut wanted) = fields
        .object("want", &shape::WANT)
        .map(|want| want_of(&want))
        .unwrap_or_default();
    wanted.models.extend(named);
    wanted.routes.extend(judged);
    wanted.models.extend(on);
    wanted.routes.extend(along);
    DraftTest {
        test: PolicyTest {
            name,
            messages,
            query,
            health,
            llm,
            session,
            want,
            line: fields.at().line,
        },
        wanted,
    }
}

/// The conversation as (role, text), and the request's facts, those of the conversation filled in.
pub(in crate::policy) fn asked(fields: &Fields<'_>, report: &mut Report) -> (Vec<(String, String)>, Query) {
    let mut messages: Vec<(String, String)> = Vec::new();
    if let Some(prompt) = fields.text("prompt") {
        messages.push(("user".into(), prompt));
    }
    for message in fields.objects("messages", &shape::MESSAGE) {
        if let (Some(role), Some(content)) = (message.text("role"), message.text("content")) {
            messages.push((role, content));
        }
    }
    let mut query = match fields.object("request", &shape::REQUEST) {
        Some(request) => request_of(&request, report),
        None => Query::default(),
    };
    query.read_cache = true;
    let counted = Some(query.input_tokens).filter(|tokens| *tokens > 0);
    let facts: Vec<_> = messages.iter().map(facts).collect();
    query.read_messages(counted, &facts);
    (messages, query)
}

fn facts((role, content): &(String, String)) -> MessageFacts {
    MessageFacts {
        speaker: match role.as_str() {
            "system" => Speaker::System,
            "assistant" => Speaker::Assistant { calls_tools: false },
            "tool" => Speaker::Tool,
            _ => Speaker::User,
        },
        bytes: content.len(),
        attached_tokens: 0,
    }
}

fn request_of(fields: &Fields<'_>, report: &mut Report) -> Query {
    let mut modalities = fields.texts("modalities");
    modalities.retain(|modality| modality != "text");
    modalities.sort();
    modalities.dedup();
    Query {
        request_id: fields.text("request_id").unwrap_or_default(),
        input_tokens: fields.integer("input_tokens").unwrap_or(0),
        expected_output_tokens: fields.integer("expected_output_tokens"),
        modalities,
        model: fields.text("model").filter(|model| model != "auto"),
        profile: fields.text("profile"),
        requirements: fields
            .object("requirements", &shape::REQUIREMENTS)
            .map(requirements)
            .unwrap_or_default(),
        preferences: match fields.object("preferences", &shape::PREFERENCES) {
            Some(fields) => preferences(&fields, report),
            None => Preferences::default(),
        },
        caller: Caller {
            tenant: fields.text("tenant").unwrap_or_default(),
            tier: fields.text("tier").unwrap_or_default(),
            session_id: fields.text("session_id").unwrap_or_default(),
            labels: fields.labels("labels"),
        },
        attempts: fields
            .objects("attempts", &shape::ATTEMPT)
            .iter()
            .filter_map(attempt)
            .collect(),
        ..Query::default()
    }
}

pub(super) fn requirements(fields: Fields<'_>) -> Requirements {
    Requirements {
        min_context_tokens: fields.integer("min_context_tokens"),
        max_output_tokens: fields.integer("max_output_tokens"),
        capabilities: fields.texts("capabilities"),
        modalities: fields.texts("modalities"),
        max_cost_usd: fields.number("max_cost_usd"),
        max_latency_ms: fields.number("max_latency_ms"),
        min_quality: fields.number("min_quality"),
        regions: fields.texts("regions"),
        regions_exclude: false,
    }
}

fn preferences(fields: &Fields<'_>, report: &mut Report) -> Preferences {
    Preferences {
        families: fields.texts("families"),
        weights: fields
            .object("weights", &shape::WEIGHTS)
            .and_then(|fields| weights(&fields, report)),
        optimize_for: objective(fields, "optimize_for", report),
    }
}

fn attempt(fields: &Fields<'_>) -> Option<Attempt> {
    let outcome = match fields.text("outcome").as_deref() {
        Some("error") => AttemptOutcome::Error,
        Some("rate_limited") => AttemptOutcome::RateLimited,
        Some("timeout") => AttemptOutcome::Timeout,
        Some("low_confidence") => AttemptOutcome::LowConfidence,
        Some("refused") => AttemptOutcome::Refused,
        _ => AttemptOutcome::Unspecified,
    };
    let confidence = fields.number("confidence");
    Some(Attempt {
        model_id: fields.text("model_id")?,
        outcome,
        confidence,
    })
}

fn want_of(fields: &Fields<'_>) -> (Want, Wanted) {
    let list = |name| fields.get(name).map(|_| fields.texts(name));
    let want = Want {
        route: fields.text("route"),
        model: fields.text("model"),
        canary: fields.text("canary"),
        session: fields.text("session"),
        plan: fields.text("plan"),
        plan_models: list("plan_models"),
        source: fields.text("source"),
        domain: fields.text("domain"),
        profile: fields.text("profile"),
        rule: fields.text("rule"),
        fallbacks: list("fallbacks"),
        degraded: list("degraded"),
        error: fields.text("error"),
        probes: list("probes"),
    };
    let mut models = fields.spanned_list("fallbacks");
    models.extend(fields.spanned_list("plan_models"));
    models.extend(fields.spanned("model"));
    let wanted = Wanted {
        routes: fields
            .spanned("route")
            .filter(|route| route.value != "other")
            .into_iter()
            .collect(),
        domain: fields.spanned("domain"),
        profile: fields.spanned("profile"),
        canary: fields.spanned("canary"),
        rule: fields.spanned("rule"),
        models,
    };
    (want, wanted)
}

/// The first line of a text, cut to a length that fits a report.
fn shortened(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(NAME_LENGTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
