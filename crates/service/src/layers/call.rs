//! What a call carries from its arrival to its last frame.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use http::HeaderMap;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tracing::Span;

use super::deadline::Deadline;
use super::lease::Lease;
use super::limit::Permits;
use super::methods::Method;
use super::metrics::Meter;
use super::{Guard, INSTANCE, Limits, trace};
use crate::status;

/// Beyond the time for which a stream may have nothing to send: by then one that is read has been asked for a frame.
const STALLED: Duration = Duration::from_secs(10);

/// Measured, traced and admitted; everything is given back when it is dropped.
pub(crate) struct Call {
    pub(crate) method: &'static Method,
    pub(crate) deadline: Deadline,
    // Dropped first: whoever sees the call counted finds its permit free.
    permits: Permits,
    lease: Option<Lease>,
    meter: Meter,
    span: Span,
    guard: Guard,
}

impl Call {
    pub(crate) fn new(method: &'static Method, meter: Meter, span: Span, deadline: Deadline, guard: Guard) -> Self {
        Self { method, deadline, permits: Permits::default(), lease: None, meter, span, guard }
    }

    pub(crate) fn hold(&mut self, permits: Permits) {
        self.permits = permits;
    }

    /// The response begins. The work of a unary call is done, whatever its caller does with the answer; that of a
    /// stream goes on for as long as it is read.
    pub(crate) fn respond(&mut self) {
        let permits = std::mem::take(&mut self.permits);
        if self.method.server_streaming && permits.any() {
            self.lease = Some(Lease::new(permits, self.limits().stream_idle + STALLED));
        }
    }

    /// The transport asks for a frame of the response.
    pub(crate) fn read(&self) {
        if let Some(lease) = &self.lease {
            lease.read();
        }
    }

    /// Writes the name of this process into the headers of a response.
    pub(crate) fn sign(&self, headers: &mut HeaderMap) {
        if let Some(instance) = &self.guard.shared().instance {
            headers.insert(INSTANCE, instance.clone());
        }
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
