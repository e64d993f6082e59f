//! The permits of a response stream, for as long as somebody reads it.
//!
//! A caller can stop reading while its connection lives. The transport then has nowhere to put the next frame and asks
//! the stream for none, so that no timer inside the stream comes to run. A small task beside it takes the permits back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::AbortHandle;

use super::limit::Permits;

/// Holds permits until it is dropped, or until nobody has read for too long.
#[derive(Debug)]
pub(super) struct Lease {
    held: Arc<Held>,
    watch: AbortHandle,
}

#[derive(Debug)]
struct Held {
    permits: Mutex<Permits>,
    read: AtomicBool,
}

impl Lease {
    /// `silence` must be longer than any time for which a stream that is read may rest.
    pub(super) fn new(permits: Permits, silence: Duration) -> Self {
        let held = Arc::new(Held { permits: Mutex::new(permits), read: AtomicBool::new(true) });
        let watch = tokio::spawn(watch(Arc::downgrade(&held), silence)).abort_handle();
        Self { held, watch }
    }

    /// The transport asked for a frame.
    pub(super) fn read(&self) {
        self.held.read.store(true, Ordering::Relaxed);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.watch.abort();
        // At once: the task may hold on to the rest for a moment.
        drop(std::mem::take(&mut *self.held.permits.lock()));
    }
}

async fn watch(held: Weak<Held>, silence: Duration) {
    loop {
        tokio::time::sleep(silence).await;
        let Some(held) = held.upgrade() else { return };
        if !held.read.swap(false, Ordering::Relaxed) {
            tracing::warn!("a caller does not read its stream: its permit is given to others");
            drop(std::mem::take(&mut *held.permits.lock()));
            return;
        }
    }
}
