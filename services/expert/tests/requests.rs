//! What the service refuses, and how it says so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{LOCALES, client, observation, pack, server, typical};
use tonic::Code;
use tonic_types::StatusExt;
use wenzhen_proto::clinical::v1::{FindingState, PatientContext, RankedCondition, RedFlag};
use wenzhen_proto::expert::v1::{DescribeRequest, DiagnoseRequest};

fn good() -> DiagnoseRequest {
    let pack = pack();
    typical(&pack, &pack.conditions[0], LOCALES[0].1)
}

/// Makes a good request bad.
type Spoil = Box<dyn Fn(&mut DiagnoseRequest)>;

#[tokio::test]
async fn every_bad_field_is_named() {
    let mut client = client(server());
    let ranked = |id: &str, score: f64| RankedCondition { condition_id: id.into(), score };
    let first = pack().conditions[0].id.clone();
    let cases: Vec<(&str, Spoil)> = vec![
        ("pins.pack_digest", Box::new(|r| r.pins = None)),
        ("pins.pack_digest", Box::new(|r| r.pins.as_mut().unwrap().pack_digest = "xyz".into())),
        ("ranked", Box::new(|r| r.ranked.clear())),
        ("ranked", Box::new(|r| r.ranked = vec![r.ranked[0].clone(); 21])),
        ("ranked[0].condition_id", Box::new(|r| r.ranked[0].condition_id = "nowhere".into())),
        ("ranked[1].condition_id", Box::new(move |r| r.ranked[1] = ranked(&first, 0.1))),
        ("ranked[0].score", Box::new(|r| r.ranked[0].score = f64::NAN)),
        ("ranked[0].score", Box::new(|r| r.ranked[0].score = 1.5)),
        ("observations[0].finding_id", Box::new(|r| r.observations[0].finding_id = "nothing".into())),
        ("observations[0].state", Box::new(|r| r.observations[0].state = 0)),
        ("observations[0].state", Box::new(|r| r.observations[0].state = 77)),
        ("observations[0].source", Box::new(|r| r.observations[0].source = 77)),
        ("observations[0].probability", Box::new(|r| r.observations[0].probability = Some(0.0))),
        ("observations[0].probability", Box::new(|r| r.observations[0].probability = Some(f32::NAN))),
        ("observations", Box::new(|r| r.observations = vec![r.observations[0].clone(); 1001])),
        ("locale", Box::new(|r| r.locale = 0)),
        ("urgency", Box::new(|r| r.urgency = 0)),
        ("red_flags[0].urgency", Box::new(|r| r.red_flags = vec![RedFlag::default()])),
        (
            "patient.age_months",
            Box::new(|r| r.patient = Some(PatientContext { age_months: Some(1561), ..Default::default() })),
        ),
        (
            "patient.pregnancy_weeks",
            Box::new(|r| r.patient = Some(PatientContext { pregnancy_weeks: Some(46), ..Default::default() })),
        ),
        ("patient.allergies", Box::new(|r| r.patient.as_mut().unwrap().allergies = vec!["x".into(); 21])),
        ("patient.sex", Box::new(|r| r.patient.as_mut().unwrap().sex = 9)),
    ];
    for (field, spoil) in cases {
        let mut request = good();
        spoil(&mut request);
        let status = client.diagnose(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert!(violations.iter().any(|v| v.field == field), "{field}: {violations:?}");
    }
}

#[tokio::test]
async fn all_mistakes_come_at_once() {
    let mut request = good();
    request.locale = 0;
    request.urgency = 99;
    request.observations.push(observation("nothing", FindingState::Present));
    let status = client(server()).diagnose(request).await.unwrap_err();
    assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), 3);
}

#[tokio::test]
async fn an_unknown_pack_is_a_failed_precondition() {
    let mut request = good();
    request.pins.as_mut().unwrap().pack_digest = "0".repeat(64);
    let status = client(server()).diagnose(request).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(wenzhen_service::status::reason(&status).as_deref(), Some("PACK_UNKNOWN"));
}

#[tokio::test]
async fn a_pack_without_a_voice_says_so() {
    let mut mute = (*pack()).clone();
    mute.voices.clear();
    let status = client(wenzhen_expert::ExpertServer::new(vec![mute.into()])).diagnose(good()).await.unwrap_err();
    assert_eq!(wenzhen_service::status::reason(&status).as_deref(), Some("PACK_WITHOUT_VOICE"));
}

#[tokio::test]
async fn describe_tells_packs_voice_and_version_and_pins_come_back() {
    let mut client = client(server());
    let told = client.describe(DescribeRequest {}).await.unwrap().into_inner();
    assert_eq!(told.voice, "builtin");
    assert_eq!(told.packs.len(), 1);
    assert_eq!(told.packs[0].digest, pack().digest.to_string());
    assert!(!told.version.is_empty());
    let pins = client.diagnose(good()).await.unwrap().into_inner().pins.unwrap();
    assert_eq!((pins.pack_digest, pins.weight_epoch), (pack().digest.to_string(), 3));
    assert_eq!((pins.prompt_version.as_str(), pins.model_version.as_str()), ("", "builtin"));
}
