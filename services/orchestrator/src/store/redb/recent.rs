//! What the newest appends made of their consultations' rows, in memory until the index follows.
//!
//! A consultation's row stands under its random id: writing it with each append would rewrite a page of the index for
//! each. The append itself is durable in the log and carries what its row became, so the index may follow later, many
//! rows at once and in the order of their keys; after a crash it is caught up from the log.

use std::collections::BTreeMap;

use super::rows::{Meta, Places};

/// Id of a consultation.
pub(super) type Key = [u8; 16];
/// What the row of a consultation is to hold.
pub(super) type Entry = (Meta, Places);

/// Rows that the index does not hold yet.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Changed since the older ones began to be written.
    young: BTreeMap<Key, Entry>,
    /// Being written, some with each commit.
    old: BTreeMap<Key, Entry>,
    /// Number of the first append that is in `young`.
    young_from: u64,
}

impl Recent {
    /// Nothing is recent; the next append has this number.
    pub(super) fn new(next: u64) -> Self {
        Self { young_from: next, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    pub(super) fn get(&self, id: &Key) -> Option<&Entry> {
        self.young.get(id).or_else(|| self.old.get(id))
    }

    pub(super) fn put(&mut self, id: Key, entry: Entry) {
        self.young.insert(id, entry);
    }

    pub(super) fn forget(&mut self, id: &Key) {
        self.young.remove(id);
        self.old.remove(id);
    }

    /// Begins to write what there is, when it has become `many` and the last time is over. Appends from `next` on are
    /// young.
    pub(super) fn turn(&mut self, many: usize, next: u64) {
        if self.old.is_empty() && self.young.len() >= many {
            self.old = std::mem::take(&mut self.young);
            self.young_from = next;
        }
    }

    /// The next rows to write, in order, and where catching up begins once they are written: set with the last of them.
    pub(super) fn slice(&self, most: usize) -> (Vec<(Key, Entry)>, Option<u64>) {
        let rows: Vec<_> = self.old.iter().take(most).map(|(id, entry)| (*id, entry.clone())).collect();
        let last = !rows.is_empty() && rows.len() == self.old.len();
        (rows, last.then_some(self.young_from))
    }

    /// Everything, in order.
    pub(super) fn all(&self) -> BTreeMap<Key, Entry> {
        self.old.iter().chain(&self.young).map(|(id, entry)| (*id, entry.clone())).collect()
    }

    /// These older rows are in the index.
    pub(super) fn written(&mut self, rows: &[(Key, Entry)]) {
        for (id, _) in rows {
            self.old.remove(id);
        }
    }
}
