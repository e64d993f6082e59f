//! The tables of the file, within one transaction of the writer.

use std::collections::BTreeMap;

use prost::Message as _;
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::super::{Append, ConsultationId, StoreError};
use super::keys::Keys;
use super::recent::{Entry, Key, Recent};
use super::rows::{self, Meta, Places};
use super::{damaged, unavailable};

/// Number of an append, counted over all consultations, to what its consultation's row became and its encrypted events.
pub(super) const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("appends");
/// Consultation to version, summary, slot of its key, and where its appends are; without the newest changes.
pub(super) const INDEX: TableDefinition<'_, Key, rows::IndexRow> = TableDefinition::new("index");
/// The first append that the index may lack.
pub(super) const BEHIND: TableDefinition<'_, (), u64> = TableDefinition::new("behind");
/// Urgency (inverted), since (ms) and consultation, in the order of the waiting list.
pub(super) const PENDING: TableDefinition<'_, (u8, u64, Key), ()> = TableDefinition::new("pending");
/// Day of expiry and consultation.
pub(super) const EXPIRY: TableDefinition<'_, (u32, Key), ()> = TableDefinition::new("expiry");
/// Since when (ms) a consultation waits for its review, and the consultation.
pub(super) const REVIEWS: TableDefinition<'_, (u64, Key), ()> = TableDefinition::new("reviews");

/// What a batch makes of rows; `None` where it deletes them.
pub(super) type Staged = BTreeMap<Key, Option<Entry>>;

/// All tables, open for writing.
pub(super) struct Tables<'t> {
    keys: &'t Keys,
    recent: &'t Recent,
    /// A key was made: it must be on disk before what it opens.
    pub(super) created: bool,
    /// What this batch made of rows.
    pub(super) staged: Staged,
    /// Number of the next append.
    pub(super) next: u64,
    log: Table<'t, u64, &'static [u8]>,
    index: Table<'t, Key, rows::IndexRow>,
    behind: Table<'t, (), u64>,
    pending: Table<'t, (u8, u64, Key), ()>,
    expiry: Table<'t, (u32, Key), ()>,
    reviews: Table<'t, (u64, Key), ()>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        keys: &'t Keys,
        recent: &'t Recent,
        next: u64,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            keys,
            recent,
            created: false,
            staged: Staged::new(),
            next,
            log: transaction.open_table(LOG).map_err(unavailable)?,
            index: transaction.open_table(INDEX).map_err(unavailable)?,
            behind: transaction.open_table(BEHIND).map_err(unavailable)?,
            pending: transaction.open_table(PENDING).map_err(unavailable)?,
            expiry: transaction.open_table(EXPIRY).map_err(unavailable)?,
            reviews: transaction.open_table(REVIEWS).map_err(unavailable)?,
        })
    }

    /// The row of a consultation, as the last append left it.
    fn row(&self, id: &Key) -> Result<Option<Entry>, StoreError> {
        if let Some(staged) = self.staged.get(id) {
            return Ok(staged.clone());
        }
        match self.recent.get(id) {
            Some(entry) => Ok(Some(entry.clone())),
            None => self.indexed(id),
        }
    }

    fn indexed(&self, id: &Key) -> Result<Option<Entry>, StoreError> {
        let row = self.index.get(id).map_err(unavailable)?;
        Ok(row.map(|row| entry(row.value())))
    }

    pub(super) fn append(&mut self, append: &Append) -> Result<(), StoreError> {
        let (old, mut places) = self.row(&append.id.0)?.map_or((None, Places::default()), |(m, p)| (Some(m), p));
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
        let meta = Meta::new(append.expected + append.events.len() as u64, append.summary, slot);
        let mut row = rows::head(append.id.0, append.expected + 1, meta);
        for (version, event) in (append.expected + 1..).zip(&append.events) {
            let sealed = self.keys.seal(slot, version, &event.encode_to_vec());
            rows::push(&mut row, &sealed.ok_or_else(|| damaged("the key is gone"))?);
        }
        self.log.insert(self.next, row.as_slice()).map_err(unavailable)?;
        places.push(append.expected + 1, self.next);
        self.next += 1;
        self.staged.insert(append.id.0, Some((meta, places)));
        Ok(())
    }

    /// Removes the rows of a consultation; gives the slot of its key.
    pub(super) fn delete(&mut self, id: ConsultationId) -> Result<Option<u32>, StoreError> {
        let Some((meta, places)) = self.row(&id.0)? else { return Ok(None) };
        let indexed = self.index.remove(id.0).map_err(unavailable)?.map(|row| rows::read(row.value()).0);
        self.lists(id.0, indexed, None)?;
        for (_, place) in places.after(0) {
            self.log.remove(place).map_err(unavailable)?;
        }
        self.staged.insert(id.0, None);
        Ok(Some(meta.slot))
    }

    /// Lets the index follow for these rows; `behind` is the first append that it may lack from then on.
    pub(super) fn follow<'e>(
        &mut self,
        entries: impl IntoIterator<Item = (&'e Key, &'e Entry)>,
        behind: Option<u64>,
    ) -> Result<(), StoreError> {
        for (id, (meta, places)) in entries {
            if matches!(self.staged.get(id), Some(None)) {
                continue;
            }
            let old = self.index.get(id).map_err(unavailable)?.map(|row| rows::read(row.value()).0);
            self.lists(*id, old, Some(*meta))?;
            self.index.insert(id, rows::write(*meta, places)).map_err(unavailable)?;
        }
        if let Some(first) = behind {
            self.behind.insert((), first).map_err(unavailable)?;
        }
        Ok(())
    }

    /// Moves a consultation in the lists, where its place changed.
    fn lists(&mut self, id: Key, old: Option<Meta>, new: Option<Meta>) -> Result<(), StoreError> {
        let day = |meta: Option<Meta>| meta.map(|meta| (meta.expires_day, id));
        moved(&mut self.expiry, day(old), day(new))?;
        let review = |meta: Option<Meta>| meta.map(|m| (m.review_since_ms, id)).filter(|(since, _)| *since > 0);
        moved(&mut self.reviews, review(old), review(new))?;
        let waiting =
            |meta: Option<Meta>| meta.filter(|m| m.pending_reason > 0).map(|m| (u8::MAX - m.urgency, m.since_ms, id));
        moved(&mut self.pending, waiting(old), waiting(new))
    }
}

/// A row of the index, out of the transaction.
pub(super) fn entry(row: rows::IndexRead<'_>) -> Entry {
    let (meta, places) = rows::read(row);
    (meta, places.to_owned())
}

/// Takes a place in a list instead of another.
fn moved<K>(table: &mut Table<'_, K, ()>, old: Option<K>, new: Option<K>) -> Result<(), StoreError>
where
    K: redb::Key + Copy + PartialEq + for<'k> std::borrow::Borrow<K::SelfType<'k>> + 'static,
{
    if old == new {
        return Ok(());
    }
    if let Some(place) = old {
        table.remove(place).map_err(unavailable)?;
    }
    if let Some(place) = new {
        table.insert(place, ()).map_err(unavailable)?;
    }
    Ok(())
}

/// What the index lacks, from the log; and the number of the next append.
pub(super) fn caught_up(transaction: &WriteTransaction) -> Result<(Recent, u64), StoreError> {
    let log = transaction.open_table(LOG).map_err(unavailable)?;
    let index = transaction.open_table(INDEX).map_err(unavailable)?;
    let behind = transaction.open_table(BEHIND).map_err(unavailable)?;
    let first = behind.get(()).map_err(unavailable)?.map_or(0, |first| first.value());
    let mut recent = Recent::new(first);
    let mut next = first;
    for row in log.range(first..).map_err(unavailable)? {
        let (number, row) = row.map_err(unavailable)?;
        next = number.value() + 1;
        let (id, from, meta) = rows::headed(row.value()).ok_or_else(|| damaged("an append has no head"))?;
        let known = match recent.get(&id) {
            Some(entry) => Some(entry.clone()),
            None => index.get(id).map_err(unavailable)?.map(|row| entry(row.value())),
        };
        let (version, mut places) = known.map_or((0, Places::default()), |(meta, places)| (meta.version, places));
        if version >= meta.version {
            continue;
        }
        if version + 1 != from {
            return Err(damaged("an append is missing"));
        }
        places.push(from, number.value());
        recent.put(id, (meta, places));
    }
    Ok((recent, next))
}
