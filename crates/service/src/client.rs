//! The calling side: passes the deadline and the trace of the current call on to the next service.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Status, TimeoutExpired};
use tower::{Layer, Service};

use crate::layers::deadline::{Deadline, GRPC_TIMEOUT, requested};
use crate::layers::trace::{TRACEPARENT, traceparent};
use crate::status;

/// A channel that generated clients take, such as `KgServiceClient::new(Client::new(channel))`.
///
/// The deadline of a call is the earliest of the request's own (`set_timeout`), a [`Deadline`] among its extensions,
/// and the current task's. A call whose deadline has passed is not sent. A timeout is DEADLINE_EXCEEDED, where tonic
/// alone says CANCELLED.
#[derive(Clone, Debug)]
pub struct Client<S = Channel>(S);

impl<S> Client<S> {
    /// Wraps a channel.
    pub fn new(channel: S) -> Self {
        Self(channel)
    }
}

/// [`Client`] as a tower layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientLayer;

impl<S> Layer<S> for ClientLayer {
    type Service = Client<S>;

    fn layer(&self, inner: S) -> Client<S> {
        Client(inner)
    }
}

impl<S, B> Service<Request<B>> for Client<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Error: std::error::Error + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ClientFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let own = requested(request.headers()).map(Deadline::after);
        let given = request.extensions().get::<Deadline>().copied();
        let deadline = [own, given, Deadline::current()].into_iter().flatten().min();
        if let Some(deadline) = deadline {
            if deadline.expired() {
                return ClientFuture { sent: None };
            }
            request.headers_mut().insert(GRPC_TIMEOUT, deadline.header());
        }
        if let Some(parent) = traceparent() {
            request.headers_mut().insert(TRACEPARENT, parent);
        }
        ClientFuture { sent: Some(self.0.call(request)) }
    }
}

pin_project! {
    /// The response, or DEADLINE_EXCEEDED.
    #[must_use = "futures do nothing unless polled"]
    pub struct ClientFuture<F> {
        // None: the deadline had passed, nothing was sent.
        #[pin]
        sent: Option<F>,
    }
}

impl<F, E> Future for ClientFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
    E: std::error::Error + 'static,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let late = || status::deadline_exceeded("the call took too long").into_http::<Body>();
        match self.project().sent.as_pin_mut().map(|sent| sent.poll(context)) {
            None => Poll::Ready(Ok(late())),
            Some(Poll::Ready(Err(error))) if timed_out(&error) => Poll::Ready(Ok(late())),
            Some(polled) => polled,
        }
    }
}

fn timed_out(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TimeoutExpired>() {
            return true;
        }
        // A status that was read from the wire is the server's word.
        if error.is::<Status>() {
            return false;
        }
        cause = error.source();
    }
    false
}
