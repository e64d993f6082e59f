//! What every consultation store must do, run over each of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::Arc;

use support::groups::Cluster;
use support::server::Server;
use support::{append, event};
use wenzhen_orchestrator::store::{
    Append, ConsultationId, DELETED, MemoryStore, PendingSummary, Query, RedbStore, Store, StoreError, Summary,
};
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1::PendingReason;

fn pending(urgency: Urgency, since_ms: u64) -> Option<PendingSummary> {
    Some(PendingSummary { reason: PendingReason::Plan, urgency, since_ms })
}

async fn appends_and_reads(store: &dyn Store) {
    let id = ConsultationId::random();
    assert_eq!(store.read(id, 0, 10).await, Err(StoreError::NotFound));
    store.append(append(id, 0, &["a", "b"])).await.unwrap();
    store.append(append(id, 2, &["c"])).await.unwrap();
    let all = store.read(id, 0, 10).await.unwrap();
    assert_eq!(all, vec![event(1, "a"), event(2, "b"), event(3, "c")]);
    assert_eq!(store.read(id, 1, 1).await.unwrap(), vec![event(2, "b")]);
    assert_eq!(store.read(id, 3, 10).await.unwrap(), vec![]);
    assert_eq!(store.read(id, u64::MAX, 10).await.unwrap(), vec![]);
}

async fn refuses_another_version(store: &dyn Store) {
    let id = ConsultationId::random();
    let early = store.append(append(id, 3, &["x"])).await;
    assert_eq!(early, Err(StoreError::Conflict { actual: 0 }));
    assert_eq!(store.read(id, 0, 10).await, Err(StoreError::NotFound), "a refused append creates nothing");
    store.append(append(id, 0, &["a"])).await.unwrap();
    assert_eq!(store.append(append(id, 0, &["b"])).await, Err(StoreError::Conflict { actual: 1 }));
    assert_eq!(store.read(id, 0, 10).await.unwrap(), vec![event(1, "a")]);
}

/// Of many writers at the same version exactly one wins, and nobody's event is lost or doubled.
async fn one_writer_wins(store: Arc<dyn Store>) {
    let id = ConsultationId::random();
    let writers: Vec<_> = (0..50)
        .map(|i| {
            let store = store.clone();
            tokio::spawn(async move { store.append(append(id, 0, &[&format!("writer {i}")])).await.is_ok() })
        })
        .collect();
    let mut won = 0;
    for writer in writers {
        won += usize::from(writer.await.unwrap());
    }
    assert_eq!(won, 1);
    assert_eq!(store.read(id, 0, 10).await.unwrap().len(), 1);
}

async fn lists_what_waits(store: &dyn Store) {
    let ids: Vec<_> = (0..4).map(|_| ConsultationId::random()).collect();
    let rows = [(Urgency::Routine, 5), (Urgency::Emergency, 9), (Urgency::Emergency, 7), (Urgency::Today, 1)];
    for (id, (urgency, since)) in ids.iter().zip(rows) {
        let summary = Summary { expires_day: 20_000, pending: pending(urgency, since), ..Summary::default() };
        store.append(Append { summary, ..append(*id, 0, &["a"]) }).await.unwrap();
    }
    let ours = |list: Vec<(ConsultationId, Summary)>| -> Vec<ConsultationId> {
        list.into_iter().map(|(id, _)| id).filter(|id| ids.contains(id)).collect()
    };
    let order = ours(store.list(Query::Pending, 1000).await.unwrap());
    assert_eq!(order, vec![ids[2], ids[1], ids[3], ids[0]], "most urgent first, then oldest first");
    store.append(append(ids[1], 1, &["signed"])).await.unwrap();
    assert_eq!(ours(store.list(Query::Pending, 1000).await.unwrap()), vec![ids[2], ids[3], ids[0]]);
    assert_eq!(store.list(Query::Pending, 1).await.unwrap().len(), 1);
    for id in &ids {
        store.delete(*id).await.unwrap();
    }
    assert_eq!(ours(store.list(Query::Pending, 1000).await.unwrap()), vec![]);
}

async fn lists_what_is_to_be_reviewed(store: &dyn Store) {
    let (first, second) = (ConsultationId::random(), ConsultationId::random());
    let due = |since| Summary { expires_day: 20_000, review_since_ms: since, ..Summary::default() };
    store.append(Append { summary: due(Some(9)), ..append(second, 0, &["a"]) }).await.unwrap();
    store.append(Append { summary: due(Some(4)), ..append(first, 0, &["a"]) }).await.unwrap();
    let listed = |list: Vec<(ConsultationId, Summary)>| list.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(listed(store.list(Query::ReviewDue, 10).await.unwrap()), vec![first, second], "oldest first");
    store.append(Append { summary: due(None), ..append(first, 1, &["reviewed"]) }).await.unwrap();
    assert_eq!(listed(store.list(Query::ReviewDue, 10).await.unwrap()), vec![second]);
    store.delete(second).await.unwrap();
    assert_eq!(listed(store.list(Query::ReviewDue, 10).await.unwrap()), vec![]);
}

async fn lists_what_expires(store: &dyn Store) {
    let (old, new) = (ConsultationId::random(), ConsultationId::random());
    let on = |day| Summary { expires_day: day, ..Summary::default() };
    store.append(Append { summary: on(100), ..append(old, 0, &["a"]) }).await.unwrap();
    store.append(Append { summary: on(102), ..append(new, 0, &["a"]) }).await.unwrap();
    let expired = |list: Vec<(ConsultationId, Summary)>| list.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(expired(store.list(Query::ExpiredBy(101), 10).await.unwrap()), vec![old]);
    assert_eq!(expired(store.list(Query::ExpiredBy(99), 10).await.unwrap()), vec![]);
    store.append(Append { summary: on(130), ..append(old, 1, &["b"]) }).await.unwrap();
    assert_eq!(expired(store.list(Query::ExpiredBy(101), 10).await.unwrap()), vec![], "its life was prolonged");
}

async fn deletes_for_good(store: &dyn Store) {
    let id = ConsultationId::random();
    store.append(append(id, 0, &["a", "b"])).await.unwrap();
    let mut watch = store.watch(id);
    watch.mark_unchanged();
    assert!(store.delete(id).await.unwrap());
    assert!(!store.delete(id).await.unwrap());
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow(), DELETED);
    assert_eq!(store.read(id, 0, 10).await, Err(StoreError::NotFound));
    store.append(append(id, 0, &["new life"])).await.unwrap();
    assert_eq!(store.read(id, 0, 10).await.unwrap().len(), 1, "nothing of the old one is left");
}

async fn tells_watchers(store: &dyn Store) {
    let id = ConsultationId::random();
    let mut watch = store.watch(id);
    watch.mark_unchanged();
    store.append(append(id, 0, &["a", "b"])).await.unwrap();
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow(), 2);
}

async fn conforms(store: Arc<dyn Store>) {
    appends_and_reads(&*store).await;
    refuses_another_version(&*store).await;
    one_writer_wins(store.clone()).await;
    lists_what_waits(&*store).await;
    lists_what_is_to_be_reviewed(&*store).await;
    lists_what_expires(&*store).await;
    deletes_for_good(&*store).await;
    tells_watchers(&*store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    conforms(Arc::new(MemoryStore::default())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redb_conforms() {
    let folder = tempfile::tempdir().unwrap();
    conforms(Arc::new(RedbStore::open(&folder.path().join("c.redb")).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_conforms() {
    let server = Server::volatile().await;
    conforms(Arc::new(support::store(&server.url()).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_cluster_conforms() {
    let cluster = Cluster::start().await;
    conforms(Arc::new(support::store(&cluster.url()).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redb_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.redb");
    let id = ConsultationId::random();
    let summary = Summary { expires_day: 7, pending: pending(Urgency::Crisis, 3), review_since_ms: Some(5) };
    {
        let store = RedbStore::open(&path).unwrap();
        store.append(Append { summary, ..append(id, 0, &["a"]) }).await.unwrap();
        store.close().await;
    }
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.read(id, 0, 10).await.unwrap(), vec![event(1, "a")]);
    assert_eq!(store.list(Query::Pending, 10).await.unwrap(), vec![(id, summary)]);
}

fn holds(path: &Path, needle: &[u8]) -> bool {
    std::fs::read(path).unwrap().windows(needle.len()).any(|window| window == needle)
}

/// Deletion deletes: even every page that the database ever wrote cannot be read any more.
#[tokio::test(flavor = "multi_thread")]
async fn redb_leaves_no_trace_of_what_was_deleted() {
    const CANARY: &str = "a canary that sings in no other file";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.redb");
    let (id, other) = (ConsultationId::random(), ConsultationId::random());
    let store = RedbStore::open(&path).unwrap();
    store.append(append(other, 0, &["stays"])).await.unwrap();
    store.append(append(id, 0, &[CANARY])).await.unwrap();
    assert_eq!(store.read(id, 0, 1).await.unwrap(), vec![event(1, CANARY)]);
    store.close().await;
    assert!(!holds(&path, CANARY.as_bytes()), "words are stored in clear");
    let all_pages = std::fs::read(&path).unwrap();

    let store = RedbStore::open(&path).unwrap();
    assert!(store.delete(id).await.unwrap());
    store.close().await;
    std::fs::write(&path, all_pages).unwrap();

    let store = RedbStore::open(&path).unwrap();
    assert!(matches!(store.read(id, 0, 1).await, Err(StoreError::Damaged(_))), "old pages can still be read");
    assert_eq!(store.read(other, 0, 1).await.unwrap(), vec![event(1, "stays")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.redb");
    std::fs::write(&path, b"this is not a database").unwrap();
    assert!(matches!(RedbStore::open(&path), Err(StoreError::Unavailable(_))));
}

#[test]
fn ids_are_read_as_they_are_written() {
    let id = ConsultationId::random();
    assert_eq!(id.to_string().parse(), Ok(id));
    for bad in ["", "12", "zz", &"0".repeat(33), "00000000-0000-0000-0000-000000000000"] {
        assert!(bad.parse::<ConsultationId>().is_err(), "{bad:?}");
    }
}
