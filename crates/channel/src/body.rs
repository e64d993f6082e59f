//! The response body: the attempt counts as outstanding to its last frame, and the deadline holds to its last frame.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Code, Status};

use crate::attempt::Attempt;
use crate::flight::broken_stream;
use crate::metrics::Tally;

/// A body on its way to the caller.
pub struct Answering {
    inner: Incoming,
    /// None once it is over.
    open: Option<(Attempt, Tally)>,
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Answering {
    /// The body of a response that has just begun.
    pub fn new(inner: Incoming, attempt: Attempt, tally: Tally, deadline: Option<Instant>) -> Self {
        Self { inner, open: Some((attempt, tally)), deadline, timer: None }
    }

    fn end(&mut self, code: Code) {
        if let Some((mut attempt, mut tally)) = self.open.take() {
            attempt.ended(code);
            tally.ended(code);
        }
    }

    fn late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Ends at the deadline.
    fn cut<T>(&mut self) -> Poll<Option<Result<T, Status>>> {
        self.end(Code::DeadlineExceeded);
        Poll::Ready(Some(Err(wenzhen_service::status::deadline_exceeded("the call took too long"))))
    }

    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        // Only a body that must be waited for needs a timer.
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().poll(context)
    }
}

impl Body for Answering {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.open.is_none() {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.inner).poll_frame(context) {
            // A stream that always has something ready ends as well.
            Poll::Ready(Some(Ok(frame))) if frame.is_data() && self.late() => self.cut(),
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    let code = trailers.get(Status::GRPC_STATUS);
                    self.end(code.map_or(Code::Unknown, |code| Code::from_bytes(code.as_bytes())));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let status = broken_stream(error);
                self.end(status.code());
                Poll::Ready(Some(Err(status)))
            }
            Poll::Ready(None) => {
                // A response without a final status is one that broke.
                self.end(Code::Unknown);
                Poll::Ready(None)
            }
            Poll::Pending if self.poll_deadline(context).is_ready() => self.cut(),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.open.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
