//! The policy format as data: which keys there are, what they hold and what they mean. One description serves both
//! readers: [`check`](check::check) tells an author what is wrong, [`json_schema`] tells an editor what is right.
//! What needs two places at once (a name that must exist elsewhere) is not shape; `link` checks it.

mod canary;
pub(super) mod check;
mod difficulty;
mod foreign;
mod health;
mod llm;
mod models;
mod plan;
mod routing;
mod rules;
mod schema;
mod session;
mod shadow;
mod testing;

pub use schema::json_schema;

pub(super) use canary::CANARY;
pub(super) use difficulty::{DIFFICULTY, STRONG_WEAK};
pub(super) use foreign::{
    OLLM, OLLM_ROUTING, PLANO, PLANO_ALIAS, PLANO_PREFERENCE, PLANO_PROVIDER, PLANO_SELECTION,
};
pub(super) use health::{HEALTH, MODEL_HEALTH};
pub(super) use llm::LLM;
pub(super) use models::{CATALOGUE_FILE, LATENCY, MODEL, PRICE};
pub(super) use plan::{CASCADE, ENSEMBLE, PLAN, SPECULATIVE, TOOL_THEN_MODEL};
pub(super) use routing::{CACHE, DOMAIN, EVIDENCE, OTHER, POLICY, PROFILE, ROUTE, SEMANTIC, WEIGHTS};
pub(super) use rules::{RULE, SET, USE};
pub(super) use session::{HELD, SESSIONS};
pub(super) use shadow::SHADOW;
pub(super) use testing::{
    ATTEMPT, MESSAGE, PREFERENCES, REQUEST, REQUEST_LINE, REQUIREMENTS, SUITE, TEST, WANT,
};

/// What a value may be.
pub(super) enum Kind {
    Text(Text),
    /// A whole number, both ends included.
    Integer {
        min: u64,
        max: u64,
    },
    /// A finite number, both ends included; with `above` the lower end is not.
    Number {
        min: f64,
        max: f64,
        above: bool,
    },
    Bool,
    Null,
    /// One of some words.
    Words(&'static [Word]),
    /// A list with at least `min` items.
    List {
        of: &'static Kind,
        min: usize,
    },
    /// Names of the author's own choice, each with such a value.
    Map(&'static Kind),
    Object(&'static Object),
    /// The first that fits; for mappings the one that knows most of the keys.
    Either(&'static [Kind]),
}

/// What text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// Anything with at least one visible character.
    Filled,
    /// 1 to 64 characters, one of them visible, none a control character.
    Name,
    /// As a name, up to 256 characters: ids of models contain paths.
    Id,
    /// Anything at all, nothing included.
    Any,
}

impl Text {
    /// The most characters allowed.
    pub(super) fn most(self) -> Option<usize> {
        match self {
            Text::Name => Some(64),
            Text::Id => Some(256),
            Text::Filled | Text::Any => None,
        }
    }
}

/// One word of a closed list.
pub(super) struct Word {
    pub(super) word: &'static str,
    pub(super) doc: &'static str,
}

/// A mapping with known keys.
pub(super) struct Object {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) fields: &'static [Field],
    /// Exactly one of these keys must be there; empty means no such demand.
    pub(super) one_of: &'static [&'static str],
    /// Keys that are not listed are ignored with a remark: the file is another product's.
    pub(super) open: bool,
}

/// One key of an [`Object`].
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    /// As JSON, where leaving the key out means a certain value.
    pub(super) default: Option<&'static str>,
}

impl Object {
    /// The field with this name.
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

const fn object(name: &'static str, doc: &'static str, fields: &'static [Field]) -> Object {
    Object {
        name,
        doc,
        fields,
        one_of: &[],
        open: false,
    }
}

/// An object that needs exactly one of these keys.
const fn exactly_one(object: Object, one_of: &'static [&'static str]) -> Object {
    Object { one_of, ..object }
}

const fn optional(name: &'static str, doc: &'static str, kind: Kind) -> Field {
    Field {
        name,
        doc,
        kind,
        required: false,
        default: None,
    }
}

const fn required(name: &'static str, doc: &'static str, kind: Kind) -> Field {
    Field {
        name,
        doc,
        kind,
        required: true,
        default: None,
    }
}

const fn defaults(name: &'static str, doc: &'static str, kind: Kind, default: &'static str) -> Field {
    Field {
        name,
        doc,
        kind,
        required: false,
        default: Some(default),
    }
}

const fn word(word: &'static str, doc: &'static str) -> Word {
    Word { word, doc }
}

const fn list(of: &'static Kind) -> Kind {
    Kind::List { of, min: 0 }
}

const fn some(of: &'static Kind) -> Kind {
    Kind::List { of, min: 1 }
}

/// Token counts; past the largest context anybody serves, small enough that sums cannot overflow.
const TOKENS: Kind = Kind::Integer {
    min: 1,
    max: 1_000_000_000,
};
/// A probability or a quality.
const SHARE: Kind = Kind::Number {
    min: 0.0,
    max: 1.0,
    above: false,
};
const FILLED: Kind = Kind::Text(Text::Filled);
const NAME: Kind = Kind::Text(Text::Name);
const ID: Kind = Kind::Text(Text::Id);
const ID_OR_IDS: Kind = Kind::Either(&[ID, some(&ID)]);

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
