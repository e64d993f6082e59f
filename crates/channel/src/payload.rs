//! The request body, kept so that it can be sent again. A unary request is there at once; what is not, or is too long,
//! is a stream and is sent once only.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

/// What a call has to send.
#[derive(Debug)]
pub enum Payload {
    /// All of it.
    Whole(Bytes),
    /// A stream that begins with what was read of it; None once it was sent.
    Once(Option<Sent>),
}

impl Payload {
    /// Reads what is there without waiting, up to about `limit` bytes.
    ///
    /// # Errors
    /// When the body does, such as a message that cannot be encoded.
    pub fn gather(mut body: Body, limit: usize) -> Result<Self, Status> {
        let mut context = Context::from_waker(Waker::noop());
        let mut first: Option<Bytes> = None;
        loop {
            if body.is_end_stream() {
                return Ok(Self::Whole(first.unwrap_or_default()));
            }
            let once = |first, trailers, rest| Ok(Self::Once(Some(Sent { first, trailers, rest })));
            match Pin::new(&mut body).poll_frame(&mut context) {
                // Whoever sends it polls it again with a waker of its own.
                Poll::Pending => return once(first, None, Some(body)),
                Poll::Ready(None) => return Ok(Self::Whole(first.unwrap_or_default())),
                Poll::Ready(Some(Err(status))) => return Err(status),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        let all = joined(first.take(), data);
                        if all.len() > limit {
                            return once(Some(all), None, Some(body));
                        }
                        first = Some(all);
                    }
                    Err(frame) => return once(first, frame.into_trailers().ok(), None),
                },
            }
        }
    }

    /// Whether it can be sent again.
    pub fn replayable(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// A body to send; None when it was sent and cannot be sent again.
    pub fn body(&mut self) -> Option<Sent> {
        match self {
            Self::Whole(bytes) => {
                let first = (!bytes.is_empty()).then(|| bytes.clone());
                Some(Sent { first, trailers: None, rest: None })
            }
            Self::Once(sent) => sent.take(),
        }
    }

    /// Takes back a body that was not sent after all.
    pub fn restore(&mut self, body: Sent) {
        if let Self::Once(sent) = self {
            *sent = Some(body);
        }
    }
}

fn joined(first: Option<Bytes>, data: Bytes) -> Bytes {
    let Some(first) = first else { return data };
    let mut all = BytesMut::with_capacity(first.len() + data.len());
    all.extend_from_slice(&first);
    all.extend_from_slice(&data);
    all.freeze()
}

/// A request body on its way.
#[derive(Debug)]
pub struct Sent {
    first: Option<Bytes>,
    trailers: Option<HeaderMap>,
    rest: Option<Body>,
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(data) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.trailers.is_none() && self.rest.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    /// Unknown on purpose: a known length would add a `content-length` that gRPC does not use.
    fn size_hint(&self) -> SizeHint {
        SizeHint::new()
    }
}

#[cfg(test)]
#[path = "payload_tests.rs"]
mod tests;
