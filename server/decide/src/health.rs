//! What reported outcomes say of models at one moment: who is left alone, and how fast those called really were. Answered
//! by the server for [`Probe::Health`](crate::Probe::Health), recorded with the decision, and read by the ranking.
//!
//! Models are named by their ids, not by indexes, so that the record still means something under another policy. A model
//! that is not named is as the policy says it is: where nothing is named, health changes no decision.

use std::collections::BTreeMap;
use std::fmt;

use crate::policy::Model;

/// What a policy lets reported outcomes change.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthSettings {
    /// Whether they change decisions.
    pub enabled: bool,
    /// Seconds after which an outcome counts half, above 0.
    pub half_life_s: u64,
    /// Seconds for which a rate-limited model is left alone where the provider named no time.
    pub cooldown_s: u64,
    /// Share of failed calls from which a model is left alone, above 0 and at most 1.
    pub failure_share: f64,
    /// Calls, old ones counting less, before which neither failures nor times say anything.
    pub min_calls: u64,
    /// Seconds for which a model that failed too often is left alone; then one decision in as many seconds may try it.
    pub open_s: u64,
    /// Whether observed times take the place of stated ones.
    pub latency: bool,
}

impl Default for HealthSettings {
    fn default() -> Self {
        HealthSettings {
            enabled: false,
            half_life_s: 300,
            cooldown_s: 30,
            failure_share: 0.5,
            min_calls: 5,
            open_s: 30,
            latency: false,
        }
    }
}

/// Everything that outcomes say now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// By model id; only models of which there is something to say.
    pub models: BTreeMap<String, ModelHealth>,
}

/// What outcomes say of one model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ModelHealth {
    /// Seconds for which it is still left alone because it was rate limited; above 0.
    pub cooling_s: Option<f64>,
    /// It failed too often.
    pub circuit: Option<Circuit>,
    /// How fast it was, where the policy wants that to count.
    pub latency: Option<Observed>,
}

/// An open circuit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circuit {
    /// Share of the calls that failed, 0..=1.
    pub failure_share: f64,
    /// Calls behind it; old ones count less, so this is no whole number.
    pub calls: f64,
    /// Whether this decision may try the model all the same.
    pub trial: bool,
}

/// Observed times to the complete answer: means in which old calls count less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// Milliseconds.
    pub latency_ms: f64,
    /// Tokens of the answers that took them.
    pub output_tokens: f64,
    /// Calls behind it.
    pub calls: f64,
}

impl Health {
    /// Whether it changes no decision.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

impl Observed {
    /// Milliseconds to expect for an answer of `output_tokens`: the observed mean, stretched as the model's stated speed
    /// says the time grows with the tokens; in proportion to the tokens where it states none.
    pub fn expect_ms(&self, model: &Model, output_tokens: u64) -> f64 {
        let tokens = output_tokens as f64;
        let (here, then) = match model.latency {
            Some(stated) => (stated.answer_ms(tokens), stated.answer_ms(self.output_tokens)),
            None => (tokens, self.output_tokens),
        };
        // Nothing to stretch by: a model that states no time at all, or answers without tokens.
        if then > 0.0 {
            self.latency_ms * here / then
        } else {
            self.latency_ms
        }
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Observed {
            latency_ms,
            output_tokens,
            calls,
        } = self;
        write!(
            f,
            "{latency_ms:.0} ms for {output_tokens:.0} tokens in {calls:.1} calls"
        )
    }
}

impl fmt::Display for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Circuit {
            failure_share, calls, ..
        } = self;
        write!(f, "{:.0} % of {calls:.1} calls failed", failure_share * 100.0)
    }
}

impl fmt::Display for ModelHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = Vec::new();
        if let Some(seconds) = self.cooling_s {
            said.push(format!("cooling down for {seconds:.1} s"));
        }
        if let Some(circuit) = self.circuit {
            let trial = if circuit.trial { ", to be tried" } else { "" };
            said.push(format!("circuit open{trial} ({circuit})"));
        }
        if let Some(latency) = self.latency {
            said.push(format!("observed {latency}"));
        }
        f.write_str(&said.join(", "))
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing that changes a decision");
        }
        for (place, (id, model)) in self.models.iter().enumerate() {
            let before = if place > 0 { "; " } else { "" };
            write!(f, "{before}`{id}` {model}")?;
        }
        Ok(())
    }
}
