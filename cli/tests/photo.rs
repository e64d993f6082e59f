//! A photograph as a turn: idempotent, recorded without the picture, refused by what is wrong with it, done without.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use support::vision::Shown;
use support::{as_clinician, attach_as, bare, decided, pack, say, system, system_without, undo};
use tonic::Code;
use tonic_types::StatusExt as _;
use wenzhen::client::Session;
use wenzhen::photo::Photo;
use wenzhen::process::Process;
use wenzhen_orchestrator::{Knowledge, replay};
use wenzhen_proto::clinical::v1::{Agent, FindingState, ObservationSource};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::vision::v1::{MediaType, Quality};
use wenzhen_service::status;

fn shows(findings: &[(&str, f32)]) -> Photo {
    let findings = findings.iter().map(|(id, p)| ((*id).to_owned(), *p)).collect();
    Shown { quality: "ok".to_owned(), findings }.photo()
}

fn spoilt(quality: &str) -> Photo {
    Shown { quality: quality.to_owned(), ..Shown::default() }.photo()
}

async fn begun(system: &Process) -> (Session, Session) {
    let (mut patient, started) = Session::start(
        system.channel.clone(),
        api::StartConsultationRequest {
            patient: Some(wenzhen::chat::parse_patient("age=34,sex=f,pregnant=no").unwrap()),
            ..api::StartConsultationRequest::default()
        },
    )
    .await
    .unwrap();
    let words = support::words::words();
    say(&mut patient, &words.messages.complaint).await.unwrap();
    let clinician = as_clinician(&system.channel, &started.consultation_id);
    (patient, clinician)
}

#[tokio::test]
async fn the_same_photograph_is_told_again_and_another_one_under_its_id_is_refused() {
    let system = system().await;
    let (mut patient, mut clinician) = begun(&system).await;
    let photo = shows(&[("coating_white", 0.93), ("tongue_cracked", -0.81)]);
    let (first, reading) = attach_as(&mut patient, "p1", &photo).await.unwrap();
    assert_eq!((reading.quality(), reading.seen.len()), (Quality::Ok, 2));
    assert!(first.text.contains("93%") && first.text.contains("81%"), "{}", first.text);
    let (again, same) = attach_as(&mut patient, "p1", &photo).await.unwrap();
    assert!(again.completed.replayed && !first.completed.replayed);
    assert_eq!((again.text, same, again.completed.version), (first.text, reading, first.completed.version));
    let refused = attach_as(&mut patient, "p1", &shows(&[])).await.unwrap_err();
    assert_eq!((refused.code(), status::reason(&refused).as_deref()), (Code::AlreadyExists, Some("MESSAGE_REUSED")));
    let refused = support::say_as(&mut patient, "p1", "a text under the id of a picture").await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);

    // The findings are on record with their source and probability, the picture is not.
    let record = clinician.get().await.unwrap().observations;
    let white = record.iter().find(|o| o.finding_id == "coating_white").unwrap();
    assert_eq!((white.source(), white.probability), (ObservationSource::Image, Some(0.93)));
    let cracked = record.iter().find(|o| o.finding_id == "tongue_cracked").unwrap();
    assert_eq!(cracked.state(), FindingState::Denied);
    let events = clinician.events().await.unwrap();
    let received: Vec<_> =
        events.iter().filter_map(|e| if let Some(Kind::ImageReceived(i)) = &e.kind { Some(i) } else { None }).collect();
    assert_eq!((received.len(), received[0].size_bytes), (1, photo.file.len() as u64));
    assert!(received[0].image_sha256.is_empty(), "hashes are withheld");
    // A pure replay of the decisions comes out the same.
    let knowledge = Knowledge::new(pack().clone()).unwrap();
    assert_eq!(replay::replay(&knowledge, &events), Ok(2));
    let (inputs, _) = decided(&events, 2);
    assert_eq!(inputs.photo.unwrap().seen.len(), 2);

    // Taken back, it has never been seen; its id stays used.
    undo(&mut patient).await.unwrap();
    let record = clinician.get().await.unwrap().observations;
    assert!(record.iter().all(|o| o.source() != ObservationSource::Image));
    assert_eq!(attach_as(&mut patient, "p1", &shows(&[])).await.unwrap_err().code(), Code::AlreadyExists);
    system.stop().await;
}

#[tokio::test]
async fn a_photograph_that_cannot_be_used_changes_nothing_and_the_reply_says_what_to_do_better() {
    let system = system().await;
    let (mut patient, mut clinician) = begun(&system).await;
    let before = clinician.get().await.unwrap();
    let mut said = std::collections::BTreeSet::new();
    for quality in ["not_a_tongue", "blurred", "too_dark", "too_bright", "colour_cast", "too_small", "covered"] {
        let (turn, reading) = attach_as(&mut patient, quality, &spoilt(quality)).await.unwrap();
        assert!(reading.seen.is_empty() && reading.quality() > Quality::Ok);
        assert_eq!(turn.kind(), api::DecisionKind::Redirect);
        let question = turn.question.unwrap();
        assert_eq!(Some(question.text.as_str()), before.question.as_ref().map(|q| q.text.as_str()), "it stands");
        assert!(turn.text.contains(&question.text));
        said.insert(turn.text);
    }
    assert_eq!(said.len(), 7, "each has words of its own");
    let after = clinician.get().await.unwrap();
    assert_eq!((after.observations, after.status), (before.observations, before.status));
    system.stop().await;
}

#[tokio::test]
async fn a_file_that_is_no_picture_is_refused_with_the_limit_and_leaves_no_trace() {
    let system = system().await;
    let (mut patient, _) = begun(&system).await;
    let version = patient.get().await.unwrap().version;
    let refused = attach_as(&mut patient, "p1", &spoilt("broken")).await.unwrap_err();
    let info = refused.get_details_error_info().unwrap();
    assert_eq!((refused.code(), info.reason.as_str()), (Code::InvalidArgument, "TOO_MANY_PIXELS"));
    assert_eq!((info.metadata["limit"].as_str(), info.metadata["got"].as_str()), ("7", "8"));

    let id = patient.consultation_id.clone();
    let good = shows(&[]);
    let header = |change: fn(&mut api::AttachTongueImageHeader)| {
        let mut header = api::AttachTongueImageHeader {
            consultation_id: id.clone(),
            message_id: "p2".to_owned(),
            ..api::AttachTongueImageHeader::default()
        };
        change(&mut header);
        header
    };
    let parts = |change| good.parts(header(change));
    let mut lying = parts(|_| {});
    if let Some(api::attach_tongue_image_request::Part::Header(header)) = &mut lying[0].part {
        header.size_bytes += 1;
    }
    let mut huge = parts(|_| {});
    if let Some(api::attach_tongue_image_request::Part::Header(header)) = &mut huge[0].part {
        header.size_bytes = 1 << 40;
    }
    for (what, parts, reason) in [
        ("nothing", vec![], "INVALID_ARGUMENT"),
        ("no header", parts(|_| {}).split_off(1), "INVALID_ARGUMENT"),
        ("no id", parts(|header| header.message_id.clear()), "INVALID_ARGUMENT"),
        ("a byte that never comes", lying, "SIZE_MISMATCH"),
        ("a terabyte", huge, "TOO_MANY_BYTES"),
        ("no consultation", parts(|header| header.consultation_id = "0".repeat(32)), "NOT_FOUND"),
        ("an old version", parts(|header| header.expected_version = Some(1)), "VERSION_MISMATCH"),
    ] {
        let request = patient.authorised(futures::stream::iter(parts));
        let refused = patient.client().attach_tongue_image(request).await.expect_err(what);
        assert_eq!(status::reason(&refused).as_deref(), Some(reason), "{what}: {refused:?}");
    }
    let request = bare(futures::stream::iter(parts(|_| {})));
    assert_eq!(patient.client().attach_tongue_image(request).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(patient.get().await.unwrap().version, version, "nothing has happened");
    assert!(Photo::new(b"GIF89a".to_vec()).is_err() && good.media == MediaType::Png);
    system.stop().await;
}

#[tokio::test]
async fn without_vision_it_goes_on_and_says_so() {
    let system = system_without(&[Agent::Vision]).await;
    let (mut patient, mut clinician) = begun(&system).await;
    let (turn, reading) = attach_as(&mut patient, "p1", &shows(&[("coating_white", 0.9)])).await.unwrap();
    assert_eq!((reading.quality(), turn.completed.degraded.len()), (Quality::Unspecified, 1));
    assert_eq!(turn.completed.degraded[0].agent(), Agent::Vision);
    assert!(turn.question.is_some(), "the dialogue goes on");
    let events = clinician.events().await.unwrap();
    assert_eq!(replay::replay(&Knowledge::new(pack().clone()).unwrap(), &events), Ok(2));
    let Some(Kind::Started(started)) = &events[0].kind else { panic!("the first event") };
    assert!(!started.takes_photographs, "nobody is asked for what cannot be looked at");
    system.stop().await;
}
