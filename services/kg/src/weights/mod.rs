//! Weights that learn in epochs.
//!
//! Epoch 0 is the pack as written. What clinicians confirmed comes in as [`feedback`], waits in a [`store`], and is
//! applied in batches: [`apply`] makes the next [`overlay`] and its ledger, [`epoch`] names it. All of these are pure.
//! [`publish`] runs them against the store, [`replica`] holds the graphs of the epochs that are in use and follows new
//! ones.

pub mod apply;
pub mod epoch;
pub mod feedback;
pub mod overlay;
pub mod publish;
pub mod replica;
pub mod store;

pub use apply::Bounds;
pub use epoch::{Cause, Epoch, Note, Record};
pub use feedback::{Change, Feedback, Reason};
pub use overlay::{EdgeId, Overlay};
pub use publish::{AutoPublish, Publisher};
pub use replica::Replica;
pub use store::{MemoryStore, RedbStore, StoreError, WeightStore};
