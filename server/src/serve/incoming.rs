//! One accepted connection: its socket options, TLS, and the name that its client proved. `connections` takes them in.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::serve::tls::{Tls, names};

/// The names in the certificate that a client proved to hold; an extension of each of its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer(pub Arc<[String]>);

/// Why a connection came to nothing before its first call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// It said nothing, or did not finish its handshake, in time.
    Timeout,
    /// It spoke no TLS, or its certificate was refused.
    Handshake,
}

/// Makes a connection ready to be served, within `limit`: without one, silent connections would take up every place.
pub(super) async fn prepare(
    stream: TcpStream,
    tls: Option<&Tls>,
    limit: Duration,
) -> Result<(Socket, Option<Peer>), Lost> {
    // A reply would otherwise wait up to 40 ms for the peer's acknowledgement. A connection that is gone already fails soon.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        // A stream is sometimes readable without anything to read; a peek waits for a byte.
        return match timeout(limit, stream.peek(&mut [0])).await {
            Ok(Ok(_)) => Ok((Socket::Plain(stream), None)),
            Ok(Err(_)) | Err(_) => Err(Lost::Timeout),
        };
    };
    match timeout(limit, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => {
            let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let peer = certificate.map(|certificate| Peer(names(certificate).into()));
            Ok((Socket::Tls(Box::new(stream)), peer))
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            Err(Lost::Handshake)
        }
        Err(_) => Err(Lost::Timeout),
    }
}

/// A connection that does not offer vectored writes. h2 then copies payloads of up to 1,024 bytes into its buffer and
/// sends the answers of many calls in one write; with them, every payload above 256 bytes, which a decision is, costs a
/// write of its own. Measured: 0.5 instead of 1.5 system calls for a decision.
#[derive(Debug)]
pub(super) enum Socket {
    /// As it came.
    Plain(TcpStream),
    /// Under TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
