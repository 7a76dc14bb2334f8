//! Who may make administrative calls: who brings a token, or a certificate with the name of an administrator. Where neither
//! is set up they are open on a listener that only this host can reach, and closed on every other.

use std::net::SocketAddr;
use std::sync::Arc;

use signalbox_api::codes::reason;
use tonic::{Code, Request, Status};

use crate::grpc::status::Failure;
use crate::serve::Peer;

pub use tokens::{Tokens, TokensError};

mod tokens;

/// What an administrator shows.
#[derive(Clone, Debug, Default)]
pub struct Admin {
    /// A bearer token.
    pub tokens: Option<Arc<Tokens>>,
    /// A name in the client's certificate.
    pub client_names: Vec<String>,
}

/// Marks a call over HTTP that was made to a name, neither an address nor `localhost`. A page of any site can have a browser
/// make one, by a name of its own that it points at this host (DNS rebinding), so being local opens nothing to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByName;

/// What is open on a listener.
#[derive(Clone, Debug)]
pub struct Access {
    admin: Admin,
    open: bool,
    push: bool,
}

impl Access {
    /// The rules for the address that the listener itself is bound to. The peer's address says nothing: behind a sidecar
    /// or a port-forward every caller looks local. Credentials that are set up are asked for on loopback too.
    pub fn new(listener: SocketAddr, admin: Admin, allow_push: bool) -> Self {
        let set_up = admin.tokens.is_some() || !admin.client_names.is_empty();
        Access {
            admin,
            open: !set_up && listener.ip().to_canonical().is_loopback(),
            push: allow_push,
        }
    }

    /// Lets an administrative call pass.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` without credentials, `PERMISSION_DENIED` with wrong ones.
    pub(crate) fn administrative<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let by_name = request.extensions().get::<ByName>().is_some();
        if self.open && !by_name {
            return Ok(());
        }
        let peer = request.extensions().get::<Peer>();
        let known = |name: &String| self.admin.client_names.contains(name);
        if peer.is_some_and(|peer| peer.0.iter().any(known)) {
            return Ok(());
        }
        let authorization = request.metadata().get("authorization");
        let token = authorization.and_then(|value| bearer(value.as_encoded_bytes()));
        if let (Some(tokens), Some(token)) = (&self.admin.tokens, token)
            && tokens.accept(token)
        {
            return Ok(());
        }
        let advice = match (&self.admin.tokens, self.admin.client_names.is_empty()) {
            (Some(_), _) => "send one of the server's tokens as `authorization: Bearer …`",
            (None, false) => "connect with a certificate whose name is in `admin.client_names`",
            (None, true) if self.open => {
                "ask at an IP address or at `localhost`; by other names such calls need `admin.tokens_file`"
            }
            (None, true) => {
                "set up `admin.tokens_file` or `admin.client_names`; without them such calls are open only on a listener \
                 bound to loopback"
            }
        };
        let named = peer.is_some() && !self.admin.client_names.is_empty();
        Err(if authorization.is_some() || named {
            let message = format!("these credentials are not accepted: {advice}");
            Failure::new(Code::PermissionDenied, reason::CREDENTIALS_WRONG, message).status()
        } else {
            let message = format!("an administrative call needs credentials: {advice}");
            Failure::new(Code::Unauthenticated, reason::CREDENTIALS_MISSING, message).status()
        })
    }

    /// Lets a pushed policy pass.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` where pushing is switched off.
    pub(crate) fn push(&self) -> Result<(), Status> {
        if self.push {
            return Ok(());
        }
        let message =
            "policy_yaml: pushing a policy is switched off here; change the configured source instead";
        Err(Failure::new(Code::PermissionDenied, reason::PUSH_FORBIDDEN, message).status())
    }
}

/// The token of an `authorization` header; the scheme's case does not matter.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(listener: &str, admin: Admin, authorization: Option<&str>) -> Option<Code> {
        let mut request = Request::new(());
        if let Some(value) = authorization {
            request
                .metadata_mut()
                .insert("authorization", value.parse().unwrap());
        }
        let access = Access::new(listener.parse().unwrap(), admin, true);
        access.administrative(&request).err().map(|status| status.code())
    }

    #[test]
    fn without_credentials_set_up_administrative_calls_pass_only_where_the_listener_is_bound_to_loopback() {
        for open in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(code(open, Admin::default(), None), None, "{open}");
        }
        for closed in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1"] {
            assert_eq!(
                code(closed, Admin::default(), None),
                Some(Code::Unauthenticated),
                "{closed}"
            );
            assert_eq!(
                code(closed, Admin::default(), Some("Bearer x")),
                Some(Code::PermissionDenied),
                "{closed}"
            );
        }
    }

    #[test]
    fn a_call_that_was_made_to_a_name_is_not_let_in_for_being_local() {
        let mut request = Request::new(());
        request.extensions_mut().insert(ByName);
        let access = Access::new("127.0.0.1:1".parse().unwrap(), Admin::default(), true);
        let refused = access.administrative(&request).unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert!(refused.message().contains("`localhost`"), "{}", refused.message());
    }

    #[test]
    fn tokens_that_are_set_up_are_asked_for_on_loopback_too() {
        let tokens = Tokens::load(None, Some("token-number-one token-number-two")).unwrap();
        let admin = Admin {
            tokens: Some(Arc::new(tokens)),
            ..Admin::default()
        };
        for listener in ["127.0.0.1:1", "0.0.0.0:1"] {
            let with = |authorization| code(listener, admin.clone(), authorization);
            assert_eq!(with(None), Some(Code::Unauthenticated));
            assert_eq!(with(Some("Bearer token-number-one")), None);
            assert_eq!(with(Some("bearer token-number-two ")), None);
            for wrong in [
                "Bearer token-number-on",
                "Bearer token-number-three",
                "token-number-one",
                "Basic token-number-one",
                "Bearer ",
                "B",
            ] {
                assert_eq!(with(Some(wrong)), Some(Code::PermissionDenied), "{wrong}");
            }
        }
    }

    /// Headers of the words that matter, their parts and odd bytes, `SIGNALBOX_FUZZ_CASES` of them or what takes seconds.
    #[test]
    fn any_header_passes_only_if_it_names_the_scheme_and_a_whole_token() {
        let tokens = ["token-number-one", "token-number-two"];
        let admin = Admin {
            tokens: Some(Arc::new(Tokens::load(None, Some(&tokens.join(" "))).unwrap())),
            ..Admin::default()
        };
        let access = Access::new("0.0.0.0:1".parse().unwrap(), admin, true);
        let words: [&[u8]; 14] = [
            b"Bearer",
            b"bearer",
            b"BEARER ",
            b" ",
            b"\t",
            b"token-number-one",
            b"token-number-two",
            b"token-number-",
            b"one",
            b"Basic",
            b",",
            b"=",
            b"\xff",
            b"Bearer token-number-one",
        ];
        let wanted = std::env::var("SIGNALBOX_FUZZ_CASES").ok();
        let cases = wanted.map_or(100_000, |text| {
            text.parse().expect("SIGNALBOX_FUZZ_CASES is a number")
        });
        let (mut dice, mut passed) = (fastrand::Rng::with_seed(11), 0);
        for _ in 0..cases {
            let header: Vec<u8> = (0..dice.usize(1..6))
                .flat_map(|_| words[dice.usize(..words.len())])
                .copied()
                .collect();
            let mut request = Request::new(());
            let value = http::HeaderValue::from_bytes(&header).unwrap();
            request.metadata_mut().as_mut().insert("authorization", value);
            let parts: Vec<&[u8]> = header
                .split(u8::is_ascii_whitespace)
                .filter(|part| !part.is_empty())
                .collect();
            let good = matches!(parts[..], [scheme, token] if scheme.eq_ignore_ascii_case(b"bearer")
                && tokens.iter().any(|known| known.as_bytes() == token))
                && header.get(6) == Some(&b' ');
            let code = access.administrative(&request).err().map(|status| status.code());
            let right = if good { None } else { Some(Code::PermissionDenied) };
            assert_eq!(code, right, "{:?}", header.escape_ascii().to_string());
            passed += usize::from(good);
        }
        assert!(passed > cases / 1000, "only {passed} of {cases} were good");
    }

    #[test]
    fn a_certificate_counts_by_its_names_and_only_where_names_are_set_up() {
        let with = |names: &[&str], peer: &str| {
            let admin = Admin {
                client_names: names.iter().map(|&name| name.to_owned()).collect(),
                ..Admin::default()
            };
            let mut request = Request::new(());
            request.extensions_mut().insert(Peer([peer.to_owned()].into()));
            let access = Access::new("0.0.0.0:1".parse().unwrap(), admin, true);
            access.administrative(&request).err().map(|status| status.code())
        };
        assert_eq!(with(&["ops.example"], "ops.example"), None);
        assert_eq!(
            with(&["ops.example"], "app.example"),
            Some(Code::PermissionDenied)
        );
        assert_eq!(with(&[], "ops.example"), Some(Code::Unauthenticated));
    }
}
