//! How `https://` endpoints are spoken to. `Client::connect_with` calls it.

use std::{error::Error as _, fmt};

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::error::Error;

/// How the server is known, and how the client shows itself. All texts are PEM.
#[derive(Clone, Default)]
pub struct Tls {
    /// The authorities that the server's certificate may come from. Default: those of the system.
    pub ca: Option<String>,
    /// The client's certificate and private key, where the server asks for them (mTLS). Default: none.
    pub identity: Option<(String, String)>,
    /// The name in the server's certificate. Default: the endpoint's host.
    pub server_name: Option<String>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("ca", &self.ca.is_some())
            .field("identity", &self.identity.as_ref().map(|_| "hidden"))
            .field("server_name", &self.server_name)
            .finish()
    }
}

impl Tls {
    /// The endpoint with TLS, if it is one for TLS.
    pub(crate) fn on(&self, transport: Endpoint, endpoint: &str) -> Result<Endpoint, Error> {
        let Tls {
            ca,
            identity,
            server_name,
        } = self;
        if transport.uri().scheme_str() != Some("https") {
            if ca.is_some() || identity.is_some() {
                let message = format!("endpoint `{endpoint}`: certificates mean nothing without https://");
                return Err(Error::Options(message));
            }
            return Ok(transport);
        }
        let mut config = match ca {
            Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        if let Some((cert, key)) = identity {
            config = config.identity(Identity::from_pem(cert, key));
        }
        if let Some(name) = server_name {
            config = config.domain_name(name);
        }
        // What tonic says is of the kind, and holds no part of a key.
        transport
            .tls_config(config)
            .map_err(|error| Error::Options(format!("certificates: {}", with_causes(&error))))
    }
}

fn with_causes(error: &tonic::transport::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
