//! One connection of a caller: plain or TLS, and closed when it says nothing.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::tls::Identity;

/// Bytes with which every HTTP/2 connection begins (RFC 9113, section 3.4).
const PREFACE: usize = 24;

/// Who called; an extension of every request that came over TCP.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Where from.
    pub address: Option<SocketAddr>,
    /// The verified certificate; none without TLS, or where none was shown.
    pub identity: Option<Arc<Identity>>,
}

impl Peer {
    /// Who made a call; none in process.
    pub fn of<T>(request: &tonic::Request<T>) -> Option<&Self> {
        request.extensions().get::<Self>()
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection that has to begin to speak HTTP/2 in time; from then on keep-alives watch over it.
pub(super) struct Connection {
    stream: Stream,
    peer: Peer,
    silence: Option<Silence>,
}

/// What is still to come of the preface, and until when.
struct Silence {
    missing: usize,
    until: Pin<Box<Sleep>>,
}

impl Connection {
    pub(super) fn plain(stream: TcpStream, silence: Duration) -> Self {
        let peer = Peer { address: stream.peer_addr().ok(), identity: None };
        Self::new(Stream::Plain(stream), peer, silence)
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>, silence: Duration) -> Self {
        let (tcp, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let peer = Peer {
            address: tcp.peer_addr().ok(),
            identity: shown.map(|certificate| Arc::new(Identity::of(certificate))),
        };
        Self::new(Stream::Tls(Box::new(stream)), peer, silence)
    }

    fn new(stream: Stream, peer: Peer, silence: Duration) -> Self {
        let until = Box::pin(tokio::time::sleep(silence));
        Self { stream, peer, silence: Some(Silence { missing: PREFACE, until }) }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        let Some(silence) = &mut self.silence else { return polled };
        silence.missing = silence.missing.saturating_sub(buffer.filled().len() - before);
        if silence.missing == 0 {
            self.silence = None;
        } else if polled.is_pending() && silence.until.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
