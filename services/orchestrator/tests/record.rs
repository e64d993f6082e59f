//! What an orchestrator remembers of a consultation is what is on record: after losses, deletions, and reads that race.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod agents;
mod fickle;
mod past;

use std::sync::Arc;

use agents::Fakes;
use fickle::{Fickle, Patient, orchestrator, with};
use past::{KNOWLEDGE, ago, diagnosed, then};
use tonic::{Code, Request};
use wenzhen_orchestrator::auth::sha256;
use wenzhen_orchestrator::store::{Append, ConsultationId, MemoryStore, Store, Summary};
use wenzhen_orchestrator::{AccessRules, Agents, Budgets};
use wenzhen_proto::clinical::v1::{Pins, Urgency};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_service::{Keys, status};

fn fakes() -> Fakes {
    Fakes::start(&KNOWLEDGE.digest)
}

fn urgency(reason: &str) -> Kind {
    let (clinician, urgency) = ("ana".into(), Urgency::Today.into());
    Kind::UrgencySet(api::UrgencySet { clinician, urgency, reason: reason.into() })
}

/// Puts other events in the place of a consultation's.
async fn rewrite(store: &MemoryStore, id: ConsultationId, events: Vec<api::Event>) {
    store.delete(id).await.unwrap();
    let summary = Summary { expires_day: u32::MAX, ..Summary::default() };
    store.append(Append { id, expected: 0, events, summary }).await.unwrap();
}

#[tokio::test]
async fn acknowledged_writes_that_the_store_lost_are_said_to_be_lost() {
    // What stands after the loss: nothing more, other events in their place, more of them than there were.
    for others in 0..4 {
        let store = Arc::new(Fickle::new(true));
        let orchestrator = orchestrator(store.clone(), &fakes());
        let mut patient = Patient::start(&orchestrator).await;
        let seen = patient.say("m1", "hm").await.completed.unwrap().version;
        let mut events = store.store.read(patient.id(), 0, 100).await.unwrap();
        events.truncate(usize::try_from(seen).unwrap() - 2);
        (0..others).for_each(|i| then(&mut events, 0, ago(1), urgency(&i.to_string())));
        let left = events.len() as u64;
        rewrite(&store.store, patient.id(), events).await;

        let lost = patient.get().await.unwrap_err();
        assert_eq!((lost.code(), status::reason(&lost).as_deref()), (Code::DataLoss, Some("RECORD_LOST")), "{others}");
        // From then on the record that is left is the record.
        assert_eq!(patient.get().await.unwrap().version, left);
        assert!(patient.say("m2", "hm").await.completed.unwrap().version > left);
    }
}

#[tokio::test]
async fn whoever_else_appends_is_caught_up_with() {
    let store = Arc::new(Fickle::new(true));
    let (here, there) = (orchestrator(store.clone(), &fakes()), orchestrator(store.clone(), &fakes()));
    let mut patient = Patient::start(&here).await;
    let mut elsewhere = patient.goes_to(&there);
    for i in 0..4 {
        let (first, second) = (patient.say(&format!("a{i}"), "hm").await, elsewhere.say(&format!("b{i}"), "hm").await);
        assert!(first.completed.is_some() && second.completed.is_some(), "{first:?} {second:?}");
    }
    assert_eq!(patient.get().await.unwrap(), elsewhere.get().await.unwrap());
}

#[tokio::test]
async fn whoever_has_seen_what_is_known_here_speaks_to_what_is_on_record_all_the_same() {
    let store = Arc::new(Fickle::new(true));
    let (here, there) = (orchestrator(store.clone(), &fakes()), orchestrator(store.clone(), &fakes()));
    let mut patient = Patient::start(&here).await;
    let mut elsewhere = patient.goes_to(&there);
    let seen = patient.say("m1", "hm").await.completed.unwrap().version;
    // Nobody else has spoken: what is known here holds.
    let seen = patient.say_seeing("m2", "hm", Some(seen)).await.completed.unwrap().version;
    // Now somebody has, and this process knows nothing of it.
    let newer = elsewhere.say("m3", "hm").await.completed.unwrap();
    let told = patient.say_seeing("m4", "hm", Some(seen)).await.completed.unwrap();
    assert_eq!((told.turn, told.version > newer.version), (newer.turn + 1, true), "{told:?}");
    // A message that was answered elsewhere is not answered again.
    let again = elsewhere.say("m5", "hm").await.completed.unwrap();
    let told = patient.say_seeing("m5", "hm", Some(told.version)).await.completed.unwrap();
    assert_eq!((told.turn, told.version, told.replayed), (again.turn, again.version, true));
    // What the store lost is said to be lost, and nothing is shown on top of it.
    let mut events = store.store.read(patient.id(), 0, 100).await.unwrap();
    events.truncate(2);
    rewrite(&store.store, patient.id(), events).await;
    let lost = patient.say_seeing("m6", "hm", Some(told.version)).await;
    let reason = lost.failed.as_ref().and_then(status::reason);
    assert_eq!((reason.as_deref(), lost.text.as_str()), (Some("RECORD_LOST"), ""), "{lost:?}");
}

#[tokio::test]
async fn nothing_of_a_reply_is_seen_before_its_decision_is_on_record() {
    for lost in [true, false] {
        let store = Arc::new(Fickle::default());
        let mut patient = Patient::start(&orchestrator(store.clone(), &fakes())).await;
        let held = store.hold_decision();
        let turn = tokio::spawn({
            let mut patient = patient.clone();
            async move { patient.say("m1", "hm").await }
        });
        held.read.notified().await;
        // Everything runs on this thread: the reply is worded by now, were it shown it would have been heard.
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        store.be_away(lost);
        held.go_on.notify_one();
        let told = turn.await.unwrap();
        if lost {
            assert_eq!((told.text.as_str(), told.completed.is_some()), ("", false), "{told:?}");
            assert_eq!(told.failed.map(|status| status.code()), Some(Code::Unavailable));
            store.be_away(false);
            assert_eq!(patient.get().await.unwrap().version, 1, "only its beginning is on record");
            let again = patient.say("m1", "hm").await;
            assert_eq!(
                again.completed.map(|completed| completed.text),
                Some(again.text).filter(|text| !text.is_empty())
            );
        } else {
            assert_eq!(told.completed.map(|completed| completed.text), Some(told.text).filter(|text| !text.is_empty()));
        }
    }
}

#[tokio::test]
async fn what_was_deleted_does_not_come_back_from_memory() {
    let store = Arc::new(Fickle::default());
    let patient = Patient::start(&orchestrator(store.clone(), &fakes())).await;
    let mut patient = patient.goes_to(&orchestrator(store.clone(), &fakes()));
    let held = store.hold();
    let reader = tokio::spawn({
        let mut patient = patient.clone();
        async move { patient.get().await }
    });
    held.read.notified().await;
    patient.delete().await.unwrap();
    held.go_on.notify_one();
    let _ = reader.await.unwrap();
    assert_eq!(patient.get().await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn an_older_state_does_not_take_the_place_of_a_newer_one() {
    let store = Arc::new(Fickle::default());
    let patient = Patient::start(&orchestrator(store.clone(), &fakes())).await;
    let mut patient = patient.goes_to(&orchestrator(store.clone(), &fakes()));
    let held = store.hold();
    let reader = tokio::spawn({
        let mut patient = patient.clone();
        async move { patient.get().await }
    });
    held.read.notified().await;
    let version = patient.say("m1", "hm").await.completed.unwrap().version;
    held.go_on.notify_one();
    assert!(reader.await.unwrap().unwrap().version < version, "it had read before");
    assert_eq!(patient.get().await.unwrap().version, version);
}

/// A turn that was cut off went on after clinicians had done this and that; then its message comes again.
#[tokio::test]
async fn a_turn_is_answered_once_whatever_stands_in_it() {
    for between in [0, 1, 3, 40] {
        let (id, token) = (ConsultationId::random(), "t".repeat(32));
        let pins = Some(Pins { pack_digest: KNOWLEDGE.digest.clone(), ..Pins::default() });
        let token_sha256 = sha256(token.as_bytes()).to_vec();
        let started = api::Started { pins, token_sha256, retention_days: 30, ..api::Started::default() };
        let text_sha256 = sha256(b"hm").to_vec();
        let received = api::MessageReceived { message_id: "m1".into(), text: "hm".into(), text_sha256 };
        let (mut events, mut turn) = (vec![], diagnosed(ago(60)).split_off(2));
        then(&mut events, 0, ago(60), Kind::Started(started));
        then(&mut events, 1, ago(60), Kind::MessageReceived(received));
        (0..between).for_each(|i| then(&mut events, 0, ago(60), urgency(&i.to_string())));
        let replied = turn.pop().and_then(|event| event.kind).unwrap();
        let decided = turn.pop().and_then(|event| event.kind).unwrap();
        then(&mut events, 1, ago(60), decided);
        (0..between).for_each(|i| then(&mut events, 0, ago(60), urgency(&i.to_string())));
        then(&mut events, 1, ago(60), replied);
        let (store, recorded) = (Arc::new(MemoryStore::default()), events.len());
        rewrite(&store, id, events).await;

        let orchestrator = orchestrator(store.clone(), &fakes());
        let told = Patient::at(&orchestrator, &id.to_string(), &token).say("m1", "hm").await;
        assert!(told.completed.as_ref().is_some_and(|completed| completed.replayed), "{between}: {told:?}");
        assert_eq!(store.read(id, 0, 1000).await.unwrap().len(), recorded, "{between}: nothing is added");
    }
}

/// Who may open consultations when these are the rules.
async fn opens(openers: Option<Keys>) -> [Code; 2] {
    let agents = Agents::new(fakes().channels(), Budgets::default());
    let rules = AccessRules { openers, ..AccessRules::default() };
    let mut client = fickle::client(&with(Arc::new(MemoryStore::default()), agents, rules));
    let mut codes = [Code::Ok; 2];
    for (code, key) in codes.iter_mut().zip(["", "a key that is long enough"]) {
        let mut request = Request::new(api::StartConsultationRequest::default());
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        *code = client.start_consultation(request).await.err().map_or(Code::Ok, |status| status.code());
    }
    codes
}

#[tokio::test]
async fn when_the_last_key_is_gone_nobody_may_open() {
    let mut keys = Keys::default();
    assert_eq!(opens(None).await, [Code::Ok, Code::Ok]);
    assert_eq!(opens(Some(keys.clone())).await, [Code::Unauthenticated, Code::PermissionDenied]);
    keys.insert("front", "a key that is long enough");
    assert_eq!(opens(Some(keys)).await, [Code::Unauthenticated, Code::Ok]);
}
