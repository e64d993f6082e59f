//! What an orchestrator does beside its calls, as a process and in one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod agents;
mod fickle;
mod past;

use std::path::Path;
use std::sync::Arc;

use agents::Fakes;
use fickle::Fickle;
use past::{KNOWLEDGE, ago, condition, finished};
use tokio_util::sync::CancellationToken;
use wenzhen_orchestrator::Orchestrator;
use wenzhen_orchestrator::store::{Append, ConsultationId, MemoryStore, Query, RedbStore, Store, Summary};
use wenzhen_service::testing::{Binary, refused};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wenzhen-orchestrator");

#[tokio::test(flavor = "multi_thread")]
async fn the_process_reviews_what_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.redb");
    let store = RedbStore::open(&file).unwrap();
    finished(&store, ago(60)).await;
    store.close().await;

    let fakes = Fakes::start(&KNOWLEDGE.digest);
    let at = format!("http://{}", fakes.listen().await);
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    let (file, pack) = (file.to_str().unwrap(), pack.to_str().unwrap());
    let arguments =
        ["--store", file, "--pack", pack, "--kg", &at, "--guidance", &at, "--expert", &at, "--empathy", &at];
    let process = Binary::service(PROGRAM, &arguments, &[]).unwrap();
    fakes.taught().await;
    assert_eq!(fakes.reviews()[0].confirmed_condition_id, condition(1));
    process.terminate().await.unwrap();
    let ended = process.ended().await.unwrap();
    assert!(ended.status.success(), "{ended:?}");
}

fn orchestrator(store: Arc<dyn Store>) -> Orchestrator {
    fickle::orchestrator(store, &Fakes::start(&KNOWLEDGE.digest))
}

async fn expired(store: &dyn Store) {
    let summary = Summary { expires_day: 1, ..Summary::default() };
    let events = past::diagnosed(ago(100));
    store.append(Append { id: ConsultationId::random(), expected: 0, events, summary }).await.unwrap();
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_backlog() {
    let store = Arc::new(Fickle::default());
    store.be_stuck();
    expired(&*store).await;
    let stop = CancellationToken::new();
    let background = tokio::spawn(orchestrator(store.clone()).background(stop.clone()));
    store.deleting.notified().await;
    stop.cancel();
    background.await.unwrap();
}

#[tokio::test]
async fn a_backlog_is_deleted_to_its_end() {
    let store = Arc::new(MemoryStore::default());
    for _ in 0..300 {
        expired(&*store).await;
    }
    let orchestrator = orchestrator(store.clone());
    assert_eq!(orchestrator.expire().await, Ok(300));
    assert_eq!(orchestrator.expire().await, Ok(0));
    assert_eq!(store.list(Query::ExpiredBy(2), 10).await.unwrap(), vec![]);
}

#[tokio::test]
async fn a_file_without_keys_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "# nobody\n").unwrap();
    let keys = format!("--api-keys-file={}", file.path().display());
    let at = "http://127.0.0.1:9";
    let arguments = ["--memory", "--kg", at, "--guidance", at, "--expert", at, "--empathy", at, &keys];
    let free = ["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
    let (code, line) = refused(PROGRAM, &[&arguments[..], &free].concat()).await.unwrap();
    assert_eq!((code, line.lines().count()), (Some(1), 1), "{line}");
    assert!(line.contains("--api-keys-file") && line.contains("no key"), "{line}");
}
