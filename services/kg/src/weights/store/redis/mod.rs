//! Weights in Redis, shared by all replicas.
//!
//! Per pack, under one hash tag, so that all of it is in one slot of a cluster:
//! - `queue`: a stream of feedback with the consumer group `publishers`; `damaged`: the last of it that could not be
//!   read; `known`: consultations that have taught, by
//!   the time when they did,
//! - `lease`: who may publish,
//! - `head`: number and fingerprint of the newest epoch; `epochs`, `overlays`, `published`: hashes by number and by
//!   publish id.
//!
//! Every write is one script, so all of it happens or nothing. New epochs are announced on one channel; as messages can
//! be lost, every reader also looks once a second.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use wenzhen_redis::{Redis, RedisError, Script};

use super::lease::token;
use super::row::{Row, json, parsed};
use super::{
    Claim, Commit, Head, LEASE, MOST_TAKEN, MOST_WAITING, Offered, PATIENCE, StoreError, WeightStore, Which, retired,
};
use crate::weights::epoch::Record;
use crate::weights::feedback::Feedback;

/// The consumer group of those who publish.
const GROUP: &str = "publishers";
/// Where new epochs are announced.
const CHANNEL: &str = "wz-weights-news";
/// For so long a consultation is known to have taught. It is kept for far less, so it cannot come back afterwards.
const KNOWN_FOR: Duration = Duration::from_secs(400 * 86_400);
/// Pieces of damaged feedback that are kept to be looked at.
const MOST_DAMAGED: u32 = 1000;
/// Hexadecimal digits of a pack's digest in its keys.
const TAG: usize = 16;
/// Pause after a lost subscription.
const AGAIN: Duration = Duration::from_millis(100);

/// A store in Redis.
#[derive(Debug)]
pub struct RedisStore {
    redis: Redis,
    consumer: String,
    lease: Duration,
    scripts: Scripts,
    changes: watch::Receiver<u64>,
}

#[derive(Debug)]
struct Scripts {
    offer: Script,
    take: Script,
    commit: Script,
    epoch: Script,
    head: Script,
    aside: Script,
}

impl RedisStore {
    /// A store over a connection. Listens for new epochs until it is dropped. Needs a tokio runtime.
    pub fn new(redis: Redis) -> Self {
        let (sender, changes) = watch::channel(0);
        tokio::spawn(listen(redis.clone(), sender));
        let scripts = Scripts {
            offer: Script::new(include_str!("offer.lua")),
            take: Script::new(include_str!("take.lua")),
            commit: Script::new(include_str!("commit.lua")),
            epoch: Script::new(include_str!("epoch.lua")),
            head: Script::new(include_str!("head.lua")),
            aside: Script::new(include_str!("aside.lua")),
        };
        Self { redis, consumer: token(), lease: LEASE, scripts, changes }
    }

    /// The same with another time for publishers than [`LEASE`].
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Moves what would come up again and again out of the queue; gives the right to publish back where nothing is
    /// left.
    async fn set_aside(&self, pack: &str, claim: &Claim, damaged: Vec<Vec<u8>>) -> Result<(), StoreError> {
        let over = if claim.receipts.is_empty() { claim.token.as_str() } else { "" };
        let mut call = self.scripts.aside.call(&keys(pack, ["queue", "damaged", "lease"]));
        call = call.arg(GROUP).arg(MOST_DAMAGED).arg(over);
        for part in damaged {
            call = call.arg(part);
        }
        self.redis.script::<()>(&call).await.map_err(away)
    }

    async fn now(&self, pack: &str) -> Result<Head, StoreError> {
        let call = self.scripts.head.call(&keys(pack, ["head", "queue"]));
        let (head, waiting): (String, u64) = self.redis.script(&call).await.map_err(away)?;
        if head.is_empty() {
            return Ok(Head { waiting, ..Head::default() });
        }
        let damaged = || StoreError::Damaged("the head is no number with a fingerprint".into());
        let (number, fingerprint) = head.split_once(' ').ok_or_else(damaged)?;
        let epoch = number.parse().map_err(|_| damaged())?;
        Ok(Head { epoch, fingerprint: fingerprint.to_owned(), waiting })
    }
}

#[async_trait]
impl WeightStore for RedisStore {
    async fn offer(&self, feedback: &Feedback) -> Result<Offered, StoreError> {
        let call = self.scripts.offer.call(&keys(&feedback.pack, ["queue", "known"]));
        let call = call.arg(&feedback.consultation).arg(json(feedback)?).arg(MOST_WAITING).arg(millis(KNOWN_FOR));
        let answer: String = self.redis.script_durably(&call).await.map_err(away)?;
        match answer.as_str() {
            "new" => Ok(Offered::New),
            "known" => Ok(Offered::Known),
            _ => Err(StoreError::Full),
        }
    }

    async fn take(&self, pack: &str, most: usize) -> Result<Claim, StoreError> {
        let token = token();
        let call = self.scripts.take.call(&keys(pack, ["queue", "lease"]));
        let call = call.arg(&token).arg(millis(self.lease)).arg(most.min(MOST_TAKEN)).arg(GROUP).arg(&self.consumer);
        let answer: Vec<Vec<u8>> = self.redis.script(&call).await.map_err(away)?;
        let (first, pieces) = answer.split_first().ok_or_else(|| StoreError::Damaged("no answer".into()))?;
        if first == b"busy" {
            return Err(StoreError::Busy);
        }
        let (mut claim, mut damaged) = (Claim { token, ..Claim::default() }, Vec::new());
        for piece in pieces.chunks_exact(2) {
            let [receipt, feedback] = piece else { continue };
            match parsed(feedback) {
                Ok(feedback) => {
                    claim.receipts.push(String::from_utf8_lossy(receipt).into_owned());
                    claim.feedback.push(feedback);
                }
                Err(_) => damaged.extend_from_slice(piece),
            }
        }
        if !damaged.is_empty() {
            tracing::error!(pieces = damaged.len() / 2, "feedback cannot be read; it is set aside");
            self.set_aside(pack, &claim, damaged).await?;
        }
        Ok(if claim.receipts.is_empty() { Claim::default() } else { claim })
    }

    async fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let Record { epoch, overlay, .. } = &commit.record;
        let names = ["head", "queue", "lease", "published", "epochs", "overlays"];
        let call = self.scripts.commit.call(&keys(&commit.pack, names));
        let call = call.arg(epoch.number).arg(&epoch.fingerprint).arg(&epoch.note.publish_id);
        let call = call.arg(json(&Row::of(&commit.record))?).arg(json(&overlay.clone().unwrap_or_default())?);
        let old = retired(commit).map(|number| number.to_string()).unwrap_or_default();
        let token = commit.claim.as_ref().map_or("", |claim| claim.token.as_str());
        let call = call.arg(old).arg(token).arg(GROUP).arg(CHANNEL).arg(tag(&commit.pack));
        let receipts: &[String] = commit.claim.as_ref().map_or(&[], |claim| &claim.receipts);
        let answer: Vec<String> = self.redis.script_durably(&call.arg(receipts)).await.map_err(away)?;
        let number = || answer.get(1).and_then(|number| number.parse().ok()).unwrap_or(0);
        match answer.first().map(String::as_str) {
            Some("ok") => Ok(()),
            Some("published") => Err(StoreError::Published(number())),
            Some("conflict") => Err(StoreError::Conflict { newest: number() }),
            _ => Err(StoreError::LeaseOver),
        }
    }

    async fn epoch(&self, pack: &str, which: Which<'_>) -> Result<Option<Record>, StoreError> {
        let (number, id) = match which {
            Which::Number(0) => return Ok(Some(Record::base())),
            Which::Number(number) => (number.to_string(), ""),
            Which::Published(id) => (String::new(), id),
        };
        let call = self.scripts.epoch.call(&keys(pack, ["published", "epochs", "overlays"])).arg(number).arg(id);
        let answer: Vec<String> = self.redis.script(&call).await.map_err(away)?;
        let [row, overlay] = answer.as_slice() else { return Ok(None) };
        let row: Row = parsed(row.as_bytes())?;
        let overlay = if overlay.is_empty() { None } else { Some(parsed(overlay.as_bytes())?) };
        Ok(Some(row.with(overlay)))
    }

    async fn head(&self, pack: &str, known: Option<u64>) -> Result<Head, StoreError> {
        let mut changes = self.changes.clone();
        changes.mark_unchanged();
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let now = self.now(pack).await?;
            if known != Some(now.epoch) || tokio::time::Instant::now() >= until {
                return Ok(now);
            }
            // News of any pack, or the end of the patience: either way it is read again.
            let _ = tokio::time::timeout_at(until, changes.changed()).await;
        }
    }
}

/// Counts announcements, until nobody cares any more. A new subscription counts too: what was announced in between is
/// lost.
async fn listen(redis: Redis, changes: watch::Sender<u64>) {
    while !changes.is_closed() {
        let heard = async {
            let mut subscription = redis.subscribe().await?;
            subscription.add(&[CHANNEL.to_owned()]).await?;
            loop {
                changes.send_modify(|changes| *changes += 1);
                subscription.next().await?;
            }
        };
        tokio::select! {
            () = changes.closed() => return,
            ended = heard => {
                let ended: Result<(), RedisError> = ended;
                tracing::debug!(error = ended.err().map(tracing::field::display), "no announcements of epochs for now");
            }
        }
        tokio::time::sleep(AGAIN).await;
        // While Redis is away there is nothing to listen to.
        let _ = redis.available(PATIENCE).await;
    }
}

fn tag(pack: &str) -> &str {
    pack.get(..TAG).unwrap_or(pack)
}

fn keys<const N: usize>(pack: &str, names: [&str; N]) -> [String; N] {
    names.map(|name| format!("{{wz-weights:{}}}:{name}", tag(pack)))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn away(error: RedisError) -> StoreError {
    match error {
        RedisError::Rejected { .. } => StoreError::Damaged(error.to_string()),
        RedisError::Unavailable(_) | RedisError::Misconfigured(_) => StoreError::Unavailable(error.to_string()),
    }
}
