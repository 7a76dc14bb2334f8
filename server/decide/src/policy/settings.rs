//! What a policy says of the evidence and of the cache.

/// How sure evidence must be, and where the embedding comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvidenceSettings {
    /// Least probability of a route that decides, 0..=1; `None` takes the classifier's own.
    pub threshold: Option<f64>,
    /// Directory of a Model2Vec model; `None` is the built-in table.
    pub embedding: Option<String>,
    /// When a sentence encoder looks again; `None`: never.
    pub encoder: Option<EncoderSettings>,
}

/// A sentence encoder, and when it is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderSettings {
    /// Its directory; `None` is the built-in one.
    pub directory: Option<String>,
    /// Distance of the best route to the next, `other` counted among them, below which it is asked, 0..=1.
    pub ask_below: f64,
}

impl EncoderSettings {
    /// That distance where the policy does not say.
    pub const ASK_BELOW: f64 = 0.5;
}

/// What is kept for the next request.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheSettings {
    /// Whether decisions of this policy are cached.
    pub enabled: bool,
    /// Seconds that a decision stays.
    pub ttl_s: u64,
    /// How what a language model said is kept for requests that ask for the same in other words; `None` keeps nothing.
    pub semantic: Option<SemanticSettings>,
}

/// The semantic tier of the cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SemanticSettings {
    /// Least distance between the two most probable routes of an answer that is kept, 0..=1.
    pub margin: f64,
    /// Share of the reused answers after which the model is asked all the same, 0..=1.
    pub audit: f64,
    /// Share of wrong ones among the audited past which none is reused any more, 0..=1.
    pub budget: f64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        CacheSettings {
            enabled: true,
            ttl_s: 3600,
            semantic: None,
        }
    }
}
