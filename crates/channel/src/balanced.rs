//! What generated clients take in place of tonic's channel.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::transport::channel::ResponseFuture as ChannelFuture;
use tower::Service;

use crate::call::Call;
use crate::discovery::Discovery;
use crate::error::Error;
use crate::metrics::ChannelMetrics;
use crate::pool::Pool;
use crate::settings::Settings;
use crate::target::Target;

/// A channel to an agent: to all its replicas over the network, or to the one in this process. Clones share connections;
/// when the last is dropped, streams that are open finish, and the connections close.
///
/// Wrapped in [`wenzhen_service::Client`] it serves generated clients: `KgServiceClient::new(Client::new(balanced))`.
/// Over the network every failure is a gRPC status: UNAVAILABLE when nobody can be reached or a connection broke,
/// DEADLINE_EXCEEDED at the deadline (`grpc-timeout`), which covers everything from the wait for an endpoint to the last
/// frame. An error is only ever tonic's own, of a channel in this process.
#[derive(Clone, Debug)]
pub struct Balanced(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Single(Channel),
    Network(Arc<Network>),
}

#[derive(Debug)]
struct Network {
    pool: Arc<Pool>,
    /// Ends discovery and connections.
    _stop: DropGuard,
}

/// How many endpoints of a target are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Connected, and taking calls.
    pub ready: usize,
    /// Not connected.
    pub connecting: usize,
    /// Left out after failures.
    pub ejected: usize,
}

impl Balanced {
    /// A channel as it is, such as the in-memory one of a process: no balancing, no retries.
    pub fn single(channel: Channel) -> Self {
        Self(Kind::Single(channel))
    }

    /// A channel to all replicas of a target. It begins to look up and to connect in the background, and nobody needs to
    /// be there yet. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// [`Error::TlsMissing`] for `https://` without a TLS configuration; [`Error::Host`] for a host that no certificate
    /// could name.
    pub fn connect(target: &Target, settings: Settings, metrics: &ChannelMetrics) -> Result<Self, Error> {
        let pool = Arc::new(Pool::new(target, settings, metrics.of(target)));
        let stop = CancellationToken::new();
        tokio::spawn(Discovery::new(target, Arc::clone(&pool), stop.clone())?.run());
        Ok(Self(Kind::Network(Arc::new(Network { pool, _stop: stop.drop_guard() }))))
    }

    /// The states of the endpoints; a channel in this process has one that is ready.
    pub fn endpoints(&self) -> Endpoints {
        match &self.0 {
            Kind::Single(_) => Endpoints { ready: 1, ..Endpoints::default() },
            Kind::Network(network) => network.pool.count(),
        }
    }

    /// Waits until a call would find an endpoint. Ends at once for a channel in this process.
    pub async fn ready(&self) {
        let Kind::Network(network) = &self.0 else { return };
        loop {
            let change = network.pool.change();
            if network.pool.count().ready > 0 {
                return;
            }
            change.await;
        }
    }
}

impl Service<Request<Body>> for Balanced {
    type Response = Response<Body>;
    type Error = tonic::transport::Error;
    type Future = ResponseFuture;

    /// Over the network always ready: a call waits for its endpoint itself, so that its deadline covers the wait.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match &mut self.0 {
            Kind::Single(channel) => channel.poll_ready(context),
            Kind::Network(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        let sort = match &mut self.0 {
            Kind::Single(channel) => Sort::Single { sent: channel.call(request) },
            Kind::Network(network) => {
                let network = Arc::clone(network);
                let made = async move { Call::make(Arc::clone(&network.pool), request).await };
                Sort::Network { made: Box::pin(made) }
            }
        };
        ResponseFuture { sort }
    }
}

pin_project! {
    /// The response of a [`Balanced`] channel.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture {
        #[pin]
        sort: Sort,
    }
}

pin_project! {
    #[project = SortProjected]
    enum Sort {
        Single { #[pin] sent: ChannelFuture },
        Network { made: BoxFuture<'static, Response<Body>> },
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, tonic::transport::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().sort.project() {
            SortProjected::Single { sent } => sent.poll(context),
            SortProjected::Network { made } => made.as_mut().poll(context).map(Ok),
        }
    }
}
