//! The tokens of administrators, from a file that is read again when it changes, or from the environment. Kept and compared
//! as hashes, in constant time; never shown, not even in an error.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error;

use crate::serve::credentials::{Credentials, fingerprint};

/// Shorter tokens can be guessed.
const LEAST_BYTES: usize = 16;

/// Why tokens cannot be used: every problem, each beginning with its setting.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{}", .0.join("; "))]
pub struct TokensError(pub Vec<String>);

/// Tokens in force.
#[derive(Debug)]
pub struct Tokens {
    file: Option<PathBuf>,
    fixed: Vec<blake3::Hash>,
    current: ArcSwap<Vec<blake3::Hash>>,
}

impl Tokens {
    /// Reads the tokens of a file, one a line (empty lines and lines that begin with `#` do not count), and takes those of
    /// `variable`, separated by white space, which stay. Blocks.
    ///
    /// # Errors
    /// Every problem: no token, a short one, one that no header can hold.
    pub fn load(file: Option<PathBuf>, variable: Option<&str>) -> Result<Tokens, TokensError> {
        let mut problems = Vec::new();
        let fixed = match variable {
            Some(text) => checked("admin.tokens_env", text.split_whitespace(), &mut problems),
            None => Vec::new(),
        };
        let mut tokens = Tokens {
            file,
            fixed,
            current: ArcSwap::default(),
        };
        match tokens.read() {
            Ok(current) if problems.is_empty() => tokens.current = ArcSwap::from_pointee(current),
            Ok(_) => {}
            Err(more) => problems.extend(more),
        }
        if problems.is_empty() {
            Ok(tokens)
        } else {
            Err(TokensError(problems))
        }
    }

    /// Whether this is one of them. All are compared, so that the time says nothing of which or how much was right.
    pub fn accept(&self, token: &[u8]) -> bool {
        let hash = blake3::hash(token);
        // `Hash` compares in constant time.
        let same = |found: bool, known: &blake3::Hash| found | (*known == hash);
        self.current.load().iter().fold(false, same)
    }

    fn read(&self) -> Result<Vec<blake3::Hash>, Vec<String>> {
        let mut all = self.fixed.clone();
        let Some(file) = &self.file else {
            return Ok(all);
        };
        let shown = format!("admin.tokens_file: {}", file.display());
        let text =
            fs::read_to_string(file).map_err(|error| vec![format!("{shown}: cannot be read: {error}")])?;
        let lines = text.lines().map(str::trim);
        let mut problems = Vec::new();
        all.extend(checked(
            &shown,
            lines.filter(|line| !line.is_empty() && !line.starts_with('#')),
            &mut problems,
        ));
        if problems.is_empty() {
            Ok(all)
        } else {
            Err(problems)
        }
    }
}

impl Credentials for Tokens {
    fn what(&self) -> &'static str {
        "tokens"
    }

    fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.file)
    }

    fn reload(&self) -> Result<(), String> {
        let next = self.read().map_err(|problems| problems.join("; "))?;
        self.current.store(Arc::new(next));
        Ok(())
    }
}

fn checked<'a>(
    origin: &str,
    tokens: impl Iterator<Item = &'a str>,
    problems: &mut Vec<String>,
) -> Vec<blake3::Hash> {
    let (mut found, mut count) = (Vec::new(), 0);
    for token in tokens {
        count += 1;
        if token.len() < LEAST_BYTES {
            problems.push(format!(
                "{origin}: token {count} is shorter than {LEAST_BYTES} bytes"
            ));
        } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            problems.push(format!(
                "{origin}: token {count} has characters that no header may have"
            ));
        } else {
            found.push(blake3::hash(token.as_bytes()));
        }
    }
    if count == 0 {
        problems.push(format!("{origin}: holds no token"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_token_is_reported_by_its_place_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        fs::write(&file, "# ours\n\nsecret-short\nsecret-long-enough with-a-space\n").unwrap();
        let shown = format!("admin.tokens_file: {}", file.display());
        let error = Tokens::load(Some(file), Some("secret")).unwrap_err();
        assert_eq!(
            error.0,
            [
                "admin.tokens_env: token 1 is shorter than 16 bytes".to_owned(),
                format!("{shown}: token 1 is shorter than 16 bytes"),
                format!("{shown}: token 2 has characters that no header may have"),
            ]
        );
        assert!(Tokens::load(None, Some("  ")).is_err());
    }

    #[test]
    fn a_bad_file_keeps_the_tokens_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        fs::write(&file, "the-first-of-two\nthe-second-of-two\n").unwrap();
        let tokens = Tokens::load(Some(file.clone()), None).unwrap();
        fs::write(&file, "").unwrap();
        assert!(tokens.reload().unwrap_err().contains("holds no token"));
        assert!(tokens.accept(b"the-first-of-two") && tokens.accept(b"the-second-of-two"));
        fs::write(&file, "the-second-of-two\n").unwrap();
        tokens.reload().unwrap();
        assert!(!tokens.accept(b"the-first-of-two") && tokens.accept(b"the-second-of-two"));
    }
}
