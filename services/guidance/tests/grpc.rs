//! The service over gRPC, with the flagship pack.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::Path;
use std::sync::{Arc, OnceLock};

use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use wenzhen_guidance::GuidanceServer;
use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::{Locale, Pins, Subject};
use wenzhen_proto::guidance::v1::guidance_service_client::GuidanceServiceClient;
use wenzhen_proto::guidance::v1::{AskRequest, DescribeRequest, InterpretRequest};

type Client = GuidanceServiceClient<Channel>;

/// The pack in `packs/tcm`, loaded once.
fn pack() -> Arc<Pack> {
    static PACK: OnceLock<Arc<Pack>> = OnceLock::new();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    let load = || Arc::new(Pack::load_dir(&dir).unwrap_or_else(|errors| panic!("{errors}")));
    Arc::clone(PACK.get_or_init(load))
}

/// A client of its own for every test; the server's tables are made once.
fn client() -> Client {
    static SERVER: OnceLock<GuidanceServer> = OnceLock::new();
    let server = SERVER.get_or_init(|| GuidanceServer::new(vec![pack()]).unwrap());
    let routes = tonic::service::Routes::new(server.clone().into_service());
    let (channel, _serving) = wenzhen_service::in_process(routes);
    GuidanceServiceClient::new(channel)
}

fn pins() -> Option<Pins> {
    Some(Pins { pack_digest: pack().digest.to_string(), weight_epoch: 3, ..Pins::default() })
}

/// A request that is right; each test spoils or changes one thing.
fn ask(finding_ids: &[&str]) -> AskRequest {
    AskRequest {
        pins: pins(),
        finding_ids: finding_ids.iter().map(|id| (*id).to_owned()).collect(),
        locale: Locale::Zh.into(),
        ..AskRequest::default()
    }
}

fn interpret(text: &str) -> InterpretRequest {
    InterpretRequest { pins: pins(), text: text.to_owned(), turn: 2, ..InterpretRequest::default() }
}

/// The fields that a status names, after checking that it is about the arguments.
fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_details_bad_request().unwrap();
    details.field_violations.into_iter().map(|violation| violation.field).collect()
}

/// The first askable findings of the pack, so that no term of the field stands here.
fn askable(n: usize) -> Vec<String> {
    pack().findings.iter().filter(|f| f.askable()).take(n).map(|f| f.id.clone()).collect()
}

#[tokio::test]
async fn a_question_is_worded_in_the_language_and_for_the_person() {
    let mut client = client();
    let ids = askable(1);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let chinese = client.ask(ask(&ids)).await.unwrap().into_inner();
    assert!(chinese.text.ends_with('？') && !chinese.frame.is_empty() && chinese.quick_answers.len() == 3);
    assert_eq!(chinese.pins.unwrap(), Pins { model_version: "builtin".into(), ..pins().unwrap() });
    let again = AskRequest { last_frame: chinese.frame.clone(), ..ask(&ids) };
    assert_ne!(client.ask(again).await.unwrap().into_inner().frame, chinese.frame);
    let child = AskRequest { locale: Locale::En.into(), subject: Subject::Child.into(), ..ask(&ids) };
    let child = client.ask(child).await.unwrap().into_inner();
    assert!(child.text.contains("your child") && child.text.ends_with('?'), "{}", child.text);
}

#[tokio::test]
async fn an_ambiguity_is_clarified() {
    let request = AskRequest { ambiguity_id: pack().ambiguities[0].id.clone(), ..ask(&[]) };
    let response = client().ask(request).await.unwrap().into_inner();
    assert_eq!(response.quick_answers.len(), pack().ambiguities[0].candidates.len() + 1);
}

#[tokio::test]
async fn a_text_is_interpreted_with_turn_span_and_pins() {
    let pack = pack();
    let finding = pack.findings.iter().find(|f| f.askable()).unwrap();
    let said = finding.names.text(wenzhen_pack::Locale::Zh);
    let response = client().interpret(interpret(said)).await.unwrap().into_inner();
    assert_eq!(response.locale, i32::from(Locale::Zh));
    assert_eq!(response.pins.unwrap().weight_epoch, 3);
    let observation = response.observations.first().expect("the name of a finding is understood");
    assert_eq!((observation.finding_id.as_str(), observation.turn), (finding.id.as_str(), 2));
    assert_eq!(observation.span.unwrap().end as usize, said.len());
}

#[tokio::test]
async fn quick_answers_answer_their_question() {
    let mut client = client();
    let pack = pack();
    let askable: Vec<_> = pack.findings.iter().filter(|f| f.askable()).map(|f| f.id.as_str()).collect();
    let mut missed = Vec::new();
    for locale in [Locale::Zh, Locale::En] {
        for (i, ids) in groups(&askable).enumerate() {
            let question = AskRequest { locale: locale.into(), seed: i as u64, ..ask(ids) };
            let question = client.ask(question).await.unwrap().into_inner();
            for (at, answer) in question.quick_answers.iter().enumerate() {
                let request = InterpretRequest {
                    asked_finding_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
                    locale: locale.into(),
                    ..interpret(&answer.text)
                };
                let response = client.interpret(request).await.unwrap().into_inner();
                let got = |id: &&str| {
                    let of = response.observations.iter().find(|o| o.finding_id == **id);
                    of.map_or("-", |o| ["-", "present", "denied", "unsure"][o.state as usize])
                };
                let states: Vec<_> = ids.iter().map(got).collect();
                let expected = expected(ids.len(), at, question.quick_answers.len());
                let fits = states.iter().zip(&expected).all(|(state, want)| want.contains(state));
                if !fits {
                    missed.push(format!("{} [{}]: {states:?} instead of {expected:?}", question.text, answer.text));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{} answers are not understood:\n{}", missed.len(), missed.join("\n"));
}

/// Some of the findings alone, neighbours in twos and threes: what stands together is asked together.
fn groups<'a>(askable: &'a [&'a str]) -> impl Iterator<Item = &'a [&'a str]> {
    let some = |n: usize, every: usize| askable.chunks(n).step_by(every);
    some(1, 9).chain(some(2, 2)).chain(some(3, 2))
}

/// What the quick answer at `at` of so many may mean for each finding of its question.
fn expected(findings: usize, at: usize, answers: usize) -> Vec<&'static [&'static str]> {
    const PRESENT: &[&str] = &["present"];
    const DENIED: &[&str] = &["denied"];
    const UNSURE: &[&str] = &["unsure"];
    /// The other values of an axis follow from this one.
    const FOLLOWS: &[&str] = &["denied", "-"];
    let picked = |picked: usize, others| (0..findings).map(|i| if i == picked { PRESENT } else { others }).collect();
    if at + 1 == answers {
        return vec![UNSURE; findings];
    }
    match (findings, answers - findings) {
        // Yes, no, unsure.
        (1, _) => vec![if at == 0 { PRESENT } else { DENIED }],
        // Where values exclude each other: each alone, none, unsure.
        (_, 2) if at == findings => vec![FOLLOWS; findings],
        (_, 2) => picked(at, FOLLOWS),
        // All, none, each alone, unsure.
        _ if at == 0 => vec![PRESENT; findings],
        _ if at == 1 => vec![DENIED; findings],
        _ => picked(at - 2, DENIED),
    }
}

#[tokio::test]
async fn clarifying_answers_name_their_candidate() {
    let mut client = client();
    let pack = pack();
    let mut missed = Vec::new();
    for locale in [Locale::Zh, Locale::En] {
        for ambiguity in &pack.ambiguities {
            let question = AskRequest { locale: locale.into(), ambiguity_id: ambiguity.id.clone(), ..ask(&[]) };
            let question = client.ask(question).await.unwrap().into_inner();
            for (candidate, answer) in ambiguity.candidates.iter().zip(&question.quick_answers) {
                let request = InterpretRequest {
                    clarifying_id: ambiguity.id.clone(),
                    locale: locale.into(),
                    ..interpret(&answer.text)
                };
                let response = client.interpret(request).await.unwrap().into_inner();
                let id = &pack.findings[candidate.at()].id;
                if !response.observations.iter().any(|o| o.finding_id == *id && o.state == 1) {
                    missed.push(format!("{} [{}]", question.text, answer.text));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{} answers are not understood:\n{}", missed.len(), missed.join("\n"));
}

#[tokio::test]
async fn an_unknown_pack_is_named_in_the_status() {
    let digest = "0".repeat(64);
    let pins = Some(Pins { pack_digest: digest.clone(), ..Pins::default() });
    let mut client = client();
    let asked = client.ask(AskRequest { pins: pins.clone(), ..ask(&["x"]) }).await.unwrap_err();
    let interpreted = client.interpret(InterpretRequest { pins, ..interpret("x") }).await.unwrap_err();
    for status in [asked, interpreted] {
        assert_eq!(status.code(), Code::FailedPrecondition);
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), &info.metadata["digest"]), ("PACK_UNKNOWN", &digest));
    }
}

#[tokio::test]
async fn a_wrong_text_or_reference_is_refused_by_its_field() {
    let mut client = client();
    let long = "好".repeat(3_000);
    for text in ["", "  \n", "\u{1}\u{7f}\u{85}", long.as_str()] {
        assert_eq!(fields(&client.interpret(interpret(text)).await.unwrap_err()), ["text"]);
    }
    let wrong = InterpretRequest {
        asked_finding_ids: vec![askable(1).remove(0), "no_such".into()],
        clarifying_id: "no_such".into(),
        locale: 99,
        ..interpret("ok")
    };
    let status = client.interpret(wrong).await.unwrap_err();
    assert_eq!(fields(&status), ["asked_finding_ids[1]", "clarifying_id", "locale"]);
    let unpinned = InterpretRequest { pins: None, ..interpret("ok") };
    assert_eq!(fields(&client.interpret(unpinned).await.unwrap_err()), ["pins"]);
    let status = client.interpret(InterpretRequest { pins: Some(Pins::default()), ..interpret("ok") }).await;
    assert_eq!(fields(&status.unwrap_err()), ["pins.pack_digest"]);
}

#[tokio::test]
async fn a_question_that_cannot_be_asked_is_refused_by_its_field() {
    let mut client = client();
    let four = askable(4);
    let four: Vec<&str> = four.iter().map(String::as_str).collect();
    let pack = pack();
    let hidden = pack.findings.iter().find(|f| !f.askable()).unwrap().id.as_str();
    let both = AskRequest { ambiguity_id: pack.ambiguities[0].id.clone(), ..ask(&four[..1]) };
    let cases = [
        (ask(&[]), "finding_ids"),
        (ask(&four), "finding_ids"),
        (ask(&[four[0], four[0]]), "finding_ids[1]"),
        (ask(&[four[0], "no_such"]), "finding_ids[1]"),
        (ask(&[hidden]), "finding_ids[0]"),
        (both, "ambiguity_id"),
        (AskRequest { ambiguity_id: "no_such".into(), ..ask(&[]) }, "ambiguity_id"),
        (AskRequest { locale: 0, ..ask(&four[..1]) }, "locale"),
        (AskRequest { subject: 99, ..ask(&four[..1]) }, "subject"),
        (AskRequest { pins: None, ..ask(&four[..1]) }, "pins"),
    ];
    for (request, field) in cases {
        assert_eq!(fields(&client.ask(request).await.unwrap_err()), [field]);
    }
}

#[tokio::test]
async fn it_says_what_it_holds() {
    let response = client().describe(DescribeRequest {}).await.unwrap().into_inner();
    let held = response.packs.first().unwrap();
    assert_eq!((held.digest.clone(), response.voice.as_str()), (pack().digest.to_string(), "builtin"));
    assert_eq!(held.locales, [i32::from(Locale::Zh), i32::from(Locale::En)]);
}
