//! What scores are learned with and from: the static table, the sentence encoder, and the classifiers of policies. Loaded and
//! learned once, and shared by policies with equal routes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use signalbox_decide::{Diagnostic, Policy, Severity};
use signalbox_evidence::{Classifier, Encoder, EncoderError, RouteText, TrainingSet, Transformer};

use super::remark;

/// Texts that a sentence encoder is taught at most; it takes about 10 s of one core for them.
const MOST_TEXTS: usize = 4000;

/// A classifier, trained by whoever needs it first.
pub(super) type Trained = Arc<OnceLock<Classifier>>;

/// What a policy's texts are read with.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    pub(crate) table: Arc<Encoder>,
    /// Where the policy wants one.
    encoder: Option<Arc<Transformer>>,
}

impl Models {
    /// Learns a policy's routes.
    pub(super) fn learn(&self, set: &TrainingSet) -> Classifier {
        let classifier = Classifier::compile(self.table.clone(), set);
        match &self.encoder {
            Some(encoder) if set.texts() <= MOST_TEXTS => classifier.with_encoder(encoder.clone(), set),
            _ => classifier,
        }
    }

    /// A warning where the policy is too large for its encoder.
    pub(super) fn too_large(&self, set: &TrainingSet) -> Option<Diagnostic> {
        let texts = set.texts();
        let idle = self.encoder.is_some() && texts > MOST_TEXTS;
        let message = format!("{texts} texts are too many for the encoder, which takes {MOST_TEXTS}");
        idle.then(|| Diagnostic {
            hint: "the embedding decides alone; give fewer examples, or set it `off`".into(),
            ..remark("encoder-idle", "evidence.encoder", message)
        })
    }

    /// A hash of everything that the classifier is trained on.
    pub(super) fn fingerprint(&self, set: &TrainingSet) -> [u8; 32] {
        let mut hash = blake3::Hasher::new();
        let mut text = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        text(self.table.digest());
        if let Some(encoder) = &self.encoder {
            text(encoder.digest());
        }
        for route in &set.routes {
            text(&route.name);
            text(&route.description);
            text(&route.examples.len().to_string());
            route.examples.iter().for_each(|example| text(example));
        }
        text("other");
        set.other_examples.iter().for_each(|example| text(example));
        *hash.finalize().as_bytes()
    }
}

#[derive(Debug)]
pub(super) struct Classifiers {
    builtin: Arc<Encoder>,
    /// Tables loaded from directories, by path.
    tables: Mutex<BTreeMap<PathBuf, Arc<Encoder>>>,
    /// Sentence encoders, by path; the built-in one by none.
    encoders: Mutex<BTreeMap<Option<PathBuf>, Arc<Transformer>>>,
    /// Classifiers in use, by the fingerprint of what they learned from.
    trained: Mutex<BTreeMap<[u8; 32], Weak<OnceLock<Classifier>>>>,
}

impl Classifiers {
    pub(super) fn new() -> Result<Self, EncoderError> {
        Ok(Self {
            builtin: Encoder::builtin()?,
            tables: Mutex::default(),
            encoders: Mutex::default(),
            trained: Mutex::default(),
        })
    }

    /// What the policy names; relative directories are taken from the policy file's own.
    pub(super) fn models(&self, policy: &Policy, source: &str) -> Result<Models, Diagnostic> {
        let beside = |named: &String| Path::new(source).parent().unwrap_or(Path::new("")).join(named);
        let table = match &policy.evidence.embedding {
            None => self.builtin.clone(),
            Some(named) => self.table(beside(named))?,
        };
        let encoder = match &policy.evidence.encoder {
            None => None,
            Some(settings) => Some(self.encoder(settings.directory.as_ref().map(beside))?),
        };
        Ok(Models { table, encoder })
    }

    fn table(&self, directory: PathBuf) -> Result<Arc<Encoder>, Diagnostic> {
        once(&self.tables, directory, |directory| {
            Encoder::from_dir(directory).map_err(|error| Diagnostic {
                severity: Severity::Error,
                hint: "give `builtin`, or the directory of a Model2Vec model".into(),
                ..remark("embedding", "evidence.embedding", error.to_string())
            })
        })
    }

    fn encoder(&self, directory: Option<PathBuf>) -> Result<Arc<Transformer>, Diagnostic> {
        once(&self.encoders, directory, |directory| {
            let loaded = match directory {
                None => Transformer::builtin(),
                Some(directory) => Transformer::from_dir(directory),
            };
            loaded.map_err(|error| Diagnostic {
                severity: Severity::Error,
                hint: "give `builtin`, `off`, or the directory of a BERT sentence encoder".into(),
                ..remark("encoder", "evidence.encoder", error.to_string())
            })
        })
    }

    /// The classifier that learned from `set`, trained by the first who asks while the others wait for it.
    pub(super) fn learned(&self, fingerprint: [u8; 32], models: &Models, set: &TrainingSet) -> Trained {
        let trained = {
            let mut all = self.trained.lock().unwrap_or_else(PoisonError::into_inner);
            match all.get(&fingerprint).and_then(Weak::upgrade) {
                Some(trained) => trained,
                None => {
                    all.retain(|_, trained| trained.strong_count() > 0);
                    let trained = Trained::default();
                    all.insert(fingerprint, Arc::downgrade(&trained));
                    trained
                }
            }
        };
        trained.get_or_init(|| models.learn(set));
        trained
    }

    /// Classifiers that are shared, or could be.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.trained.lock().unwrap().len()
    }
}

/// Loads what is not loaded yet; nobody else loads meanwhile.
fn once<K: Ord + Clone, T: Clone, E>(
    loaded: &Mutex<BTreeMap<K, T>>,
    key: K,
    load: impl FnOnce(&K) -> Result<T, E>,
) -> Result<T, E> {
    let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = loaded.get(&key) {
        return Ok(found.clone());
    }
    let new = load(&key)?;
    loaded.insert(key, new.clone());
    Ok(new)
}

/// What a classifier of the policy learns from.
pub(super) fn training_set(policy: &Policy) -> TrainingSet {
    let routes = policy.scored().iter().map(|route| RouteText {
        name: route.name.clone(),
        description: route.description.clone(),
        examples: route.examples.clone(),
    });
    TrainingSet {
        routes: routes.collect(),
        other_examples: policy.other_examples.clone(),
    }
}
