//! The expert through a model that a test puts words into the mouth of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{client, observation, pack, ranked, server, typical};
use serde_json::{Value, json};
use wenzhen_expert::ExpertServer;
use wenzhen_llm::{Error, Request, Script, Scripted};
use wenzhen_pack::Locale;
use wenzhen_proto::clinical::v1::{FindingState, Locale as LocaleMessage, Observation, Pins, Urgency};
use wenzhen_proto::expert::v1::{DiagnoseRequest, DiagnoseResponse, ReviewRequest, ReviewResponse};
use wenzhen_voices::{Speaker, VoiceMetrics};

const BRIDGE: &str = "Thank you for telling me so much.";

fn speaking(answer: impl Fn(&Request) -> Script + Send + Sync + 'static) -> ExpertServer {
    let engine = Arc::new(Scripted::new(answer));
    let speaker = Speaker::new("scripted", engine, Duration::from_secs(10), VoiceMetrics::default());
    server().speaking(Some(speaker)).unwrap()
}

fn request() -> DiagnoseRequest {
    let mut request = typical(&pack(), &pack().conditions[0], LocaleMessage::En);
    request.observations.truncate(8);
    request
}

/// The answer where the model says this of the built-in draft's words.
async fn diagnose(request: &DiagnoseRequest, words: impl Fn(&str) -> Script) -> (DiagnoseResponse, DiagnoseResponse) {
    let builtin = server().answer(request).unwrap();
    let script = words(&builtin.draft.as_ref().unwrap().text);
    let mut client = client(speaking(move |_| script.clone()));
    (client.diagnose(request.clone()).await.unwrap().into_inner(), builtin)
}

#[tokio::test]
async fn the_draft_may_be_worded_anew_around_the_same_facts() {
    let (response, builtin) = diagnose(&request(), |draft| Script::Say(format!("{BRIDGE} {draft}"))).await;
    let (worded, before) = (response.draft.unwrap(), builtin.draft.unwrap());
    assert!(worded.text.starts_with(BRIDGE), "{}", worded.text);
    assert_eq!(worded.facts, before.facts);
    assert_eq!((response.clinician_plan, response.differential), (builtin.clinician_plan, builtin.differential));
    let pins = response.pins.unwrap();
    assert_eq!((pins.model_version.as_str(), pins.weight_epoch, pins.prompt_version.len()), ("scripted", 3, 12));
    assert!(response.degraded.is_empty());
}

#[tokio::test]
async fn a_wording_that_touches_facts_gives_way_to_the_draft() {
    let other = pack().conditions[1].name(Locale::En);
    let herb = pack().herbs[0].names.text(Locale::En).to_owned();
    let cases: Vec<(Box<dyn Fn(&str) -> String>, &str)> = vec![
        (Box::new(|_| "All is well.".into()), "malformed"),
        (Box::new(|draft| draft.replacen("{{f1}}", "something", 1)), "malformed"),
        (Box::new(|draft| format!("{draft} {{{{f1}}}}.")), "malformed"),
        (Box::new(|draft| format!("{draft} {{{{f99}}}}.")), "malformed"),
        (Box::new(move |draft| format!("{draft} It may be {other} too.")), "guard"),
        (Box::new(move |draft| format!("Take {herb}. {draft}")), "guard"),
        (Box::new(|draft| format!("{draft} You will surely be cured.")), "guard"),
        (Box::new(|draft| format!("{draft} Take 30 grams.")), "guard"),
        (Box::new(|_| String::new()), "malformed"),
    ];
    for (words, reason) in cases {
        let (mut response, builtin) = diagnose(&request(), |draft| Script::Say(words(draft))).await;
        let degraded = response.degraded.remove(0);
        assert_eq!((degraded.reason.as_str(), degraded.fell_back), (reason, true), "{}", words("DRAFT {{f1}}"));
        assert_eq!(response, builtin);
    }
    let (response, builtin) = diagnose(&request(), |_| Script::Refuse(Error::Unavailable("x"))).await;
    assert_eq!((response.degraded[0].reason.as_str(), response.draft), ("unavailable", builtin.draft));
}

#[tokio::test]
async fn what_is_urgent_is_not_reworded() {
    let urgent = DiagnoseRequest { urgency: Urgency::Today.into(), ..request() };
    let (response, builtin) = diagnose(&urgent, |draft| Script::Say(format!("{draft} {BRIDGE}"))).await;
    assert_eq!(response, builtin);
}

fn finished() -> ReviewRequest {
    let (pack, confirmed) = (pack(), pack().conditions[0].clone());
    let asked = |state| move |id: &String| Observation { answers_question: true, ..observation(id, state) };
    let listed: Vec<String> =
        confirmed.edges.iter().map(|e| pack.findings[e.finding.at()].id.clone()).take(6).collect();
    ReviewRequest {
        pins: Some(Pins { pack_digest: pack.digest.to_string(), weight_epoch: 3, ..Pins::default() }),
        observations: listed.iter().map(asked(FindingState::Present)).collect(),
        ranked: ranked(&pack, &confirmed, 0.4),
        confirmed_condition_id: confirmed.id,
        rates: Vec::new(),
    }
}

async fn review(weights: impl Fn(&[String]) -> Value) -> (ReviewResponse, ReviewResponse) {
    let builtin = server().look_back(&finished()).unwrap();
    let ids: Vec<String> = builtin.edges.iter().map(|edge| edge.finding_id.clone()).collect();
    assert!(ids.len() >= 3, "{ids:?}");
    let answer = weights(&ids).to_string();
    let mut client = client(speaking(move |_| Script::Say(answer.clone())));
    (client.review(finished()).await.unwrap().into_inner(), builtin)
}

#[tokio::test]
async fn a_review_by_the_model_can_only_teach_less() {
    let (response, builtin) = review(|ids| {
        json!({"findings": [
            {"id": ids[0], "weight": "none"}, {"id": ids[1], "weight": "half"}, {"id": "no-such", "weight": "full"},
        ]})
    })
    .await;
    assert_eq!(response.edges.len(), builtin.edges.len() - 1);
    for edge in &response.edges {
        let before = builtin.edges.iter().find(|b| b.finding_id == edge.finding_id).unwrap();
        assert_eq!(edge.shift_micros.signum(), before.shift_micros.signum());
        assert!(edge.shift_micros.abs() <= before.shift_micros.abs());
    }
    assert_eq!(response.pins.unwrap().model_version, "scripted");
    let (mut response, builtin) = review(|_| json!({"weights": []})).await;
    assert_eq!(response.degraded.remove(0).reason, "malformed");
    assert_eq!(response, builtin);
}
