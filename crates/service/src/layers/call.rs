//! What a call carries from its arrival to its last frame.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tracing::Span;

use super::deadline::Deadline;
use super::methods::Method;
use super::metrics::Meter;
use super::{Guard, Limits, trace};
use crate::status;

/// Measured, traced and admitted; everything is given back when it is dropped.
pub(crate) struct Call {
    pub(crate) method: &'static Method,
    pub(crate) deadline: Deadline,
    // Dropped first: whoever sees the call counted finds its permit free.
    permit: Option<OwnedSemaphorePermit>,
    meter: Meter,
    span: Span,
    guard: Guard,
}

impl Call {
    pub(crate) fn new(method: &'static Method, meter: Meter, span: Span, deadline: Deadline, guard: Guard) -> Self {
        Self { method, deadline, permit: None, meter, span, guard }
    }

    pub(crate) fn hold(&mut self, permit: Option<OwnedSemaphorePermit>) {
        self.permit = permit;
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.guard.shared().limits
    }

    /// What ends this call's stream before its time.
    pub(crate) fn cut(&self) -> &CancellationToken {
        let shared = self.guard.shared();
        if self.method.infrastructure { &shared.draining } else { &shared.cut }
    }

    /// Runs a step of the handler in the call's span and under its deadline. A panic ends the call, not the server.
    pub(crate) fn run<T>(&self, step: impl FnOnce() -> T) -> Result<T, Status> {
        let _entered = self.span.enter();
        // What the step leaves half-done is dropped by the caller and never touched again.
        catch_unwind(AssertUnwindSafe(|| self.deadline.sync_scope(step)))
            .map_err(|_| status::internal("the handler failed"))
    }

    /// Says how the call ended; the last word before the drop is recorded.
    pub(crate) fn finish(&mut self, code: Code) {
        self.meter.finish(code);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        trace::finish(&self.span, self.method, self.meter.code(), self.meter.elapsed());
    }
}
