//! Where consultations are kept: append with expected version, read, list, watch, delete.

mod memory;
mod redb;
mod redis;

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use tokio::sync::watch;
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1::{Event, PendingReason};

pub use memory::MemoryStore;
pub use redb::RedbStore;
pub use redis::RedisStore;

/// Identity of a consultation: 128 random bits, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsultationId(pub [u8; 16]);

impl ConsultationId {
    /// A fresh id from the system's randomness.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for ConsultationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ConsultationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConsultationId({self})")
    }
}

impl FromStr for ConsultationId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map(|()| Self(id))
    }
}

/// What a store keeps beside the events, to find consultations without reading them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Day (since 1970) from which the consultation is to be deleted.
    pub expires_day: u32,
    /// What it waits for; `None` when nobody is needed.
    pub pending: Option<PendingSummary>,
    /// Since when (ms since 1970) it waits to be reviewed: it has ended and a clinician confirmed its outcome.
    pub review_since_ms: Option<u64>,
}

/// Why a consultation waits for a clinician.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingSummary {
    /// Why.
    pub reason: PendingReason,
    /// How urgent.
    pub urgency: Urgency,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
}

/// Events to append.
#[derive(Debug, Clone)]
pub struct Append {
    /// The consultation.
    pub id: ConsultationId,
    /// Version that it must have now; 0 creates it.
    pub expected: u64,
    /// Events with versions `expected + 1` onwards.
    pub events: Vec<Event>,
    /// The summary from now on.
    pub summary: Summary,
}

/// What to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// Consultations that wait for a clinician, most urgent first, then oldest first.
    Pending,
    /// Consultations whose day of expiry is not after this one.
    ExpiredBy(u32),
    /// Consultations that wait to be reviewed, oldest first.
    ReviewDue,
}

/// Why a store could not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else appended first.
    #[error("the consultation is at version {actual}")]
    Conflict {
        /// Its version now.
        actual: u64,
    },
    /// No such consultation.
    #[error("no such consultation")]
    NotFound,
    /// The store is away.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A stored event cannot be read.
    #[error("a stored event is damaged: {0}")]
    Damaged(String),
}

/// A consultation store. One conformance test runs over all implementations (`tests/store.rs`).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Appends events; they are durable when this returns (as durable as the store can make them).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the version is not the expected one; nothing was written then.
    async fn append(&self, append: Append) -> Result<(), StoreError>;

    /// Up to `limit` events after version `after`, in order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such consultation.
    async fn read(&self, id: ConsultationId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// Up to `limit` consultations.
    ///
    /// # Errors
    /// When the store is away.
    async fn list(&self, query: Query, limit: usize) -> Result<Vec<(ConsultationId, Summary)>, StoreError>;

    /// The latest version, and every change of it while the receiver lives. Versions may be skipped;
    /// `u64::MAX` says that the consultation was deleted.
    fn watch(&self, id: ConsultationId) -> watch::Receiver<u64>;

    /// Whether other processes may append too, so that a state in memory can be behind.
    fn shared(&self) -> bool {
        false
    }

    /// Deletes every trace of a consultation; `false` when there was none.
    ///
    /// # Errors
    /// When the store is away.
    async fn delete(&self, id: ConsultationId) -> Result<bool, StoreError>;
}

/// Who waits for new versions. Entries without a listener are dropped when they are next touched.
#[derive(Debug, Default)]
struct Watchers(parking_lot::Mutex<std::collections::HashMap<ConsultationId, watch::Sender<u64>>>);

/// The version that says that a consultation was deleted.
pub const DELETED: u64 = u64::MAX;

impl Watchers {
    fn subscribe(&self, id: ConsultationId) -> watch::Receiver<u64> {
        let mut senders = self.0.lock();
        senders.retain(|_, sender| sender.receiver_count() > 0);
        senders.entry(id).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    fn notify(&self, id: ConsultationId, version: u64) {
        if let Some(sender) = self.0.lock().get(&id) {
            sender.send_replace(version);
        }
    }
}
