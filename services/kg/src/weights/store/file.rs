//! Weights in one file (redb), for one process. Every write is one transaction, on disk before the answer.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use redb::{Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable};
use redb::{TableDefinition, WriteTransaction};
use tokio::sync::watch;

use super::lease::Leases;
use super::row::{Row, json, parsed};
use super::{
    Claim, Commit, Head, MOST_TAKEN, MOST_WAITING, Offered, PATIENCE, StoreError, WeightStore, Which, expected, retired,
};
use crate::weights::epoch::Record;
use crate::weights::feedback::Feedback;
use crate::weights::overlay::Overlay;

/// Pack and place to waiting feedback, as JSON.
const QUEUE: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("queue");
/// Feedback that cannot be read, by pack and place.
const DAMAGED: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("damaged");
/// Pack and consultation of everything that ever came in: nothing leaves it, and each takes some hundred bytes.
const KNOWN: TableDefinition<'_, (&str, &str), ()> = TableDefinition::new("known");
/// Pack and number to an epoch with its ledger, as JSON.
const EPOCHS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("epochs");
/// Pack and number to an overlay, as JSON; retired ones are removed.
const OVERLAYS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("overlays");
/// Pack and publish id to the number of the epoch.
const PUBLISHED: TableDefinition<'_, (&str, &str), u64> = TableDefinition::new("published");

/// A store in one file.
#[derive(Debug)]
pub struct RedbStore {
    database: Arc<Database>,
    leases: Leases,
    changes: watch::Sender<u64>,
}

impl RedbStore {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// When it cannot be opened (another process has it, it is damaged, no permission).
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = redb::Builder::new().set_cache_size(8 << 20).create(path).map_err(away)?;
        let transaction = database.begin_write().map_err(away)?;
        transaction.open_table(QUEUE).map_err(away)?;
        transaction.open_table(DAMAGED).map_err(away)?;
        transaction.open_table(KNOWN).map_err(away)?;
        transaction.open_table(EPOCHS).map_err(away)?;
        transaction.open_table(OVERLAYS).map_err(away)?;
        transaction.open_table(PUBLISHED).map_err(away)?;
        transaction.commit().map_err(away)?;
        Ok(Self { database: Arc::new(database), leases: Leases::default(), changes: watch::Sender::default() })
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = self.database.clone();
        let work = move || read(&database.begin_read().map_err(away)?);
        tokio::task::spawn_blocking(work).await.map_err(away)?
    }

    /// One transaction; an error leaves nothing of it.
    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = self.database.clone();
        let work = move || {
            let mut transaction = database.begin_write().map_err(away)?;
            transaction.set_durability(Durability::Immediate).map_err(away)?;
            let written = write(&transaction)?;
            transaction.commit().map_err(away)?;
            Ok(written)
        };
        tokio::task::spawn_blocking(work).await.map_err(away)?
    }
}

#[async_trait]
impl WeightStore for RedbStore {
    async fn offer(&self, feedback: &Feedback) -> Result<Offered, StoreError> {
        let feedback = feedback.clone();
        self.write(move |transaction| {
            let (pack, bytes) = (feedback.pack.as_str(), json(&feedback)?);
            let mut known = transaction.open_table(KNOWN).map_err(away)?;
            if known.insert((pack, feedback.consultation.as_str()), ()).map_err(away)?.is_some() {
                return Ok(Offered::Known);
            }
            let mut queue = transaction.open_table(QUEUE).map_err(away)?;
            let (first, last) = (first(&queue, pack)?, last(&queue, pack)?);
            if first.zip(last).is_some_and(|(first, last)| last - first + 1 >= MOST_WAITING) {
                return Err(StoreError::Full);
            }
            queue.insert((pack, last.map_or(0, |place| place + 1)), bytes.as_slice()).map_err(away)?;
            Ok(Offered::New)
        })
        .await
    }

    async fn take(&self, pack: &str, most: usize) -> Result<Claim, StoreError> {
        let token = self.leases.take(pack)?;
        let name = pack.to_owned();
        let mut waiting = self.read(move |transaction| waiting(transaction, &name, most.min(MOST_TAKEN))).await;
        if let Ok(found) = &mut waiting
            && !found.damaged.is_empty()
        {
            let (name, damaged) = (pack.to_owned(), std::mem::take(&mut found.damaged));
            tracing::error!(pieces = damaged.len(), "feedback cannot be read; it is set aside");
            let aside = self.write(move |transaction| set_aside(transaction, &name, &damaged)).await;
            waiting = aside.and(waiting);
        }
        match waiting {
            Ok(Waiting { receipts, feedback, .. }) if !receipts.is_empty() => Ok(Claim { token, receipts, feedback }),
            nothing => {
                self.leases.release(pack, &token);
                nothing.map(|_| Claim::default())
            }
        }
    }

    async fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let held = commit.claim.as_ref().map_or(Ok(()), |claim| self.leases.check(&commit.pack, claim));
        let work = commit.clone();
        self.write(move |transaction| written(transaction, &work, held)).await?;
        if let Some(claim) = &commit.claim {
            self.leases.release(&commit.pack, &claim.token);
        }
        self.changes.send_modify(|changes| *changes += 1);
        Ok(())
    }

    async fn epoch(&self, pack: &str, which: Which<'_>) -> Result<Option<Record>, StoreError> {
        let (pack, number, id) = match which {
            Which::Number(0) => return Ok(Some(Record::base())),
            Which::Number(number) => (pack.to_owned(), Some(number), None),
            Which::Published(id) => (pack.to_owned(), None, Some(id.to_owned())),
        };
        self.read(move |transaction| {
            let published = transaction.open_table(PUBLISHED).map_err(away)?;
            let of_id = id.map(|id| published.get((pack.as_str(), id.as_str()))).transpose().map_err(away)?;
            let number = number.or(of_id.flatten().map(|row| row.value()));
            number.map_or(Ok(None), |number| record(transaction, &pack, number))
        })
        .await
    }

    async fn head(&self, pack: &str, known: Option<u64>) -> Result<Head, StoreError> {
        let mut changes = self.changes.subscribe();
        changes.mark_unchanged();
        let started = tokio::time::Instant::now();
        loop {
            let name = pack.to_owned();
            let now = self.read(move |transaction| head(transaction, &name)).await?;
            let over = started.elapsed() >= PATIENCE;
            if known != Some(now.epoch) || over {
                return Ok(now);
            }
            // A change of any pack, or the end of the patience: either way it is read again.
            let _ = tokio::time::timeout_at(started + PATIENCE, changes.changed()).await;
        }
    }
}

/// Feedback that waits, and the places of what cannot be read.
#[derive(Default)]
struct Waiting {
    receipts: Vec<String>,
    feedback: Vec<Feedback>,
    damaged: Vec<u64>,
}

fn waiting(transaction: &ReadTransaction, pack: &str, most: usize) -> Result<Waiting, StoreError> {
    let queue = transaction.open_table(QUEUE).map_err(away)?;
    let mut waiting = Waiting::default();
    for row in queue.range((pack, 0)..=(pack, u64::MAX)).map_err(away)? {
        let (key, value) = row.map_err(away)?;
        if waiting.receipts.len() >= most || waiting.damaged.len() >= most {
            break;
        }
        match parsed(value.value()) {
            Ok(feedback) => {
                waiting.receipts.push(key.value().1.to_string());
                waiting.feedback.push(feedback);
            }
            Err(_) => waiting.damaged.push(key.value().1),
        }
    }
    Ok(waiting)
}

/// Moves feedback out of the queue that would come up again and again.
fn set_aside(transaction: &WriteTransaction, pack: &str, places: &[u64]) -> Result<(), StoreError> {
    let mut queue = transaction.open_table(QUEUE).map_err(away)?;
    let mut aside = transaction.open_table(DAMAGED).map_err(away)?;
    for place in places {
        if let Some(piece) = queue.remove((pack, *place)).map_err(away)? {
            aside.insert((pack, *place), piece.value()).map_err(away)?;
        }
    }
    Ok(())
}

/// The first place under a pack.
fn first(
    table: &impl ReadableTable<(&'static str, u64), &'static [u8]>,
    pack: &str,
) -> Result<Option<u64>, StoreError> {
    let mut range = table.range((pack, 0)..=(pack, u64::MAX)).map_err(away)?;
    let row = range.next().transpose().map_err(away)?;
    Ok(row.map(|(key, _)| key.value().1))
}

/// The last place or number under a pack.
fn last(table: &impl ReadableTable<(&'static str, u64), &'static [u8]>, pack: &str) -> Result<Option<u64>, StoreError> {
    let mut range = table.range((pack, 0)..=(pack, u64::MAX)).map_err(away)?;
    let row = range.next_back().transpose().map_err(away)?;
    Ok(row.map(|(key, _)| key.value().1))
}

fn head(transaction: &ReadTransaction, pack: &str) -> Result<Head, StoreError> {
    let epochs = transaction.open_table(EPOCHS).map_err(away)?;
    let queue = transaction.open_table(QUEUE).map_err(away)?;
    let waiting = queue.range((pack, 0)..=(pack, u64::MAX)).map_err(away)?.count() as u64;
    let Some(number) = last(&epochs, pack)? else { return Ok(Head { waiting, ..Head::default() }) };
    let row = epochs.get((pack, number)).map_err(away)?;
    let row: Option<Row> = row.map(|row| parsed(row.value())).transpose()?;
    let fingerprint = row.map(|row| row.epoch.fingerprint).unwrap_or_default();
    Ok(Head { epoch: number, fingerprint, waiting })
}

fn record(transaction: &ReadTransaction, pack: &str, number: u64) -> Result<Option<Record>, StoreError> {
    let epochs = transaction.open_table(EPOCHS).map_err(away)?;
    let Some(row) = epochs.get((pack, number)).map_err(away)? else { return Ok(None) };
    let row: Row = parsed(row.value())?;
    let overlays = transaction.open_table(OVERLAYS).map_err(away)?;
    let overlay = overlays.get((pack, number)).map_err(away)?;
    let overlay: Option<Overlay> = overlay.map(|row| parsed(row.value())).transpose()?;
    Ok(Some(row.with(overlay)))
}

/// Writes a commit's rows. `held` says whether its claim held when it began.
fn written(transaction: &WriteTransaction, commit: &Commit, held: Result<(), StoreError>) -> Result<(), StoreError> {
    let (pack, record) = (commit.pack.as_str(), &commit.record);
    let (id, number) = (record.epoch.note.publish_id.as_str(), record.epoch.number);
    let mut published = transaction.open_table(PUBLISHED).map_err(away)?;
    if let Some(before) = published.get((pack, id)).map_err(away)? {
        return Err(StoreError::Published(before.value()));
    }
    let mut epochs = transaction.open_table(EPOCHS).map_err(away)?;
    expected(last(&epochs, pack)?.unwrap_or(0), commit)?;
    held?;
    let mut queue = transaction.open_table(QUEUE).map_err(away)?;
    for receipt in commit.claim.iter().flat_map(|claim| &claim.receipts) {
        let place: u64 = receipt.parse().map_err(|_| StoreError::LeaseOver)?;
        queue.remove((pack, place)).map_err(away)?;
    }
    let mut overlays = transaction.open_table(OVERLAYS).map_err(away)?;
    if let Some(old) = retired(commit) {
        overlays.remove((pack, old)).map_err(away)?;
    }
    overlays.insert((pack, number), json(&record.overlay.clone().unwrap_or_default())?.as_slice()).map_err(away)?;
    epochs.insert((pack, number), json(&Row::of(record))?.as_slice()).map_err(away)?;
    published.insert((pack, id), number).map_err(away)?;
    Ok(())
}

fn away(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
