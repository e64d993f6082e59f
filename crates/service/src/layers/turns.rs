//! Turns at computing: no more handlers run at a time than there are cores.
//!
//! A handler that computes keeps its thread until it is done. Where every thread of the runtime is kept so, nobody reads
//! what comes in: calls that are to be turned away wait for their answer behind those that are computed, and that a
//! caller has gone is noticed when the work for it is done. So a runtime has a thread more than there are turns
//! ([`workers`]), and a handler is polled only while it has one. A turn is over with the poll: whoever waits for others
//! holds none.
//!
//! A lone call may still keep the thread that also waits for what comes in, since tokio wakes another one for a second
//! thing to do only: what comes then is read when that call has been computed or yields. Waking a thread for each call
//! would cost more than it saves where calls take fractions of a millisecond, as ours do.

use std::num::NonZero;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

/// Turns of this process, whatever it serves.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(cores()));

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Threads that a runtime needs so that one is left while handlers compute.
pub fn workers() -> usize {
    cores() + 1
}

/// A turn, until it is dropped.
pub(super) type Turn = SemaphorePermit<'static>;

/// The wait of one call for its turns, one after the other.
#[derive(Default)]
pub(super) struct Turns(Option<BoxFuture<'static, Result<Turn, AcquireError>>>);

impl Turns {
    /// Takes a turn, or stands in line for one in the order of arrival. Dropping this leaves the line.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Turn>> {
        if self.0.is_none()
            && let Ok(turn) = TURNS.try_acquire()
        {
            return Poll::Ready(Some(turn));
        }
        let waiting = self.0.get_or_insert_with(|| Box::pin(TURNS.acquire()));
        let turn = std::task::ready!(Pin::new(waiting).poll(context));
        self.0 = None;
        // It is never closed; if it were, nobody would have to wait.
        Poll::Ready(turn.ok())
    }
}
