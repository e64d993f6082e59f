//! The response body of a guarded call: reads the final status, and ends a stream whose deadline has passed, that
//! idles too long, or that outlives a drain.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::{Code, Status};

use super::call::Call;
use crate::status;

pin_project! {
    /// A body that belongs to a call until it ends.
    pub struct RpcBody<B> {
        #[pin]
        inner: Option<B>,
        call: Option<Call>,
        ends: Option<Box<Ends>>,
    }
}

impl<B> RpcBody<B> {
    pub(super) fn new(call: Call, inner: B) -> Self {
        Self { inner: Some(inner), call: Some(call), ends: None }
    }

    pub(super) fn empty() -> Self {
        Self { inner: None, call: None, ends: None }
    }
}

impl<B: Body> Body for RpcBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let (Some(inner), Some(call)) = (this.inner.as_mut().as_pin_mut(), this.call.as_mut()) else {
            return Poll::Ready(None);
        };
        call.read();
        let end = match call.run(|| inner.poll_frame(context)) {
            // A stream that always has something ready ends as well.
            Ok(Poll::Ready(Some(Ok(frame))))
                if call.method.server_streaming && frame.is_data() && call.deadline.expired() =>
            {
                status::deadline_exceeded("the stream took too long")
            }
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    call.finish(
                        trailers.get(Status::GRPC_STATUS).map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes())),
                    );
                    this.call.take();
                } else if let Some(ends) = this.ends {
                    ends.active();
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            Ok(Poll::Ready(Some(Err(error)))) => {
                call.finish(Code::Internal);
                this.call.take();
                return Poll::Ready(Some(Err(error)));
            }
            Ok(Poll::Ready(None)) => {
                this.call.take();
                return Poll::Ready(None);
            }
            Ok(Poll::Pending) if !call.method.server_streaming => return Poll::Pending,
            Ok(Poll::Pending) => match this.ends.get_or_insert_with(|| Box::new(Ends::of(call))).poll(context) {
                Poll::Ready(status) => status,
                Poll::Pending => return Poll::Pending,
            },
            Err(failure) => failure,
        };
        call.finish(end.code());
        this.inner.set(None);
        this.call.take();
        let mut trailers = http::HeaderMap::new();
        // Fails only on a message that is no header value, and ours are fixed texts.
        let _ = end.add_header(&mut trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// What may end a stream before its handler does.
struct Ends {
    deadline: Pin<Box<Sleep>>,
    idle: Pin<Box<Sleep>>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    idle_after: std::time::Duration,
    active: bool,
}

impl Ends {
    fn of(call: &Call) -> Self {
        let idle_after = call.limits().stream_idle;
        Self {
            deadline: Box::pin(sleep_until(call.deadline.instant())),
            idle: Box::pin(tokio::time::sleep(idle_after)),
            cut: Box::pin(call.cut().clone().cancelled_owned()),
            idle_after,
            active: false,
        }
    }

    /// A frame went out: the idle time begins anew at the next wait.
    fn active(&mut self) {
        self.active = true;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        if std::mem::take(&mut self.active)
            && let Some(at) = Instant::now().checked_add(self.idle_after)
        {
            self.idle.as_mut().reset(at);
        }
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(status::deadline_exceeded("the stream took too long"));
        }
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(status::unavailable("SHUTTING_DOWN", "the server is shutting down", None));
        }
        if self.idle.as_mut().poll(context).is_ready() {
            return Poll::Ready(status::unavailable("STREAM_IDLE", "the stream was idle for too long", None));
        }
        Poll::Pending
    }
}
