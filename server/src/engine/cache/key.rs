//! What makes two requests equal. Every struct is taken apart without `..`, so that a new field cannot be forgotten.

use signalbox_decide::Query;
use signalbox_decide::query::{Attempt, Caller, Objective, Preferences, Requirements, Weights};

use crate::conversation::{Conversation, Message};
use crate::engine::cache::Key;
use crate::store::Snapshot;

/// The key of a request: a keyed hash of all that the policy can read, the policy and the engine's identity.
pub(super) fn request_key(
    secret: &[u8; 32],
    query: &Query,
    conversation: &Conversation,
    snapshot: &Snapshot,
    llm: &str,
) -> Key {
    let mut hash = Canonical {
        hash: blake3::Hasher::new_keyed(secret),
        waiting: Vec::with_capacity(2 * LONG),
    };
    hash.text(&snapshot.policy.checksum);
    hash.bytes(&snapshot.evidence_fingerprint);
    if snapshot.policy.llm.asks() {
        hash.text(llm);
    }
    hash.query(query);
    // The session itself would keep equal questions apart. Of a canary only the side that it falls on reaches a decision.
    for inside in snapshot.policy.canaries_of(query) {
        hash.number(u64::from(inside));
    }
    // Rules may read all of it.
    if snapshot.policy.rules.read_session() {
        hash.text(&query.caller.session_id);
    }
    let Conversation { messages } = conversation;
    hash.count(messages.len());
    for message in messages {
        hash.message(message);
    }
    hash.flush();
    *hash.hash.finalize().as_bytes()
}

/// Feeds values with their lengths, so that no two different requests give the same bytes. Short ones are collected: the
/// hash takes one piece of a thousand bytes faster than a hundred of ten.
struct Canonical {
    hash: blake3::Hasher,
    waiting: Vec<u8>,
}

/// Bytes from which a value is hashed where it is.
const LONG: usize = 1024;

impl Canonical {
    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        if bytes.len() >= LONG {
            self.flush();
            self.hash.update(bytes);
            return;
        }
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= LONG {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.hash.update(&self.waiting);
        self.waiting.clear();
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    fn number(&mut self, number: u64) {
        self.waiting.extend_from_slice(&number.to_le_bytes());
    }

    fn option(&mut self, value: Option<u64>) {
        self.number(u64::from(value.is_some()));
        self.number(value.unwrap_or(0));
    }

    fn float(&mut self, value: Option<f64>) {
        self.option(value.map(f64::to_bits));
    }

    fn list(&mut self, list: &[String]) {
        self.count(list.len());
        list.iter().for_each(|text| self.text(text));
    }

    fn optional_text(&mut self, text: Option<&String>) {
        self.number(u64::from(text.is_some()));
        self.text(text.map_or("", String::as_str));
    }

    fn query(&mut self, query: &Query) {
        let Query {
            request_id: _, // only a canary reads it
            input_tokens,
            expected_output_tokens,
            turns,
            modalities,
            model,
            profile,
            requirements,
            preferences,
            caller,
            attempts,
            user_turn: _,      // read off the messages, which are in the key
            earlier_tokens: _, // the same, and `input_tokens`
            inline_routes,     // what they are is part of the evidence's fingerprint
            read_cache: _,     // how to use the cache, not what to decide
        } = query;
        self.number(*input_tokens);
        self.option(*expected_output_tokens);
        self.number(u64::from(*turns));
        self.list(modalities);
        self.optional_text(model.as_ref());
        self.optional_text(profile.as_ref());
        self.requirements(requirements);
        self.preferences(preferences);
        self.caller(caller);
        self.number(u64::from(*inline_routes));
        self.count(attempts.len());
        for Attempt {
            model_id,
            outcome,
            confidence,
        } in attempts
        {
            self.text(model_id);
            self.number(*outcome as u64);
            self.float(*confidence);
        }
    }

    fn requirements(&mut self, requirements: &Requirements) {
        let Requirements {
            min_context_tokens,
            max_output_tokens,
            capabilities,
            modalities,
            max_cost_usd,
            max_latency_ms,
            min_quality,
            regions,
            regions_exclude: _, // only rules set it, and they come after the key
        } = requirements;
        self.option(*min_context_tokens);
        self.option(*max_output_tokens);
        self.list(capabilities);
        self.list(modalities);
        self.float(*max_cost_usd);
        self.float(*max_latency_ms);
        self.float(*min_quality);
        self.list(regions);
    }

    fn preferences(&mut self, preferences: &Preferences) {
        let Preferences {
            families,
            weights,
            optimize_for,
        } = preferences;
        self.list(families);
        self.weights(*weights);
        let (kind, own) = match optimize_for {
            None => (0, None),
            Some(Objective::Order) => (1, None),
            Some(Objective::Cheapest) => (2, None),
            Some(Objective::Fastest) => (3, None),
            Some(Objective::Best) => (4, None),
            Some(Objective::Weights(weights)) => (5, Some(*weights)),
        };
        self.number(kind);
        self.weights(own);
    }

    fn weights(&mut self, weights: Option<Weights>) {
        let Weights {
            latency,
            cost,
            quality,
        } = weights.unwrap_or_default();
        self.number(u64::from(weights.is_some()));
        for weight in [latency, cost, quality] {
            self.float(Some(weight));
        }
    }

    fn caller(&mut self, caller: &Caller) {
        let Caller {
            tenant,
            tier,
            session_id: _, // see `request_key`
            labels,
        } = caller;
        self.text(tenant);
        self.text(tier);
        self.count(labels.len());
        for (name, value) in labels {
            self.text(name);
            self.text(value);
        }
    }

    fn message(&mut self, message: &Message) {
        let Message {
            role,
            content,
            has_tool_calls,
            attachments,
        } = message;
        self.number(*role as u64);
        self.text(content);
        self.number(u64::from(*has_tool_calls));
        self.count(attachments.len());
        for (modality, tokens) in attachments {
            self.text(modality);
            self.number(*tokens);
        }
    }
}
