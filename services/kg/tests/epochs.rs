//! Weight epochs over gRPC: two replicas on one Redis, and what one replica does alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/redis.rs"]
mod redis_server;
#[path = "support/service.rs"]
mod service;
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis_server::{HANGS, RedisServer, until};
use service::{ADMIN, Service, request};
use tonic::Code;
use wenzhen_kg::weights::store::RedisStore;
use wenzhen_kg::weights::{AutoPublish, MemoryStore};
use wenzhen_proto::kg::v1 as kg;
use wenzhen_service::status;

/// The time within which all replicas score with a new epoch.
const CONVERGED: Duration = Duration::from_secs(1);

async fn on_redis(server: &RedisServer) -> Service {
    Service::start(Arc::new(RedisStore::new(server.connect().await)), |settings| settings).await
}

async fn in_memory() -> Service {
    Service::start(Arc::new(MemoryStore::default()), |settings| settings).await
}

fn reason(status: &tonic::Status) -> String {
    status::reason(status).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_converge_within_a_second_and_after_redis_comes_back() {
    let mut server = RedisServer::start().await;
    let (mut one, mut other) = (on_redis(&server).await, on_redis(&server).await);
    let (base, _) = one.score(0).await;
    let mut watch = other.watch().await;
    assert_eq!(watch.message().await.unwrap().unwrap().epoch.unwrap().epoch, 0);

    one.propose(1, 50_000).await.unwrap();
    let asked = Instant::now();
    let made = one.publish("p1").await.unwrap().epoch.unwrap();
    assert_eq!((made.epoch, made.applied, made.by.as_str()), (1, 1, "root"));
    let told = tokio::time::timeout(HANGS, watch.message()).await.unwrap().unwrap().unwrap().epoch.unwrap();
    assert_eq!(told, made);
    assert!(asked.elapsed() < CONVERGED, "{:?}", asked.elapsed());
    assert_eq!(other.newest().await, 1);
    let (learned, _) = other.score(1).await;
    assert_eq!(learned, one.score(1).await.0, "the same bits at every replica");
    assert!(learned != base && other.score(0).await.0 == base, "old pins score as they did");

    server.kill().await;
    assert_eq!(one.score(1).await.0, learned, "scoring goes on");
    assert_eq!(other.score(0).await.0, base);
    until(async || (one.propose(2, 50_000).await.err()?.code() == Code::Unavailable).then_some(())).await;
    let away = one.propose(2, 50_000).await.unwrap_err();
    assert_eq!(reason(&away), "WEIGHTS_AWAY");
    assert_eq!(one.publish("p2").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(one.score_with(7).await.unwrap_err().code(), Code::Unavailable, "nobody knows whether there is one");
    assert!(one.readiness.is_ready() && other.readiness.is_ready(), "it is an optional dependency");
    until(async || (!one.readiness.snapshot().dependencies["weights"].up).then_some(())).await;

    server.restart().await;
    let accepted = until(async || other.propose(2, 50_000).await.ok()).await;
    assert_eq!((accepted.accepted, accepted.known), (1, false));
    let made = until(async || one.publish("p2").await.ok()).await.epoch.unwrap();
    assert_eq!(made.epoch, 2);
    let back = Instant::now();
    until(async || (other.newest().await == 2).then_some(())).await;
    assert!(back.elapsed() < CONVERGED, "{:?}", back.elapsed());
    assert_eq!(one.score(2).await.0, other.score(2).await.0);
    until(async || one.readiness.snapshot().dependencies["weights"].up.then_some(())).await;
    let told = tokio::time::timeout(HANGS, watch.message()).await.unwrap().unwrap().unwrap().epoch.unwrap();
    assert_eq!(told.epoch, 2, "who watches is told after the outage");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_starts_later_begins_with_the_newest_epoch() {
    let server = RedisServer::start().await;
    let mut one = on_redis(&server).await;
    one.propose(1, 50_000).await.unwrap();
    one.publish("p1").await.unwrap();
    let mut late = on_redis(&server).await;
    assert_eq!(late.newest().await, 1, "before its first call");
    assert_eq!(late.score(1).await.0, one.score(1).await.0);
    assert_eq!(late.publish("p1").await.unwrap().epoch.unwrap().epoch, 1, "an id published at another replica");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_replicas_that_publish_by_themselves_one_does_at_a_time() {
    let server = RedisServer::start().await;
    let auto = AutoPublish { every: Duration::from_millis(20), least: 3 };
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let store = Arc::new(RedisStore::new(server.connect().await));
        replicas.push(Service::start(store, |settings| wenzhen_kg::Settings { auto: Some(auto), ..settings }).await);
    }
    for (i, replica) in (0..8).zip([0, 1, 2].iter().cycle()) {
        replicas[*replica].propose(i, 20_000).await.unwrap();
    }
    let last = &mut replicas[2];
    let head = until(async || Some(last.head().await).filter(|head| head.waiting < 3)).await;
    let mut consultations = 0;
    for number in 1..=head.epoch {
        let epoch = last.epoch(number).await.unwrap().epoch.unwrap();
        assert_eq!(epoch.by, "auto");
        consultations += epoch.consultations;
    }
    assert_eq!(u64::from(consultations) + head.waiting, 8, "each one once");
}

#[tokio::test]
async fn publishing_is_idempotent_and_the_ledger_tells_all() {
    let mut service = in_memory().await;
    let nothing = service.publish("early").await.unwrap_err();
    assert_eq!((nothing.code(), reason(&nothing).as_str()), (Code::FailedPrecondition, "NOTHING_WAITING"));
    let first = service.propose(1, 100_000).await.unwrap();
    assert_eq!((first.accepted, first.known), (1, false));
    let again = service.propose(1, -100_000).await.unwrap();
    assert_eq!((again.accepted, again.known), (0, true), "a consultation teaches once");
    let made = service.publish("p1").await.unwrap();
    service.propose(2, 100_000).await.unwrap();
    let repeated = service.publish("p1").await.unwrap();
    assert!(!made.replayed && repeated.replayed && made.epoch == repeated.epoch, "the second one waits on");
    assert_eq!(service.publish("p2").await.unwrap().epoch.unwrap().epoch, 2);

    let back = service.roll_back(1, "r1").await.unwrap();
    assert_eq!(service.roll_back(1, "r1").await.unwrap().epoch, back.epoch);
    let back = back.epoch.unwrap();
    assert_eq!((back.epoch, back.cause(), back.rolled_back_to), (3, kg::EpochCause::Rollback, 1));
    assert_eq!(back.fingerprint, made.epoch.unwrap().fingerprint);
    assert_eq!(service.score(3).await.0, service.score(1).await.0, "every bit is restored");
    assert!(service.score(2).await.0 != service.score(1).await.0);
    let used = service.publish("r1").await.unwrap_err();
    assert_eq!((used.code(), reason(&used).as_str()), (Code::AlreadyExists, "PUBLISH_ID_USED"));
    let unknown = service.roll_back(9, "r9").await.unwrap_err();
    assert_eq!(reason(&unknown), "EPOCH_UNKNOWN");

    let ledger = service.ledger(1).await;
    let told: Vec<_> = ledger.iter().map(|e| (e.epoch, e.before_micros, e.after_micros, e.by.as_str())).collect();
    assert_eq!(told, [(3, 200_000, 100_000, "root"), (2, 100_000, 200_000, "root"), (1, 0, 100_000, "root")]);
    let shares: Vec<_> = ledger[2].shares.iter().map(|s| (s.confirmed_by.as_str(), s.proposed_micros)).collect();
    assert_eq!(shares, [("ana", 100_000)]);
    assert_eq!(ledger[2].reason, "a test");
    let shifts = service.epoch(2).await.unwrap().shifts;
    assert_eq!(shifts.len(), 1);
    assert_eq!((shifts[0].condition_id.as_str(), shifts[0].shift_micros), ("seal_broken", 200_000));
    assert!(service.epoch(0).await.unwrap().shifts.is_empty());
}

#[tokio::test]
async fn old_epochs_are_retired() {
    let store = Arc::new(MemoryStore::default());
    let mut service = Service::start(store, |settings| wenzhen_kg::Settings { keep_epochs: 2, ..settings }).await;
    // More than a replica keeps at hand, so that it has to ask the store.
    for i in 1..=7 {
        service.propose(i, 10_000).await.unwrap();
        service.publish(&format!("p{i}")).await.unwrap();
    }
    let retired = service.score_with(1).await.unwrap_err();
    assert_eq!((retired.code(), reason(&retired).as_str()), (Code::FailedPrecondition, "EPOCH_RETIRED"));
    assert_eq!(reason(&service.score_with(8).await.unwrap_err()), "EPOCH_UNKNOWN");
    assert!(service.score_with(6).await.is_ok());
    assert_eq!(reason(&service.roll_back(1, "r").await.unwrap_err()), "EPOCH_RETIRED");
    let about = service.epoch(1).await.unwrap();
    assert!(about.epoch.unwrap().retired && about.shifts.is_empty());
    assert_eq!(service.ledger(2).await.len(), 7, "its ledger stays");
}

#[tokio::test]
async fn epochs_are_the_admins_and_feedback_is_checked() {
    let mut service = in_memory().await;
    service.propose(1, 1_000).await.unwrap();
    for key in [None, Some("wrong-key-of-some-length"), Some("")] {
        let publish = request(key, service.publish_request("p"));
        let status = service.client.publish_epoch(publish).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "ADMIN_ONLY"), "{key:?}");
        let rollback = request(key, service.rollback_request(0, "p"));
        assert_eq!(service.client.rollback(rollback).await.unwrap_err().code(), Code::PermissionDenied);
    }
    let wrong = request(Some(ADMIN), kg::PublishEpochRequest { reason: " ".into(), ..service.publish_request("a b") });
    assert_eq!(service::violated(&service.client.publish_epoch(wrong).await.unwrap_err()), ["publish_id", "reason"]);

    let good = service.feedback(2, 5);
    let edge = good.edges[0].clone();
    let bad = |edge: kg::EdgeFeedback| kg::ProposeFeedbackRequest { edges: vec![edge], ..good.clone() };
    let cases = [
        (kg::ProposeFeedbackRequest { confirmed_by: String::new(), ..good.clone() }, "confirmed_by"),
        (kg::ProposeFeedbackRequest { confirmed_at: None, ..good.clone() }, "confirmed_at"),
        (kg::ProposeFeedbackRequest { consultation_sha256: vec![1; 31], ..good.clone() }, "consultation_sha256"),
        (kg::ProposeFeedbackRequest { edges: vec![], ..good.clone() }, "edges"),
        (kg::ProposeFeedbackRequest { edges: vec![edge.clone(); 2], ..good.clone() }, "edges[1].finding_id"),
        (bad(kg::EdgeFeedback { shift_micros: 100_001, ..edge.clone() }), "edges[0].shift_micros"),
        (bad(kg::EdgeFeedback { shift_micros: 0, ..edge.clone() }), "edges[0].shift_micros"),
        (bad(kg::EdgeFeedback { condition_id: "c1".into(), ..edge.clone() }), "edges[0].condition_id"),
        (bad(kg::EdgeFeedback { reason: 77, ..edge.clone() }), "edges[0].reason"),
    ];
    for (request, field) in cases {
        let status = service.client.propose_feedback(request).await.unwrap_err();
        assert_eq!(service::violated(&status), [field]);
    }
    assert_eq!(service.head().await.waiting, 1, "what was refused does not wait");
}

#[tokio::test]
async fn a_condition_is_shown_as_an_epoch_rates_it() {
    let mut service = in_memory().await;
    service.propose(1, 100_000).await.unwrap();
    service.publish("p").await.unwrap();
    let mut shown = async |weight_epoch| {
        let request = kg::GetConditionRequest {
            pack_digest: service.digest.clone(),
            condition_id: "seal_broken".into(),
            weight_epoch,
            finding_ids: vec!["leak".into(), "smell".into(), "smell".into()],
            ..Default::default()
        };
        service.client.get_condition(request).await.unwrap().into_inner().findings
    };
    let (base, learned) = (shown(0).await, shown(1).await);
    let of = |list: &[kg::ConditionFinding], id: &str| {
        let found: Vec<_> = list.iter().filter(|f| f.finding_id == id).cloned().collect();
        assert_eq!(found.len(), 1, "{id}");
        found[0].clone()
    };
    let odds = 0.8 / 0.2 * 0.1_f64.exp();
    assert!((of(&base, "leak").learned_probability - 0.8).abs() < 1e-9);
    assert!((of(&learned, "leak").learned_probability - odds / (1.0 + odds)).abs() < 1e-9);
    assert_eq!(of(&learned, "leak").probability, 0.8, "the pack lists what it lists");
    let smell = of(&base, "smell");
    assert!(smell.probability == 0.0 && (smell.learned_probability - 0.1).abs() < 1e-9, "{smell:?}");
}

#[tokio::test]
async fn who_watches_is_told_every_epoch_and_the_end() {
    let mut service = in_memory().await;
    let mut watch = service.watch().await;
    for i in 1..=20 {
        service.propose(i, 1_000).await.unwrap();
        service.publish(&format!("p{i}")).await.unwrap();
    }
    for number in 0..=20 {
        let told = tokio::time::timeout(HANGS, watch.message()).await.unwrap().unwrap().unwrap();
        assert_eq!(told.epoch.unwrap().epoch, number, "in order, none left out");
    }
    service.shutdown.cancel();
    let status = tokio::time::timeout(HANGS, watch.message()).await.unwrap().unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "STOPPING"));
    let unknown = kg::WatchEpochsRequest { pack_digest: "ab".repeat(32) };
    assert_eq!(reason(&service.client.watch_epochs(unknown).await.unwrap_err()), "PACK_UNKNOWN");
}
