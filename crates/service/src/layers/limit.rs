//! One bound on the calls in flight, over all connections. What does not fit is shed at once: a queue would only turn
//! overload into missed deadlines.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use super::methods::Method;
use crate::status;

/// Permits for calls in flight; clones share them.
#[derive(Clone, Debug)]
pub struct Limit {
    permits: Arc<Semaphore>,
    retry_after: Duration,
}

impl Limit {
    /// Admits `max_in_flight` calls at a time; whoever is refused is told to wait `retry_after`.
    pub fn new(max_in_flight: usize, retry_after: Duration) -> Self {
        Self { permits: Arc::new(Semaphore::new(max_in_flight.min(Semaphore::MAX_PERMITS))), retry_after }
    }

    /// A permit, held until the response's last frame is out; none is needed for probes.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED with RetryInfo when none is left.
    pub fn admit(&self, method: &Method) -> Result<Option<OwnedSemaphorePermit>, Status> {
        if method.infrastructure {
            return Ok(None);
        }
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => Ok(Some(permit)),
            Err(_) => Err(status::resource_exhausted("too many calls in flight", self.retry_after)),
        }
    }
}
