//! The future of a guarded call: waits for admission, then runs the handler until the response begins or the deadline
//! passes.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tonic::body::Body;
use tonic::{Code, Status};

use super::admission::Shed;
use super::body::RpcBody;
use super::call::Call;
use super::limit::{Entering, Permits};
use super::rest::Rest;
use super::turns::Turns;
use crate::status;

/// Calls the handler; run once, after admission.
type Start<F> = Box<dyn FnOnce() -> F + Send>;

pin_project! {
    /// Yields the response, whose body goes on measuring.
    #[must_use = "futures do nothing unless polled"]
    pub struct RpcFuture<F> {
        // In line: neither the handler nor the body of the request has been touched.
        line: Option<(Box<Entering>, Start<F>)>,
        #[pin]
        handler: Option<F>,
        turns: Turns,
        // Set up at the first wait only: most handlers answer at once and need no timer.
        #[pin]
        timer: Option<Sleep>,
        call: Option<Call>,
        answer: Option<Status>,
        // Of a call that is turned away.
        rest: Option<Rest>,
    }
}

impl<F> RpcFuture<F> {
    fn new(call: Call) -> Self {
        let turns = Turns::default();
        Self { line: None, handler: None, turns, timer: None, call: Some(call), answer: None, rest: None }
    }

    pub(super) fn running(call: Call, handler: F) -> Self {
        Self { handler: Some(handler), ..Self::new(call) }
    }

    pub(super) fn answered(call: Call, answer: Status) -> Self {
        Self { answer: Some(answer), ..Self::new(call) }
    }

    pub(super) fn refused(call: Call, answer: Status, body: Body) -> Self {
        Self { rest: Some(Rest::of(body)), ..Self::answered(call, answer) }
    }

    pub(super) fn waiting(call: Call, entering: Box<Entering>, start: Start<F>) -> Self {
        Self { line: Some((entering, start)), ..Self::new(call) }
    }
}

impl<F, B> Future for RpcFuture<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<RpcBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(call) = this.call.as_mut() else { return Poll::Pending };
        if let Some((entering, _)) = this.line {
            let Poll::Ready(entered) = Pin::new(entering).poll(context) else { return Poll::Pending };
            match this.line.take().map(|(_, start)| begin(call, entered, start)) {
                Some(Ok(handler)) => this.handler.set(Some(handler)),
                Some(Err(refusal)) => *this.answer = Some(refusal),
                None => {}
            }
        }
        if this.rest.as_mut().is_some_and(|rest| rest.poll(context).is_pending()) {
            return Poll::Pending;
        }
        let verdict = match (this.answer.take(), this.handler.as_mut().as_pin_mut()) {
            (Some(answer), _) => Err(answer),
            (None, None) => Err(status::internal("polled after the end")),
            (None, Some(handler)) => match in_turn(this.turns, call, handler, context) {
                Ok(Poll::Ready(Ok(response))) => Ok(response),
                Ok(Poll::Ready(Err(never))) => match never {},
                Err(failure) => Err(failure),
                Ok(Poll::Pending) => {
                    if this.timer.is_none() {
                        this.timer.set(Some(sleep_until(call.deadline.instant())));
                    }
                    match this.timer.as_mut().as_pin_mut().map(|timer| timer.poll(context)) {
                        Some(Poll::Ready(())) => Err(status::deadline_exceeded("the call took too long")),
                        _ => return Poll::Pending,
                    }
                }
            },
        };
        // Dropping the handler first frees what it holds before the permit returns.
        this.handler.set(None);
        let Some(call) = this.call.take() else { return Poll::Pending };
        Poll::Ready(Ok(respond(call, verdict)))
    }
}

/// Lets the handler go on when it is its turn; a probe need not wait for one.
fn in_turn<F: Future>(
    turns: &mut Turns,
    call: &Call,
    handler: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Result<Poll<F::Output>, Status> {
    if call.method.infrastructure {
        return call.run(|| handler.poll(context));
    }
    let Poll::Ready(_turn) = turns.poll(context) else { return Ok(Poll::Pending) };
    call.run(|| handler.poll(context))
}

/// What comes after the line: the handler, or why it is not called.
fn begin<F>(call: &mut Call, entered: Result<Permits, Shed>, start: Start<F>) -> Result<F, Status> {
    call.hold(entered?);
    if call.deadline.expired() {
        return Err(status::deadline_exceeded("the deadline passed in line"));
    }
    call.run(start)
}

fn respond<B>(mut call: Call, verdict: Result<Response<B>, Status>) -> Response<RpcBody<B>> {
    match verdict {
        Ok(mut response) => {
            call.respond();
            call.sign(response.headers_mut());
            // A response without a body carries its status in the headers: the call ends here.
            if let Some(status) = response.headers().get(Status::GRPC_STATUS) {
                call.finish(Code::from_bytes(status.as_bytes()));
                drop(call);
                return response.map(|_| RpcBody::empty());
            }
            response.map(|body| RpcBody::new(call, body))
        }
        Err(status) => {
            call.finish(status.code());
            let mut response = status.into_http::<()>();
            call.sign(response.headers_mut());
            drop(call);
            response.map(|()| RpcBody::empty())
        }
    }
}
