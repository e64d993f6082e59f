//! The store in Redis when Redis dies, loses, stalls or moves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use support::groups::{Watched, replica_of};
use support::server::Server;
use support::writers::Writer;
use support::{append, connect, event, settings, store, until};
use tokio::task::JoinSet;
use wenzhen_orchestrator::store::{Append, ConsultationId, DELETED, Query, RedisStore, Store, StoreError, Summary};
use wenzhen_redis::{Durability, Settings};

/// Longest time until an operation gives up.
const BOUND: Duration = Duration::from_secs(3);

/// Lets writers write until `over` says so, then compares all books. Gives what was lost.
async fn write_until(store: &Arc<RedisStore>, writers: usize, mut over: impl AsyncFnMut() -> bool) -> u64 {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        let (mut writer, stopped) = (Writer::new(store.clone()), stopped.clone());
        tasks.spawn(async move {
            while !*stopped.borrow() {
                writer.write().await;
            }
            // What was lost shows when one goes on.
            writer.write().await;
            writer.check().await;
            writer.lost
        });
    }
    until("it is over", &mut over).await;
    stop.send(true).unwrap();
    tasks.join_all().await.into_iter().sum()
}

/// How many records' pushes a server has done since it started.
async fn written(server: &Server) -> u64 {
    let info: String = server.ask(&["INFO", "commandstats"]).await;
    let calls = info.lines().find_map(|line| line.strip_prefix("cmdstat_rpush:calls="));
    calls.and_then(|rest| rest.split(',').next()).map_or(0, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_under_fifty_writers_loses_and_doubles_nothing() {
    let mut server = Server::durable().await;
    let store = Arc::new(store(&server.url()).await);
    let mut killed = false;
    let lost = write_until(&store, 50, async || {
        if !killed && written(&server).await > 500 {
            server.kill();
            server.start().await;
            killed = true;
        }
        killed && written(&server).await > 500
    })
    .await;
    assert_eq!(lost, 0, "what was acknowledged was on disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_empty_is_found_out() {
    let mut server = Server::volatile().await;
    let store = store(&server.url()).await;
    let id = ConsultationId::random();
    store.append(append(id, 0, &["a", "b"])).await.unwrap();
    server.kill();
    server.start().await;
    assert_eq!(store.append(append(id, 2, &["c"])).await, Err(StoreError::Conflict { actual: 0 }));
    assert_eq!(store.read(id, 0, 10).await, Err(StoreError::NotFound));
}

/// Writers go on after a fail-over; what it cost is known, and what is stored is what the books say.
async fn fails_over(down: impl Fn(&mut Server)) {
    let mut group = Watched::start(1, &["--appendonly", "no"]).await;
    let store = Arc::new(store(&group.url()).await);
    let mut is_down = false;
    // What was lost, if anything, the writers have noticed: `write_until` compares their books with the store's.
    write_until(&store, 10, async || {
        if !is_down && written(&group.master).await > 200 {
            down(&mut group.master);
            is_down = true;
        }
        let before = written(&group.replica).await;
        let role: String = group.replica.ask(&["INFO", "replication"]).await;
        is_down && role.contains("role:master") && before > 0 && {
            until("writers go on", async || written(&group.replica).await > before + 200).await;
            true
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_master_is_followed_by_its_replica() {
    fails_over(Server::kill).await;
}

/// Its connections stay open; only the sentinels tell that it is the master no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_master_is_left_for_its_replica() {
    fails_over(|master| master.freeze()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_answer_was_late_is_there_once() {
    let server = Server::volatile().await;
    let store = Arc::new(store(&server.url()).await);
    let id = ConsultationId::random();
    store.append(append(id, 0, &["a"])).await.unwrap();
    let begin = Instant::now();
    server.freeze();
    let writer = tokio::spawn({
        let store = store.clone();
        async move { store.append(append(id, 1, &["b"])).await }
    });
    // Longer than an answer is waited for, so that it was sent at least twice.
    until("it was sent again", async || begin.elapsed() > Duration::from_millis(600)).await;
    server.thaw();
    assert_eq!(writer.await.unwrap(), Ok(()));
    assert_eq!(store.read(id, 0, 10).await.unwrap(), vec![event(1, "a"), event(2, "b")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_appends_of_two_writers_are_two_appends() {
    let server = Server::volatile().await;
    let (one, other) = (store(&server.url()).await, store(&server.url()).await);
    let id = ConsultationId::random();
    one.append(append(id, 0, &["a"])).await.unwrap();
    assert_eq!(other.append(append(id, 0, &["a"])).await, Err(StoreError::Conflict { actual: 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stalls_or_is_away_is_unavailable_in_bounded_time() {
    let mut server = Server::durable().await;
    let store = store(&server.url()).await;
    let id = ConsultationId::random();
    store.append(append(id, 0, &["a"])).await.unwrap();
    let unavailable = async |what: &str| {
        let begin = Instant::now();
        let (appended, read, listed) =
            tokio::join!(store.append(append(id, 1, &["b"])), store.read(id, 0, 1), store.list(Query::Pending, 1));
        assert!(matches!(appended, Err(StoreError::Unavailable(_))), "{what}: {appended:?}");
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{what}: {read:?}");
        assert!(matches!(listed, Err(StoreError::Unavailable(_))), "{what}: {listed:?}");
        assert!(begin.elapsed() < BOUND, "{what}: {:?}", begin.elapsed());
    };
    server.freeze();
    unavailable("stalled").await;
    server.thaw();
    until("it is back", async || store.read(id, 0, 1).await.is_ok()).await;
    // What was sent while it stalled may have been done; the next append says so.
    let version = store.read(id, 0, 10).await.unwrap().len() as u64;
    assert!((1..=2).contains(&version), "{version}");
    server.kill();
    unavailable("away").await;
    server.start().await;
    until("it is back", async || store.read(id, 0, 1).await.is_ok()).await;
    assert_eq!(store.append(append(id, version, &["c"])).await, Ok(()));
}

async fn reaches(watch: &mut tokio::sync::watch::Receiver<u64>, wanted: u64) {
    let reached = tokio::time::timeout(Duration::from_secs(10), watch.wait_for(|version| *version == wanted)).await;
    assert!(reached.is_ok(), "waited in vain for version {wanted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_is_told_of_changes_also_after_a_reconnection() {
    let mut server = Server::durable().await;
    let (writer, reader) = (store(&server.url()).await, store(&server.url()).await);
    let (id, other) = (ConsultationId::random(), ConsultationId::random());
    writer.append(append(id, 0, &["a"])).await.unwrap();
    let mut watch = reader.watch(id);
    reaches(&mut watch, 1).await;
    let mut unborn = reader.watch(other);
    writer.append(append(id, 1, &["b", "c"])).await.unwrap();
    reaches(&mut watch, 3).await;
    server.kill();
    server.start().await;
    // Very likely before the reader listens again: it reads what it missed.
    writer.append(append(id, 3, &["d"])).await.unwrap();
    writer.append(append(other, 0, &["a"])).await.unwrap();
    reaches(&mut watch, 4).await;
    reaches(&mut unborn, 1).await;
    writer.delete(id).await.unwrap();
    reaches(&mut watch, DELETED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_deleted_consultation_is_left() {
    let server = Server::volatile().await;
    let store = store(&server.url()).await;
    let (id, expired) = (ConsultationId::random(), ConsultationId::random());
    let summary = Summary { expires_day: 7, review_since_ms: Some(3), ..Summary::default() };
    for id in [id, expired] {
        store.append(Append { summary, ..append(id, 0, &["a"]) }).await.unwrap();
    }
    let keys: Vec<String> = server.ask(&["KEYS", "*"]).await;
    let of_expired = keys.iter().find(|key| key.ends_with(&expired.to_string())).unwrap();
    let seconds: u64 = server.ask(&["TTL", of_expired]).await;
    assert!((6 * 86_400..=8 * 86_400).contains(&seconds), "a week for one that should be gone: {seconds}");
    // As if Redis had let it expire, which leaves its place in the index.
    let _: u64 = server.ask(&["DEL", of_expired]).await;
    assert_eq!(store.list(Query::ExpiredBy(8), 10).await.unwrap().len(), 2);
    assert_eq!(store.delete(expired).await, Ok(false));
    assert_eq!(store.delete(id).await, Ok(true));
    assert_eq!(store.list(Query::ExpiredBy(8), 10).await.unwrap(), vec![]);
    let left: u64 = server.ask(&["DBSIZE"]).await;
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_append_is_one_step() {
    let server = Server::volatile().await;
    let store = store(&server.url()).await;
    let id = ConsultationId::random();
    let texts: Vec<String> = (0..2500).map(|number| number.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    store.append(append(id, 0, &texts)).await.unwrap();
    let page = store.read(id, 1998, 3).await.unwrap();
    assert_eq!(page, vec![event(1999, "1998"), event(2000, "1999"), event(2001, "2000")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_waited_for_where_that_is_asked() {
    let server = Server::volatile().await;
    let replica = replica_of(&server, &["--appendonly", "no"]).await;
    let settings = Settings { durability: Durability::Replicas(1), ..settings(&server.url()) };
    let store = Arc::new(RedisStore::new(connect(settings).await.unwrap()));
    let lost = write_until(&store, 8, async || written(&server).await > 200).await;
    assert_eq!(lost, 0);
    let id = ConsultationId::random();
    replica.freeze();
    let writer = tokio::spawn({
        let store = store.clone();
        async move { store.append(append(id, 0, &["a"])).await }
    });
    until("the master has it", async || store.read(id, 0, 1).await.is_ok()).await;
    assert!(!writer.is_finished(), "acknowledged before the replica has it");
    replica.thaw();
    assert_eq!(writer.await.unwrap(), Ok(()));
    replica.freeze();
    let refused = store.append(append(id, 1, &["b"])).await;
    assert!(matches!(&refused, Err(StoreError::Unavailable(text)) if text.contains("0 of 1 replicas")), "{refused:?}");
}
