//! Weights in memory: for tests, trials and benchmarks. Nothing survives the process.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::lease::Leases;
use super::{
    Claim, Commit, Head, MOST_TAKEN, MOST_WAITING, Offered, PATIENCE, StoreError, WeightStore, Which, expected, retired,
};
use crate::weights::epoch::Record;
use crate::weights::feedback::Feedback;

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    packs: Mutex<HashMap<String, Pack>>,
    leases: Leases,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Pack {
    known: HashSet<String>,
    queue: BTreeMap<u64, Feedback>,
    next: u64,
    epochs: BTreeMap<u64, Record>,
    published: HashMap<String, u64>,
}

impl Pack {
    fn newest(&self) -> u64 {
        self.epochs.last_key_value().map_or(0, |(number, _)| *number)
    }

    fn head(&self) -> Head {
        let newest = self.epochs.last_key_value();
        Head {
            epoch: self.newest(),
            fingerprint: newest.map(|(_, record)| record.epoch.fingerprint.clone()).unwrap_or_default(),
            waiting: self.queue.len() as u64,
        }
    }

    fn write(&mut self, commit: &Commit) {
        if let Some(record) = retired(commit).and_then(|number| self.epochs.get_mut(&number)) {
            record.overlay = None;
        }
        for receipt in commit.claim.iter().flat_map(|claim| &claim.receipts) {
            if let Ok(place) = receipt.parse::<u64>() {
                self.queue.remove(&place);
            }
        }
        let epoch = &commit.record.epoch;
        self.published.insert(epoch.note.publish_id.clone(), epoch.number);
        self.epochs.insert(epoch.number, commit.record.clone());
    }
}

#[async_trait]
impl WeightStore for MemoryStore {
    async fn offer(&self, feedback: &Feedback) -> Result<Offered, StoreError> {
        let mut packs = self.packs.lock();
        let pack = packs.entry(feedback.pack.clone()).or_default();
        if pack.known.contains(&feedback.consultation) {
            return Ok(Offered::Known);
        }
        if pack.queue.len() as u64 >= MOST_WAITING {
            return Err(StoreError::Full);
        }
        pack.known.insert(feedback.consultation.clone());
        pack.queue.insert(pack.next, feedback.clone());
        pack.next += 1;
        Ok(Offered::New)
    }

    async fn take(&self, pack: &str, most: usize) -> Result<Claim, StoreError> {
        let token = self.leases.take(pack)?;
        let packs = self.packs.lock();
        let waiting = packs.get(pack).into_iter().flat_map(|pack| &pack.queue).take(most.min(MOST_TAKEN));
        let (receipts, feedback): (Vec<String>, Vec<Feedback>) =
            waiting.map(|(place, feedback)| (place.to_string(), feedback.clone())).unzip();
        if receipts.is_empty() {
            self.leases.release(pack, &token);
            return Ok(Claim::default());
        }
        Ok(Claim { token, receipts, feedback })
    }

    async fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let epoch = &commit.record.epoch;
        {
            let mut packs = self.packs.lock();
            let pack = packs.entry(commit.pack.clone()).or_default();
            if let Some(number) = pack.published.get(&epoch.note.publish_id) {
                return Err(StoreError::Published(*number));
            }
            expected(pack.newest(), commit)?;
            if let Some(claim) = &commit.claim {
                self.leases.check(&commit.pack, claim)?;
                self.leases.release(&commit.pack, &claim.token);
            }
            pack.write(commit);
        }
        self.changes.send_modify(|changes| *changes += 1);
        Ok(())
    }

    async fn epoch(&self, pack: &str, which: Which<'_>) -> Result<Option<Record>, StoreError> {
        let packs = self.packs.lock();
        let known = packs.get(pack);
        let number = match which {
            Which::Number(number) => Some(number),
            Which::Published(id) => known.and_then(|pack| pack.published.get(id)).copied(),
        };
        Ok(match number {
            Some(0) => Some(Record::base()),
            Some(number) => known.and_then(|pack| pack.epochs.get(&number)).cloned(),
            None => None,
        })
    }

    async fn head(&self, pack: &str, known: Option<u64>) -> Result<Head, StoreError> {
        let mut changes = self.changes.subscribe();
        let read = || self.packs.lock().get(pack).map(Pack::head).unwrap_or_default();
        let now = read();
        if known != Some(now.epoch) {
            return Ok(now);
        }
        // Whatever ends the wait, what is read then is the answer.
        let another = changes.wait_for(|_| read().epoch != now.epoch);
        let _ = tokio::time::timeout(PATIENCE, another).await;
        Ok(read())
    }
}
