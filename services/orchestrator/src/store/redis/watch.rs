//! Who waits for new versions, across processes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use wenzhen_redis::{Message, Redis, RedisError, Subscription};

use super::{RedisStore, channel};
use crate::store::{ConsultationId, DELETED};

/// How often channels without a listener are given up.
const SWEEP: Duration = Duration::from_secs(10);
/// Longest wait for a lost connection before it is asked for again.
const WAIT: Duration = Duration::from_secs(2);
/// How long reading versions anew may take before the connection is taken for lost.
const REFRESH: Duration = Duration::from_secs(2);

/// The watched consultations of this process, and the task that listens for them.
#[derive(Debug)]
pub(super) struct Watch {
    watched: Arc<Watched>,
    _task: DropGuard,
}

#[derive(Debug, Default)]
struct Watched {
    entries: Mutex<HashMap<ConsultationId, Entry>>,
    /// Somebody new wants to watch.
    wake: Notify,
}

#[derive(Debug)]
struct Entry {
    sender: watch::Sender<u64>,
    /// Counts what was told; a version that was read before it is out of date.
    told: u64,
}

impl Watch {
    pub(super) fn new(redis: Redis) -> Self {
        let watched = Arc::new(Watched::default());
        let stop = CancellationToken::new();
        let (task, until) = (Task { redis, watched: watched.clone() }, stop.clone());
        tokio::spawn(async move { until.run_until_cancelled_owned(task.run()).await });
        Self { watched, _task: stop.drop_guard() }
    }

    pub(super) fn subscribe(&self, id: ConsultationId) -> watch::Receiver<u64> {
        let new = || Entry { sender: watch::channel(0).0, told: 0 };
        let receiver = self.watched.entries.lock().entry(id).or_insert_with(new).sender.subscribe();
        self.watched.wake.notify_one();
        receiver
    }

    /// Tells this process's own watchers at once, whether or not the connection stands. What was published comes
    /// after it, in order.
    pub(super) fn tell(&self, id: ConsultationId, version: u64) {
        if let Some(entry) = self.watched.entries.lock().get_mut(&id) {
            entry.told += 1;
            entry.sender.send_if_modified(|known| {
                let news = version > *known;
                *known = version.max(*known);
                news
            });
        }
    }
}

impl Watched {
    /// What is watched now. Entries without a listener are dropped.
    fn wanted(&self) -> HashSet<ConsultationId> {
        let mut entries = self.entries.lock();
        entries.retain(|_, entry| entry.sender.receiver_count() > 0);
        entries.keys().copied().collect()
    }

    fn told(&self, id: ConsultationId) -> Option<u64> {
        self.entries.lock().get(&id).map(|entry| entry.told)
    }

    /// A version that was read; `told` was counted before.
    fn found(&self, id: ConsultationId, version: u64, told: Option<u64>) {
        let mut entries = self.entries.lock();
        let Some(entry) = entries.get_mut(&id).filter(|entry| Some(entry.told) == told) else { return };
        entry.sender.send_if_modified(|known| {
            // Gone, not merely not yet begun.
            let version = if version == 0 && *known > 0 { DELETED } else { version };
            let news = version != *known;
            *known = version;
            news
        });
    }

    fn published(&self, message: &Message) {
        let id = message.channel.strip_prefix("wz:").and_then(|id| id.parse().ok());
        let text = std::str::from_utf8(&message.payload).unwrap_or_default();
        let version = if text == "deleted" { Some(DELETED) } else { text.parse().ok() };
        let (Some(id), Some(version)) = (id, version) else { return };
        if let Some(entry) = self.entries.lock().get_mut(&id) {
            entry.told += 1;
            entry.sender.send_if_modified(|known| std::mem::replace(known, version) != version);
        }
    }
}

struct Task {
    redis: Redis,
    watched: Arc<Watched>,
}

impl Task {
    async fn run(self) {
        loop {
            if self.watched.wanted().is_empty() {
                self.watched.wake.notified().await;
                continue;
            }
            // Whatever ends the connection, what is published meanwhile is lost; listening anew reads it.
            if let Err(reason) = self.listen().await {
                tracing::debug!(%reason, "watching begins anew");
                if self.redis.available(WAIT).await.is_ok() {
                    // There is a connection for commands: one for messages should come soon.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    /// Listens while anything is watched.
    async fn listen(&self) -> Result<(), RedisError> {
        let mut subscription = self.redis.subscribe().await?;
        let mut heard = HashSet::new();
        loop {
            let wanted = self.watched.wanted();
            if wanted.is_empty() {
                return Ok(());
            }
            self.follow(&mut subscription, &mut heard, wanted).await?;
            let sweep = tokio::time::sleep(SWEEP);
            tokio::pin!(sweep);
            loop {
                tokio::select! {
                    message = subscription.next() => self.watched.published(&message?),
                    () = self.watched.wake.notified() => break,
                    () = &mut sweep => break,
                }
            }
        }
    }

    /// Brings the subscriptions in line with what is wanted, and reads the versions of what is new.
    async fn follow(
        &self,
        subscription: &mut Subscription,
        heard: &mut HashSet<ConsultationId>,
        wanted: HashSet<ConsultationId>,
    ) -> Result<(), RedisError> {
        let channels = |ids: &[ConsultationId]| ids.iter().map(|id| channel(*id)).collect::<Vec<_>>();
        let gone: Vec<_> = heard.difference(&wanted).copied().collect();
        if !gone.is_empty() {
            subscription.remove(&channels(&gone)).await?;
        }
        let new: Vec<_> = wanted.difference(heard).copied().collect();
        if !new.is_empty() {
            subscription.add(&channels(&new)).await?;
            try_join_all(new.into_iter().map(|id| self.refresh(id))).await?;
        }
        *heard = wanted;
        Ok(())
    }

    async fn refresh(&self, id: ConsultationId) -> Result<(), RedisError> {
        let told = self.watched.told(id);
        let version = self.redis.patient(REFRESH, |_| RedisStore::version(&self.redis, id)).await?;
        self.watched.found(id, version, told);
        Ok(())
    }
}
