//! The events of every golden consultation, replayed without any agent, give the same decisions bit for bit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use futures::StreamExt as _;
use support::check::events;
use support::{pack, script};
use wenzhen_orchestrator::{Knowledge, replay};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::event::Kind;

const AT_ONCE: usize = 8;

fn decisions(events: &[api::Event]) -> usize {
    events.iter().filter(|event| matches!(event.kind, Some(Kind::Decided(_)))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_golden_consultation_is_decided_the_same_again() {
    let scripts = script::all();
    let system = support::system().await;
    let channel = &system.channel;
    let held = futures::stream::iter(&scripts).map(|script| async move {
        let events = events(channel, script).await;
        (script, events.unwrap_or_else(|error| panic!("{}: {error}", script.name)))
    });
    let held: Vec<_> = held.buffered(AT_ONCE).collect().await;
    system.stop().await;
    let knowledge = Knowledge::new(pack().clone()).unwrap();
    for (script, events) in held {
        let replayed = replay::replay(&knowledge, &events);
        let same = replayed.unwrap_or_else(|difference| panic!("{}: {difference:#?}", script.name));
        assert_eq!(same, decisions(&events), "{}: every decision was made again", script.name);
        assert!(same > 0, "{}", script.name);
    }
}

#[tokio::test]
async fn a_changed_record_is_noticed() {
    let script = script::all().into_iter().next().expect("a golden consultation");
    let system = support::system().await;
    let mut events = events(&system.channel, &script).await.unwrap();
    system.stop().await;
    for event in &mut events {
        if let Some(Kind::Decided(decided)) = &mut event.kind {
            let inputs = decided.inputs.as_mut().unwrap();
            (inputs.ranked, inputs.worth_asking, inputs.recommendation) = (vec![], vec![], 0);
        }
    }
    let knowledge = Knowledge::new(pack().clone()).unwrap();
    assert!(replay::replay(&knowledge, &events).is_err());
}
