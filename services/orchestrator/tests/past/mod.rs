//! Consultations as they stand on record.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;
use wenzhen_orchestrator::Knowledge;
use wenzhen_orchestrator::state::State;
use wenzhen_orchestrator::store::{Append, ConsultationId, Store, Summary};
use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::{FindingState, Observation, Pins, RankedCondition};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{DecisionKind, EndReason, PlanStatus};

pub static KNOWLEDGE: LazyLock<Arc<Knowledge>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    Arc::new(Knowledge::new(Arc::new(Pack::load_dir(&folder).unwrap())).unwrap())
});

pub fn condition(i: usize) -> String {
    KNOWLEDGE.pack.conditions[i].id.clone()
}

/// Seconds since 1970, so many ago.
pub fn ago(seconds: u64) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - Duration::from_secs(seconds);
    Timestamp { seconds: i64::try_from(now.as_secs()).unwrap(), nanos: 0 }
}

/// What happened up to a diagnosis whose plan waits, all at one time.
pub fn diagnosed(at: Timestamp) -> Vec<api::Event> {
    let pins = Pins { pack_digest: KNOWLEDGE.digest.clone(), weight_epoch: 4, ..Pins::default() };
    let observation = Observation {
        finding_id: KNOWLEDGE.pack.findings[0].id.clone(),
        state: FindingState::Present.into(),
        ..Observation::default()
    };
    let ranked = (0..3).map(|i| RankedCondition { condition_id: condition(i), score: 0.5 / (i + 1) as f64 }).collect();
    let inputs = api::DecisionInputs { observations: vec![observation], ranked, ..api::DecisionInputs::default() };
    let decision = api::Decision { kind: DecisionKind::Diagnose.into(), ..api::Decision::default() };
    let first = api::DiagnosedCondition { condition_id: condition(0), ..api::DiagnosedCondition::default() };
    let diagnosis = api::Diagnosis {
        differential: vec![first],
        plan_status: PlanStatus::Waiting.into(),
        ..api::Diagnosis::default()
    };
    let kinds = [
        (0, Kind::Started(api::Started { pins: Some(pins), retention_days: 30, ..api::Started::default() })),
        (1, Kind::MessageReceived(api::MessageReceived::default())),
        (1, Kind::Decided(api::Decided { inputs: Some(inputs), decision: Some(decision) })),
        (1, Kind::Replied(api::Replied { diagnosis: Some(diagnosis), ..api::Replied::default() })),
    ];
    let mut events = Vec::new();
    kinds.into_iter().for_each(|(turn, kind)| then(&mut events, turn, at, kind));
    events
}

pub fn then(events: &mut Vec<api::Event>, turn: u32, at: Timestamp, kind: Kind) {
    events.push(api::Event { version: events.len() as u64 + 1, at: Some(at), turn, kind: Some(kind) });
}

pub fn signed(condition: &str) -> Kind {
    let (clinician, confirmed_condition_id) = ("ana".into(), condition.into());
    Kind::PlanSigned(api::PlanSigned { clinician, confirmed_condition_id, ..api::PlanSigned::default() })
}

pub fn ended() -> Kind {
    Kind::Ended(api::Ended { reason: EndReason::Patient.into() })
}

pub fn fold(events: &[api::Event]) -> State {
    State::fold(&KNOWLEDGE.pack, events)
}

/// Puts a finished consultation into the store.
pub async fn finished(store: &dyn Store, since: Timestamp) -> ConsultationId {
    let id = ConsultationId::random();
    let mut events = diagnosed(since);
    then(&mut events, 0, since, signed(&condition(1)));
    then(&mut events, 0, since, ended());
    let review_since_ms = fold(&events).review_due_ms();
    let summary = Summary { expires_day: u32::MAX, review_since_ms, ..Summary::default() };
    store.append(Append { id, expected: 0, events, summary }).await.unwrap();
    id
}
