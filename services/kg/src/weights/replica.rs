//! What one replica holds: the graphs of the epochs that are in use, and the newest epoch of each pack, which it follows.
//!
//! Epoch 0 is always there. Others are fetched from the store when they are first pinned and kept while they are among
//! the few used last. Without its store a replica goes on scoring with what it has.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;
use tokio::sync::watch;
use wenzhen_pack::Pack;
use wenzhen_service::health::Dependency;

use super::epoch::{Epoch, Record};
use super::store::{Head, StoreError, WeightStore, Which};
use crate::error::Error;
use crate::metrics::WeightMetrics;
use crate::model::Model;

/// Graphs kept per pack beside that of epoch 0.
const KEPT: NonZeroUsize = NonZeroUsize::new(4).unwrap();
/// First and longest pause after the store was away.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// The epochs of all packs, as this replica knows them.
#[derive(Debug)]
pub struct Replica {
    store: Arc<dyn WeightStore>,
    shelves: BTreeMap<String, Shelf>,
}

/// One pack.
#[derive(Debug)]
struct Shelf {
    base: Arc<Model>,
    kept: Mutex<LruCache<u64, Kept>>,
    newest: watch::Sender<Arc<Epoch>>,
    /// Whoever fetches an epoch; others wait and find it.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Kept {
    fingerprint: String,
    model: Arc<Model>,
}

impl std::fmt::Debug for dyn WeightStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WeightStore")
    }
}

impl Replica {
    /// Makes the packs ready, at epoch 0.
    pub fn new(packs: impl IntoIterator<Item = Arc<Pack>>, store: Arc<dyn WeightStore>) -> Self {
        let shelf = |pack: Arc<Pack>| (pack.digest.to_string(), Shelf::new(Model::new(pack)));
        Self { store, shelves: packs.into_iter().map(shelf).collect() }
    }

    /// Digests of the packs.
    pub fn packs(&self) -> impl Iterator<Item = &str> {
        self.shelves.keys().map(String::as_str)
    }

    /// The store.
    pub fn store(&self) -> &dyn WeightStore {
        &*self.store
    }

    /// A pack as it is written.
    ///
    /// # Errors
    /// [`Error::PackUnknown`].
    pub fn base(&self, digest: &str) -> Result<&Arc<Model>, Error> {
        Ok(&self.shelf(digest)?.base)
    }

    /// The graph of an epoch, if it is at hand.
    ///
    /// # Errors
    /// [`Error::PackUnknown`].
    pub fn at_hand(&self, digest: &str, epoch: u64) -> Result<Option<Arc<Model>>, Error> {
        let shelf = self.shelf(digest)?;
        Ok(if epoch == 0 { Some(shelf.base.clone()) } else { shelf.at_hand(epoch) })
    }

    /// The graph of an epoch, from the store where need be.
    ///
    /// # Errors
    /// [`Error::PackUnknown`], [`Error::EpochUnknown`], [`Error::EpochRetired`], or when the store is needed and away.
    pub async fn model(&self, digest: &str, epoch: u64) -> Result<Arc<Model>, Error> {
        if let Some(model) = self.at_hand(digest, epoch)? {
            return Ok(model);
        }
        let shelf = self.shelf(digest)?;
        let _fetching = shelf.fetching.lock().await;
        if let Some(model) = shelf.at_hand(epoch) {
            return Ok(model);
        }
        let record = self.store.epoch(digest, Which::Number(epoch)).await?.ok_or(Error::EpochUnknown(epoch))?;
        shelf.build(&record).await
    }

    /// The newest epoch that this replica scores with, and those to come.
    ///
    /// # Errors
    /// [`Error::PackUnknown`].
    pub fn newest(&self, digest: &str) -> Result<watch::Receiver<Arc<Epoch>>, Error> {
        Ok(self.shelf(digest)?.newest.subscribe())
    }

    /// Takes up an epoch that is in the store; an older one than the newest is none.
    pub async fn adopt(&self, digest: &str, record: &Record) -> Result<(), Error> {
        let shelf = self.shelf(digest)?;
        shelf.build(record).await?;
        shelf.newest.send_if_modified(|newest| {
            let newer = record.epoch.number > newest.number;
            if newer {
                *newest = Arc::new(record.epoch.clone());
            }
            newer
        });
        Ok(())
    }

    /// Follows a pack's epochs for ever.
    pub async fn follow(&self, digest: &str, metrics: &WeightMetrics, dependency: Option<Dependency>) {
        let mut pause = PAUSES.0;
        loop {
            match self.look(digest, metrics, true).await {
                Ok(()) => {
                    if pause > PAUSES.0 {
                        tracing::info!("the store of weights is back");
                    }
                    pause = PAUSES.0;
                    if let Some(dependency) = &dependency {
                        dependency.up();
                    }
                }
                Err(error) => {
                    if pause == PAUSES.0 {
                        tracing::warn!(%error, "no new epochs for now; scoring goes on");
                    }
                    if let Some(dependency) = &dependency {
                        dependency.down(error.to_string());
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// Looks for something new, with `patience` until there is something or a second is over, and takes it up.
    ///
    /// # Errors
    /// When the store is away or the pack is none of ours.
    pub async fn look(&self, digest: &str, metrics: &WeightMetrics, patience: bool) -> Result<(), Error> {
        let shelf = self.shelf(digest)?;
        let known = shelf.newest.borrow().clone();
        let head = self.store.head(digest, patience.then_some(known.number)).await?;
        self.catch_up(digest, shelf, &known, &head).await?;
        metrics.saw(&shelf.base.pack().manifest.id, shelf.newest.borrow().number, head.waiting);
        Ok(())
    }

    async fn catch_up(&self, digest: &str, shelf: &Shelf, known: &Epoch, head: &Head) -> Result<(), Error> {
        if head.epoch == known.number && (head.epoch == 0 || head.fingerprint == known.fingerprint) {
            return Ok(());
        }
        let lost = head.epoch <= known.number;
        let record =
            self.store.epoch(digest, Which::Number(head.epoch)).await?.ok_or(Error::EpochUnknown(head.epoch))?;
        if lost {
            tracing::error!(known = known.number, now = head.epoch, "the store of weights has lost epochs");
            shelf.forget_from(head.epoch);
            shelf.build(&record).await?;
            shelf.newest.send_replace(Arc::new(record.epoch));
            return Ok(());
        }
        self.adopt(digest, &record).await?;
        tracing::info!(epoch = head.epoch, edges = record.epoch.shifted, "a new epoch of weights");
        Ok(())
    }

    fn shelf(&self, digest: &str) -> Result<&Shelf, Error> {
        let well_formed = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        self.shelves.get(digest).ok_or_else(|| Error::PackUnknown { digest: well_formed.then(|| digest.to_owned()) })
    }
}

impl Shelf {
    fn new(base: Model) -> Self {
        Self {
            base: Arc::new(base),
            kept: Mutex::new(LruCache::new(KEPT)),
            newest: watch::Sender::new(Arc::new(Record::base().epoch)),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    fn at_hand(&self, epoch: u64) -> Option<Arc<Model>> {
        self.kept.lock().get(&epoch).map(|kept| kept.model.clone())
    }

    /// Builds the graph of a record, off the runtime's workers, and keeps it.
    async fn build(&self, record: &Record) -> Result<Arc<Model>, Error> {
        let (number, fingerprint) = (record.epoch.number, record.epoch.fingerprint.clone());
        if number == 0 {
            return Ok(self.base.clone());
        }
        if let Some(kept) = self.kept.lock().get(&number).filter(|kept| kept.fingerprint == fingerprint) {
            return Ok(kept.model.clone());
        }
        let (base, overlay) = (self.base.clone(), record.overlay.clone().ok_or(Error::EpochRetired(number))?);
        let built = tokio::task::spawn_blocking(move || Arc::new(base.with(&overlay))).await;
        let model = built.map_err(|_| StoreError::Unavailable("the runtime shuts down".into()))?;
        self.kept.lock().put(number, Kept { fingerprint, model: model.clone() });
        Ok(model)
    }

    /// Drops what is known of this epoch and of later ones.
    fn forget_from(&self, epoch: u64) {
        let mut kept = self.kept.lock();
        let late: Vec<u64> = kept.iter().map(|(number, _)| *number).filter(|number| *number >= epoch).collect();
        for number in late {
            kept.pop(&number);
        }
    }
}
