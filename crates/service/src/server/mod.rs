//! Serving over TCP, plain or TLS: keep-alives, limits, health, reflection, and an orderly end.

mod connection;
mod gate;
mod incoming;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use http::HeaderValue;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tower::Layer;

pub use self::connection::Peer;
pub use self::gate::Gate;
use self::incoming::Incoming;
use crate::health::Readiness;
use crate::layers::metrics::Metrics;
use crate::layers::{Guard, Limits};
use crate::tls::Tls;

/// Flow-control window of one stream and of one connection, in bytes.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Streams of one connection; admission is the guard's affair, this only bounds what one peer can open.
const CONCURRENT_STREAMS: u32 = 1024;
/// Bytes of request metadata.
const HEADER_LIST: u32 = 16 << 10;
/// Bytes of one frame; a message may take many.
const FRAME: u32 = 16 << 10;
/// Streams that a peer has reset while they waited, and streams that we had to reset for its faults: beyond so many the
/// connection is closed (rapid reset, CVE-2023-44487).
const PENDING_RESETS: usize = 20;
const LOCAL_RESETS: usize = 4096;
/// A silent connection is probed after this time, and closed when it does not answer within the next.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that were cut get this long to send their last frames.
const CUT_GRACE: Duration = Duration::from_secs(1);

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listening socket has no address or could not be used.
    #[error("listening socket")]
    Listener(#[source] std::io::Error),
    /// The descriptor sets do not make a reflection service.
    #[error("reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("transport")]
    Transport(#[source] tonic::transport::Error),
}

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every call finished.
    Clean,
    /// The budget was spent; what was left was ended with UNAVAILABLE or dropped.
    Cut,
}

/// All that one server needs.
pub struct Serving {
    /// A bound listener: port 0 is fine, the caller reads its address.
    pub listener: TcpListener,
    /// The services to offer, now or later; health and reflection are added, and answer from the start.
    pub services: Gate,
    /// Drives the health service; drained at shutdown.
    pub readiness: Readiness,
    /// Where calls are counted.
    pub metrics: Metrics,
    /// What to take on.
    pub limits: Limits,
    /// Certificates; without one of our own the port is plain.
    pub tls: Option<Tls>,
    /// The name that every response carries.
    pub instance: Option<HeaderValue>,
    /// Ends the serving.
    pub shutdown: CancellationToken,
}

impl Serving {
    /// Serves until `shutdown`, then drains: health says NOT_SERVING, no connection is accepted, calls in flight get
    /// `limits.drain_budget` to finish. Health watches and reflection streams end at once.
    ///
    /// # Errors
    /// When the socket or the transport fails; a failed connection or call is none.
    pub async fn serve(self) -> Result<Drained, ServeError> {
        let address = self.listener.local_addr().map_err(ServeError::Listener)?;
        let tls = self.tls.filter(|tls| tls.server().is_some()).map(|tls| (tls, self.metrics.tls()));
        let guard = Guard::named(self.metrics, self.limits, self.instance);
        let service = guard.layer(self.services.with_infrastructure(&self.readiness)?);
        let (readiness, shutdown, draining) = (self.readiness, self.shutdown, guard.shared().draining.clone());
        let asked = shutdown.clone();
        let signal = async move {
            asked.cancelled().await;
            readiness.drain();
            draining.cancel();
        };
        let secure = tls.is_some();
        let incoming = Incoming::new(self.listener, guard.shared().limits.connect_timeout, tls);
        tracing::info!(%address, tls = secure, "serving");
        let server = builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
            .max_connection_age(guard.shared().limits.connection_age)
            .serve_with_incoming_shutdown(service, incoming, signal);
        drain(server, &shutdown, &guard, address).await
    }
}

/// What TCP and in-process servers have in common.
pub(crate) fn builder() -> Server {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(CONCURRENT_STREAMS)
        .http2_max_header_list_size(HEADER_LIST)
        .max_frame_size(FRAME)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS))
        .http2_max_local_error_reset_streams(Some(LOCAL_RESETS))
}

async fn drain(
    server: impl Future<Output = Result<(), tonic::transport::Error>>,
    shutdown: &CancellationToken,
    guard: &Guard,
    address: SocketAddr,
) -> Result<Drained, ServeError> {
    let mut server = pin!(server);
    tokio::select! {
        ended = &mut server => return ended.map(|()| Drained::Clean).map_err(ServeError::Transport),
        () = shutdown.cancelled() => {}
    }
    let shared = guard.shared();
    if let Ok(ended) = tokio::time::timeout(shared.limits.drain_budget, &mut server).await {
        tracing::info!(%address, "drained");
        return ended.map(|()| Drained::Clean).map_err(ServeError::Transport);
    }
    shared.cut.cancel();
    let ended = tokio::time::timeout(CUT_GRACE, &mut server).await;
    tracing::warn!(%address, all_closed = ended.is_ok(), "drain budget spent, calls were cut");
    ended.unwrap_or(Ok(())).map(|()| Drained::Cut).map_err(ServeError::Transport)
}
