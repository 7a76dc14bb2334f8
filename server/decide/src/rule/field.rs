//! What a condition may read: a closed list of fields with their types, and the values that one request has for them.

use std::fmt;

use crate::candidates::output_tokens;
use crate::evidence::{Answer, Evidence, Signals};
use crate::policy::Policy;
use crate::query::Query;

/// Characters of a value that an explanation shows.
const SHOWN: usize = 60;

/// Something that a condition may read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Prompt tokens.
    Tokens,
    /// Answer tokens expected: the request's figure, else the policy's, else 512.
    OutputTokens,
    /// Messages.
    Turns,
    /// Modalities of the attachments.
    Modalities,
    /// Capabilities required by the request.
    Capabilities,
    /// Regions required by the request.
    Regions,
    /// The model asked for; empty for none.
    Model,
    /// The profile asked for; empty for none.
    Profile,
    /// The caller's tenant; empty for none.
    Tenant,
    /// The caller's tier; empty for none.
    Tier,
    /// The conversation; empty for none.
    SessionId,
    /// One of the caller's labels, by name. The only field that a request may lack.
    Label(String),
    /// See [`Signals::has_code`].
    HasCode,
    /// See [`Signals::has_math`].
    HasMath,
    /// See [`Signals::is_question`].
    IsQuestion,
    /// See [`Signals::language`].
    Language,
    /// See [`Signals::complexity`].
    Complexity,
    /// See [`Signals::sentiment`].
    Sentiment,
}

/// The type of a field or a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// Any number: whole and fractional ones compare by value.
    Number,
    /// Text.
    Text,
    /// A list of text.
    List,
}

impl Type {
    /// The type in a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            Type::Bool => "a truth value",
            Type::Number => "a number",
            Type::Text => "text",
            Type::List => "a list of text",
        }
    }
}

/// Every field but the labels, by the name that conditions use.
pub const FIELDS: [(&str, Field, Type); 17] = [
    ("request.tokens", Field::Tokens, Type::Number),
    ("request.output_tokens", Field::OutputTokens, Type::Number),
    ("request.turns", Field::Turns, Type::Number),
    ("request.modalities", Field::Modalities, Type::List),
    ("request.capabilities", Field::Capabilities, Type::List),
    ("request.regions", Field::Regions, Type::List),
    ("request.model", Field::Model, Type::Text),
    ("request.profile", Field::Profile, Type::Text),
    ("caller.tenant", Field::Tenant, Type::Text),
    ("caller.tier", Field::Tier, Type::Text),
    ("caller.session_id", Field::SessionId, Type::Text),
    ("signals.has_code", Field::HasCode, Type::Bool),
    ("signals.has_math", Field::HasMath, Type::Bool),
    ("signals.is_question", Field::IsQuestion, Type::Bool),
    ("signals.language", Field::Language, Type::Text),
    ("signals.complexity", Field::Complexity, Type::Number),
    ("signals.sentiment", Field::Sentiment, Type::Number),
];

impl Field {
    /// What it holds.
    pub fn kind(&self) -> Type {
        FIELDS
            .iter()
            .find(|(_, field, _)| field == self)
            .map_or(Type::Text, |(.., kind)| *kind)
    }

    /// Whether its value comes from the prompt and must be asked for.
    pub fn is_signal(&self) -> bool {
        use Field::{Complexity, HasCode, HasMath, IsQuestion, Language, Sentiment};
        matches!(
            self,
            HasCode | HasMath | IsQuestion | Language | Complexity | Sentiment
        )
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Label(name) => write!(f, "caller.labels[{name:?}]"),
            field => {
                let known = FIELDS.iter().find(|(_, known, _)| known == field);
                f.write_str(known.map_or("", |(name, ..)| name))
            }
        }
    }
}

/// A value of a field or a literal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// True or false.
    Bool(bool),
    /// A number.
    Number(f64),
    /// Text.
    Text(&'a str),
    /// A list of text.
    List(&'a [String]),
}

impl fmt::Display for Value<'_> {
    /// As a condition would write it, cut after 60 characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Value::Bool(value) => value.to_string(),
            Value::Number(value) => value.to_string(),
            Value::Text(value) => format!("{value:?}"),
            Value::List(values) => format!("{values:?}"),
        };
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{}…", &text[..end]),
            None => f.write_str(&text),
        }
    }
}

/// What reading a field gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Read<'a> {
    /// Its value.
    Is(Value<'a>),
    /// The request has no such label.
    Missing,
    /// The signals could not be had.
    Failed,
    /// The signals were not asked for yet.
    Unasked,
}

/// All that conditions read of one request.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    query: &'a Query,
    signals: &'a Answer<Signals>,
    output_tokens: u64,
}

impl<'a> Facts<'a> {
    /// The facts of a request under a policy.
    pub fn new(policy: &Policy, query: &'a Query, evidence: &'a Evidence) -> Self {
        Facts {
            query,
            signals: &evidence.signals,
            output_tokens: output_tokens(policy, query, None),
        }
    }

    /// The value of a field.
    pub fn read(&self, field: &Field) -> Read<'a> {
        let Query {
            requirements, caller, ..
        } = self.query;
        let optional = |text: &'a Option<String>| Value::Text(text.as_deref().unwrap_or(""));
        Read::Is(match field {
            Field::Tokens => number(self.query.input_tokens),
            Field::OutputTokens => number(self.output_tokens),
            Field::Turns => number(u64::from(self.query.turns)),
            Field::Modalities => Value::List(&self.query.modalities),
            Field::Capabilities => Value::List(&requirements.capabilities),
            Field::Regions => Value::List(&requirements.regions),
            Field::Model => optional(&self.query.model),
            Field::Profile => optional(&self.query.profile),
            Field::Tenant => Value::Text(&caller.tenant),
            Field::Tier => Value::Text(&caller.tier),
            Field::SessionId => Value::Text(&caller.session_id),
            Field::Label(name) => match caller.labels.get(name) {
                Some(value) => Value::Text(value),
                None => return Read::Missing,
            },
            signal => return self.signal(signal),
        })
    }

    fn signal(&self, field: &Field) -> Read<'a> {
        let signals = match self.signals {
            Answer::Got(signals) => signals,
            Answer::NotAsked => return Read::Unasked,
            Answer::Failed { .. } => return Read::Failed,
        };
        Read::Is(match field {
            Field::HasCode => Value::Bool(signals.has_code),
            Field::HasMath => Value::Bool(signals.has_math),
            Field::IsQuestion => Value::Bool(signals.is_question),
            Field::Complexity => Value::Number(signals.complexity),
            Field::Sentiment => Value::Number(signals.sentiment),
            _ => Value::Text(signals.language),
        })
    }

    /// The caller's labels.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.query
            .caller
            .labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Token counts stay far below 2^53, where a float still holds every whole number.
fn number(value: u64) -> Value<'static> {
    Value::Number(value as f64)
}
