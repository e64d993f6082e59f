//! One handshake of a caller.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Tls, TlsMetrics};

/// Shakes hands with the certificate that is in use now.
///
/// # Errors
/// When the caller does not come to an end in time, or one side does not accept the other.
pub(crate) async fn accept(
    tls: Tls,
    stream: TcpStream,
    within: Duration,
    metrics: TlsMetrics,
) -> io::Result<TlsStream<TcpStream>> {
    let config = tls.server().ok_or(io::ErrorKind::Unsupported)?;
    let shaken = tokio::time::timeout(within, TlsAcceptor::from(config).accept(stream)).await;
    let (outcome, shaken) = match shaken {
        Ok(Ok(stream)) => ("ok", Ok(stream)),
        Ok(Err(error)) => ("failed", Err(error)),
        Err(_) => ("timeout", Err(io::ErrorKind::TimedOut.into())),
    };
    metrics.handshake(outcome);
    if let Err(error) = &shaken {
        tracing::debug!(%error, "TLS handshake");
    }
    shaken
}
