//! Accepted connections. tonic sets no socket options on a listener that it did not open itself, and would spin on
//! errors such as too many open files: here both are seen to.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::server::{Connected, TcpConnectInfo, TcpIncoming};

/// Idle time after which the kernel asks whether the peer is still there.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// The pause after an error: long enough to cost nothing, short enough to go unnoticed once it is over.
const BACK_OFF: Duration = Duration::from_millis(100);

/// The connections of a listener, without delay for small packets (a reply would wait up to 40 ms for the peer's
/// acknowledgement) and with keepalive.
pub(super) fn accept(listener: TcpListener) -> impl Stream<Item = io::Result<Gathered>> {
    let incoming = TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .with_keepalive(Some(TCP_KEEPALIVE));
    incoming.then(|accepted| async {
        if let Err(error) = &accepted {
            tracing::warn!(%error, "a connection could not be accepted; trying again");
            tokio::time::sleep(BACK_OFF).await;
        }
        accepted.map(Gathered)
    })
}

/// A connection that does not offer vectored writes. h2 then copies payloads of up to 1,024 bytes into its buffer and
/// sends the answers of many calls in one write; with them, every payload above 256 bytes, which a decision is, costs a
/// write of its own. Measured: 0.5 instead of 1.5 system calls for a decision.
#[derive(Debug)]
pub(super) struct Gathered(TcpStream);

impl AsyncRead for Gathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Connected for Gathered {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.0.connect_info()
    }
}
