//! Making epochs: takes what waits, applies it, commits it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::MissedTickBehavior;

use super::apply::Bounds;
use super::epoch::{Cause, Note, Record, published, rolled_back};
use super::overlay::Overlay;
use super::replica::Replica;
use super::store::{Claim, Commit, MOST_TAKEN, StoreError, Which};
use crate::error::Error;

/// Attempts of one call when others make epochs at the same time.
const ATTEMPTS: u32 = 5;
/// Who published without being asked.
const AUTO: &str = "auto";

/// When epochs are published without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoPublish {
    /// How often it is looked whether enough waits.
    pub every: Duration,
    /// Consultations that must wait.
    pub least: u64,
}

/// Makes epochs.
#[derive(Debug)]
pub struct Publisher {
    replica: Arc<Replica>,
    bounds: Bounds,
    keep: u64,
}

/// An epoch that was made, now or before under the same publish id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The epoch.
    pub record: Record,
    /// It had been made before.
    pub before: bool,
}

impl Publisher {
    /// Makes epochs under these bounds and keeps the overlays of the last `keep`.
    pub fn new(replica: Arc<Replica>, bounds: Bounds, keep: u64) -> Self {
        Self { replica, bounds, keep }
    }

    /// Applies what waits, at most [`MOST_TAKEN`] consultations, oldest first.
    ///
    /// # Errors
    /// [`Error::NothingWaiting`], [`Error::Publishing`], [`Error::PublishIdUsed`], or when the store is away.
    pub async fn publish(&self, pack: &str, note: Note) -> Result<Made, Error> {
        if let Some(record) = self.made(pack, &note.publish_id).await? {
            return before(record, |cause| matches!(cause, Cause::Publish));
        }
        let claim = self.replica.store().take(pack, MOST_TAKEN).await?;
        if claim.feedback.is_empty() {
            return Err(Error::NothingWaiting);
        }
        let next = |(number, overlay): (u64, &Overlay)| {
            published((number, overlay), &claim.feedback, &self.bounds, note.clone())
        };
        self.commit(pack, Some(&claim), next).await
    }

    /// Takes up the weights of an earlier epoch.
    ///
    /// # Errors
    /// [`Error::EpochUnknown`], [`Error::EpochRetired`], [`Error::PublishIdUsed`], or when the store is away.
    pub async fn roll_back(&self, pack: &str, to: u64, note: Note) -> Result<Made, Error> {
        if let Some(record) = self.made(pack, &note.publish_id).await? {
            return before(record, |cause| *cause == Cause::Rollback { to });
        }
        let earlier = self.overlay(pack, to).await?;
        self.commit(pack, None, |newest| rolled_back(newest, (to, &earlier), note.clone())).await
    }

    /// Publishes without being asked, for ever. Of several replicas one publishes at a time: the store gives the right
    /// to do so to one.
    pub async fn publish_now_and_then(&self, auto: AutoPublish) {
        let mut ticks = tokio::time::interval(auto.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once; there is nothing yet to be missed.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            for pack in self.replica.packs() {
                match self.publish_if_enough(pack, auto.least).await {
                    Ok(()) | Err(Error::NothingWaiting | Error::Publishing) => {}
                    Err(error) => tracing::warn!(%error, "no epoch could be published"),
                }
            }
        }
    }

    async fn publish_if_enough(&self, pack: &str, least: u64) -> Result<(), Error> {
        if self.replica.store().head(pack, None).await?.waiting < least.max(1) {
            return Ok(());
        }
        let reason = format!("{least} consultations or more were waiting");
        let publish_id = format!("{AUTO}-{}", hex::encode(rand::random::<[u8; 8]>()));
        let note = Note { publish_id, by: AUTO.to_owned(), reason, at_ms: now_ms() };
        self.publish(pack, note).await.map(|_| ())
    }

    async fn commit(
        &self,
        pack: &str,
        claim: Option<&Claim>,
        next: impl Fn((u64, &Overlay)) -> Record,
    ) -> Result<Made, Error> {
        for _ in 0..ATTEMPTS {
            let newest = self.replica.store().head(pack, None).await?.epoch;
            let overlay = self.overlay(pack, newest).await?;
            let record = next((newest, &overlay));
            let commit = Commit { pack: pack.to_owned(), record, claim: claim.cloned(), keep: self.keep };
            match self.replica.store().commit(&commit).await {
                Ok(()) => return self.finish(pack, commit.record).await,
                Err(StoreError::Conflict { .. }) => {}
                Err(StoreError::Published(number)) => {
                    let record = self.replica.store().epoch(pack, Which::Number(number)).await?;
                    return record.map(|record| Made { record, before: true }).ok_or(Error::EpochUnknown(number));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Publishing)
    }

    async fn finish(&self, pack: &str, record: Record) -> Result<Made, Error> {
        let (epoch, counts) = (&record.epoch, record.epoch.counts);
        tracing::info!(
            epoch = epoch.number,
            by = epoch.note.by,
            consultations = counts.consultations,
            applied = counts.applied,
            clamped = counts.clamped,
            dropped = counts.dropped,
            edges = epoch.changed,
            "an epoch of weights was made"
        );
        self.replica.adopt(pack, &record).await?;
        Ok(Made { record, before: false })
    }

    async fn made(&self, pack: &str, publish_id: &str) -> Result<Option<Record>, Error> {
        self.replica.base(pack)?;
        Ok(self.replica.store().epoch(pack, Which::Published(publish_id)).await?)
    }

    async fn overlay(&self, pack: &str, number: u64) -> Result<Overlay, Error> {
        let record = self.replica.store().epoch(pack, Which::Number(number)).await?;
        record.ok_or(Error::EpochUnknown(number))?.overlay.ok_or(Error::EpochRetired(number))
    }
}

/// An epoch that the same call made before; another call may not use its id.
fn before(record: Record, same: impl Fn(&Cause) -> bool) -> Result<Made, Error> {
    if same(&record.epoch.cause) { Ok(Made { record, before: true }) } else { Err(Error::PublishIdUsed) }
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
