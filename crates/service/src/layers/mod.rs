//! What surrounds every RPC on the server: metrics, span, admission, deadline, panic barrier, in this order from the
//! outside. One layer with one future and one body, so that a call costs no allocation per concern; each concern is a
//! file of its own.

mod body;
mod call;
pub mod deadline;
mod future;
pub mod limit;
pub mod methods;
pub mod metrics;
pub mod trace;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};

pub use self::body::RpcBody;
use self::call::Call;
use self::deadline::Deadline;
pub use self::future::RpcFuture;
use self::limit::Limit;
use self::methods::Method;
use self::metrics::Metrics;
use crate::status;

/// What a server takes on.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Calls in flight over all connections; a stream counts until its last frame.
    pub max_in_flight: usize,
    /// What a shed caller is told to wait.
    pub retry_after: Duration,
    /// Deadline of a unary call that brings none.
    pub default_deadline: Duration,
    /// No call may take longer, whatever its caller allows; also the deadline of a stream that brings none.
    pub max_deadline: Duration,
    /// A response stream that has nothing to send for so long is ended with UNAVAILABLE.
    pub stream_idle: Duration,
    /// Time for calls in flight to finish at shutdown; after it, streams are ended with UNAVAILABLE.
    pub drain_budget: Duration,
    /// A connection older than this is asked to go, so that clients find new replicas; calls on it finish.
    pub connection_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_in_flight: 512,
            retry_after: Duration::from_millis(250),
            default_deadline: Duration::from_secs(10),
            max_deadline: Duration::from_secs(3600),
            stream_idle: Duration::from_secs(300),
            drain_budget: Duration::from_secs(20),
            connection_age: Duration::from_secs(600),
        }
    }
}

/// The layer; clones share the permits and the metrics.
#[derive(Clone)]
pub struct Guard(Arc<Shared>);

pub(crate) struct Shared {
    metrics: Metrics,
    limit: Limit,
    pub(crate) limits: Limits,
    /// Ends health watches and reflection streams: a drain has begun.
    pub(crate) draining: CancellationToken,
    /// Ends all streams: the drain's budget is spent.
    pub(crate) cut: CancellationToken,
}

impl Guard {
    /// One set of permits. A process that holds several services makes a guard for each, with the same metrics.
    pub fn new(metrics: Metrics, limits: Limits) -> Self {
        let limit = Limit::new(limits.max_in_flight, limits.retry_after);
        let (draining, cut) = (CancellationToken::new(), CancellationToken::new());
        Self(Arc::new(Shared { metrics, limit, limits, draining, cut }))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }

    fn deadline<B>(&self, method: &Method, request: &Request<B>) -> Deadline {
        let limits = &self.0.limits;
        let fallback = if method.server_streaming { limits.max_deadline } else { limits.default_deadline };
        let allowed = deadline::requested(request.headers()).unwrap_or(fallback);
        Deadline::after(allowed.min(limits.max_deadline))
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { guard: self.clone(), inner }
    }
}

/// A service under a [`Guard`].
#[derive(Clone)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    type Response = Response<RpcBody<R>>;
    type Error = Infallible;
    type Future = RpcFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let shared = &self.guard.0;
        let method = methods::find(request.uri().path());
        let meter = shared.metrics.begin(method);
        let span = trace::server_span(method, request.headers());
        let deadline = self.guard.deadline(method, &request);
        let mut call = Call::new(method, meter, span, deadline, self.guard.clone());
        match shared.limit.admit(method) {
            Ok(permit) => call.hold(permit),
            Err(refusal) => return RpcFuture::answered(call, refusal),
        }
        if deadline.expired() {
            return RpcFuture::answered(call, status::deadline_exceeded("the deadline had passed on arrival"));
        }
        request.extensions_mut().insert(deadline);
        match call.run(|| self.inner.call(request)) {
            Ok(future) => RpcFuture::running(call, future),
            Err(failure) => RpcFuture::answered(call, failure),
        }
    }
}
