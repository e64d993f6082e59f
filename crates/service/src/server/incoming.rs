//! Connections as they come in. Handshakes run beside each other and beside the accepting; one that fails or stalls
//! concerns nobody else.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Sleep;
use tonic::transport::server::TcpIncoming;

use super::KEEP_ALIVE;
use super::connection::Connection;
use crate::tls::{self, Tls, TlsMetrics};

/// Handshakes at once. When it is reached, the oldest gives way: an honest one takes milliseconds, so that stalled ones
/// are what it meets.
const HANDSHAKES: usize = 256;
/// Rest after a connection could not be accepted for want of resources, such as file descriptors.
const RESPITE: Duration = Duration::from_millis(50);

/// A stream of connections that never fails; dropping it closes the listening socket.
pub(super) struct Incoming {
    listener: TcpIncoming,
    within: Duration,
    tls: Option<(Tls, TlsMetrics)>,
    handshakes: JoinSet<Option<Connection>>,
    oldest: VecDeque<AbortHandle>,
    respite: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    /// `within` bounds a handshake, and then the time until the caller speaks.
    pub(super) fn new(listener: TcpListener, within: Duration, tls: Option<(Tls, TlsMetrics)>) -> Self {
        let listener = TcpIncoming::from(listener).with_nodelay(Some(true)).with_keepalive(Some(KEEP_ALIVE));
        Self { listener, within, tls, handshakes: JoinSet::new(), oldest: VecDeque::new(), respite: None }
    }

    fn shake_hands(&mut self, stream: TcpStream, tls: Tls, metrics: TlsMetrics) {
        self.oldest.retain(|handshake| !handshake.is_finished());
        if self.oldest.len() >= HANDSHAKES
            && let Some(oldest) = self.oldest.pop_front()
        {
            oldest.abort();
            metrics.handshake("crowded_out");
        }
        let within = self.within;
        self.oldest.push_back(self.handshakes.spawn(async move {
            let shaken = tls::accept(tls, stream, within, metrics).await.ok();
            shaken.map(|stream| Connection::tls(stream, within))
        }));
    }

    /// The next caller, after a rest where one is due.
    fn accept(&mut self, context: &mut Context<'_>) -> Poll<Option<TcpStream>> {
        loop {
            if let Some(respite) = &mut self.respite {
                std::task::ready!(respite.as_mut().poll(context));
                self.respite = None;
            }
            match std::task::ready!(Pin::new(&mut self.listener).poll_next(context)) {
                Some(Ok(stream)) => return Poll::Ready(Some(stream)),
                Some(Err(error)) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    self.respite = Some(Box::pin(tokio::time::sleep(RESPITE)));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

impl Stream for Incoming {
    type Item = Result<Connection, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            while let Poll::Ready(Some(shaken)) = self.handshakes.poll_join_next(context) {
                // One that was crowded out has been counted where it was.
                if let Ok(Some(connection)) = shaken {
                    return Poll::Ready(Some(Ok(connection)));
                }
            }
            let Some(stream) = std::task::ready!(self.accept(context)) else { return Poll::Ready(None) };
            match self.tls.clone() {
                None => return Poll::Ready(Some(Ok(Connection::plain(stream, self.within)))),
                Some((tls, metrics)) => self.shake_hands(stream, tls, metrics),
            }
        }
    }
}
