//! One call in line.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::line::Place;
use super::{Admission, Permit, Shed, ShedReason};

/// Yields a permit, or why there is none. Dropping it leaves the line.
#[must_use = "futures do nothing unless polled"]
pub struct Waiting {
    admission: Admission,
    method: &'static str,
    place: Place,
    answer: oneshot::Receiver<Result<Permit, ShedReason>>,
    patience: Pin<Box<Sleep>>,
}

impl Waiting {
    pub(super) fn new(
        admission: Admission,
        method: &'static str,
        place: Place,
        answer: oneshot::Receiver<Result<Permit, ShedReason>>,
        patience: Duration,
    ) -> Self {
        admission.0.metrics.depth(method, 1);
        Self { admission, method, place, answer, patience: Box::pin(tokio::time::sleep(patience)) }
    }
}

impl Future for Waiting {
    type Output = Result<Permit, Shed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // A permit that came in time counts, even where the time is over now.
        let reason = match Pin::new(&mut self.answer).poll(context) {
            Poll::Ready(Ok(Ok(permit))) => return Poll::Ready(Ok(permit)),
            Poll::Ready(Ok(Err(reason))) => reason,
            // Nobody drops a ticket unanswered but this future's own end.
            Poll::Ready(Err(_)) => ShedReason::Displaced,
            Poll::Pending if self.patience.as_mut().poll(context).is_ready() => ShedReason::Waited,
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(Err(self.admission.shed(self.method, reason)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.admission.0.metrics.depth(self.method, -1);
        // A permit that was sent and not yet read comes back when the channel is dropped.
        self.admission.0.state.lock().line.leave(self.place);
    }
}
