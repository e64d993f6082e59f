//! Consultations in one file (redb), for one process. A writer thread owns the database and commits
//! everything that waits in one transaction: one sync to disk serves many turns. Events are
//! encrypted, each consultation under its own key ([`keys`]).
//!
//! Appends stand in one table in the order in which they came ([`rows`]), so that a commit writes next to the
//! last one; under each consultation's own id they would be spread over the whole file, and every commit
//! would rewrite as many pages as it has appends. The index under those ids follows in batches ([`recent`]).

mod keys;
mod recent;
mod rows;
mod tables;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::thread;

use async_trait::async_trait;
use parking_lot::RwLock;
use prost::Message as _;
use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, WriteTransaction};
use tokio::sync::{mpsc, oneshot, watch};
use wenzhen_proto::orchestrator::v1::Event;

use self::keys::Keys;
use self::recent::{Entry, Key, Recent};
use self::tables::{BEHIND, EXPIRY, INDEX, LOG, PENDING, REVIEWS, Staged, Tables, caught_up};
use super::{Append, ConsultationId, DELETED, Query, Store, StoreError, Summary, Watchers};

/// Requests that may wait for the writer.
const QUEUE: usize = 4096;
/// Requests committed together at most.
const BATCH: usize = 1024;

/// How far the index may be behind.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Rows that may be behind before they begin to be written: each is some 200 bytes in memory, and after a crash as
    /// many appends and more are read again.
    behind: usize,
    /// Rows written with one commit.
    slice: usize,
}

const PACE: Pace = Pace { behind: 16_384, slice: 512 };

enum Write {
    Append(Append),
    Delete(ConsultationId),
    /// Lets the index follow altogether.
    Settle,
}

type Reply = oneshot::Sender<Result<bool, StoreError>>;

/// A store in one file.
#[derive(Debug)]
pub struct RedbStore {
    database: Arc<Database>,
    keys: Keys,
    recent: Arc<RwLock<Recent>>,
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
        Self::paced(path, PACE)
    }

    fn paced(path: &Path, pace: Pace) -> Result<Self, StoreError> {
        let database = redb::Builder::new().set_cache_size(32 << 20).create(path).map_err(unavailable)?;
        let transaction = database.begin_write().map_err(unavailable)?;
        create(&transaction)?;
        let (recent, next) = caught_up(&transaction)?;
        transaction.commit().map_err(unavailable)?;
        let mut key_file = path.as_os_str().to_owned();
        key_file.push(".keys");
        let keys = Keys::open(Path::new(&key_file)).map_err(unavailable)?;
        let (database, recent) = (Arc::new(database), Arc::new(RwLock::new(recent)));
        let watchers = Arc::new(Watchers::default());
        let (writer, requests) = mpsc::channel(QUEUE);
        let worker = Writer {
            database: database.clone(),
            keys: keys.clone(),
            recent: recent.clone(),
            watchers: watchers.clone(),
            requests,
            pace,
            next,
        };
        let thread = thread::Builder::new().name("store-writer".into()).spawn(move || worker.run());
        Ok(Self { database, keys, recent, writer, thread: thread.map_err(unavailable)?, watchers })
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

    /// Why something of a consultation is not there: it was deleted meanwhile, or the file is damaged.
    fn missing(&self, id: ConsultationId) -> Result<StoreError, StoreError> {
        if self.recent.read().get(&id.0).is_some() {
            return Ok(damaged("an append is missing or cannot be decrypted"));
        }
        let transaction = self.database.begin_read().map_err(unavailable)?;
        let index = transaction.open_table(INDEX).map_err(unavailable)?;
        Ok(match index.get(id.0).map_err(unavailable)? {
            Some(_) => damaged("an append is missing or cannot be decrypted"),
            None => StoreError::NotFound,
        })
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
        // First what is recent: once it is not, the index has it.
        let recent = self.recent.read().get(&id.0).cloned();
        let transaction = self.database.begin_read().map_err(unavailable)?;
        let (meta, places) = match recent {
            Some(entry) => entry,
            None => {
                let index = transaction.open_table(INDEX).map_err(unavailable)?;
                let row = index.get(id.0).map_err(unavailable)?.ok_or(StoreError::NotFound)?;
                tables::entry(row.value())
            }
        };
        let log = transaction.open_table(LOG).map_err(unavailable)?;
        let mut found = Vec::new();
        for (first, place) in places.after(after) {
            let Some(row) = log.get(place).map_err(unavailable)? else { return Err(self.missing(id)?) };
            for (version, sealed) in (first..).zip(rows::sealed(row.value())) {
                if found.len() == limit {
                    return Ok(found);
                }
                if version > after {
                    let plain = self.keys.open_sealed(meta.slot, version, sealed);
                    let Some(plain) = plain else { return Err(self.missing(id)?) };
                    found.push(Event::decode(&*plain).map_err(|e| StoreError::Damaged(e.to_string()))?);
                }
            }
        }
        Ok(found)
    }

    async fn list(&self, query: Query, limit: usize) -> Result<Vec<(ConsultationId, Summary)>, StoreError> {
        // Lists are wanted seldom; they are kept with the index.
        self.write(Write::Settle).await?;
        self.read_with(move |database| {
            let transaction = database.begin_read().map_err(unavailable)?;
            let ids: Vec<Key> = match query {
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
            let index = transaction.open_table(INDEX).map_err(unavailable)?;
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                if let Some(row) = index.get(id).map_err(unavailable)? {
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
    recent: Arc<RwLock<Recent>>,
    watchers: Arc<Watchers>,
    requests: mpsc::Receiver<(Write, Reply)>,
    pace: Pace,
    /// Number of the next append.
    next: u64,
}

/// What a committed batch leaves to be done in memory.
struct Committed {
    results: Vec<Result<bool, StoreError>>,
    staged: Staged,
    followed: Vec<(Key, Entry)>,
    settled: bool,
    next: u64,
    erased: Vec<u32>,
}

impl Writer {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.requests.blocking_recv_many(&mut batch, BATCH) > 0 {
            let outcome = self.write(&batch);
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
        // Opening catches up with what could not be written here.
        let _ = self.commit(&[], true);
    }

    fn announce(&self, write: &Write) {
        match write {
            Write::Append(append) => self.watchers.notify(append.id, append.expected + append.events.len() as u64),
            Write::Delete(id) => self.watchers.notify(*id, DELETED),
            Write::Settle => {}
        }
    }

    fn write(&mut self, batch: &[(Write, Reply)]) -> Result<Vec<Result<bool, StoreError>>, StoreError> {
        let settles = |(write, _): &(Write, Reply)| matches!(write, Write::Settle);
        let settle = batch.iter().any(settles);
        if settle && batch.iter().all(settles) && self.recent.read().is_empty() {
            return Ok(batch.iter().map(|_| Ok(true)).collect());
        }
        self.recent.write().turn(self.pace.behind, self.next);
        let committed = self.commit(batch, settle)?;
        self.next = committed.next;
        self.publish(committed.staged, &committed.followed, committed.settled);
        self.erase(&committed.erased)?;
        Ok(committed.results)
    }

    /// One transaction for the whole batch; each request has its own result, an error of the
    /// database fails them all. Nothing is changed in memory.
    fn commit(&self, batch: &[(Write, Reply)], settle: bool) -> Result<Committed, StoreError> {
        let mut transaction = self.database.begin_write().map_err(unavailable)?;
        transaction.set_durability(Durability::Immediate).map_err(unavailable)?;
        let recent = self.recent.read();
        let mut tables = Tables::open(&transaction, &self.keys, &recent, self.next)?;
        let mut results = Vec::with_capacity(batch.len());
        let mut erased = Vec::new();
        for (write, _) in batch {
            results.push(match write {
                Write::Append(append) => lift(tables.append(append))?,
                Write::Delete(id) => {
                    let slot = tables.delete(*id)?;
                    erased.extend(slot);
                    Ok(slot.is_some())
                }
                Write::Settle => Ok(true),
            });
        }
        let followed = follow(&mut tables, &recent, settle, self.pace.slice)?;
        // A key must be on disk before anything that needs it.
        if tables.created {
            self.keys.sync().map_err(unavailable)?;
        }
        let (staged, next) = (std::mem::take(&mut tables.staged), tables.next);
        drop(tables);
        transaction.commit().map_err(unavailable)?;
        Ok(Committed { results, staged, followed, settled: settle, next, erased })
    }

    /// Lets readers see what was committed.
    fn publish(&self, staged: Staged, followed: &[(Key, Entry)], settled: bool) {
        let mut recent = self.recent.write();
        if settled {
            *recent = Recent::new(self.next);
            return;
        }
        recent.written(followed);
        for (id, entry) in staged {
            match entry {
                Some(entry) => recent.put(id, entry),
                None => recent.forget(&id),
            }
        }
    }

    /// Keys go after their rows: a crash between the two leaves a key that opens nothing.
    fn erase(&self, slots: &[u32]) -> Result<(), StoreError> {
        for slot in slots {
            self.keys.erase(*slot).map_err(unavailable)?;
        }
        if slots.is_empty() { Ok(()) } else { self.keys.sync().map_err(unavailable) }
    }
}

/// Lets the index follow, altogether or by a slice; gives the slice.
fn follow(
    tables: &mut Tables<'_>,
    recent: &Recent,
    settle: bool,
    slice: usize,
) -> Result<Vec<(Key, Entry)>, StoreError> {
    if !settle {
        let (rows, behind) = recent.slice(slice);
        tables.follow(rows.iter().map(|(id, entry)| (id, entry)), behind)?;
        return Ok(rows);
    }
    let mut all = recent.all();
    all.extend(tables.staged.iter().filter_map(|(id, entry)| Some((*id, entry.clone()?))));
    let next = tables.next;
    tables.follow(&all, Some(next))?;
    Ok(Vec::new())
}

/// Makes the tables that are not there yet.
fn create(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(LOG).map_err(unavailable)?;
    transaction.open_table(INDEX).map_err(unavailable)?;
    transaction.open_table(BEHIND).map_err(unavailable)?;
    transaction.open_table(PENDING).map_err(unavailable)?;
    transaction.open_table(EXPIRY).map_err(unavailable)?;
    transaction.open_table(REVIEWS).map_err(unavailable)?;
    Ok(())
}

/// A conflict is the caller's affair; anything else fails the batch.
fn lift(result: Result<(), StoreError>) -> Result<Result<bool, StoreError>, StoreError> {
    match result {
        Ok(()) => Ok(Ok(true)),
        Err(e @ (StoreError::Conflict { .. } | StoreError::NotFound)) => Ok(Err(e)),
        Err(e) => Err(e),
    }
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
