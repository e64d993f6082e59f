//! What is still to come of a request that is turned away.
//!
//! An answer ends the call, and h2 then resets the stream if the request has not ended. Frames that are on their way by
//! then count as faults of the caller, and too many of those end its connection with everything on it. So the answer
//! waits for the end of the request, for a moment and a few bytes: as a rule it is there already.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf as _;
use http_body::Body as _;
use tokio::time::{Sleep, sleep};
use tonic::body::Body;

/// The answer waits no longer.
const PATIENCE: Duration = Duration::from_millis(5);
/// Nor for more bytes than these; nobody looks at them.
const BYTES: usize = 64 << 10;

/// The rest of a request.
pub(super) struct Rest {
    body: Body,
    left: usize,
    // Set up at the first wait only.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Rest {
    pub(super) fn of(body: Body) -> Self {
        Self { body, left: BYTES, patience: None }
    }

    /// Ready when the answer need not wait any more.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            let Some(Ok(frame)) = frame else { return Poll::Ready(()) };
            let bytes = frame.data_ref().map_or(0, |data| data.remaining());
            self.left = self.left.saturating_sub(bytes);
            if self.left == 0 {
                return Poll::Ready(());
            }
        }
        self.patience.get_or_insert_with(|| Box::pin(sleep(PATIENCE))).as_mut().poll(context)
    }
}
