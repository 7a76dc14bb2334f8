//! From the tree of our own format to a [`Draft`]: one walk, after `check` has reported what is not as described.
//! Problems that only meaning shows (weights that are all zero, a band that holds no size) are reported here.

mod health;
mod llm;
mod models;
mod plan;
mod rules;
mod session;
mod testing;

use super::catalogue;
use super::draft::{Draft, DraftCanary, DraftDomain, DraftPair, DraftProfile, DraftRoute};
use super::fields::{Fields, number};
use super::place::Report;
use super::shape::check::check;
use super::shape::{self, Kind};
use super::tree::Node;
use super::{CacheSettings, EncoderSettings, EvidenceSettings, PreferSize, Profile, SemanticSettings};
use crate::canary::CanaryKey;
use crate::query::{Objective, Weights};
use crate::shadow::Shadow;

pub(super) use models::model;
pub(super) use testing::{asked, test};

/// Reads a policy in our own format.
pub(super) fn lower(root: &Node, report: &mut Report) -> Draft {
    check(root, &Kind::Object(&shape::POLICY), "", report);
    let file = Fields::new(root, &shape::POLICY, "");
    // The only schema there is; `check` has refused any other.
    file.integer("schema");
    let mut draft = Draft {
        version: file.integer("version").unwrap_or(0),
        models: file.objects("models", &shape::MODEL).iter().map(model).collect(),
        aliases: models::aliases(&file),
        default: file.spanned_list("default"),
        profile: file.spanned("profile"),
        domains: file
            .objects("domains", &shape::DOMAIN)
            .iter()
            .map(domain)
            .collect(),
        weights: file
            .object("weights", &shape::WEIGHTS)
            .and_then(|fields| weights(&fields, report)),
        expected_output_tokens: file.integer("expected_output_tokens"),
        prefer_families: file.texts("prefer_families"),
        ..Draft::default()
    };
    if file.get("models").is_none() && !file.is_empty() {
        draft.models = catalogue::models();
        let message = format!(
            "no `models`: the built-in catalogue of {} is used",
            draft.models.len()
        );
        report.info("catalogue", &root.place(""), message);
    }
    for fields in file.objects("profiles", &shape::PROFILE) {
        draft.profiles.extend(profile(&fields, report));
    }
    for fields in file.objects("routes", &shape::ROUTE) {
        draft.routes.push(route(&fields, report));
    }
    if let Some(other) = file.object("other", &shape::OTHER) {
        draft.other_examples = other.spanned_list("examples");
    }
    draft.rules = rules::rules(&file, report);
    if let Some(fields) = file.object("evidence", &shape::EVIDENCE) {
        draft.evidence = evidence(&fields);
    }
    if let Some(fields) = file.object("llm", &shape::LLM) {
        draft.llm = llm::settings(&fields);
    }
    draft.difficulty = file
        .object("difficulty", &shape::DIFFICULTY)
        .and_then(|fields| fields.text("outcomes"));
    if let Some(fields) = file.object("cache", &shape::CACHE) {
        draft.cache = cache(&fields, draft.llm.asks(), report);
    }
    if let Some(fields) = file.object("sessions", &shape::SESSIONS) {
        draft.sessions = session::settings(&fields);
    }
    if let Some(fields) = file.object("health", &shape::HEALTH) {
        draft.health = health::settings(&fields);
    }
    for fields in file.objects("canary", &shape::CANARY) {
        draft.canaries.extend(canary(&fields, report));
    }
    draft.shadow = file
        .object("shadow", &shape::SHADOW)
        .and_then(|fields| shadow(&fields));
    for fields in file.objects("tests", &shape::TEST) {
        draft.tests.push(testing::test(&fields, report));
    }
    draft
}

fn route(fields: &Fields<'_>, report: &mut Report) -> DraftRoute {
    DraftRoute {
        name: fields.spanned("name").unwrap_or_default(),
        domain: fields.spanned("domain"),
        description: fields.spanned("description"),
        examples: fields.spanned_list("examples"),
        models: fields.spanned_list("models"),
        select: objective(fields, "select", report),
        expected_output_tokens: fields.integer("expected_output_tokens"),
        plan: plan::plan(fields, "plan", report),
        strong_weak: strong_weak(fields),
    }
}

/// `select: {strong, weak, threshold}`.
fn strong_weak(fields: &Fields<'_>) -> Option<DraftPair> {
    let pair = fields.object("select", &shape::STRONG_WEAK)?;
    let (strong, weak) = (pair.spanned("strong"), pair.spanned("weak"));
    Some(DraftPair {
        threshold: pair.number("threshold")?,
        strong: strong?,
        weak: weak?,
    })
}

fn domain(fields: &Fields<'_>) -> DraftDomain {
    DraftDomain {
        name: fields.spanned("name").unwrap_or_default(),
        description: fields.spanned("description"),
        models: fields.spanned_list("models"),
    }
}

fn profile(fields: &Fields<'_>, report: &mut Report) -> Option<DraftProfile> {
    let name = fields.spanned("name")?;
    let profile = Profile {
        name: name.value.clone(),
        min_parameters_b: fields.number("min_parameters_b"),
        max_parameters_b: fields.number("max_parameters_b"),
        max_inclusive: fields.bool("max_inclusive").unwrap_or(false),
        capabilities: fields.texts("capabilities"),
        prefer_families: fields.texts("prefer_families"),
        select: objective(fields, "select", report),
        prefer_size: fields.text("prefer_size").and_then(|word| match word.as_str() {
            "smallest" => Some(PreferSize::Smallest),
            "largest" => Some(PreferSize::Largest),
            _ => None,
        }),
        models: Vec::new(),
    };
    if let (Some(min), Some(max)) = (profile.min_parameters_b, profile.max_parameters_b)
        && (min > max || (min == max && !profile.max_inclusive))
    {
        let message = format!("no size is between {min} and {max}");
        let hint = "`min_parameters_b` is inclusive, `max_parameters_b` is not unless `max_inclusive: true`";
        report.error("out-of-range", &fields.place("max_parameters_b"), message, hint);
    }
    Some(DraftProfile {
        name,
        profile,
        models: fields.spanned_list("models"),
    })
}

fn canary(fields: &Fields<'_>, report: &mut Report) -> Option<DraftCanary> {
    let (name, model, route) = (
        fields.spanned("name"),
        fields.spanned("model"),
        fields.spanned("route"),
    );
    let share = fields.number("share");
    let key = match fields.spanned("key") {
        None => CanaryKey::default(),
        Some(key) => CanaryKey::parse(&key.value).unwrap_or_else(|| {
            let message = format!("`{}` is nothing that keeps requests together", key.value);
            let hint = "write `request_id`, `caller.session_id`, `caller.tenant` or `caller.labels.NAME`";
            report.error("bad-key", &key.at, message, hint);
            CanaryKey::default()
        }),
    };
    Some(DraftCanary {
        name: name?,
        model: model?,
        share: share?,
        route,
        key,
    })
}

fn shadow(fields: &Fields<'_>) -> Option<Shadow> {
    let (policy, share) = (fields.spanned("policy"), fields.number("share"));
    let policy = policy?;
    Some(Shadow {
        policy: policy.value,
        share: share.unwrap_or(1.0),
        at: (policy.at.line, policy.at.column),
    })
}

fn evidence(fields: &Fields<'_>) -> EvidenceSettings {
    EvidenceSettings {
        threshold: fields.number("threshold"),
        embedding: fields
            .text("embedding")
            .filter(|embedding| embedding != "builtin"),
        encoder: encoder(fields),
    }
}

fn encoder(fields: &Fields<'_>) -> Option<EncoderSettings> {
    let ask_below = fields.number("encoder_below");
    let word = fields.text("encoder").filter(|word| word != "off")?;
    Some(EncoderSettings {
        directory: (word != "builtin").then_some(word),
        ask_below: ask_below.unwrap_or(EncoderSettings::ASK_BELOW),
    })
}

fn cache(fields: &Fields<'_>, asks: bool, report: &mut Report) -> CacheSettings {
    let usual = CacheSettings::default();
    let enabled = fields.bool("enabled").unwrap_or(usual.enabled);
    let semantic = fields.object("semantic", &shape::SEMANTIC).and_then(|fields| {
        let on = fields.bool("enabled").unwrap_or(false);
        let settings = SemanticSettings {
            margin: fields.number("margin").unwrap_or(0.3),
            audit: fields.number("audit").unwrap_or(0.05),
            budget: fields.number("budget").unwrap_or(0.01),
        };
        if on && !(enabled && asks) {
            let message =
                "it keeps what a language model says, and none is asked, or the cache is off".to_owned();
            report.warning(
                "idle-semantic-cache",
                &fields.place("enabled"),
                message,
                "set `llm.mode`, or leave it out",
            );
        }
        (on && enabled).then_some(settings)
    });
    CacheSettings {
        enabled,
        ttl_s: fields.integer("ttl_s").unwrap_or(usual.ttl_s),
        semantic,
    }
}

/// One of the words, or weights.
fn objective(fields: &Fields<'_>, name: &'static str, report: &mut Report) -> Option<Objective> {
    match fields.text(name) {
        Some(word) => objective_word(&word),
        None => weights(&fields.object(name, &shape::WEIGHTS)?, report).map(Objective::Weights),
    }
}

/// The objective that a word stands for.
pub(super) fn objective_word(word: &str) -> Option<Objective> {
    match word {
        "order" => Some(Objective::Order),
        "cheapest" => Some(Objective::Cheapest),
        "fastest" => Some(Objective::Fastest),
        "best" => Some(Objective::Best),
        _ => None,
    }
}

fn weights(fields: &Fields<'_>, report: &mut Report) -> Option<Weights> {
    let keys = ["latency", "cost", "quality"];
    let written = keys.map(|key| fields.get(key));
    if !fields.is_empty() && written.iter().all(Option::is_none) {
        // Another kind of mapping, or only misspelt keys: `check` has said so.
        return None;
    }
    let [latency, cost, quality] = written.map(|node| node.and_then(number).unwrap_or(0.0));
    if latency == 0.0 && cost == 0.0 && quality == 0.0 {
        let message = "the weights are all zero, so nothing would decide".into();
        let hint = "give `latency`, `cost` or `quality` a weight above 0";
        report.error("zero-weights", &fields.at(), message, hint);
    }
    Some(Weights {
        latency,
        cost,
        quality,
    })
}
