//! The outbox: finished consultations are reviewed, and nothing is lost or taught twice when agents come and go.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod agents;
mod fickle;
mod past;

use std::sync::Arc;

use agents::{Fakes, Way};
use fickle::orchestrator;
use past::{KNOWLEDGE, ago, condition, diagnosed, ended, finished, fold, signed, then};
use prost_types::Timestamp;
use wenzhen_orchestrator::review::Swept;
use wenzhen_orchestrator::state::State;
use wenzhen_orchestrator::store::{Append, ConsultationId, MemoryStore, Query, Store, Summary};
use wenzhen_proto::clinical::v1::Pins;
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{DecisionKind, ReviewOutcome};

fn rejected(condition: &str) -> Kind {
    let (clinician, confirmed_condition_id) = ("ana".into(), condition.into());
    Kind::PlanRejected(api::PlanRejected { clinician, confirmed_condition_id, ..api::PlanRejected::default() })
}

#[test]
fn only_a_confirmed_outcome_is_due_and_only_once() {
    let at = Timestamp { seconds: 1_000_000, nanos: 0 };
    let with = |kinds: &[Kind]| {
        let mut events = diagnosed(at);
        kinds.iter().for_each(|kind| then(&mut events, 0, at, kind.clone()));
        fold(&events)
    };
    let confirmed = |state: &State| state.confirmed.as_ref().map(|c| c.condition_id.clone());
    assert_eq!(with(&[ended()]).review_due_ms(), None, "nobody confirmed anything");
    assert_eq!(with(&[rejected(""), ended()]).review_due_ms(), None, "a rejection alone teaches nothing");
    let first = with(&[signed(""), ended()]);
    assert_eq!((confirmed(&first), first.review_due_ms()), (Some(condition(0)), Some(1_000_000_000)));
    assert_eq!(confirmed(&with(&[signed(&condition(2))])), Some(condition(2)));
    assert_eq!(confirmed(&with(&[rejected(&condition(1))])), Some(condition(1)), "it is something else");
    // Not over yet: it counts as over when it has been quiet for ten minutes.
    assert_eq!(with(&[signed("")]).review_due_ms(), Some(1_000_600_000));
    let reviewed = Kind::Reviewed(api::Reviewed::default());
    assert_eq!(with(&[signed(""), ended(), reviewed]).review_due_ms(), None);
}

#[test]
fn another_diagnosis_takes_the_confirmation_back() {
    let at = Timestamp { seconds: 1_000_000, nanos: 0 };
    let mut events = diagnosed(at);
    then(&mut events, 0, at, signed(""));
    let decision = api::Decision { kind: DecisionKind::Diagnose.into(), ..api::Decision::default() };
    let again = api::Decided { inputs: Some(api::DecisionInputs::default()), decision: Some(decision) };
    then(&mut events, 2, at, Kind::MessageReceived(api::MessageReceived::default()));
    then(&mut events, 2, at, Kind::Decided(again));
    assert_eq!(fold(&events).review_due_ms(), None);
}

#[test]
fn a_review_does_not_prolong_a_consultations_life() {
    let mut events = diagnosed(ago(1000));
    then(&mut events, 0, ago(900), signed(""));
    let last = fold(&events).last_at;
    then(&mut events, 0, ago(0), Kind::Reviewed(api::Reviewed::default()));
    assert_eq!(fold(&events).last_at, last);
}

#[test]
fn pins_are_moved_by_an_event_and_stay_moved() {
    let mut events = diagnosed(ago(0));
    assert_eq!(fold(&events).pins().weight_epoch, 4);
    let pins = Some(Pins { pack_digest: KNOWLEDGE.digest.clone(), weight_epoch: 9, ..Pins::default() });
    let repinned = api::Repinned { from_epoch: 4, pins, reason: "epoch_retired".into() };
    then(&mut events, 2, ago(0), Kind::Repinned(repinned));
    assert_eq!(fold(&events).pins().weight_epoch, 9);
    then(&mut events, 0, ago(0), Kind::TurnUndone(api::TurnUndone { undone_turn: 2 }));
    assert_eq!(fold(&events).pins().weight_epoch, 9, "whatever was said in that turn");
}

async fn reviews(store: &MemoryStore, id: ConsultationId) -> Vec<api::Reviewed> {
    let events = store.read(id, 0, 1000).await.unwrap();
    let reviewed =
        |event: api::Event| if let Some(Kind::Reviewed(reviewed)) = event.kind { Some(reviewed) } else { None };
    events.into_iter().filter_map(reviewed).collect()
}

async fn due(store: &MemoryStore) -> usize {
    store.list(Query::ReviewDue, 100).await.unwrap().len()
}

fn swept(reviewed: usize, left: usize, away: bool) -> Swept {
    Swept { reviewed, left, away }
}

#[tokio::test]
async fn a_finished_consultation_is_reviewed_once() {
    let (store, fakes) = (Arc::new(MemoryStore::default()), Fakes::start(&KNOWLEDGE.digest));
    let reviewer = orchestrator(store.clone(), &fakes).reviewer();
    let id = finished(&*store, ago(60)).await;
    assert_eq!(reviewer.sweep().await, Ok(swept(1, 0, false)));
    assert_eq!(reviewer.sweep().await, Ok(Swept::default()));
    let expected = api::Reviewed { outcome: ReviewOutcome::Taught.into(), proposals: 1 };
    assert_eq!((reviews(&store, id).await, due(&store).await), (vec![expected], 0));

    let (asked, told) = (fakes.reviews(), fakes.feedback());
    assert_eq!((asked.len(), told.len()), (1, 1));
    assert_eq!(asked[0].confirmed_condition_id, condition(1));
    assert_eq!((asked[0].observations.len(), asked[0].ranked.len(), asked[0].rates.len()), (1, 3, 1));
    assert!((asked[0].rates[0].probability - 0.25).abs() < 1e-12, "as the graph rates it");
    assert_eq!(told[0].pins.as_ref().unwrap().weight_epoch, 4);
    assert_eq!((told[0].confirmed_by.as_str(), told[0].confirmed_at.is_some()), ("ana", true));
    assert_eq!(told[0].consultation_sha256.len(), 32);
    assert!(!told[0].consultation_sha256.windows(16).any(|window| window == id.0), "not the id");
}

#[tokio::test]
async fn while_an_agent_is_away_the_store_keeps_it() {
    let (store, fakes) = (Arc::new(MemoryStore::default()), Fakes::start(&KNOWLEDGE.digest));
    let reviewer = orchestrator(store.clone(), &fakes).reviewer();
    let ids = [finished(&*store, ago(60)).await, finished(&*store, ago(50)).await];
    for way in [Way::FeedbackAway, Way::ExpertAway, Way::GraphAway] {
        fakes.be(way);
        assert_eq!(reviewer.sweep().await, Ok(swept(0, 2, true)), "{way:?}");
        assert_eq!(due(&store).await, 2);
    }
    fakes.be(Way::Well);
    assert_eq!(reviewer.sweep().await, Ok(swept(2, 0, false)));
    for id in ids {
        assert_eq!(reviews(&store, id).await.len(), 1);
    }
}

#[tokio::test]
async fn several_orchestrators_do_no_harm() {
    let (store, fakes) = (Arc::new(MemoryStore::default()), Fakes::start(&KNOWLEDGE.digest));
    let reviewers: Vec<_> = (0..4).map(|_| orchestrator(store.clone(), &fakes).reviewer()).collect();
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(finished(&*store, ago(60)).await);
    }
    let sweeps = reviewers.into_iter().map(|reviewer| tokio::spawn(async move { reviewer.sweep().await.unwrap() }));
    let mut reviewed = 0;
    for sweep in sweeps.collect::<Vec<_>>() {
        reviewed += sweep.await.unwrap().reviewed;
    }
    assert_eq!((reviewed, due(&store).await), (10, 0));
    for id in ids {
        assert_eq!(reviews(&store, id).await.len(), 1, "on record once");
    }
    // Whoever handed the same in twice used the same name for it.
    let mut names: Vec<_> = fakes.feedback().into_iter().map(|told| told.consultation_sha256).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 10);
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_tried_for_ever() {
    let (store, fakes) = (Arc::new(MemoryStore::default()), Fakes::start(&KNOWLEDGE.digest));
    let reviewer = orchestrator(store.clone(), &fakes).reviewer();
    let (fresh, old) = (finished(&*store, ago(60)).await, finished(&*store, ago(100_000)).await);
    fakes.be(Way::PackUnknown);
    assert_eq!(reviewer.sweep().await, Ok(swept(1, 1, false)), "a rollout may be under way, but not for a day");
    let refused = api::Reviewed { outcome: ReviewOutcome::Refused.into(), proposals: 0 };
    assert_eq!((reviews(&store, old).await, reviews(&store, fresh).await), (vec![refused], vec![]));
    fakes.be(Way::Invalid);
    assert_eq!(reviewer.sweep().await, Ok(swept(1, 0, false)));
    assert_eq!(reviews(&store, fresh).await, [refused]);
}

#[tokio::test]
async fn a_retired_epoch_is_reviewed_with_the_newest() {
    let (store, fakes) = (Arc::new(MemoryStore::default()), Fakes::start(&KNOWLEDGE.digest));
    let reviewer = orchestrator(store.clone(), &fakes).reviewer();
    finished(&*store, ago(60)).await;
    fakes.be(Way::Retired);
    assert_eq!(reviewer.sweep().await, Ok(swept(1, 0, false)));
    assert_eq!(fakes.feedback()[0].pins.as_ref().unwrap().weight_epoch, agents::NEWEST);
}

#[tokio::test]
async fn what_teaches_nothing_and_what_is_not_quiet_yet() {
    let (store, fakes) = (Arc::new(MemoryStore::default()), Fakes::start(&KNOWLEDGE.digest));
    let reviewer = orchestrator(store.clone(), &fakes).reviewer();
    let id = finished(&*store, ago(60)).await;
    let later = ConsultationId::random();
    let summary = Summary { expires_day: u32::MAX, review_since_ms: Some(u64::MAX / 2), ..Summary::default() };
    let mut events = diagnosed(ago(0));
    then(&mut events, 0, ago(0), signed(""));
    store.append(Append { id: later, expected: 0, events, summary }).await.unwrap();
    fakes.be(Way::NothingToTeach);
    assert_eq!(reviewer.sweep().await, Ok(swept(1, 0, false)));
    let nothing = api::Reviewed { outcome: ReviewOutcome::Nothing.into(), proposals: 0 };
    assert_eq!((reviews(&store, id).await, fakes.feedback().len()), (vec![nothing], 0));
    assert_eq!(due(&store).await, 1, "the other one's time has not come");
}

#[tokio::test]
async fn one_that_an_agent_fails_at_does_not_keep_the_others_from_it() {
    let (store, fakes) = (Arc::new(MemoryStore::default()), Fakes::start(&KNOWLEDGE.digest));
    let reviewer = orchestrator(store.clone(), &fakes).reviewer();
    for (way, away) in [(Way::FailsOnce, false), (Way::AwayOnce, true)] {
        let (first, second) = (finished(&*store, ago(90)).await, finished(&*store, ago(60)).await);
        fakes.be(way);
        assert_eq!(reviewer.sweep().await, Ok(swept(1, 1, away)), "{way:?}");
        assert_eq!((reviews(&store, first).await.len(), reviews(&store, second).await.len()), (0, 1), "{way:?}");
        assert_eq!(reviewer.sweep().await, Ok(swept(1, 0, false)), "{way:?}");
    }
}

/// A consultation on a pack that nobody has any more cannot be reviewed, nor said to be refused.
#[tokio::test]
async fn many_that_cannot_be_read_do_not_keep_the_others_from_it() {
    let (store, fakes) = (Arc::new(MemoryStore::default()), Fakes::start(&KNOWLEDGE.digest));
    let reviewer = orchestrator(store.clone(), &fakes).reviewer();
    for _ in 0..600 {
        let id = ConsultationId::random();
        let pins = Some(Pins { pack_digest: "0".repeat(64), ..Pins::default() });
        let mut events = vec![];
        then(&mut events, 0, ago(100), Kind::Started(api::Started { pins, ..api::Started::default() }));
        let summary = Summary { expires_day: u32::MAX, review_since_ms: Some(1), ..Summary::default() };
        store.append(Append { id, expected: 0, events, summary }).await.unwrap();
    }
    let id = finished(&*store, ago(60)).await;
    assert_eq!(reviewer.sweep().await, Ok(swept(1, 600, false)));
    assert_eq!(reviews(&store, id).await.len(), 1);
}
