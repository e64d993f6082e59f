//! One HTTP/2 connection: bytes, TLS where asked for, handshake, and proof that somebody is there.
//!
//! A stopped process still accepts connections, because its kernel does, and an HTTP/2 client may speak before the
//! server has. So a connection counts as made only when the server's first bytes have come.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use crate::connector::Io;
use crate::payload::Sent;
use crate::settings::{Settings, TlsSource};

/// Flow-control windows, in bytes: as large as the server's.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Calls given up whose late answers are still expected. Answers of any more would count as errors of the connection.
const GIVEN_UP: usize = 1024;
/// The protocol that TLS must agree on.
const ALPN: &[u8] = b"h2";

/// Sends requests; clones share the connection.
pub type Sender = http2::SendRequest<Sent>;

/// Ends when no further request can be sent: the server says goodbye, or the connection breaks. Streams that are open
/// then go on by themselves.
pub type Driver = http2::Connection<TokioIo<Heard<Box<dyn Io>>>, Sent, TokioExecutor>;

/// How a TLS connection is made.
#[derive(Clone)]
pub struct Tls {
    /// Configuration of the next connection.
    pub source: TlsSource,
    /// Whom the certificate must name.
    pub name: ServerName<'static>,
}

/// Opens a connection; the caller limits how long it may take.
pub async fn open(address: SocketAddr, tls: Option<&Tls>, settings: &Settings) -> io::Result<(Sender, Driver)> {
    let mut io = settings.connector.connect(address).await?;
    if let Some(tls) = tls {
        io = secure(io, tls).await?;
    }
    let (heard, first_word) = oneshot::channel();
    let (sender, mut driver) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_reset_streams(GIVEN_UP)
        // A caller that loses patience a thousand times must not take the calls of all others down.
        .max_local_error_reset_streams(None)
        .keep_alive_interval(settings.keep_alive)
        .keep_alive_timeout(settings.keep_alive_timeout)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(Heard { io, heard: Some(heard) }))
        .await
        .map_err(io::Error::other)?;
    let closed = || io::Error::from(io::ErrorKind::ConnectionReset);
    tokio::select! {
        biased;
        said = first_word => said.map_err(|_| closed())?,
        ended = &mut driver => return Err(ended.map_or_else(io::Error::other, |()| closed())),
    }
    Ok((sender, driver))
}

async fn secure(io: Box<dyn Io>, tls: &Tls) -> io::Result<Box<dyn Io>> {
    let mut config = (tls.source)();
    if config.alpn_protocols != [ALPN] {
        Arc::make_mut(&mut config).alpn_protocols = vec![ALPN.to_vec()];
    }
    let stream = TlsConnector::from(config).connect(tls.name.clone(), io).await?;
    if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the server does not speak HTTP/2 over TLS"));
    }
    Ok(Box::new(stream))
}

pin_project! {
    /// Tells when the first bytes have come.
    pub struct Heard<I> {
        #[pin]
        io: I,
        heard: Option<oneshot::Sender<()>>,
    }
}

impl<I: AsyncRead> AsyncRead for Heard<I> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        let before = buffer.filled().len();
        ready!(this.io.poll_read(context, buffer))?;
        if buffer.filled().len() > before
            && let Some(heard) = this.heard.take()
        {
            // Nobody waits any more when making the connection took too long.
            let _ = heard.send(());
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite> AsyncWrite for Heard<I> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.project().io.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().io.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().io.poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().io.poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
