//! The settings of certificates and of who may administer.

use std::path::PathBuf;

use super::Checker;
use crate::serve::tls::TlsFiles;

/// Who may make administrative calls. With nothing set, they are open on a listener bound to loopback and closed elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminConfig {
    /// A file with tokens.
    pub tokens_file: Option<PathBuf>,
    /// The variable that holds tokens.
    pub tokens_env: Option<String>,
    /// Names in clients' certificates.
    pub client_names: Vec<String>,
}

pub(super) fn tls(checker: &mut Checker<'_>) -> Option<TlsFiles> {
    let path = |checker: &Checker<'_>, key| checker.text(key).map(PathBuf::from);
    let (cert, key) = (path(checker, "tls.cert"), path(checker, "tls.key"));
    let client_ca = path(checker, "tls.client_ca");
    match (cert, key) {
        (Some(cert), Some(key)) => {
            return Some(TlsFiles { cert, key, client_ca });
        }
        (Some(_), None) => checker.problem("tls.key", "is missing; give the key of `tls.cert`".to_owned()),
        (None, Some(_)) => checker.problem(
            "tls.cert",
            "is missing; give the certificate of `tls.key`".to_owned(),
        ),
        (None, None) if client_ca.is_some() => checker.problem(
            "tls.client_ca",
            "means nothing without `tls.cert` and `tls.key`; set those too".to_owned(),
        ),
        (None, None) => {}
    }
    None
}

pub(super) fn admin(checker: &mut Checker<'_>) -> AdminConfig {
    let names = checker.text("admin.client_names").unwrap_or_default().split(',');
    let names: Vec<String> = names
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if !names.is_empty() && checker.text("tls.client_ca").is_none() {
        let message = "no client proves a name without `tls.client_ca`; set that too";
        checker.problem("admin.client_names", message.to_owned());
    }
    AdminConfig {
        tokens_file: checker.text("admin.tokens_file").map(PathBuf::from),
        tokens_env: checker.text("admin.tokens_env").map(str::to_owned),
        client_names: names,
    }
}
