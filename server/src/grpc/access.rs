//! Who may make administrative calls. This version knows no credentials yet, so they are open on a listener that only
//! this host can reach, and closed on every other.

use std::net::SocketAddr;

use signalbox_api::codes::reason;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::grpc::status::Failure;

/// What is open on a listener.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    administrative: bool,
    push: bool,
}

impl Access {
    /// The rules for the address that the listener itself is bound to. The peer's address says nothing: behind a sidecar
    /// or a port-forward every caller looks local.
    pub fn new(listener: SocketAddr, allow_push: bool) -> Self {
        Access {
            administrative: listener.ip().to_canonical().is_loopback(),
            push: allow_push,
        }
    }

    /// Lets an administrative call pass.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` without credentials, `PERMISSION_DENIED` with any.
    pub(crate) fn administrative(&self, metadata: &MetadataMap) -> Result<(), Status> {
        if self.administrative {
            return Ok(());
        }
        let advice = "this version accepts administrative calls only on a listener bound to loopback";
        Err(if metadata.contains_key("authorization") {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn code(listener: &str, authorization: Option<&str>) -> Option<Code> {
        let mut metadata = MetadataMap::new();
        if let Some(value) = authorization {
            metadata.insert("authorization", value.parse().unwrap());
        }
        let access = Access::new(listener.parse().unwrap(), true);
        access.administrative(&metadata).err().map(|status| status.code())
    }

    #[test]
    fn administrative_calls_pass_only_where_the_listener_is_bound_to_loopback() {
        for open in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(code(open, None), None, "{open}");
        }
        for closed in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1"] {
            assert_eq!(code(closed, None), Some(Code::Unauthenticated), "{closed}");
            assert_eq!(
                code(closed, Some("Bearer x")),
                Some(Code::PermissionDenied),
                "{closed}"
            );
        }
    }
}
