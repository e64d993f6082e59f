//! What every store of weights must do, run over each of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/redis.rs"]
mod redis_server;

use std::sync::Arc;
use std::time::Duration;

use redis_server::RedisServer;
use wenzhen_kg::weights::epoch::{published, rolled_back};
use wenzhen_kg::weights::store::{Claim, Commit, Head, MOST_WAITING, Offered, PATIENCE, RedisStore, Which};
use wenzhen_kg::weights::{
    Bounds, Change, EdgeId, Feedback, MemoryStore, Note, Overlay, Reason, Record, RedbStore, StoreError, WeightStore,
};

fn pack() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

fn feedback(pack: &str, consultation: u32) -> Feedback {
    let edge = EdgeId { condition: "c1".into(), finding: format!("f{}", consultation % 3) };
    Feedback {
        pack: pack.into(),
        epoch: 0,
        consultation: format!("{consultation:064x}"),
        confirmed_by: "ana".into(),
        confirmed_at_ms: 7,
        changes: vec![Change { edge, micros: 1000, reason: Reason::UnexpectedPresence }],
    }
}

fn note(id: &str) -> Note {
    Note { publish_id: id.into(), by: "root".into(), reason: "a test".into(), at_ms: 9 }
}

fn commit(pack: &str, newest: (u64, &Overlay), claim: &Claim, id: &str) -> Commit {
    let record = published(newest, &claim.feedback, &Bounds::default(), note(id));
    Commit { pack: pack.into(), record, claim: Some(claim.clone()), keep: 2 }
}

/// Publishes everything that waits.
async fn publish(store: &dyn WeightStore, pack: &str, id: &str) -> Record {
    let number = store.head(pack, None).await.unwrap().epoch;
    let newest = store.epoch(pack, Which::Number(number)).await.unwrap().unwrap();
    let claim = store.take(pack, 1000).await.unwrap();
    let commit = commit(pack, (number, &newest.overlay.unwrap()), &claim, id);
    store.commit(&commit).await.unwrap();
    commit.record
}

async fn a_consultation_teaches_once(store: &dyn WeightStore) {
    let pack = pack();
    assert_eq!(store.head(&pack, None).await.unwrap(), Head::default());
    assert_eq!(store.offer(&feedback(&pack, 1)).await.unwrap(), Offered::New);
    assert_eq!(store.offer(&feedback(&pack, 2)).await.unwrap(), Offered::New);
    let other = Feedback { changes: vec![], ..feedback(&pack, 1) };
    assert_eq!(store.offer(&other).await.unwrap(), Offered::Known, "whatever it says the second time");
    assert_eq!(store.head(&pack, None).await.unwrap().waiting, 2);
    let record = publish(store, &pack, "p").await;
    assert_eq!(record.epoch.counts.consultations, 2);
    assert_eq!(store.head(&pack, None).await.unwrap().waiting, 0);
    assert_eq!(store.offer(&feedback(&pack, 1)).await.unwrap(), Offered::Known, "it was applied");
    assert_eq!(store.head(&pack, None).await.unwrap().waiting, 0);
}

async fn epochs_are_read_as_they_were_written(store: &dyn WeightStore) {
    let pack = pack();
    assert_eq!(store.epoch(&pack, Which::Number(0)).await.unwrap(), Some(Record::base()));
    assert_eq!(store.epoch(&pack, Which::Number(1)).await.unwrap(), None);
    assert_eq!(store.epoch(&pack, Which::Published("p1")).await.unwrap(), None);
    store.offer(&feedback(&pack, 1)).await.unwrap();
    let record = publish(store, &pack, "p1").await;
    assert!(!record.ledger.is_empty() && !record.overlay.as_ref().unwrap().is_empty());
    assert_eq!(store.epoch(&pack, Which::Number(1)).await.unwrap(), Some(record.clone()));
    assert_eq!(store.epoch(&pack, Which::Published("p1")).await.unwrap(), Some(record.clone()));
    let head = store.head(&pack, None).await.unwrap();
    assert_eq!(head, Head { epoch: 1, fingerprint: record.epoch.fingerprint, waiting: 0 });
    assert_eq!(store.epoch(&self::pack(), Which::Number(1)).await.unwrap(), None, "another pack has its own");
}

async fn old_overlays_are_retired_and_their_ledger_stays(store: &dyn WeightStore) {
    let pack = pack();
    for number in 1..=4_u32 {
        store.offer(&feedback(&pack, number)).await.unwrap();
        publish(store, &pack, &format!("p{number}")).await;
    }
    for (number, kept) in [(0, true), (1, false), (2, false), (3, true), (4, true)] {
        let record = store.epoch(&pack, Which::Number(number)).await.unwrap().unwrap();
        assert_eq!(record.overlay.is_some(), kept, "epoch {number}");
        assert_eq!(record.ledger.len(), usize::from(number > 0));
    }
}

async fn one_epoch_comes_after_another(store: &dyn WeightStore) {
    let pack = pack();
    let to_base = |newest: u64, id: &str| {
        let nothing = Overlay::default();
        let record = rolled_back((newest, &nothing), (0, &nothing), note(id));
        Commit { pack: pack.clone(), record, claim: None, keep: 2 }
    };
    assert_eq!(store.commit(&to_base(1, "early")).await, Err(StoreError::Conflict { newest: 0 }));
    store.commit(&to_base(0, "a")).await.unwrap();
    assert_eq!(store.commit(&to_base(0, "b")).await, Err(StoreError::Conflict { newest: 1 }));
    assert_eq!(store.commit(&to_base(0, "a")).await, Err(StoreError::Published(1)), "the same call again");
    assert_eq!(store.commit(&to_base(1, "a")).await, Err(StoreError::Published(1)), "one id, one epoch");
    assert_eq!(store.head(&pack, None).await.unwrap().epoch, 1);
}

async fn one_publishes_at_a_time(store: &dyn WeightStore) {
    let pack = pack();
    assert_eq!(store.take(&pack, 10).await.unwrap(), Claim::default(), "nothing waits");
    for consultation in 0..5 {
        store.offer(&feedback(&pack, consultation)).await.unwrap();
    }
    let claim = store.take(&pack, 3).await.unwrap();
    let oldest: Vec<Feedback> = (0..3).map(|consultation| feedback(&pack, consultation)).collect();
    assert_eq!(claim.feedback, oldest);
    assert_eq!(store.take(&pack, 3).await, Err(StoreError::Busy));
    assert_eq!(store.head(&pack, None).await.unwrap().waiting, 5, "what is taken still waits");
    let nothing = Overlay::default();
    let forged = Claim { token: "forged".into(), ..claim.clone() };
    assert_eq!(store.commit(&commit(&pack, (0, &nothing), &forged, "p")).await, Err(StoreError::LeaseOver));
    store.commit(&commit(&pack, (0, &nothing), &claim, "p")).await.unwrap();
    assert_eq!(store.head(&pack, None).await.unwrap().waiting, 2);
    let rest = store.take(&pack, 10).await.unwrap();
    assert_eq!(rest.feedback, [feedback(&pack, 3), feedback(&pack, 4)], "the right came back with the commit");
    let late = commit(&pack, (1, &nothing), &claim, "late");
    assert_eq!(store.commit(&late).await, Err(StoreError::LeaseOver), "a claim is good for one commit");
}

/// Of many who offer the same and publish at once, every consultation is applied exactly once.
async fn many_at_once_lose_and_double_nothing(store: Arc<dyn WeightStore>) {
    let pack = pack();
    let writers = (0..20).map(|writer| {
        let (store, pack) = (store.clone(), pack.clone());
        tokio::spawn(async move {
            for consultation in 0..10 {
                store.offer(&feedback(&pack, consultation)).await.unwrap();
                if let Ok(claim) = store.take(&pack, 2).await
                    && !claim.feedback.is_empty()
                {
                    let number = store.head(&pack, None).await.unwrap().epoch;
                    let newest = store.epoch(&pack, Which::Number(number)).await.unwrap().unwrap();
                    let id = format!("{writer}-{consultation}");
                    let commit = commit(&pack, (number, &newest.overlay.unwrap()), &claim, &id);
                    store.commit(&commit).await.unwrap();
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    while store.head(&pack, None).await.unwrap().waiting > 0 {
        publish(&*store, &pack, &format!("rest-{}", rand::random::<u64>())).await;
    }
    let newest = store.head(&pack, None).await.unwrap().epoch;
    let mut consultations = 0;
    for number in 1..=newest {
        let record = store.epoch(&pack, Which::Number(number)).await.unwrap().unwrap();
        consultations += record.epoch.counts.consultations;
    }
    assert_eq!(consultations, 10);
    let overlay = store.epoch(&pack, Which::Number(newest)).await.unwrap().unwrap().overlay.unwrap();
    assert_eq!(overlay.iter().map(|(_, _, micros)| micros).sum::<i32>(), 10_000);
}

async fn whoever_waits_is_told(store: Arc<dyn WeightStore>) {
    let pack = pack();
    store.offer(&feedback(&pack, 1)).await.unwrap();
    let started = tokio::time::Instant::now();
    let known = store.head(&pack, Some(0)).await.unwrap();
    assert!(known.epoch == 0 && started.elapsed() >= PATIENCE, "nothing new");
    let waits = {
        let (store, pack) = (store.clone(), pack.clone());
        tokio::spawn(async move { store.head(&pack, Some(0)).await.unwrap().epoch })
    };
    publish(&*store, &pack, "p").await;
    let started = tokio::time::Instant::now();
    assert_eq!(waits.await.unwrap(), 1);
    assert!(started.elapsed() < PATIENCE / 2, "told, not found out by looking: {:?}", started.elapsed());
}

async fn conforms(store: Arc<dyn WeightStore>) {
    a_consultation_teaches_once(&*store).await;
    epochs_are_read_as_they_were_written(&*store).await;
    old_overlays_are_retired_and_their_ledger_stays(&*store).await;
    one_epoch_comes_after_another(&*store).await;
    one_publishes_at_a_time(&*store).await;
    many_at_once_lose_and_double_nothing(store.clone()).await;
    whoever_waits_is_told(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    conforms(Arc::new(MemoryStore::default())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_conforms() {
    let folder = tempfile::tempdir().unwrap();
    conforms(Arc::new(RedbStore::open(&folder.path().join("weights.redb")).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_conforms() {
    let server = RedisServer::start().await;
    conforms(Arc::new(RedisStore::new(server.connect().await))).await;
}

/// What a publisher took and left behind goes to the next one when its lease is over.
async fn a_dead_publishers_feedback_is_taken_over(dead: &dyn WeightStore, next: &dyn WeightStore) {
    let pack = pack();
    dead.offer(&feedback(&pack, 1)).await.unwrap();
    dead.offer(&feedback(&pack, 2)).await.unwrap();
    let left_behind = dead.take(&pack, 1).await.unwrap();
    next.offer(&feedback(&pack, 3)).await.unwrap();
    assert_eq!(next.take(&pack, 10).await, Err(StoreError::Busy));
    let taken = loop {
        match next.take(&pack, 10).await {
            Err(StoreError::Busy) => drop(next.head(&pack, Some(0)).await.unwrap()),
            taken => break taken.unwrap(),
        }
    };
    let all: Vec<Feedback> = (1..=3).map(|consultation| feedback(&pack, consultation)).collect();
    assert_eq!(taken.feedback, all, "what was left behind and what was not, oldest first");
    let nothing = Overlay::default();
    let woken = commit(&pack, (0, &nothing), &left_behind, "woken");
    assert_eq!(dead.commit(&woken).await, Err(StoreError::LeaseOver), "its time is over");
    next.commit(&commit(&pack, (0, &nothing), &taken, "p")).await.unwrap();
    assert_eq!(next.head(&pack, None).await.unwrap().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn in_memory_a_dead_publisher_is_replaced() {
    let store = MemoryStore::default();
    a_dead_publishers_feedback_is_taken_over(&store, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_redis_a_dead_publisher_is_replaced() {
    let server = RedisServer::start().await;
    let lease = Duration::from_millis(300);
    let dead = RedisStore::new(server.connect().await).with_lease(lease);
    let next = RedisStore::new(server.connect().await).with_lease(lease);
    a_dead_publishers_feedback_is_taken_over(&dead, &next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pack) = (folder.path().join("weights.redb"), pack());
    let record = {
        let store = RedbStore::open(&path).unwrap();
        store.offer(&feedback(&pack, 1)).await.unwrap();
        let record = publish(&store, &pack, "p").await;
        store.offer(&feedback(&pack, 2)).await.unwrap();
        store.take(&pack, 1).await.unwrap();
        record
    };
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.epoch(&pack, Which::Number(1)).await.unwrap(), Some(record));
    assert_eq!(store.offer(&feedback(&pack, 1)).await.unwrap(), Offered::Known);
    assert_eq!(store.take(&pack, 9).await.unwrap().feedback, [feedback(&pack, 2)], "what was taken is not lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_survives_a_crash() {
    let mut server = RedisServer::start().await;
    let (store, pack) = (RedisStore::new(server.connect().await), pack());
    store.offer(&feedback(&pack, 1)).await.unwrap();
    let record = publish(&store, &pack, "p").await;
    store.offer(&feedback(&pack, 2)).await.unwrap();
    server.kill().await;
    assert!(matches!(store.offer(&feedback(&pack, 3)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.head(&pack, None).await, Err(StoreError::Unavailable(_))));
    server.restart().await;
    let back = redis_server::until(async || store.head(&pack, None).await.ok()).await;
    assert_eq!(back, Head { epoch: 1, fingerprint: record.epoch.fingerprint.clone(), waiting: 1 });
    assert_eq!(store.epoch(&pack, Which::Number(1)).await.unwrap(), Some(record));
    assert_eq!(store.offer(&feedback(&pack, 1)).await.unwrap(), Offered::Known);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.redb");
    std::fs::write(&path, b"this is not a database").unwrap();
    assert!(matches!(RedbStore::open(&path), Err(StoreError::Unavailable(_))));
}

/// What is damaged is set aside, once: what stands behind it is published, and the lease is free.
async fn damaged_feedback_is_passed_over(store: &dyn WeightStore, pack: &str) {
    assert_eq!(store.take(pack, 9).await.unwrap(), Claim::default(), "nothing else waits, and nobody holds the lease");
    assert_eq!(store.offer(&feedback(pack, 1)).await.unwrap(), Offered::New);
    assert_eq!(publish(store, pack, "p").await.epoch.counts.consultations, 1);
    assert_eq!(store.head(pack, None).await.unwrap().waiting, 0);
}

const QUEUE: redb::TableDefinition<'_, (&str, u64), &[u8]> = redb::TableDefinition::new("queue");

/// Writes into the queue of a file.
fn write(path: &std::path::Path, pack: &str, pieces: impl IntoIterator<Item = (u64, &'static [u8])>) {
    let database = redb::Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut queue = transaction.open_table(QUEUE).unwrap();
        for (place, piece) in pieces {
            queue.insert((pack, place), piece).unwrap();
        }
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn in_a_file_damaged_feedback_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pack) = (folder.path().join("w.redb"), pack());
    write(&path, &pack, [(0, &b"{broken"[..]), (1, &b"\xff"[..])]);
    damaged_feedback_is_passed_over(&RedbStore::open(&path).unwrap(), &pack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_redis_damaged_feedback_is_passed_over() {
    let server = RedisServer::start().await;
    let (redis, pack) = (server.connect().await, pack());
    for piece in [&b"{broken"[..], b"\xff"] {
        let mut command = redis::cmd("XADD");
        command.arg(format!("{{wz-weights:{}}}:queue", &pack[..16])).arg("*").arg("feedback").arg(piece);
        let _: String = redis.run(&command).await.unwrap();
    }
    damaged_feedback_is_passed_over(&RedisStore::new(redis), &pack).await;
}

#[tokio::test]
async fn a_file_is_full_for_one_pack_and_not_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let (path, full, other) = (folder.path().join("w.redb"), pack(), pack());
    write(&path, &full, (0..MOST_WAITING).map(|place| (place, &b"{}"[..])));
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.offer(&feedback(&full, 1)).await, Err(StoreError::Full));
    assert_eq!(store.offer(&feedback(&other, 1)).await, Ok(Offered::New));
}
