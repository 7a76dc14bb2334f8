//! A repository of the Hugging Face hub, brought to this machine. Only a setting `hf:...` leads here.
//!
//! The list of files is that of the wanted revision and all of them are of one commit; mistral.rs's own download goes by a
//! list it keeps for ever, whatever the revision.

use std::path::PathBuf;

use hf_hub::api::Progress;
use hf_hub::api::sync::ApiBuilder;
use hf_hub::{Cache, Repo, RepoType};

use super::source::is_of_model;
use super::{LoadError, Source};

/// The branch where none is named.
const BRANCH: &str = "main";

/// Where repositories come from, and where they are kept.
pub(super) struct Hub {
    /// `HF_ENDPOINT`, or huggingface.co.
    api: ApiBuilder,
    /// `HF_HOME`, or `~/.cache/huggingface`.
    cache: Cache,
}

impl Hub {
    pub(super) fn from_env() -> Self {
        Self {
            api: ApiBuilder::from_env().with_progress(false),
            cache: Cache::from_env(),
        }
    }

    #[cfg(test)]
    pub(super) fn at(endpoint: String, cache: PathBuf) -> Self {
        let cache = Cache::new(cache);
        Self {
            api: ApiBuilder::from_cache(cache.clone())
                .with_progress(false)
                .with_endpoint(endpoint),
            cache,
        }
    }

    /// The directory of a repository's files. What is here already is not fetched again; a commit that is here needs no
    /// network, and of a branch the last known commit is taken where there is none.
    pub(super) fn fetch(self, name: &str, revision: Option<&str>) -> Result<Source, LoadError> {
        let revision = revision.unwrap_or(BRANCH);
        let at = |revision: &str| Repo::with_revision(name.to_owned(), RepoType::Model, revision.to_owned());
        let known = self.known(at(revision));
        let is_commit = revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let (true, Some(known)) = (is_commit, &known) {
            return Ok(known.clone());
        }
        let failed = |error| LoadError::Hub(format!("{name}@{revision}: {error}"));
        let api = self.api.build().map_err(|error| failed(error.to_string()))?;
        let info = match (api.repo(at(revision)).info(), known) {
            (Ok(info), _) => info,
            (Err(error), Some(known)) => {
                tracing::warn!(%name, %revision, %error, "the hub does not answer: what is known of it is taken");
                return Ok(known);
            }
            (Err(error), None) => return Err(failed(error.to_string())),
        };
        let commit = at(&info.sha);
        let mut directory = None;
        for file in info.siblings.iter().map(|file| file.rfilename.as_str()) {
            if file.contains(['/', '\\']) || !is_of_model(file) {
                continue;
            }
            let path = match self.cache.repo(commit.clone()).get(file) {
                Some(path) => path,
                None => api
                    .repo(commit.clone())
                    .download_with_progress(file, Shown::default())
                    .map_err(|error| failed(format!("{file}: {error}")))?,
            };
            directory = path.parent().map(PathBuf::from);
        }
        let directory = directory.ok_or_else(|| failed("it has no files of a model".to_owned()))?;
        // So that the branch is known when the hub is not there.
        if let Err(error) = self.cache.repo(at(revision)).create_ref(&info.sha) {
            tracing::warn!(%name, %revision, %error, "the commit cannot be noted");
        }
        Ok(Source::Directory(directory))
    }

    /// What is here of a repository, if it is all.
    fn known(&self, repo: Repo) -> Option<Source> {
        let config = self.cache.repo(repo).get("config.json")?;
        let source = Source::Directory(config.parent()?.to_owned());
        source.check().is_ok().then_some(source)
    }
}

/// Says in the log how far a download is, at every tenth.
#[derive(Default)]
struct Shown {
    file: String,
    bytes: usize,
    done: usize,
}

impl Progress for Shown {
    fn init(&mut self, size: usize, filename: &str) {
        self.file = filename.to_owned();
        self.bytes = size;
        self.done = 0;
    }

    fn update(&mut self, size: usize) {
        let tenths = |done: usize| done.saturating_mul(10) / self.bytes.max(1);
        let before = tenths(self.done);
        self.done = self.done.saturating_add(size);
        if tenths(self.done) > before {
            let (file, bytes, done) = (&self.file, self.bytes, self.done);
            tracing::info!(%file, done, bytes, "the router model is being downloaded");
        }
    }

    fn finish(&mut self) {}
}
