//! Admission: a bound on the calls that are handled at once, and a short, ordered line in front of it.
//!
//! A call that finds no permit waits for one, for a bounded time and in bounded company; what does not fit is shed at
//! once, the least important first. The line is worth having because the handlers are short: it takes up a burst,
//! and under lasting overload its pace shows on arrival that waiting would be in vain. See `line` for the order.

mod line;
mod pace;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tonic::Status;
use tonic::metadata::MetadataValue;

pub use self::line::Priority;
use self::line::{Arrival, Line};
use self::pace::Pace;
pub use self::waiting::Waiting;
use super::deadline::Deadline;
use super::metrics::AdmissionMetrics;
use crate::status;

/// Metadata that carries the priority of a call: `urgent`, `ongoing` or `new`.
pub const PRIORITY: &str = "wenzhen-priority";

impl Priority {
    /// As the metadata spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Ongoing => "ongoing",
            Self::New => "new",
        }
    }

    /// Asks for this priority.
    pub fn mark<T>(self, request: &mut tonic::Request<T>) {
        request.metadata_mut().insert(PRIORITY, MetadataValue::from_static(self.as_str()));
    }

    /// The priority that a caller asks for; `ongoing` where it asks for none or for one that is not known.
    pub fn of(headers: &HeaderMap) -> Self {
        let asked = headers.get(PRIORITY).and_then(|value| value.to_str().ok());
        Self::ALL.into_iter().find(|priority| asked == Some(priority.as_str())).unwrap_or(Self::Ongoing)
    }
}

/// The bounds of one [`Admission`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Permits: calls handled at once.
    pub permits: usize,
    /// Calls that may wait for a permit; zero sheds whatever finds none.
    pub waiting: usize,
    /// Longest wait; a call whose deadline is nearer waits no longer than that.
    pub wait: Duration,
    /// What a shed caller is told to wait.
    pub retry_after: Duration,
}

/// Why a call was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShedReason {
    /// No place was left in line.
    Full,
    /// A call that matters more took its place.
    Displaced,
    /// On arrival: by the pace of the line its turn would come too late.
    Late,
    /// It has waited as long as it may.
    Waited,
}

impl ShedReason {
    /// The label of the metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Displaced => "displaced",
            Self::Late => "late",
            Self::Waited => "waited",
        }
    }
}

/// A call that was not admitted; as a status, RESOURCE_EXHAUSTED with RetryInfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many calls in flight")]
pub struct Shed {
    /// Why.
    pub reason: ShedReason,
    /// When the caller may try again.
    pub retry_after: Duration,
}

impl From<Shed> for Status {
    fn from(shed: Shed) -> Self {
        status::resource_exhausted(shed.to_string(), shed.retry_after)
    }
}

/// Permits and the line for them; clones share both.
#[derive(Clone)]
pub struct Admission(Arc<Inner>);

struct Inner {
    bounds: Bounds,
    metrics: AdmissionMetrics,
    state: Mutex<State>,
}

struct State {
    line: Line<Ticket>,
    pace: Pace,
}

/// The answer to one who waits: a permit, or why not. Sending it wakes the waiter.
type Ticket = oneshot::Sender<Result<Permit, ShedReason>>;

/// How an attempt to enter ended.
#[must_use]
pub enum Entry {
    /// With a permit.
    Admitted(Permit),
    /// In line.
    Waits(Waiting),
}

impl Admission {
    /// Permits of its own; `metrics` may be shared by many ([`crate::Metrics::admission`]).
    pub fn new(bounds: Bounds, metrics: AdmissionMetrics) -> Self {
        let line = Line::new(bounds.permits, bounds.waiting);
        Self(Arc::new(Inner { bounds, metrics, state: Mutex::new(State { line, pace: Pace::default() }) }))
    }

    /// Waits for a permit. A caller who drops the future leaves the line.
    ///
    /// `method` labels the metrics, so it must come from a fixed set.
    ///
    /// # Errors
    /// [`Shed`] when there is no place in line, or no permit in time.
    pub async fn admit(
        &self,
        method: &'static str,
        priority: Priority,
        deadline: Option<Deadline>,
    ) -> Result<Permit, Shed> {
        match self.enter(method, priority, deadline)? {
            Entry::Admitted(permit) => Ok(permit),
            Entry::Waits(waiting) => waiting.await,
        }
    }

    /// [`Admission::admit`] in two steps: says at once whether there is a permit, a place in line, or neither.
    ///
    /// # Errors
    /// [`Shed`] when there is neither.
    pub fn enter(&self, method: &'static str, priority: Priority, deadline: Option<Deadline>) -> Result<Entry, Shed> {
        let inner = &*self.0;
        let mut state = inner.state.lock();
        if state.line.take() {
            return Ok(Entry::Admitted(Permit(Some(self.clone()))));
        }
        let left = deadline.map_or(Duration::MAX, Deadline::remaining);
        let patience = inner.bounds.wait.min(left);
        let ahead = state.line.ahead(priority);
        // The first in line is always let in: it is how a pace that got better is noticed.
        if ahead > 0 && state.pace.expected(ahead) > patience {
            drop(state);
            return Err(self.shed(method, ShedReason::Late));
        }
        let (ticket, answer) = oneshot::channel();
        let nobody = state.line.is_empty();
        let Arrival::Stands(place, displaced) = state.line.stand(priority, ticket) else {
            drop(state);
            return Err(self.shed(method, ShedReason::Full));
        };
        if nobody {
            state.pace.begin(Instant::now());
        }
        drop(state);
        if let Some(displaced) = displaced {
            // One who has left by now needs no answer.
            let _ = displaced.send(Err(ShedReason::Displaced));
        }
        Ok(Entry::Waits(Waiting::new(self.clone(), method, place, answer, patience)))
    }

    /// Counts a call that is not admitted.
    fn shed(&self, method: &'static str, reason: ShedReason) -> Shed {
        self.0.metrics.shed(method, reason.as_str());
        Shed { reason, retry_after: self.0.bounds.retry_after }
    }

    /// Hands a permit on to the first in line that is still there.
    fn give_back(&self) {
        loop {
            let mut state = self.0.state.lock();
            let Some(ticket) = state.line.give_back() else { return };
            state.pace.served(Instant::now());
            drop(state);
            match ticket.send(Ok(Permit(Some(self.clone())))) {
                Ok(()) => return,
                // The caller has left: its permit must not come back through `drop`, which is where we are.
                Err(Ok(mut permit)) => drop(permit.0.take()),
                Err(Err(_)) => return,
            }
        }
    }
}

/// The right to be handled; given back when it is dropped.
#[must_use = "dropping this gives the permit back"]
pub struct Permit(Option<Admission>);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(admission) = self.0.take() {
            admission.give_back();
        }
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Permit")
    }
}
