//! Accepted connections. tonic sets no socket options on a listener that it did not open itself, and would spin on
//! errors such as too many open files: here both are seen to.

use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::server::TcpIncoming;

/// Idle time after which the kernel asks whether the peer is still there.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// The pause after an error: long enough to cost nothing, short enough to go unnoticed once it is over.
const BACK_OFF: Duration = Duration::from_millis(100);

/// The connections of a listener, without delay for small packets (a reply would wait up to 40 ms for the peer's
/// acknowledgement) and with keepalive.
pub(super) fn accept(listener: TcpListener) -> impl Stream<Item = io::Result<TcpStream>> {
    let incoming = TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .with_keepalive(Some(TCP_KEEPALIVE));
    incoming.then(|accepted| async {
        if let Err(error) = &accepted {
            tracing::warn!(%error, "a connection could not be accepted; trying again");
            tokio::time::sleep(BACK_OFF).await;
        }
        accepted
    })
}
