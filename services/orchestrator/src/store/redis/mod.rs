//! Consultations in Redis, for many processes: single server, Sentinel or Cluster.
//!
//! **Keys.** The ids of consultations fall into 256 parts by their first byte. A part has one index,
//! `wz:{<part>}:index`, a consultation one list, `wz:{<part>}:c:<id>`: its card (what the index holds of it), then
//! its events. The braces make everything of a part share a slot of a cluster. So one script can change a consultation
//! and its index in one step, in one round trip: no crash comes between a patient who waits and the list that shows
//! them, and no repair is needed. The price: a list asks 256 indices (side by side, some hundred microseconds), and
//! data can be spread over no more than 256 slots. While a cluster moves a slot, what is in it may be unavailable.
//!
//! **Appending twice.** Each record begins with eight random bytes, chosen anew for each append. When an answer is
//! lost the append is sent again, and the script that finds these very records in their place says that they are
//! there. Equal events of two writers are still two appends, of which one wins.
//!
//! **What Redis may lose.** Redis acknowledges a write when its master has it in memory (see `--redis-durability`).
//! A crash or a fail-over can take back what was acknowledged. An append then meets a version below the expected one:
//! [`StoreError::Conflict`] with `actual < expected`. Nothing is doubled or put in a wrong place.
//!
//! **Watching.** Each append publishes its version on the consultation's own channel; a process listens, on one
//! connection, to the consultations that it watches. Plain channels, not sharded ones: on a cluster one connection
//! hears all, at the price of each message going to every node.
//!
//! **Expiry.** The orchestrator deletes what has expired. As a safety net Redis itself lets a consultation go a week
//! after it should have been deleted; the rest of its index goes when it is listed as expired and then deleted.

mod card;
mod watch;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures::future::try_join_all;
use prost::Message as _;
use wenzhen_proto::orchestrator::v1::Event;
use wenzhen_redis::{Redis, RedisError, Script};

use self::watch::Watch;
use super::{Append, ConsultationId, DELETED, Query, Store, StoreError, Summary};

/// For how long an operation is repeated while Redis is unavailable: a reconnection or a fail-over of a moment is
/// none of the patient's business.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes before the event in a record: which append wrote it.
const MARK: usize = 8;
/// Members of an index that one script looks at for what is left of a consultation: no other call waits for more.
const LEFTOVERS_AT_ONCE: usize = 1000;
/// Parts that a list asks at once.
const SIDE_BY_SIDE: u8 = 64;
const SECONDS_A_DAY: u64 = 86_400;
/// Days after which Redis itself deletes what should have been deleted.
const NET_DAYS: u64 = 7;

/// A store in Redis.
#[derive(Debug)]
pub struct RedisStore {
    redis: Redis,
    append: Script,
    delete: Script,
    watch: Watch,
}

impl RedisStore {
    /// A store on a connection. Needs a tokio runtime.
    pub fn new(redis: Redis) -> Self {
        Self {
            append: Script::new(include_str!("append.lua")),
            delete: Script::new(include_str!("delete.lua")),
            watch: Watch::new(redis.clone()),
            redis,
        }
    }

    async fn version(redis: &Redis, id: ConsultationId) -> Result<u64, RedisError> {
        let length: u64 = redis.run(redis::cmd("LLEN").arg(key(id))).await?;
        Ok(length.saturating_sub(1))
    }

    /// The members of one part's index.
    async fn part(&self, part: u8, query: Query, limit: usize) -> Result<Vec<Vec<u8>>, RedisError> {
        let (from, to) = card::bounds(query);
        let mut command = redis::cmd("ZRANGEBYLEX");
        command.arg(index(part)).arg(from).arg(to).arg("LIMIT").arg(0).arg(limit);
        self.redis.patient(PATIENCE, |_| self.redis.run(&command)).await
    }
}

#[async_trait]
impl Store for RedisStore {
    /// As durable as `--redis-durability` asks. After [`StoreError::Unavailable`] the events may be there or not;
    /// reading tells.
    async fn append(&self, append: Append) -> Result<(), StoreError> {
        let Append { id, expected, events, summary } = append;
        let mark: [u8; MARK] = rand::random();
        let records = events.iter().map(|event| {
            let mut record = Vec::with_capacity(MARK + event.encoded_len());
            record.extend(mark);
            event.encode_raw(&mut record);
            record
        });
        let mut call = self.append.call(&[key(id), index(id.0[0])]);
        call = call.arg(expected).arg(card::card(id, &summary)).arg(net(&summary)).arg(channel(id));
        for record in records {
            call = call.arg(record);
        }
        let within = PATIENCE + self.redis.settling();
        let version: i64 = self.redis.patient(within, |_| self.redis.script_durably(&call)).await.map_err(failed)?;
        match u64::try_from(version) {
            Ok(actual) => Err(StoreError::Conflict { actual }),
            Err(_) => {
                self.watch.tell(id, expected + events.len() as u64);
                Ok(())
            }
        }
    }

    async fn read(&self, id: ConsultationId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        // Counting from the event before the first wanted one (or the card) tells a consultation without news from
        // one that is not there.
        let from = i64::try_from(after).unwrap_or(i64::MAX);
        let to = from.saturating_add(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut command = redis::cmd("LRANGE");
        command.arg(key(id)).arg(from).arg(to);
        let found: Vec<Vec<u8>> = self.redis.patient(PATIENCE, |_| self.redis.run(&command)).await.map_err(failed)?;
        if found.is_empty() {
            let mut command = redis::cmd("EXISTS");
            command.arg(key(id));
            let exists: bool = self.redis.patient(PATIENCE, |_| self.redis.run(&command)).await.map_err(failed)?;
            return if exists { Ok(Vec::new()) } else { Err(StoreError::NotFound) };
        }
        found.iter().skip(1).map(|record| event(record)).collect()
    }

    async fn list(&self, query: Query, limit: usize) -> Result<Vec<(ConsultationId, Summary)>, StoreError> {
        let mut members = Vec::new();
        for first in (0..=u8::MAX).step_by(usize::from(SIDE_BY_SIDE)) {
            let parts = (first..=first + (SIDE_BY_SIDE - 1)).map(|part| self.part(part, query, limit));
            members.extend(try_join_all(parts).await.map_err(failed)?.into_iter().flatten());
            // What waits has an order over all parts; what has expired has none, and may be much.
            if matches!(query, Query::ExpiredBy(_)) && members.len() >= limit {
                break;
            }
        }
        members.sort_unstable();
        members.truncate(limit);
        let damaged = || StoreError::Damaged("an index holds what is no summary".into());
        members.iter().map(|member| card::read(member).ok_or_else(damaged)).collect()
    }

    fn watch(&self, id: ConsultationId) -> tokio::sync::watch::Receiver<u64> {
        self.watch.subscribe(id)
    }

    fn shared(&self) -> bool {
        true
    }

    /// Deletes the consultation and its place in the index. Copies remain for a while outside of Redis's memory: in
    /// the append-only file until it is next rewritten (BGREWRITEAOF), in snapshots until they are replaced, in
    /// backups, and on replicas until they hear of it. Where deletion must be final at once, rewrite and encrypt.
    ///
    /// When an answer was lost and the consultation is then gone, it counts as deleted by this call.
    async fn delete(&self, id: ConsultationId) -> Result<bool, StoreError> {
        let within = PATIENCE + self.redis.settling();
        let (mut existed, mut cursor) = (false, String::from("0"));
        loop {
            let call = self.delete.call(&[key(id), index(id.0[0])]);
            let call = call.arg(&id.0).arg(channel(id)).arg(card::SUMMARY).arg(&cursor).arg(LEFTOVERS_AT_ONCE);
            let attempt = |number| {
                let (redis, call, first) = (&self.redis, &call, cursor == "0");
                async move {
                    let (existed, next): (bool, String) = redis.script_durably(call).await?;
                    Ok((existed || (first && number > 0), next))
                }
            };
            let (deleted, next) = self.redis.patient(within, attempt).await.map_err(failed)?;
            existed |= deleted;
            if next == "0" {
                break;
            }
            cursor = next;
        }
        self.watch.tell(id, DELETED);
        Ok(existed)
    }
}

/// The consultation's list.
fn key(id: ConsultationId) -> String {
    format!("wz:{{{}}}:c:{id}", part(id.0[0]))
}

/// The index of a part.
fn index(first: u8) -> String {
    format!("wz:{{{}}}:index", part(first))
}

/// What a part is called. With the closing zero the 256 names lie evenly on the slots of a cluster.
fn part(first: u8) -> String {
    format!("{first:02x}0")
}

/// Where changes of a consultation are published.
fn channel(id: ConsultationId) -> String {
    format!("wz:{id}")
}

/// When Redis itself lets the consultation go, in seconds since 1970: never sooner than a week from now.
fn net(summary: &Summary) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    (u64::from(summary.expires_day) * SECONDS_A_DAY).max(now) + NET_DAYS * SECONDS_A_DAY
}

fn event(record: &[u8]) -> Result<Event, StoreError> {
    let bytes = record.get(MARK..).ok_or_else(|| StoreError::Damaged("it is too short".into()))?;
    Event::decode(bytes).map_err(|e| StoreError::Damaged(e.to_string()))
}

fn failed(error: RedisError) -> StoreError {
    match error {
        RedisError::Unavailable(_) | RedisError::Misconfigured(_) => StoreError::Unavailable(error.to_string()),
        RedisError::Rejected { .. } => StoreError::Damaged(error.to_string()),
    }
}
