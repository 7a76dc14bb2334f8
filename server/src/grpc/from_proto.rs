//! From the wire to what the engine is asked: every bad field at once, or an [`Asked`]. Called by `route` and `explain`.
//! Texts are moved out of the request, so a prompt is never copied.

use signalbox_api::v1;
use signalbox_decide::Query;
use signalbox_decide::policy::InlineRoute;
use signalbox_decide::query::{
    Attempt, AttemptOutcome, Caller, MessageFacts, Objective, Preferences, Requirements, Speaker, Weights,
};
use uuid::Uuid;

use crate::conversation::{Conversation, Message, Role};
use crate::engine::{Asked, CacheMode};
use crate::grpc::violations::Violations;

/// Most bytes of a name, a label or an id.
const MAX_NAME_BYTES: usize = 256;
/// Most messages of a conversation.
const MAX_MESSAGES: usize = 10_000;
/// Most attachments of a message.
const MAX_ATTACHMENTS: usize = 256;
/// Most entries of any other list.
const MAX_ENTRIES: usize = 64;

/// The routes that the request brings, as they came: only a policy can tell whether they hold.
pub(crate) fn inline_routes(request: &v1::RouteRequest) -> Vec<InlineRoute<'_>> {
    let routes = request.route_preferences.iter().map(|route| InlineRoute {
        name: &route.name,
        description: &route.description,
        model_ids: &route.model_ids,
    });
    routes.collect()
}

/// The request's id, generated when there is none, and the request in the engine's terms. `wrong` is what has been found
/// of its routes.
///
/// # Errors
/// Every field that is wrong.
pub(crate) fn asked(request: v1::RouteRequest, mut wrong: Violations) -> Result<(String, Asked), Violations> {
    wrong.text("request_id", &request.request_id, MAX_NAME_BYTES);
    let model = named("model", request.model, &mut wrong).filter(|model| model != "auto");
    let profile = named("profile", request.profile, &mut wrong);
    let conversation = conversation(request.messages, model.is_some() || profile.is_some(), &mut wrong);
    let request_id = match request.request_id {
        id if id.is_empty() => Uuid::now_v7().to_string(),
        id => id,
    };
    let mut query = Query {
        request_id: request_id.clone(),
        expected_output_tokens: request.expected_output_tokens.map(u64::from),
        modalities: modalities_of(&conversation),
        model,
        profile,
        requirements: requirements(request.requirements.unwrap_or_default(), &mut wrong),
        preferences: preferences(request.preferences.unwrap_or_default(), &mut wrong),
        caller: caller(request.caller.unwrap_or_default(), &mut wrong),
        attempts: attempts(request.attempts, &mut wrong),
        inline_routes: !request.route_preferences.is_empty(),
        ..Query::default()
    };
    let facts: Vec<_> = conversation.messages.iter().map(facts).collect();
    query.read_messages(request.input_tokens.map(u64::from), &facts);
    let cache = match v1::CacheMode::try_from(request.cache) {
        Ok(v1::CacheMode::Bypass) => CacheMode::Bypass,
        Ok(v1::CacheMode::Refresh) => CacheMode::Refresh,
        Ok(v1::CacheMode::Unspecified) | Err(_) => CacheMode::Use,
    };
    let policy_checksum = wrong.checksum("policy_checksum", request.policy_checksum);
    let min_policy_version = request.min_policy_version;
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok((
        request_id,
        Asked {
            deadline: None,
            call: None,
            query,
            conversation,
            cache,
            min_policy_version,
            policy_checksum,
        },
    ))
}

fn named(field: &str, name: String, wrong: &mut Violations) -> Option<String> {
    wrong.text(field, &name, MAX_NAME_BYTES);
    (!name.is_empty()).then_some(name)
}

/// The messages; one of them must say something unless `decided` by a name.
fn conversation(messages: Vec<v1::Message>, decided: bool, wrong: &mut Violations) -> Conversation {
    if !wrong.count("messages", messages.len(), MAX_MESSAGES) {
        return Conversation::default();
    }
    let empty = |message: &v1::Message| message.content.is_empty() && message.attachments.is_empty();
    if !decided && messages.iter().all(empty) {
        let advice = "give at least one message with text or an attachment, or name a `model` or a `profile`";
        wrong.add("messages", advice);
    }
    let messages = messages.into_iter().enumerate();
    Conversation {
        messages: messages
            .map(|(index, message)| one_message(index, message, wrong))
            .collect(),
    }
}

fn one_message(index: usize, message: v1::Message, wrong: &mut Violations) -> Message {
    let role = match v1::Role::try_from(message.role) {
        Ok(v1::Role::System) => Role::System,
        Ok(v1::Role::User) => Role::User,
        Ok(v1::Role::Assistant) => Role::Assistant,
        Ok(v1::Role::Tool) => Role::Tool,
        Ok(v1::Role::Unspecified) => {
            let advice = "is not set; give ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT or ROLE_TOOL";
            wrong.add(format_args!("messages[{index}].role"), advice);
            Role::User
        }
        Err(_) => {
            let advice = "; give ROLE_SYSTEM (1), ROLE_USER (2), ROLE_ASSISTANT (3) or ROLE_TOOL (4)";
            let description = format!("{} is no role{advice}", message.role);
            wrong.add(format_args!("messages[{index}].role"), description);
            Role::User
        }
    };
    let few = message.attachments.len() <= MAX_ATTACHMENTS;
    if !few {
        let field = format_args!("messages[{index}].attachments");
        wrong.count(field, message.attachments.len(), MAX_ATTACHMENTS);
    }
    let attachments = message
        .attachments
        .iter()
        .take(MAX_ATTACHMENTS)
        .map(|attachment| {
            let tokens = u64::from(attachment.tokens.unwrap_or(0));
            (
                modality(attachment.modality).unwrap_or_default().to_owned(),
                tokens,
            )
        });
    let attachments = attachments.collect();
    Message {
        role,
        content: message.content,
        has_tool_calls: message.has_tool_calls,
        attachments,
    }
}

/// Bytes of text and tokens of attachments.
fn facts(message: &Message) -> MessageFacts {
    let tokens = message
        .attachments
        .iter()
        .fold(0u64, |sum, (_, tokens)| sum.saturating_add(*tokens));
    MessageFacts {
        speaker: match message.role {
            Role::System => Speaker::System,
            Role::User => Speaker::User,
            Role::Assistant => Speaker::Assistant {
                calls_tools: message.has_tool_calls,
            },
            Role::Tool => Speaker::Tool,
        },
        bytes: message.content.len(),
        attached_tokens: tokens,
    }
}

/// The word a policy uses; `None` for what is not stated or newer than this server.
fn modality(number: i32) -> Option<&'static str> {
    match v1::Modality::try_from(number) {
        Ok(v1::Modality::Text) => Some("text"),
        Ok(v1::Modality::Image) => Some("image"),
        Ok(v1::Modality::Audio) => Some("audio"),
        Ok(v1::Modality::Video) => Some("video"),
        Ok(v1::Modality::Document) => Some("document"),
        Ok(v1::Modality::Unspecified) | Err(_) => None,
    }
}

/// Sorted, without repeats, without text.
fn modalities_of(conversation: &Conversation) -> Vec<String> {
    let attachments = conversation
        .messages
        .iter()
        .flat_map(|message| &message.attachments);
    let mut names: Vec<&str> = attachments.map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let demanding = names.into_iter().filter(|name| !matches!(*name, "" | "text"));
    demanding.map(str::to_owned).collect()
}

fn requirements(given: v1::Requirements, wrong: &mut Violations) -> Requirements {
    wrong.texts(
        "requirements.capabilities",
        &given.capabilities,
        MAX_ENTRIES,
        MAX_NAME_BYTES,
    );
    wrong.texts(
        "requirements.regions",
        &given.regions,
        MAX_ENTRIES,
        MAX_NAME_BYTES,
    );
    let mut modalities = Vec::new();
    if wrong.count("requirements.modalities", given.modalities.len(), MAX_ENTRIES) {
        for (index, number) in given.modalities.iter().enumerate() {
            match modality(*number) {
                Some(name) => modalities.push(name.to_owned()),
                // A demand must not be dropped in silence.
                None => wrong.add(
                    format_args!("requirements.modalities[{index}]"),
                    format!("{number} is no modality that this server knows; name a kind or leave it out"),
                ),
            }
        }
    }
    Requirements {
        min_context_tokens: given.min_context_tokens.map(u64::from),
        max_output_tokens: given.max_output_tokens.map(u64::from),
        capabilities: given.capabilities,
        modalities,
        max_cost_usd: wrong.amount("requirements.max_cost_usd", given.max_cost_usd),
        max_latency_ms: milliseconds(given.max_latency_duration, wrong),
        min_quality: wrong.fraction("requirements.min_quality", given.min_quality),
        regions: given.regions,
        regions_exclude: false,
    }
}

/// A well-formed duration above zero, in milliseconds.
fn milliseconds(given: Option<prost_types::Duration>, wrong: &mut Violations) -> Option<f64> {
    let field = "requirements.max_latency_duration";
    let given = given?;
    let formed = wrong.well_formed(field, &given);
    let prost_types::Duration { seconds, nanos } = given;
    if formed && (seconds < 0 || nanos < 0 || (seconds == 0 && nanos == 0)) {
        wrong.add(field, "is not above zero; give a longer duration or leave it out");
    }
    Some(seconds as f64 * 1e3 + f64::from(nanos) / 1e6)
}

fn preferences(given: v1::Preferences, wrong: &mut Violations) -> Preferences {
    wrong.texts(
        "preferences.families",
        &given.families,
        MAX_ENTRIES,
        MAX_NAME_BYTES,
    );
    let weights = given.weights.map(|given| {
        let mut weight = |field: &str, value: Option<f64>| wrong.amount(field, value).unwrap_or(0.0);
        let weights = Weights {
            latency: weight("preferences.weights.latency", given.latency),
            cost: weight("preferences.weights.cost", given.cost),
            quality: weight("preferences.weights.quality", given.quality),
        };
        if [weights.latency, weights.cost, weights.quality]
            .iter()
            .all(|weight| *weight == 0.0)
        {
            wrong.add(
                "preferences.weights",
                "are all 0; give at least one above 0, or leave them out",
            );
        }
        weights
    });
    let optimize_for = match v1::OptimizeFor::try_from(given.optimize_for) {
        Ok(v1::OptimizeFor::Latency) => Some(Objective::Fastest),
        Ok(v1::OptimizeFor::Cost) => Some(Objective::Cheapest),
        Ok(v1::OptimizeFor::Quality) => Some(Objective::Best),
        Ok(v1::OptimizeFor::Unspecified) | Err(_) => None,
    };
    Preferences {
        families: given.families,
        weights,
        optimize_for,
    }
}

fn caller(given: v1::Caller, wrong: &mut Violations) -> Caller {
    for (field, text) in [
        ("caller.tenant", &given.tenant),
        ("caller.tier", &given.tier),
        ("caller.session_id", &given.session_id),
    ] {
        wrong.text(field, text, MAX_NAME_BYTES);
    }
    if wrong.count("caller.labels", given.labels.len(), MAX_ENTRIES) {
        for (name, value) in &given.labels {
            // A name that is too long or not printable is no path to show.
            if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
                wrong.add(
                    "caller.labels",
                    format!("has a bad name; give 1 to {MAX_NAME_BYTES} printable bytes"),
                );
            } else {
                wrong.text(format_args!("caller.labels[\"{name}\"]"), value, MAX_NAME_BYTES);
            }
        }
    }
    Caller {
        tenant: given.tenant,
        tier: given.tier,
        session_id: given.session_id,
        labels: given.labels,
    }
}

fn attempts(given: Vec<v1::Attempt>, wrong: &mut Violations) -> Vec<Attempt> {
    if !wrong.count("attempts", given.len(), MAX_ENTRIES) {
        return Vec::new();
    }
    let mut attempts = Vec::with_capacity(given.len());
    for (
        index,
        v1::Attempt {
            model_id,
            outcome,
            confidence,
        },
    ) in given.into_iter().enumerate()
    {
        if model_id.is_empty() {
            wrong.add(
                format_args!("attempts[{index}].model_id"),
                "is empty; name the model that was tried",
            );
        }
        wrong.text(
            format_args!("attempts[{index}].model_id"),
            &model_id,
            MAX_NAME_BYTES,
        );
        wrong.fraction(format_args!("attempts[{index}].confidence"), confidence);
        let outcome = match v1::AttemptOutcome::try_from(outcome) {
            Ok(v1::AttemptOutcome::Error) => AttemptOutcome::Error,
            Ok(v1::AttemptOutcome::RateLimited) => AttemptOutcome::RateLimited,
            Ok(v1::AttemptOutcome::Timeout) => AttemptOutcome::Timeout,
            Ok(v1::AttemptOutcome::LowConfidence) => AttemptOutcome::LowConfidence,
            Ok(v1::AttemptOutcome::Refused) => AttemptOutcome::Refused,
            // A model that answered well is no reason to avoid it.
            Ok(v1::AttemptOutcome::Success) => continue,
            Ok(v1::AttemptOutcome::Unspecified) | Err(_) => AttemptOutcome::Unspecified,
        };
        attempts.push(Attempt {
            model_id,
            outcome,
            confidence,
        });
    }
    attempts
}

#[cfg(test)]
mod tests;
