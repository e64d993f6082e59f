//! Consultations in one file (redb), for one process. A writer thread owns the database and commits
//! everything that waits in one transaction: one sync to disk serves many turns. Events are
//! encrypted, each consultation under its own key ([`keys`]).
//!
//! Appends stand in one table in the order in which they came ([`rows`]), so that a commit writes next to the
//! last one; under each consultation's own id they would be spread over the whole file, and every commit
//! would rewrite as many pages as it has appends.

mod keys;
mod rows;

use std::path::Path;
use std::sync::Arc;
use std::thread;

use async_trait::async_trait;
use prost::Message as _;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};
use tokio::sync::{mpsc, oneshot, watch};
use wenzhen_proto::orchestrator::v1::Event;

use self::keys::Keys;
use self::rows::{Meta, Places};
use super::{Append, ConsultationId, DELETED, Query, Store, StoreError, Summary, Watchers};

/// Number of an append, counted over all consultations, to its encrypted events.
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// Consultation to version, summary, slot of its key, and where its appends are.
const META: TableDefinition<'_, [u8; 16], rows::MetaRow> = TableDefinition::new("consultations");
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
        transaction.open_table(LOG).map_err(unavailable)?;
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
        let row = meta.get(id.0).map_err(unavailable)?.ok_or(StoreError::NotFound)?;
        let (meta, places) = rows::read(row.value());
        let log = transaction.open_table(LOG).map_err(unavailable)?;
        let mut found = Vec::new();
        for (first, place) in places.after(after) {
            let row = log.get(place).map_err(unavailable)?.ok_or_else(|| damaged("an append is missing"))?;
            for (version, sealed) in (first..).zip(rows::sealed(row.value())) {
                if found.len() == limit {
                    return Ok(found);
                }
                if version > after {
                    let plain = keys.open_sealed(meta.slot, version, sealed);
                    let plain = plain.ok_or_else(|| damaged("it cannot be decrypted"))?;
                    found.push(Event::decode(&*plain).map_err(|e| StoreError::Damaged(e.to_string()))?);
                }
            }
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
                    found.push((ConsultationId(id), rows::read(row.value()).0.summary()));
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
    /// Number of the next append.
    next: u64,
    log: Table<'t, u64, &'static [u8]>,
    meta: Table<'t, [u8; 16], rows::MetaRow>,
    pending: Table<'t, (u8, u64, [u8; 16]), ()>,
    expiry: Table<'t, (u32, [u8; 16]), ()>,
    reviews: Table<'t, (u64, [u8; 16]), ()>,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction, keys: &'t Keys) -> Result<Self, StoreError> {
        let log = transaction.open_table(LOG).map_err(unavailable)?;
        let next = log.last().map_err(unavailable)?.map_or(0, |(last, _)| last.value() + 1);
        Ok(Self {
            keys,
            created: false,
            next,
            log,
            meta: transaction.open_table(META).map_err(unavailable)?,
            pending: transaction.open_table(PENDING).map_err(unavailable)?,
            expiry: transaction.open_table(EXPIRY).map_err(unavailable)?,
            reviews: transaction.open_table(REVIEWS).map_err(unavailable)?,
        })
    }

    fn append(&mut self, append: &Append) -> Result<(), StoreError> {
        let (old, mut places) = match self.meta.get(append.id.0).map_err(unavailable)? {
            Some(row) => {
                let (meta, places) = rows::read(row.value());
                (Some(meta), places.to_owned())
            }
            None => (None, Places::default()),
        };
        let actual = old.map_or(0, |meta| meta.version);
        if actual != append.expected {
            return Err(StoreError::Conflict { actual });
        }
        if append.events.is_empty() {
            return Ok(());
        }
        let slot = match old {
            Some(meta) => meta.slot,
            None => {
                self.created = true;
                self.keys.create().map_err(unavailable)?
            }
        };
        let mut row = Vec::new();
        let mut version = append.expected;
        for event in &append.events {
            version += 1;
            let sealed = self.keys.seal(slot, version, &event.encode_to_vec());
            rows::push(&mut row, &sealed.ok_or_else(|| damaged("the key is gone"))?);
        }
        self.log.insert(self.next, row.as_slice()).map_err(unavailable)?;
        places.push(append.expected + 1, self.next);
        self.next += 1;
        let new = Meta::new(version, append.summary, slot);
        self.index(append.id, old, Some(new))?;
        self.meta.insert(append.id.0, rows::write(new, &places)).map_err(unavailable)?;
        Ok(())
    }

    /// Removes the rows of a consultation; gives the slot of its key.
    fn delete(&mut self, id: ConsultationId) -> Result<Option<u32>, StoreError> {
        let (old, places) = match self.meta.remove(id.0).map_err(unavailable)? {
            Some(row) => {
                let (meta, places) = rows::read(row.value());
                (meta, places.to_owned())
            }
            None => return Ok(None),
        };
        self.index(id, Some(old), None)?;
        for (_, place) in places.after(0) {
            self.log.remove(place).map_err(unavailable)?;
        }
        Ok(Some(old.slot))
    }

    /// Moves a consultation in the indices, where its place changed.
    fn index(&mut self, id: ConsultationId, old: Option<Meta>, new: Option<Meta>) -> Result<(), StoreError> {
        let (old_day, new_day) = (old.map(|meta| meta.expires_day), new.map(|meta| meta.expires_day));
        if old_day != new_day {
            if let Some(day) = old_day {
                self.expiry.remove((day, id.0)).map_err(unavailable)?;
            }
            if let Some(day) = new_day {
                self.expiry.insert((day, id.0), ()).map_err(unavailable)?;
            }
        }
        let review = |meta: Option<Meta>| meta.map(|meta| meta.review_since_ms).filter(|since| *since > 0);
        if review(old) != review(new) {
            if let Some(since) = review(old) {
                self.reviews.remove((since, id.0)).map_err(unavailable)?;
            }
            if let Some(since) = review(new) {
                self.reviews.insert((since, id.0), ()).map_err(unavailable)?;
            }
        }
        let (old_place, new_place) = (old.and_then(|meta| waiting(id, meta)), new.and_then(|meta| waiting(id, meta)));
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

fn waiting(id: ConsultationId, meta: Meta) -> Option<(u8, u64, [u8; 16])> {
    (meta.pending_reason > 0).then_some((u8::MAX - meta.urgency, meta.since_ms, id.0))
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
