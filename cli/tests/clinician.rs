//! The two roles: what waits for a clinician, what she decides, and what the patient sees of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use support::words::words;
use support::{Turn, as_clinician, pack, patient, say, script, sign};
use tonic::Code;
use tonic::transport::Channel;
use wenzhen::client::Session;
use wenzhen_pack::Locale;
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::{DecisionKind, PendingReason, PlanStatus};

async fn start(channel: &Channel) -> Session {
    Session::start(channel.clone(), api::StartConsultationRequest::default()).await.unwrap().0
}

/// A consultation that has come to a diagnosis whose plan waits.
async fn diagnosed(channel: &Channel) -> Session {
    let script = script::all().into_iter().find(|s| s.name == "zh_plain_cold").expect("the everyday consultation");
    let mut session = start(channel).await;
    let mut last: Turn = say(&mut session, script.steps[0].say.as_ref().unwrap()).await.unwrap();
    for turn in 1..20 {
        let Some(question) = &last.question else { break };
        let reply = patient::answer(pack(), &script, question, Locale::Zh, turn);
        last = say(&mut session, &reply.text).await.unwrap();
    }
    assert_eq!(last.kind(), DecisionKind::Diagnose, "{}", last.text);
    session
}

async fn pending(clinician: &mut Session) -> Vec<(String, PendingReason)> {
    let request = clinician.authorised(api::ListPendingRequest { page_size: 0 });
    let waiting = clinician.client().list_pending(request).await.unwrap().into_inner().pending;
    waiting.into_iter().map(|row| (row.consultation_id.clone(), row.reason())).collect()
}

async fn reject(clinician: &mut Session, reason: &str) {
    let consultation_id = clinician.consultation_id.clone();
    let request =
        clinician.authorised(api::RejectPlanRequest { consultation_id, reason: reason.into(), ..Default::default() });
    clinician.client().reject_plan(request).await.unwrap();
}

async fn take_over(clinician: &mut Session) {
    let consultation_id = clinician.consultation_id.clone();
    let request = clinician.authorised(api::TakeOverRequest { consultation_id, note: String::new() });
    clinician.client().take_over(request).await.unwrap();
}

#[tokio::test]
async fn plans_wait_until_they_are_signed_or_rejected() {
    let system = support::system().await;
    let mut urgent = start(&system.channel).await;
    let (mut one, mut other) = (diagnosed(&system.channel).await, diagnosed(&system.channel).await);
    say(&mut urgent, &words().messages.emergency).await.unwrap();
    let (first, second) = (one.consultation_id.clone(), other.consultation_id.clone());
    let mut clinician = as_clinician(&system.channel, &first);
    let rows = pending(&mut clinician).await;
    let plans = [(first.clone(), PendingReason::Plan), (second.clone(), PendingReason::Plan)];
    assert_eq!(rows[0], (urgent.consultation_id.clone(), PendingReason::Urgent), "the most urgent first");
    assert!(rows.len() == 3 && plans.iter().all(|plan| rows.contains(plan)), "{rows:?}");

    sign(&mut clinician).await.unwrap();
    assert_eq!(sign(&mut clinician).await.unwrap_err().code(), Code::FailedPrecondition, "signed once");
    let seen = one.get().await.unwrap().diagnosis.unwrap();
    assert!(seen.plan_status() == PlanStatus::Signed && !seen.herbs.is_empty());
    assert_eq!(support::undo(&mut one).await.unwrap_err().code(), Code::FailedPrecondition, "it was acted upon");

    let mut clinician = as_clinician(&system.channel, &second);
    reject(&mut clinician, "please come in").await;
    let seen = other.get().await.unwrap().diagnosis.unwrap();
    assert!(seen.plan_status() == PlanStatus::Rejected && seen.herbs.is_empty() && seen.formula.is_empty());
    assert_eq!(seen.clinician_note, "please come in");
    assert_eq!(pending(&mut clinician).await.len(), 1, "only the urgent one still waits");
    take_over(&mut as_clinician(&system.channel, &urgent.consultation_id)).await;
    assert_eq!(pending(&mut clinician).await, [], "somebody has it");
    system.stop().await;
}

#[tokio::test]
async fn a_clinician_takes_over_and_the_system_falls_silent() {
    let system = support::system().await;
    let mut session = start(&system.channel).await;
    say(&mut session, &words().messages.complaint).await.unwrap();
    let mut clinician = as_clinician(&system.channel, &session.consultation_id);
    take_over(&mut clinician).await;
    let turn = say(&mut session, &words().zh.person).await.unwrap();
    let told = &pack().voice(Locale::Zh).unwrap().orchestrator.handed_over;
    assert_eq!((turn.kind(), &turn.text), (DecisionKind::HandOver, told));
    assert!(turn.question.is_none() && turn.diagnosis.is_none());
    // Danger is still seen, and told.
    let turn = say(&mut session, &words().messages.emergency).await.unwrap();
    assert_eq!((turn.kind(), turn.completed.urgency()), (DecisionKind::Escalate, Urgency::Emergency), "{}", turn.text);
    system.stop().await;
}

#[tokio::test]
async fn who_watches_sees_every_event_and_the_deletion() {
    let system = support::system().await;
    let mut session = start(&system.channel).await;
    let id = session.consultation_id.clone();
    let request = session.authorised(api::WatchConsultationRequest { consultation_id: id.clone(), after_version: 0 });
    let mut events = session.client().watch_consultation(request).await.unwrap().into_inner();
    let turn = say(&mut session, &words().messages.complaint).await.unwrap();
    for version in 1..=turn.completed.version {
        let event = events.message().await.unwrap().unwrap().event.unwrap();
        assert_eq!(event.version, version, "in order, none left out");
    }
    let request = session.authorised(api::DeleteConsultationRequest { consultation_id: id });
    session.client().delete_consultation(request).await.unwrap();
    assert_eq!(events.message().await.unwrap_err().code(), Code::NotFound);
    system.stop().await;
}
