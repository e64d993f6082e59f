//! What surrounds every RPC on the server: metrics, span, admission, deadline, panic barrier, in this order from the
//! outside. One layer with one future and one body, so that a call costs no allocation per concern; each concern is a
//! file of its own.

pub mod admission;
mod body;
mod call;
pub mod deadline;
mod future;
mod lease;
mod limit;
pub mod limits;
pub mod methods;
pub mod metrics;
mod request;
mod rest;
pub mod trace;
mod turns;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use self::admission::Priority;
pub use self::body::RpcBody;
use self::call::Call;
use self::deadline::{Deadline, GRPC_TIMEOUT};
pub use self::future::RpcFuture;
use self::limit::{Arrived, Limit};
pub use self::limits::Limits;
use self::methods::Method;
use self::metrics::Metrics;
pub use self::turns::workers;
use crate::status;

/// Header of every response: the name of the process that answered.
pub const INSTANCE: HeaderName = HeaderName::from_static("wenzhen-instance");

/// The layer; clones share the permits and the metrics.
#[derive(Clone)]
pub struct Guard(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) metrics: Metrics,
    limit: Limit,
    pub(crate) limits: Limits,
    instance: Option<HeaderValue>,
    /// Ends health watches and reflection streams: a drain has begun.
    pub(crate) draining: CancellationToken,
    /// Ends all streams: the drain's budget is spent.
    pub(crate) cut: CancellationToken,
}

impl Guard {
    /// One set of permits. A process that holds several services makes a guard for each, with the same metrics.
    pub fn new(metrics: Metrics, limits: Limits) -> Self {
        Self::named(metrics, limits, None)
    }

    /// [`Guard::new`] with a name that every response carries as `wenzhen-instance`.
    pub fn named(metrics: Metrics, limits: Limits, instance: Option<HeaderValue>) -> Self {
        let limit = Limit::new(&limits, &metrics.admission());
        let (draining, cut) = (CancellationToken::new(), CancellationToken::new());
        Self(Arc::new(Shared { metrics, limit, limits, instance, draining, cut }))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }

    /// The moment by which a call must be answered; a caller cannot have more than the longest.
    fn deadline<B>(&self, method: &Method, request: &Request<B>) -> Result<Deadline, Status> {
        let limits = &self.0.limits;
        let allowed = deadline::asked(request.headers()).map_err(|_| {
            status::invalid_argument(&[(GRPC_TIMEOUT.as_str(), "expected 1 to 8 digits and one of H, M, S, m, u, n")])
        })?;
        let fallback = if method.server_streaming { limits.max_deadline } else { limits.default_deadline };
        Ok(Deadline::after(allowed.unwrap_or(fallback).min(limits.max_deadline)))
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
    S: Service<Request<Body>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
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
        let asked = self.guard.deadline(method, &request);
        let deadline = asked.as_ref().copied().unwrap_or_else(|_| Deadline::after(shared.limits.default_deadline));
        let mut call = Call::new(method, meter, span, deadline, self.guard.clone());
        if let Err(refusal) = asked {
            return RpcFuture::answered(call, refusal);
        }
        if deadline.expired() {
            return RpcFuture::answered(call, status::deadline_exceeded("the deadline had passed on arrival"));
        }
        let priority = Priority::of(request.headers());
        request.extensions_mut().insert(deadline);
        let request = request::timely(method, request, shared.limits.request_timeout);
        match shared.limit.enter(method, priority, deadline) {
            Err(shed) => RpcFuture::refused(call, shed.into(), request.into_body()),
            Ok(Arrived::Admitted(permits)) => {
                call.hold(permits);
                match call.run(|| self.inner.call(request)) {
                    Ok(future) => RpcFuture::running(call, future),
                    Err(failure) => RpcFuture::answered(call, failure),
                }
            }
            Ok(Arrived::Waits(entering)) => {
                // The service that was made ready is the one that is called; a clone takes its place.
                let next = self.inner.clone();
                let mut ready = std::mem::replace(&mut self.inner, next);
                RpcFuture::waiting(call, entering, Box::new(move || ready.call(request)))
            }
        }
    }
}
