//! Epochs: an overlay with how it came about. Pure: the next epoch is made from the newest one and what is to be done.

use serde::{Deserialize, Serialize};

use super::apply::{Bounds, Counts, Line, apply, count, difference};
use super::feedback::Feedback;
use super::overlay::Overlay;

/// How an epoch came about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The pack as written.
    #[default]
    Base,
    /// Feedback was applied.
    Publish,
    /// The weights of an earlier epoch were taken up again.
    Rollback {
        /// That epoch.
        to: u64,
    },
}

/// Who makes an epoch, why and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Id that the client chose: the same id makes one epoch, however often it comes.
    pub publish_id: String,
    /// Name of the admin key, or `auto`.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// An epoch without its weights.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number; 0 is the pack as written.
    pub number: u64,
    /// Fingerprint of its overlay.
    pub fingerprint: String,
    /// How it came about.
    pub cause: Cause,
    /// Who, why, when.
    pub note: Note,
    /// What came of the proposals.
    pub counts: Counts,
    /// Edges that stand elsewhere than in the epoch before.
    pub changed: u32,
    /// Edges that stand elsewhere than in the pack.
    pub shifted: u32,
}

/// An epoch with its weights and its part of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The epoch.
    pub epoch: Epoch,
    /// Its weights; `None` for a retired epoch.
    pub overlay: Option<Overlay>,
    /// The edges that moved.
    pub ledger: Vec<Line>,
}

impl Record {
    /// Epoch 0.
    pub fn base() -> Self {
        let overlay = Overlay::default();
        let epoch = Epoch { fingerprint: overlay.fingerprint(), ..Epoch::default() };
        Self { epoch, overlay: Some(overlay), ledger: Vec::new() }
    }

    fn next(newest: u64, cause: Cause, note: Note, (overlay, ledger, counts): (Overlay, Vec<Line>, Counts)) -> Self {
        let epoch = Epoch {
            number: newest + 1,
            fingerprint: overlay.fingerprint(),
            cause,
            note,
            counts,
            changed: count(ledger.len()),
            shifted: count(overlay.len()),
        };
        Self { epoch, overlay: Some(overlay), ledger }
    }
}

/// The epoch that applies feedback to the newest one.
pub fn published(newest: (u64, &Overlay), batch: &[Feedback], bounds: &Bounds, note: Note) -> Record {
    let applied = apply(newest.1, batch, bounds);
    Record::next(newest.0, Cause::Publish, note, (applied.overlay, applied.ledger, applied.counts))
}

/// The epoch that takes up the weights of an earlier one.
pub fn rolled_back(newest: (u64, &Overlay), earlier: (u64, &Overlay), note: Note) -> Record {
    let ledger = difference(newest.1, earlier.1);
    let cause = Cause::Rollback { to: earlier.0 };
    Record::next(newest.0, cause, note, (earlier.1.clone(), ledger, Counts::default()))
}
