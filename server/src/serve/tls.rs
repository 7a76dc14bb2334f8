//! The certificates of the listeners: read at the start, read again when their files change. A new pair that does not fit
//! keeps the old one in force. `credentials` follows the files, `incoming` takes connections in under what is in force.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, version};

use crate::serve::credentials::{Credentials, fingerprint};

/// Where the certificates are, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those that lead from it to its authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities whose clients are let in; `None` asks clients for no certificate.
    pub client_ca: Option<PathBuf>,
}

/// Why certificates cannot be used: every problem, each beginning with its setting. Holds no part of a key.
#[derive(Debug, Error)]
#[error("{}", .0.join("; "))]
pub struct TlsError(pub Vec<String>);

/// Certificates in force.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    current: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads the files. Blocks.
    ///
    /// # Errors
    /// Every problem.
    pub fn load(files: TlsFiles) -> Result<Tls, TlsError> {
        let current = ArcSwap::from_pointee(configuration(&files)?);
        Ok(Tls { files, current })
    }

    /// What the next handshake goes by.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

impl Credentials for Tls {
    fn what(&self) -> &'static str {
        "certificate"
    }

    fn fingerprint(&self) -> [u8; 32] {
        let TlsFiles { cert, key, client_ca } = &self.files;
        fingerprint([cert, key].into_iter().chain(client_ca))
    }

    fn reload(&self) -> Result<(), String> {
        let next = configuration(&self.files).map_err(|error| error.to_string())?;
        self.current.store(Arc::new(next));
        Ok(())
    }
}

/// Makes ring the process's provider of cryptography. A build may link a second one through a dependency, and rustls
/// panics where it has to choose; this is called before anything connects. Idempotent.
pub fn install_provider() {
    // Refused only when there is one already.
    let _ = ring::default_provider().install_default();
}

fn configuration(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let mut problems = Vec::new();
    let chain = certificates("tls.cert", &files.cert, &mut problems);
    let key = key(&files.key, &mut problems);
    let provider = Arc::new(ring::default_provider());
    let verifier = match &files.client_ca {
        None => Some(WebPkiClientVerifier::no_client_auth()),
        Some(path) => clients(path, &provider, &mut problems),
    };
    let (Some(key), Some(verifier), true) = (key, verifier, problems.is_empty()) else {
        return Err(TlsError(problems));
    };
    let failed = |error: tokio_rustls::rustls::Error| {
        let (cert, key) = (files.cert.display(), files.key.display());
        TlsError(vec![format!(
            "tls.key: {key} does not belong to the certificate in {cert}: {error}"
        )])
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(failed)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(failed)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(setting: &str, path: &Path, problems: &mut Vec<String>) -> Vec<CertificateDer<'static>> {
    let shown = path.display();
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            problems.push(format!("{setting}: {shown}: cannot be read: {error}"));
            return Vec::new();
        }
    };
    match CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => return found,
        Ok(_) => problems.push(format!("{setting}: {shown}: holds no certificate in PEM")),
        Err(_) => problems.push(format!("{setting}: {shown}: is not in PEM")),
    }
    Vec::new()
}

fn key(path: &Path, problems: &mut Vec<String>) -> Option<PrivateKeyDer<'static>> {
    let shown = path.display();
    let bytes = fs::read(path)
        .map_err(|error| problems.push(format!("tls.key: {shown}: cannot be read: {error}")))
        .ok()?;
    // What the parser says could quote the file.
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| problems.push(format!("tls.key: {shown}: holds no private key in PEM")))
        .ok()
}

fn clients(
    path: &Path,
    provider: &Arc<CryptoProvider>,
    problems: &mut Vec<String>,
) -> Option<Arc<dyn tokio_rustls::rustls::server::danger::ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("tls.client_ca", path, problems) {
        if let Err(error) = roots.add(certificate) {
            problems.push(format!("tls.client_ca: {}: {error}", path.display()));
        }
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    builder.build().ok()
}

/// The DNS names and URIs that a certificate is for. Its common name is not one of them: it names nothing reliably.
pub(super) fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    let found = certificate.valid_dns_names().chain(certificate.valid_uri_names());
    found.map(str::to_owned).collect()
}
