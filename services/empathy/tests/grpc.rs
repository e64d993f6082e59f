//! The service as a client sees it, over a real gRPC connection inside the process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod common;

use common::{client, pack, pins};
use tonic::Code;
use tonic_types::StatusExt;
use wenzhen_proto::clinical::v1::{Draft, Emotion, EmotionAssessment, EmpathyNecessity, Fact, FactKind, Locale, Pins};
use wenzhen_proto::empathy::v1::modulate_response::Piece;
use wenzhen_proto::empathy::v1::{AssessRequest, DescribeRequest, ModulateRequest};
use wenzhen_service::status;

fn message(text: &str) -> AssessRequest {
    AssessRequest { pins: pins(), text: text.to_owned(), ..AssessRequest::default() }
}

fn rewriting() -> ModulateRequest {
    let fact = Fact { id: "f1".into(), kind: FactKind::Advice.into(), text: "rest".into(), ..Fact::default() };
    ModulateRequest {
        pins: pins(),
        draft: Some(Draft { locale: Locale::En.into(), text: "Please {{f1}}.".into(), facts: vec![fact] }),
        assessment: Some(EmotionAssessment {
            emotion: Emotion::Anxiety.into(),
            intensity: 4,
            necessity: EmpathyNecessity::Full.into(),
            ..EmotionAssessment::default()
        }),
        seed: 3,
        ..ModulateRequest::default()
    }
}

#[tokio::test]
async fn a_frightened_message_gets_a_preface_in_its_language() {
    let mut client = client();
    let answer = client.assess(message("I'm terrified")).await.unwrap().into_inner();
    let assessment = answer.assessment.unwrap();
    assert_eq!((assessment.emotion(), assessment.necessity()), (Emotion::Anxiety, EmpathyNecessity::Full));
    assert!(answer.preface.is_ascii() && !answer.preface.is_empty());
    assert_eq!(answer.pins.unwrap().model_version, "builtin");
    let asked = AssessRequest { locale: Locale::Zh.into(), ..message("I'm terrified") };
    assert!(!client.assess(asked).await.unwrap().into_inner().preface.is_ascii());
}

#[tokio::test]
async fn a_plain_message_gets_no_preface() {
    let answer = client().assess(message("since Monday")).await.unwrap().into_inner();
    assert_eq!((answer.assessment.unwrap().necessity(), answer.preface.as_str()), (EmpathyNecessity::None, ""));
}

#[tokio::test]
async fn a_rewriting_streams_text_and_ends_with_done() {
    let mut stream = client().modulate(rewriting()).await.unwrap().into_inner();
    let (mut text, mut done) = (String::new(), 0);
    while let Some(response) = stream.message().await.unwrap() {
        match response.piece.unwrap() {
            Piece::Text(more) => {
                assert_eq!(done, 0);
                text.push_str(&more);
            }
            Piece::Done(end) => {
                done += 1;
                assert_eq!(end.pins.unwrap().pack_digest, pack().digest.to_string());
            }
        }
    }
    assert_eq!(done, 1);
    assert_eq!(text.matches("Please {{f1}}.").count(), 1);
    assert!(text.len() > 40, "{text}");
}

#[tokio::test]
async fn wrong_requests_are_refused_with_the_field() {
    let mut client = client();
    for (request, field) in [
        (message(""), "text"),
        (message(" \n "), "text"),
        (message(&"a".repeat(8193)), "text"),
        (AssessRequest { pins: None, ..message("hi") }, "pins.pack_digest"),
    ] {
        let refused = client.assess(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(refused.get_details_bad_request().unwrap().field_violations[0].field, field);
    }
    let mut unset = rewriting();
    unset.draft = None;
    let mut torn = rewriting();
    torn.draft.as_mut().unwrap().text = "Please {{f1}} and {{f1}}.".into();
    let mut unfelt = rewriting();
    unfelt.assessment.as_mut().unwrap().emotion = 0;
    for (request, field) in [(unset, "draft"), (torn, "draft"), (unfelt, "assessment.emotion")] {
        let refused = client.modulate(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(refused.get_details_bad_request().unwrap().field_violations[0].field, field);
    }
    assert!(client.assess(message(&"怕".repeat(8192 / 3))).await.is_ok());
}

#[tokio::test]
async fn an_unknown_pack_is_a_failed_precondition() {
    let mut client = client();
    let other = Some(Pins { pack_digest: "0".repeat(64), ..Pins::default() });
    let refused = client.assess(AssessRequest { pins: other.clone(), ..message("hi") }).await.unwrap_err();
    assert_eq!((refused.code(), status::reason(&refused).as_deref()), (Code::FailedPrecondition, Some("PACK_UNKNOWN")));
    let refused = client.modulate(ModulateRequest { pins: other, ..rewriting() }).await.unwrap_err();
    assert_eq!((refused.code(), status::reason(&refused).as_deref()), (Code::FailedPrecondition, Some("PACK_UNKNOWN")));
}

#[tokio::test]
async fn it_describes_its_packs() {
    let described = client().describe(DescribeRequest {}).await.unwrap().into_inner();
    assert_eq!((described.voice.as_str(), described.packs.len()), ("builtin", 1));
    assert_eq!(described.packs[0].digest, pack().digest.to_string());
}
