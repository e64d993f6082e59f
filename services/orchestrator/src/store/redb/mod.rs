//! Consultations in one file (redb), for one process. A writer thread owns the database and commits
//! everything that waits in one transaction: one sync to disk serves many turns. Events are
//! encrypted, each consultation under its own key ([`keys`]).

mod keys;

use std::path::Path;
use std::sync::Arc;
use std::thread;

use async_trait::async_trait;
use prost::Message as _;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};
use tokio::sync::{mpsc, oneshot, watch};
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1::{Event, PendingReason};

use self::keys::Keys;
use super::{Append, ConsultationId, DELETED, PendingSummary, Query, Store, StoreError, Summary, Watchers};

/// Consultation (16 bytes) and version (8, big endian) to the encoded event.
const EVENTS: TableDefinition<'_, [u8; 24], &[u8]> = TableDefinition::new("events");
/// Consultation to version, summary and slot of its key.
const META: TableDefinition<'_, [u8; 16], Meta> = TableDefinition::new("meta");
/// Urgency (inverted), since (ms) and consultation, in the order of the waiting list.
const PENDING: TableDefinition<'_, (u8, u64, [u8; 16]), ()> = TableDefinition::new("pending");
/// Day of expiry and consultation.
const EXPIRY: TableDefinition<'_, (u32, [u8; 16]), ()> = TableDefinition::new("expiry");
/// Since when (ms) a consultation waits for its review, and the consultation.
const REVIEWS: TableDefinition<'_, (u64, [u8; 16]), ()> = TableDefinition::new("reviews");

/// Requests that may wait for the writer.
const QUEUE: usize = 4096;
/// Requests committed together at most.
const BATCH: usize = 1024;

enum Write {
    Append(Append),
    Delete(ConsultationId),
}

type Reply = oneshot::Sender<Result<bool, StoreError>>;

/// A store in one file.
#[derive(Debug)]
pub struct RedbStore {
    database: Arc<Database>,
    keys: Keys,
    writer: mpsc::Sender<(Write, Reply)>,
    thread: thread::JoinHandle<()>,
    watchers: Arc<Watchers>,
}

impl RedbStore {
    /// Opens or creates the file, and the file of its keys next to it (`.keys` appended).
    ///
    /// # Errors
    /// When it cannot be opened (another process has it, it is damaged, no permission).
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = redb::Builder::new().set_cache_size(32 << 20).create(path).map_err(unavailable)?;
        let transaction = database.begin_write().map_err(unavailable)?;
        transaction.open_table(EVENTS).map_err(unavailable)?;
        transaction.open_table(META).map_err(unavailable)?;
        transaction.open_table(PENDING).map_err(unavailable)?;
        transaction.open_table(EXPIRY).map_err(unavailable)?;
        transaction.open_table(REVIEWS).map_err(unavailable)?;
        transaction.commit().map_err(unavailable)?;
        let mut key_file = path.as_os_str().to_owned();
        key_file.push(".keys");
        let keys = Keys::open(Path::new(&key_file)).map_err(unavailable)?;
        let database = Arc::new(database);
        let watchers = Arc::new(Watchers::default());
        let (writer, requests) = mpsc::channel(QUEUE);
        let worker = Writer { database: database.clone(), keys: keys.clone(), watchers: watchers.clone(), requests };
        let thread = thread::Builder::new().name("store-writer".into()).spawn(move || worker.run());
        Ok(Self { database, keys, writer, thread: thread.map_err(unavailable)?, watchers })
    }

    /// Finishes what waits and closes the file.
    pub async fn close(self) {
        drop(self.writer);
        // The thread ends when its last request is done; joining it may take a sync to disk.
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }

    async fn write(&self, write: Write) -> Result<bool, StoreError> {
        let (reply, answer) = oneshot::channel();
        let gone = |_| StoreError::Unavailable("the writer has stopped".into());
        self.writer.send((write, reply)).await.map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))?
    }

    async fn read_with<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = self.database.clone();
        tokio::task::spawn_blocking(move || read(&database)).await.map_err(unavailable)?
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn append(&self, append: Append) -> Result<(), StoreError> {
        self.write(Write::Append(append)).await.map(|_| ())
    }

    async fn read(&self, id: ConsultationId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        // A consultation is a few pages: handing them to another thread would cost more than reading them.
        let (database, keys) = (&self.database, &self.keys);
        let transaction = database.begin_read().map_err(unavailable)?;
        let meta = transaction.open_table(META).map_err(unavailable)?;
        let row = meta.get(id.0).map_err(unavailable)?.ok_or(StoreError::NotFound)?.value();
        let slot = row.5;
        let events = transaction.open_table(EVENTS).map_err(unavailable)?;
        let range = event_key(id, after.saturating_add(1))..=event_key(id, u64::MAX);
        let mut found = Vec::new();
        for row in events.range(range).map_err(unavailable)?.take(limit) {
            let (place, sealed) = row.map_err(unavailable)?;
            let plain = keys.open_sealed(slot, version_of(place.value()), sealed.value());
            let plain = plain.ok_or_else(|| StoreError::Damaged("it cannot be decrypted".into()))?;
            found.push(Event::decode(&*plain).map_err(|e| StoreError::Damaged(e.to_string()))?);
        }
        Ok(found)
    }

    async fn list(&self, query: Query, limit: usize) -> Result<Vec<(ConsultationId, Summary)>, StoreError> {
        self.read_with(move |database| {
            let transaction = database.begin_read().map_err(unavailable)?;
            let ids: Vec<[u8; 16]> = match query {
                Query::Pending => {
                    let table = transaction.open_table(PENDING).map_err(unavailable)?;
                    let rows = table.iter().map_err(unavailable)?.take(limit);
                    rows.map(|row| row.map(|(key, _)| key.value().2)).collect::<Result<_, _>>().map_err(unavailable)?
                }
                Query::ExpiredBy(day) => {
                    let table = transaction.open_table(EXPIRY).map_err(unavailable)?;
                    let rows = table.range(..=(day, [0xff; 16])).map_err(unavailable)?.take(limit);
                    rows.map(|row| row.map(|(key, _)| key.value().1)).collect::<Result<_, _>>().map_err(unavailable)?
                }
                Query::ReviewDue => {
                    let table = transaction.open_table(REVIEWS).map_err(unavailable)?;
                    let rows = table.iter().map_err(unavailable)?.take(limit);
                    rows.map(|row| row.map(|(key, _)| key.value().1)).collect::<Result<_, _>>().map_err(unavailable)?
                }
            };
            let meta = transaction.open_table(META).map_err(unavailable)?;
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                if let Some(row) = meta.get(id).map_err(unavailable)? {
                    found.push((ConsultationId(id), summary(row.value())));
                }
            }
            Ok(found)
        })
        .await
    }

    fn watch(&self, id: ConsultationId) -> watch::Receiver<u64> {
        self.watchers.subscribe(id)
    }

    async fn delete(&self, id: ConsultationId) -> Result<bool, StoreError> {
        self.write(Write::Delete(id)).await
    }
}

struct Writer {
    database: Arc<Database>,
    keys: Keys,
    watchers: Arc<Watchers>,
    requests: mpsc::Receiver<(Write, Reply)>,
}

impl Writer {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.requests.blocking_recv_many(&mut batch, BATCH) > 0 {
            let outcome = self.commit(&batch);
            for (i, (write, reply)) in batch.drain(..).enumerate() {
                let result = match &outcome {
                    Ok(results) => results.get(i).cloned().unwrap_or(Err(StoreError::NotFound)),
                    Err(e) => Err(e.clone()),
                };
                if result.is_ok() {
                    self.announce(&write);
                }
                // A caller who left is not told; what was committed stays.
                let _ = reply.send(result);
            }
        }
    }

    fn announce(&self, write: &Write) {
        match write {
            Write::Append(append) => self.watchers.notify(append.id, append.expected + append.events.len() as u64),
            Write::Delete(id) => self.watchers.notify(*id, DELETED),
        }
    }

    /// One transaction for the whole batch; each request has its own result, an error of the
    /// database fails them all.
    fn commit(&self, batch: &[(Write, Reply)]) -> Result<Vec<Result<bool, StoreError>>, StoreError> {
        let mut transaction = self.database.begin_write().map_err(unavailable)?;
        transaction.set_durability(Durability::Immediate).map_err(unavailable)?;
        let mut results = Vec::with_capacity(batch.len());
        let mut erased = Vec::new();
        {
            let mut tables = Tables::open(&transaction, &self.keys)?;
            for (write, _) in batch {
                results.push(match write {
                    Write::Append(append) => lift(tables.append(append))?,
                    Write::Delete(id) => {
                        let slot = tables.delete(*id)?;
                        erased.extend(slot);
                        Ok(slot.is_some())
                    }
                });
            }
            // A key must be on disk before anything that needs it.
            if tables.created {
                self.keys.sync().map_err(unavailable)?;
            }
        }
        transaction.commit().map_err(unavailable)?;
        self.erase(&erased)?;
        Ok(results)
    }

    /// Keys go after their rows: a crash between the two leaves a key that opens nothing.
    fn erase(&self, slots: &[u32]) -> Result<(), StoreError> {
        for slot in slots {
            self.keys.erase(*slot).map_err(unavailable)?;
        }
        if slots.is_empty() { Ok(()) } else { self.keys.sync().map_err(unavailable) }
    }
}

/// A conflict is the caller's affair; anything else fails the batch.
fn lift(result: Result<(), StoreError>) -> Result<Result<bool, StoreError>, StoreError> {
    match result {
        Ok(()) => Ok(Ok(true)),
        Err(e @ (StoreError::Conflict { .. } | StoreError::NotFound)) => Ok(Err(e)),
        Err(e) => Err(e),
    }
}

struct Tables<'t> {
    keys: &'t Keys,
    created: bool,
    events: Table<'t, [u8; 24], &'static [u8]>,
    meta: Table<'t, [u8; 16], Meta>,
    pending: Table<'t, (u8, u64, [u8; 16]), ()>,
    expiry: Table<'t, (u32, [u8; 16]), ()>,
    reviews: Table<'t, (u64, [u8; 16]), ()>,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction, keys: &'t Keys) -> Result<Self, StoreError> {
        Ok(Self {
            keys,
            created: false,
            events: transaction.open_table(EVENTS).map_err(unavailable)?,
            meta: transaction.open_table(META).map_err(unavailable)?,
            pending: transaction.open_table(PENDING).map_err(unavailable)?,
            expiry: transaction.open_table(EXPIRY).map_err(unavailable)?,
            reviews: transaction.open_table(REVIEWS).map_err(unavailable)?,
        })
    }

    fn append(&mut self, append: &Append) -> Result<(), StoreError> {
        let old = self.meta.get(append.id.0).map_err(unavailable)?.map(|row| row.value());
        let actual = old.map_or(0, |row| row.0);
        if actual != append.expected {
            return Err(StoreError::Conflict { actual });
        }
        let slot = match old {
            Some(row) => row.5,
            None => {
                self.created = true;
                self.keys.create().map_err(unavailable)?
            }
        };
        let mut version = append.expected;
        for event in &append.events {
            version += 1;
            let sealed = self.keys.seal(slot, version, &event.encode_to_vec());
            let sealed = sealed.ok_or_else(|| StoreError::Damaged("the key is gone".into()))?;
            self.events.insert(event_key(append.id, version), sealed.as_slice()).map_err(unavailable)?;
        }
        let new = meta_row(version, append.summary, slot);
        self.index(append.id, old, Some(new))?;
        self.meta.insert(append.id.0, new).map_err(unavailable)?;
        Ok(())
    }

    /// Removes the rows of a consultation; gives the slot of its key.
    fn delete(&mut self, id: ConsultationId) -> Result<Option<u32>, StoreError> {
        let Some(old) = self.meta.remove(id.0).map_err(unavailable)?.map(|row| row.value()) else {
            return Ok(None);
        };
        self.index(id, Some(old), None)?;
        let range = event_key(id, 0)..=event_key(id, u64::MAX);
        self.events.retain_in(range, |_, _| false).map_err(unavailable)?;
        Ok(Some(old.5))
    }

    /// Moves a consultation in the indices, where its place changed.
    fn index(&mut self, id: ConsultationId, old: Option<Meta>, new: Option<Meta>) -> Result<(), StoreError> {
        let (old_day, new_day) = (old.map(|row| row.1), new.map(|row| row.1));
        if old_day != new_day {
            if let Some(day) = old_day {
                self.expiry.remove((day, id.0)).map_err(unavailable)?;
            }
            if let Some(day) = new_day {
                self.expiry.insert((day, id.0), ()).map_err(unavailable)?;
            }
        }
        let review = |row: Option<Meta>| row.map(|row| row.6).filter(|since| *since > 0);
        if review(old) != review(new) {
            if let Some(since) = review(old) {
                self.reviews.remove((since, id.0)).map_err(unavailable)?;
            }
            if let Some(since) = review(new) {
                self.reviews.insert((since, id.0), ()).map_err(unavailable)?;
            }
        }
        let (old_place, new_place) = (old.and_then(|row| place(id, row)), new.and_then(|row| place(id, row)));
        if old_place != new_place {
            if let Some(place) = old_place {
                self.pending.remove(place).map_err(unavailable)?;
            }
            if let Some(place) = new_place {
                self.pending.insert(place, ()).map_err(unavailable)?;
            }
        }
        Ok(())
    }
}

/// Version, day of expiry, pending reason (0: none), urgency, since (ms), slot of the key, review due since (ms, 0: not).
type Meta = (u64, u32, u8, u8, u64, u32, u64);

fn meta_row(version: u64, summary: Summary, slot: u32) -> Meta {
    let (reason, urgency, since) = summary.pending.map_or((0, 0, 0), |p| (p.reason as u8, p.urgency as u8, p.since_ms));
    (version, summary.expires_day, reason, urgency, since, slot, summary.review_since_ms.unwrap_or(0))
}

fn summary((_, expires_day, reason, urgency, since_ms, _, review): Meta) -> Summary {
    let pending = PendingReason::try_from(i32::from(reason)).ok().filter(|r| *r != PendingReason::Unspecified);
    let urgency = Urgency::try_from(i32::from(urgency)).unwrap_or(Urgency::Routine);
    let pending = pending.map(|reason| PendingSummary { reason, urgency, since_ms });
    Summary { expires_day, pending, review_since_ms: Some(review).filter(|since| *since > 0) }
}

fn place(id: ConsultationId, row: Meta) -> Option<(u8, u64, [u8; 16])> {
    (row.2 > 0).then_some((u8::MAX - row.3, row.4, id.0))
}

fn event_key(id: ConsultationId, version: u64) -> [u8; 24] {
    let mut key = [0; 24];
    let (left, right) = key.split_at_mut(16);
    left.copy_from_slice(&id.0);
    right.copy_from_slice(&version.to_be_bytes());
    key
}

fn version_of(key: [u8; 24]) -> u64 {
    let mut version = [0; 8];
    version.copy_from_slice(key.split_at(16).1);
    u64::from_be_bytes(version)
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
