//! Bad input: a typed, clear error or a graceful reply, no word of the patient in either, and no consultation is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use support::words::words;
use support::{CLINICIAN_KEY, as_clinician, bare, log, raw, say, say_as, undo};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use wenzhen::client::Session;
use wenzhen::process::Process;
use wenzhen_proto::clinical::v1::{PatientContext, Sex, Urgency};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::DecisionKind;
use wenzhen_proto::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use wenzhen_service::status::reason;

/// A word that the patient says and that may stand in no error and no log line.
const CANARY: &str = "kanarienvogel";
const SEND: &str = "/wenzhen.orchestrator.v1.OrchestratorService/SendMessage";

/// A system with one open consultation.
struct Scene {
    system: Process,
    patient: Session,
}

impl Scene {
    async fn new() -> Self {
        log::keep();
        let system = support::system().await;
        let patient = open(&system).await;
        Self { system, patient }
    }

    /// The consultation still works, and nothing that was said stands in the log.
    async fn end(mut self) {
        let version = self.patient.get().await.unwrap().version;
        let turn = say(&mut self.patient, &words().messages.complaint).await.unwrap();
        assert!(turn.completed.version > version);
        let record = self.patient.get().await.unwrap().observations;
        assert!(record.iter().any(|o| o.finding_id == words().messages.complaint_finding), "{record:?}");
        self.system.stop().await;
        let logged = log::lines_with(CANARY);
        assert!(logged.is_empty(), "the log holds words of the patient: {logged:#?}");
    }
}

async fn open(system: &Process) -> Session {
    Session::start(system.channel.clone(), api::StartConsultationRequest::default()).await.unwrap().0
}

/// A refusal has this code and reason and repeats nothing that was said.
fn assert_refused(status: &Status, code: Code, why: &str) {
    assert_eq!((status.code(), reason(status).as_deref()), (code, Some(why)), "{status:?}");
    assert_silent(status);
}

fn assert_silent(status: &Status) {
    assert!(!status.message().contains(CANARY), "{status:?}");
    assert!(!status.details().windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{status:?}");
}

/// A refusal that names a field.
fn assert_field(status: &Status, field: &str) {
    assert_refused(status, Code::InvalidArgument, "INVALID_ARGUMENT");
    let violations = status.get_details_bad_request().map(|request| request.field_violations).unwrap_or_default();
    assert!(violations.iter().any(|v| v.field == field && !v.description.is_empty()), "{violations:?}");
    assert!(status.message().contains(field), "{status:?}");
}

#[tokio::test]
async fn texts_without_a_visible_character_or_too_long_are_refused() {
    let mut scene = Scene::new().await;
    let long = format!("{CANARY} ").repeat(100_000 / CANARY.len());
    let barely_too_long = format!("{CANARY}{}", "x".repeat(8193 - CANARY.len()));
    for text in ["", " \t\n\u{3000}", "\u{200b}\u{200d}\u{feff}\u{2060}", "\u{0}\u{7}\u{1b}", &long, &barely_too_long] {
        let status = say(&mut scene.patient, text).await.unwrap_err();
        assert_field(&status, "text");
    }
    assert_eq!(scene.patient.get().await.unwrap().turns, 0, "nothing was recorded");
    let longest = format!("{CANARY} {}", "x ".repeat((8192 - CANARY.len()) / 2 - 1));
    say(&mut scene.patient, &longest).await.unwrap();
    scene.end().await;
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused() {
    let scene = Scene::new().await;
    let id = scene.patient.consultation_id.as_bytes();
    let head = [raw::field(1, id), raw::field(2, b"raw-1")].concat();
    let not_utf8 = [head.clone(), raw::field(3, &[CANARY.as_bytes(), b"\xff\xfe\xc3\x28"].concat())].concat();
    // A length beyond the end, and a group that never ends.
    let cut_off = [head.clone(), vec![3 << 3 | 2, 100], CANARY.as_bytes().to_vec()].concat();
    let wrong_type = [head, vec![3 << 3 | 3]].concat();
    for body in [not_utf8, cut_off, wrong_type] {
        let status = raw::refused(&scene.system.channel, SEND, &scene.patient.token, body).await;
        // The gRPC library answers before the service sees the call; its code for that is INTERNAL.
        assert!(matches!(status.code(), Code::InvalidArgument | Code::Internal), "{status:?}");
        assert!(!status.message().is_empty());
        assert_silent(&status);
    }
    scene.end().await;
}

#[tokio::test]
async fn odd_texts_are_answered_gracefully() {
    let scene = Scene::new().await;
    for odd in &words().messages.accepted {
        let mut patient = open(&scene.system).await;
        let turn = say(&mut patient, &format!("{odd} {CANARY}")).await.unwrap_or_else(|s| panic!("`{odd}`: {s}"));
        assert!(!turn.text.trim().is_empty() && !turn.text.contains(CANARY), "`{odd}`: `{}`", turn.text);
        assert!(turn.completed.degraded.is_empty(), "`{odd}`: {:?}", turn.completed.degraded);
        assert_eq!(turn.completed.urgency(), Urgency::Routine, "`{odd}`: {}", turn.text);
        let turn = say(&mut patient, &words().messages.complaint).await.unwrap();
        assert!(!matches!(turn.kind(), DecisionKind::HandOver | DecisionKind::End), "`{odd}`: {}", turn.text);
    }
    scene.end().await;
}

#[tokio::test]
async fn instructions_to_the_program_change_nothing() {
    let scene = Scene::new().await;
    for words in &words().messages.injections {
        let mut patient = open(&scene.system).await;
        let turn = say(&mut patient, &format!("{words} {CANARY}")).await.unwrap();
        let asks_on = [DecisionKind::Redirect, DecisionKind::Ask, DecisionKind::AskContext, DecisionKind::Answer];
        assert!(asks_on.contains(&turn.kind()), "`{words}`: {:?} `{}`", turn.kind(), turn.text);
        let seen = patient.get().await.unwrap();
        assert!(seen.observations.is_empty() && seen.diagnosis.is_none(), "`{words}`: {seen:?}");
    }
    scene.end().await;
}

#[tokio::test]
async fn ids_are_checked() {
    let mut scene = Scene::new().await;
    let token = scene.patient.token.clone();
    let channel = scene.system.channel.clone();
    let with_id = |id: &str| Session::resume(channel.clone(), id.to_owned(), token.clone()).unwrap();
    let status = say(&mut with_id(&"0".repeat(32)), CANARY).await.unwrap_err();
    assert_refused(&status, Code::NotFound, "NOT_FOUND");
    for id in ["", "x", "../../etc/passwd", &"g".repeat(32), &"0".repeat(31), &"0".repeat(1000)] {
        assert_field(&say(&mut with_id(id), CANARY).await.unwrap_err(), "consultation_id");
        assert_field(&with_id(id).get().await.unwrap_err(), "consultation_id");
    }
    for id in ["", "with space", "ümlaut", &"a".repeat(65)] {
        assert_field(&say_as(&mut scene.patient, id, CANARY).await.unwrap_err(), "message_id");
    }
    scene.end().await;
}

#[tokio::test]
async fn tokens_are_checked() {
    let scene = Scene::new().await;
    let channel = scene.system.channel.clone();
    let id = scene.patient.consultation_id.clone();
    let mut client = OrchestratorServiceClient::new(channel.clone());
    let request = api::SendMessageRequest {
        consultation_id: id.clone(),
        message_id: "m".into(),
        text: CANARY.into(),
        expected_version: None,
        seen_version: None,
    };
    let status = client.send_message(bare(request.clone())).await.unwrap_err();
    assert_refused(&status, Code::Unauthenticated, "NO_TOKEN");
    let mut basic = bare(request);
    basic.metadata_mut().insert("authorization", "Basic abc".parse().unwrap());
    assert_refused(&client.send_message(basic).await.unwrap_err(), Code::Unauthenticated, "NO_TOKEN");
    let other = open(&scene.system).await;
    for token in ["wrong", other.token.as_str(), &"0".repeat(64)] {
        let mut stranger = Session::resume(channel.clone(), id.clone(), token.to_owned()).unwrap();
        assert_refused(&say(&mut stranger, CANARY).await.unwrap_err(), Code::PermissionDenied, "WRONG_TOKEN");
        assert_refused(&stranger.get().await.unwrap_err(), Code::PermissionDenied, "WRONG_TOKEN");
        assert_refused(&stranger.events().await.unwrap_err(), Code::PermissionDenied, "WRONG_TOKEN");
        let delete = stranger.authorised(api::DeleteConsultationRequest { consultation_id: id.clone() });
        let status = stranger.client().delete_consultation(delete).await.unwrap_err();
        assert_refused(&status, Code::PermissionDenied, "WRONG_TOKEN");
    }
    // A clinician reads along but does not speak as the patient.
    let mut clinician = as_clinician(&channel, &id);
    assert_refused(&say(&mut clinician, CANARY).await.unwrap_err(), Code::PermissionDenied, "WRONG_TOKEN");
    scene.end().await;
}

#[tokio::test]
async fn a_patient_cannot_do_what_clinicians_do() {
    let mut scene = Scene::new().await;
    let patient = &mut scene.patient;
    let (id, note) = (patient.consultation_id.clone(), CANARY.to_owned());
    let sign = patient.authorised(api::SignPlanRequest {
        consultation_id: id.clone(),
        note: note.clone(),
        ..Default::default()
    });
    let reject = patient.authorised(api::RejectPlanRequest {
        consultation_id: id.clone(),
        reason: note.clone(),
        ..Default::default()
    });
    let take = patient.authorised(api::TakeOverRequest { consultation_id: id.clone(), note: note.clone() });
    let urgency = api::SetUrgencyRequest { consultation_id: id, urgency: Urgency::Routine as i32, reason: note };
    let urgency = patient.authorised(urgency);
    let list = patient.authorised(api::ListPendingRequest { page_size: 10 });
    let client = patient.client();
    let refused = [
        client.sign_plan(sign).await.unwrap_err(),
        client.reject_plan(reject).await.unwrap_err(),
        client.take_over(take).await.unwrap_err(),
        client.set_urgency(urgency).await.unwrap_err(),
        client.list_pending(list).await.unwrap_err(),
    ];
    for status in &refused {
        assert_refused(status, Code::PermissionDenied, "CLINICIAN_ONLY");
    }
    let status = client.list_pending(bare(api::ListPendingRequest::default())).await.unwrap_err();
    assert_refused(&status, Code::Unauthenticated, "NO_TOKEN");
    scene.end().await;
}

#[tokio::test]
async fn a_clinician_gets_clear_errors_too() {
    let scene = Scene::new().await;
    let id = scene.patient.consultation_id.clone();
    let mut clinician = as_clinician(&scene.system.channel, &id);
    let without_plan = support::sign(&mut clinician).await.unwrap_err();
    assert_refused(&without_plan, Code::FailedPrecondition, "NO_PLAN");
    let long = api::SignPlanRequest { consultation_id: id.clone(), note: CANARY.repeat(400), ..Default::default() };
    let long = clinician.authorised(long);
    assert_field(&clinician.client().sign_plan(long).await.unwrap_err(), "note");
    let unset = clinician.authorised(api::SetUrgencyRequest {
        consultation_id: id.clone(),
        urgency: 99,
        reason: CANARY.into(),
    });
    assert_field(&clinician.client().set_urgency(unset).await.unwrap_err(), "urgency");
    let no_reason =
        clinician.authorised(api::RejectPlanRequest { consultation_id: id, reason: "  ".into(), ..Default::default() });
    assert_field(&clinician.client().reject_plan(no_reason).await.unwrap_err(), "reason");
    let page = clinician.authorised(api::ListPendingRequest { page_size: 5000 });
    assert_field(&clinician.client().list_pending(page).await.unwrap_err(), "page_size");
    assert_eq!(clinician.token, CLINICIAN_KEY);
    scene.end().await;
}

#[tokio::test]
async fn a_consultation_is_not_opened_on_nonsense() {
    let scene = Scene::new().await;
    let patient =
        |patient: PatientContext| api::StartConsultationRequest { patient: Some(patient), ..Default::default() };
    let pregnant_man = PatientContext { sex: Sex::Male as i32, pregnant: Some(true), ..Default::default() };
    let rows = [
        (api::StartConsultationRequest { locale: 99, ..Default::default() }, "locale"),
        (api::StartConsultationRequest { strategy: CANARY.into(), ..Default::default() }, "strategy"),
        (patient(PatientContext { age_months: Some(9999), ..Default::default() }), "patient.age_months"),
        (patient(PatientContext { pregnancy_weeks: Some(60), ..Default::default() }), "patient.pregnancy_weeks"),
        (patient(PatientContext { sex: 7, ..Default::default() }), "patient.sex"),
        (patient(PatientContext { subject: 77, ..Default::default() }), "patient.subject"),
        (patient(pregnant_man), "patient.pregnant"),
        (patient(PatientContext { allergies: vec![CANARY.repeat(50)], ..Default::default() }), "patient.allergies"),
        (patient(PatientContext { medicines: vec!["x".into(); 51], ..Default::default() }), "patient.medicines"),
    ];
    let mut client = OrchestratorServiceClient::new(scene.system.channel.clone());
    for (request, field) in rows {
        assert_field(&client.start_consultation(request).await.unwrap_err(), field);
    }
    let unknown = api::StartConsultationRequest { pack_digest: "0".repeat(64), ..Default::default() };
    let status = client.start_consultation(unknown).await.unwrap_err();
    assert_refused(&status, Code::FailedPrecondition, "PACK_UNKNOWN");
    scene.end().await;
}

#[tokio::test]
async fn a_stale_version_is_refused() {
    let mut scene = Scene::new().await;
    let first = say(&mut scene.patient, CANARY).await.unwrap();
    let mut send = |expected: u64| {
        let request = api::SendMessageRequest {
            consultation_id: scene.patient.consultation_id.clone(),
            message_id: format!("at-{expected}"),
            text: CANARY.into(),
            expected_version: Some(expected),
            seen_version: None,
        };
        let (request, mut client) = (scene.patient.authorised(request), scene.patient.client().clone());
        async move {
            let updates = client.send_message(request).await?.into_inner();
            support::read(updates).await
        }
    };
    for stale in [0, 1, first.completed.version + 1, u64::MAX] {
        let status = send(stale).await.unwrap_err();
        assert_refused(&status, Code::FailedPrecondition, "VERSION_MISMATCH");
        let metadata = status.get_details_error_info().unwrap().metadata;
        assert_eq!(metadata["actual"], first.completed.version.to_string());
    }
    assert!(send(first.completed.version).await.is_ok());
    scene.end().await;
}

#[tokio::test]
async fn the_same_message_twice_is_answered_once() {
    let mut scene = Scene::new().await;
    let text = format!("{} {CANARY}", words().messages.complaint);
    let first = say_as(&mut scene.patient, "once", &text).await.unwrap();
    assert!(!first.completed.replayed);
    let version = scene.patient.get().await.unwrap().version;
    for _ in 0..3 {
        let again = say_as(&mut scene.patient, "once", &text).await.unwrap();
        assert!(again.completed.replayed);
        assert_eq!((again.text, again.question), (first.text.clone(), first.question.clone()));
        assert_eq!(again.completed.turn, first.completed.turn);
    }
    assert_eq!(scene.patient.get().await.unwrap().version, version, "nothing was recorded twice");
    let status = say_as(&mut scene.patient, "once", CANARY).await.unwrap_err();
    assert_refused(&status, Code::AlreadyExists, "MESSAGE_REUSED");
    scene.end().await;
}

#[tokio::test]
async fn two_messages_at_once_are_neither_mixed_nor_lost() {
    let scene = Scene::new().await;
    for round in 0..20 {
        let (mut one, mut other) = (scene.patient.clone(), scene.patient.clone());
        let (a, b) = (format!("a-{round}"), format!("b-{round}"));
        let both = tokio::join!(say_as(&mut one, &a, CANARY), say_as(&mut other, &b, CANARY));
        let refused: Vec<&Status> = [both.0.as_ref().err(), both.1.as_ref().err()].into_iter().flatten().collect();
        assert!(refused.len() < 2, "one of them is answered");
        for status in refused {
            assert_refused(status, Code::Aborted, "BUSY");
        }
        // What was refused can be sent again; what was answered is told again.
        for id in [&a, &b] {
            assert!(say_as(&mut one, id, CANARY).await.is_ok());
        }
    }
    let turns = scene.patient.clone().get().await.unwrap().turns;
    assert_eq!(turns, 40, "every message has its turn");
    scene.system.stop().await;
}

#[tokio::test]
async fn after_the_end_nothing_is_said() {
    let mut scene = Scene::new().await;
    let mut ended = open(&scene.system).await;
    say_as(&mut ended, "first", CANARY).await.unwrap();
    let id = ended.consultation_id.clone();
    let end = || api::EndConsultationRequest { consultation_id: id.clone() };
    let request = ended.authorised(end());
    let version = ended.client().end_consultation(request).await.unwrap().into_inner().version;
    let request = ended.authorised(end());
    assert_eq!(ended.client().end_consultation(request).await.unwrap().into_inner().version, version, "twice is once");
    assert_refused(&say(&mut ended, CANARY).await.unwrap_err(), Code::FailedPrecondition, "ENDED");
    assert!(say_as(&mut ended, "first", CANARY).await.unwrap().completed.replayed, "the past can be told again");
    assert_refused(&undo(&mut ended).await.unwrap_err(), Code::FailedPrecondition, "NOTHING_TO_UNDO");
    assert_eq!(ended.get().await.unwrap().status(), api::ConsultationStatus::Ended);
    assert_refused(&undo(&mut scene.patient).await.unwrap_err(), Code::FailedPrecondition, "NOTHING_TO_UNDO");
    scene.end().await;
}

#[tokio::test]
async fn what_was_deleted_is_gone() {
    let scene = Scene::new().await;
    let mut patient = open(&scene.system).await;
    say_as(&mut patient, "first", CANARY).await.unwrap();
    let request = api::DeleteConsultationRequest { consultation_id: patient.consultation_id.clone() };
    let delete = patient.authorised(request.clone());
    patient.client().delete_consultation(delete).await.unwrap();
    assert_refused(&patient.get().await.unwrap_err(), Code::NotFound, "NOT_FOUND");
    assert_refused(&patient.events().await.unwrap_err(), Code::NotFound, "NOT_FOUND");
    assert_refused(&say_as(&mut patient, "first", CANARY).await.unwrap_err(), Code::NotFound, "NOT_FOUND");
    let again = patient.authorised(request);
    let status = patient.client().delete_consultation(again).await.unwrap_err();
    assert_refused(&status, Code::NotFound, "NOT_FOUND");
    let mut clinician = as_clinician(&scene.system.channel, &patient.consultation_id);
    assert_refused(&clinician.get().await.unwrap_err(), Code::NotFound, "NOT_FOUND");
    scene.end().await;
}
