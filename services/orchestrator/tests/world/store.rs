//! The store of the simulation: one for both orchestrators, now and then away, now and then silent about what it did.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;
use wenzhen_orchestrator::store::{Append, ConsultationId, MemoryStore, Query, Store, StoreError, Summary};
use wenzhen_proto::orchestrator::v1::Event;

/// How the store behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// As it should.
    #[default]
    Well,
    /// Nobody reaches it.
    Away,
    /// What is appended is kept, but whoever appended does not hear so.
    Unheard,
}

/// A store in memory with faults.
#[derive(Default)]
pub struct FaultyStore {
    kept: MemoryStore,
    way: Mutex<Way>,
}

impl FaultyStore {
    /// Changes its behaviour.
    pub fn be(&self, way: Way) {
        *self.way.lock() = way;
    }

    /// Puts on record what the world begins with, faults or not.
    pub async fn place(&self, append: Append) {
        self.kept.append(append).await.unwrap();
    }

    /// Everything on record of a consultation, faults or not.
    pub async fn record(&self, id: ConsultationId) -> Vec<Event> {
        self.kept.read(id, 0, 100_000).await.unwrap()
    }

    fn reached(&self) -> Result<Way, StoreError> {
        match *self.way.lock() {
            Way::Away => Err(StoreError::Unavailable("away".to_owned())),
            way => Ok(way),
        }
    }
}

/// A handle for an orchestrator.
pub struct Shared(pub Arc<FaultyStore>);

#[async_trait]
impl Store for Shared {
    async fn append(&self, append: Append) -> Result<(), StoreError> {
        let way = self.0.reached()?;
        self.0.kept.append(append).await?;
        match way {
            Way::Unheard => Err(StoreError::Unavailable("the answer was lost".to_owned())),
            Way::Well | Way::Away => Ok(()),
        }
    }

    async fn read(&self, id: ConsultationId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.0.reached()?;
        self.0.kept.read(id, after, limit).await
    }

    async fn list(&self, query: Query, limit: usize) -> Result<Vec<(ConsultationId, Summary)>, StoreError> {
        self.0.reached()?;
        self.0.kept.list(query, limit).await
    }

    fn watch(&self, id: ConsultationId) -> watch::Receiver<u64> {
        self.0.kept.watch(id)
    }

    fn shared(&self) -> bool {
        true
    }

    async fn delete(&self, id: ConsultationId) -> Result<bool, StoreError> {
        self.0.reached()?;
        self.0.kept.delete(id).await
    }
}
