//! Where feedback waits and epochs are kept.
//!
//! A pack's weights are its own: every call names the pack's digest, and nothing crosses from one to another.

mod file;
mod lease;
mod memory;
mod redis;
mod row;

use std::time::Duration;

use async_trait::async_trait;

use super::epoch::Record;
use super::feedback::Feedback;

pub use file::RedbStore;
pub use memory::MemoryStore;
pub use redis::RedisStore;

/// Consultations whose feedback may wait, per pack; further ones are refused.
pub const MOST_WAITING: u64 = 100_000;
/// Consultations that one [`WeightStore::take`] hands out at most.
pub const MOST_TAKEN: usize = 1000;
/// How long [`WeightStore::head`] waits for something new.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// How long one publisher may take; whoever comes after that takes over what it held.
pub const LEASE: Duration = Duration::from_secs(10);

/// The newest epoch of a pack, and what waits for the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Number of the newest epoch; 0 when none was made.
    pub epoch: u64,
    /// Its fingerprint; empty for epoch 0. Another one under a number that is known says that the store has lost what
    /// it had acknowledged.
    pub fingerprint: String,
    /// Consultations whose feedback waits.
    pub waiting: u64,
}

/// Whether feedback is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It waits from now on.
    New,
    /// The consultation had taught before; nothing was added.
    Known,
}

/// Feedback handed to one publisher, and its right to publish it: nobody else gets either until the lease is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// Proves the right to publish; empty when nothing was there to take.
    pub token: String,
    /// What the store calls each piece.
    pub receipts: Vec<String>,
    /// The feedback, oldest first.
    pub feedback: Vec<Feedback>,
}

/// A new epoch to be written, together with everything that goes with it.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Digest of the pack.
    pub pack: String,
    /// The epoch; its number is one above the newest, else it is [`StoreError::Conflict`].
    pub record: Record,
    /// The feedback that went into it and waits no more; `None` for a rollback.
    pub claim: Option<Claim>,
    /// Overlays of so many epochs are kept, this one included; older ones are retired, at least 1.
    pub keep: u64,
}

/// Which epoch to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// By number.
    Number(u64),
    /// By the id under which it was published.
    Published(&'a str),
}

/// Why a store could not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else made an epoch first.
    #[error("the newest epoch is {newest}")]
    Conflict {
        /// The newest epoch.
        newest: u64,
    },
    /// An epoch was made under this publish id before.
    #[error("the publish id has made epoch {0}")]
    Published(u64),
    /// Somebody else publishes now.
    #[error("somebody else publishes now")]
    Busy,
    /// The lease was over before the commit: what was taken is somebody else's.
    #[error("the lease is over")]
    LeaseOver,
    /// Too much feedback waits.
    #[error("too much feedback waits")]
    Full,
    /// The store is away.
    #[error("the store of weights is away: {0}")]
    Unavailable(String),
    /// What is stored cannot be read.
    #[error("what is stored is damaged: {0}")]
    Damaged(String),
}

/// A store of weights. One conformance test runs over all implementations (`tests/weights.rs`).
#[async_trait]
pub trait WeightStore: Send + Sync + 'static {
    /// Lets feedback wait. It is durable when this returns (as durable as the store can make it), and a consultation
    /// is taken once: known are those that wait and those that were applied.
    ///
    /// # Errors
    /// [`StoreError::Full`], or when the store is away.
    async fn offer(&self, feedback: &Feedback) -> Result<Offered, StoreError>;

    /// Takes the right to publish, for [`LEASE`], and the oldest feedback, at most `most` (and [`MOST_TAKEN`]). What a
    /// publisher took and did not commit is handed to the next one. When nothing waits, nothing is taken.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while somebody else has the right, or when the store is away.
    async fn take(&self, pack: &str, most: usize) -> Result<Claim, StoreError>;

    /// Writes a new epoch, its ledger and its publish id, retires the oldest overlay, removes the feedback that went
    /// into it and gives the right to publish back: all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::Published`], [`StoreError::Conflict`], [`StoreError::LeaseOver`], in this order; or when the store
    /// is away: then it may have been written, and the same commit again says so.
    async fn commit(&self, commit: &Commit) -> Result<(), StoreError>;

    /// An epoch; `None` when there is none. Epoch 0 always is.
    ///
    /// # Errors
    /// When the store is away or damaged.
    async fn epoch(&self, pack: &str, which: Which<'_>) -> Result<Option<Record>, StoreError>;

    /// The newest epoch. With `known`, waits until it is another one, [`PATIENCE`] at most.
    ///
    /// # Errors
    /// When the store is away.
    async fn head(&self, pack: &str, known: Option<u64>) -> Result<Head, StoreError>;
}

/// The number that a commit's epoch must have.
fn expected(newest: u64, commit: &Commit) -> Result<(), StoreError> {
    if commit.record.epoch.number == newest + 1 { Ok(()) } else { Err(StoreError::Conflict { newest }) }
}

/// Number of the epoch that a commit retires; `None` while there are few. Epoch 0 has nothing to retire.
fn retired(commit: &Commit) -> Option<u64> {
    commit.record.epoch.number.checked_sub(commit.keep.max(1)).filter(|number| *number > 0)
}
