//! The body of a request under a clock: a caller who sends the head of a call and not the rest would hold a permit for
//! as long as the deadline that it chose itself.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::methods::Method;
use crate::status;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

pin_project! {
    /// A body that has to come in time: whole, or frame by frame where it is a stream.
    struct Timely<B> {
        #[pin]
        inner: B,
        // Set up at the first wait only: most bodies are there at once.
        #[pin]
        timer: Option<Sleep>,
        within: Duration,
        stream: bool,
    }
}

/// Puts the clock on a request.
pub(super) fn timely<B>(method: &Method, request: Request<B>, within: Duration) -> Request<tonic::body::Body>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let stream = method.client_streaming;
    request.map(|inner| tonic::body::Body::new(Timely { inner, timer: None, within, stream }))
}

impl<B> Body for Timely<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        if let Poll::Ready(frame) = this.inner.poll_frame(context) {
            if *this.stream {
                this.timer.set(None);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if this.timer.is_none() {
            this.timer.set(Some(tokio::time::sleep(*this.within)));
        }
        match this.timer.as_mut().as_pin_mut().map(|timer| timer.poll(context)) {
            Some(Poll::Ready(())) => {
                let late = status::deadline_exceeded("the request took too long to arrive");
                Poll::Ready(Some(Err(late.into())))
            }
            _ => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
