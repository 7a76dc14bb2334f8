//! Experimental.
mod act;
mod background;
mod classifier;
mod descriptions;
mod encoder;
mod grams;
mod lexicon;
mod linear;
mod regression;
mod table;
mod text;
mod training;
mod vocabulary;
pub use classifier::*;
pub use encoder::{Encoder, EncoderError};
pub use training::{RouteText, TrainingSet};
#[doc(hidden)]
pub fn knob(name: &str, default: f32) -> f32 {
    use std::collections::HashMap;
    use std::sync::OnceLock;
    static K: OnceLock<HashMap<String, f32>> = OnceLock::new();
    let m = K.get_or_init(|| {
        std::env::vars().filter_map(|(k, v)| Some((k.strip_prefix("K_")?.to_lowercase(), v.parse().ok()?))).collect()
    });
    m.get(name).copied().unwrap_or(default)
}
