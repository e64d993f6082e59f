//! Consultations in memory: for tests, trials and benchmarks. Nothing survives the process.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::sync::watch;
use wenzhen_proto::orchestrator::v1::Event;

use super::{Append, ConsultationId, DELETED, Query, Store, StoreError, Summary, Watchers};

/// Keeps events in their encoded form, which is a fraction of the decoded one.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
    watchers: Watchers,
}

#[derive(Debug, Default)]
struct Tables {
    rows: HashMap<ConsultationId, Row>,
    pending: BTreeMap<(i32, u64, ConsultationId), Summary>,
    reviews: BTreeMap<(u64, ConsultationId), Summary>,
}

#[derive(Debug, Default)]
struct Row {
    events: Vec<Box<[u8]>>,
    summary: Summary,
}

impl Tables {
    fn set_summary(&mut self, id: ConsultationId, old: Summary, new: Summary) {
        let key = |p: super::PendingSummary| (-(p.urgency as i32), p.since_ms, id);
        if let Some(pending) = old.pending {
            self.pending.remove(&key(pending));
        }
        if let Some(pending) = new.pending {
            self.pending.insert(key(pending), new);
        }
        if let Some(since) = old.review_since_ms {
            self.reviews.remove(&(since, id));
        }
        if let Some(since) = new.review_since_ms {
            self.reviews.insert((since, id), new);
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(&self, append: Append) -> Result<(), StoreError> {
        let version = {
            let mut tables = self.tables.lock();
            let row = tables.rows.entry(append.id).or_default();
            let actual = row.events.len() as u64;
            if actual != append.expected {
                if actual == 0 {
                    tables.rows.remove(&append.id);
                }
                return Err(StoreError::Conflict { actual });
            }
            row.events.extend(append.events.iter().map(|event| event.encode_to_vec().into_boxed_slice()));
            let version = row.events.len() as u64;
            let old = std::mem::replace(&mut row.summary, append.summary);
            tables.set_summary(append.id, old, append.summary);
            version
        };
        self.watchers.notify(append.id, version);
        Ok(())
    }

    async fn read(&self, id: ConsultationId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let tables = self.tables.lock();
        let row = tables.rows.get(&id).ok_or(StoreError::NotFound)?;
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let wanted = row.events.iter().skip(after).take(limit);
        wanted.map(|bytes| Event::decode(&**bytes).map_err(|e| StoreError::Damaged(e.to_string()))).collect()
    }

    async fn list(&self, query: Query, limit: usize) -> Result<Vec<(ConsultationId, Summary)>, StoreError> {
        let tables = self.tables.lock();
        Ok(match query {
            Query::Pending => tables.pending.iter().take(limit).map(|((_, _, id), s)| (*id, *s)).collect(),
            Query::ExpiredBy(day) => tables
                .rows
                .iter()
                .filter(|(_, row)| row.summary.expires_day <= day)
                .take(limit)
                .map(|(id, row)| (*id, row.summary))
                .collect(),
            Query::ReviewDue => tables.reviews.iter().take(limit).map(|((_, id), s)| (*id, *s)).collect(),
        })
    }

    fn watch(&self, id: ConsultationId) -> watch::Receiver<u64> {
        self.watchers.subscribe(id)
    }

    async fn delete(&self, id: ConsultationId) -> Result<bool, StoreError> {
        let existed = {
            let mut tables = self.tables.lock();
            let row = tables.rows.remove(&id);
            if let Some(row) = &row {
                tables.set_summary(id, row.summary, Summary::default());
            }
            row.is_some()
        };
        self.watchers.notify(id, DELETED);
        Ok(existed)
    }
}
