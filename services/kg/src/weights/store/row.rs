//! How epochs are written down: as JSON, which whoever looks into a store can read.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::weights::apply::Line;
use crate::weights::epoch::{Epoch, Record};
use crate::weights::overlay::Overlay;

/// An epoch with its ledger. The overlay is kept beside it, since it is given up earlier.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) epoch: Epoch,
    ledger: Vec<Line>,
}

impl Row {
    pub(super) fn of(record: &Record) -> Self {
        Self { epoch: record.epoch.clone(), ledger: record.ledger.clone() }
    }

    pub(super) fn with(self, overlay: Option<Overlay>) -> Record {
        Record { epoch: self.epoch, overlay, ledger: self.ledger }
    }
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|e| StoreError::Damaged(e.to_string()))
}

pub(super) fn parsed<T: DeserializeOwned>(json: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(json).map_err(|e| StoreError::Damaged(e.to_string()))
}
