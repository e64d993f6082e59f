//! Guidance through a model that a test puts words into the mouth of.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tonic::transport::Channel;
use wenzhen_guidance::GuidanceServer;
use wenzhen_language::Interpreter;
use wenzhen_llm::{Error, Request, Script, Scripted};
use wenzhen_pack::{Finding, FindingIx, Observer, Pack};
use wenzhen_proto::clinical::v1::{FindingState, Locale, Observation, Pins};
use wenzhen_proto::guidance::v1::guidance_service_client::GuidanceServiceClient;
use wenzhen_proto::guidance::v1::{
    AskRequest, AskResponse, DescribeRequest, Intent, InterpretRequest, InterpretResponse,
};
use wenzhen_voices::{Speaker, VoiceMetrics};

/// Words that no pack knows.
const FOREIGN: &str = "zorblings are blinking again";

fn interpreter() -> Arc<Interpreter> {
    static INTERPRETER: OnceLock<Arc<Interpreter>> = OnceLock::new();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    let load = || Arc::new(Interpreter::new(Arc::new(Pack::load_dir(&dir).unwrap())).unwrap());
    Arc::clone(INTERPRETER.get_or_init(load))
}

fn pack() -> Arc<Pack> {
    Arc::clone(interpreter().pack())
}

fn client(answer: impl Fn(&Request) -> Script + Send + Sync + 'static) -> GuidanceServiceClient<Channel> {
    let engine = Arc::new(Scripted::new(answer));
    let speaker = Speaker::new("scripted", engine, Duration::from_secs(10), VoiceMetrics::default());
    let server = GuidanceServer::over(vec![interpreter()]).speaking(Some(speaker)).unwrap();
    let (channel, _serving) = wenzhen_service::in_process(tonic::service::Routes::new(server.into_service()));
    GuidanceServiceClient::new(channel)
}

fn pins() -> Option<Pins> {
    Some(Pins { pack_digest: pack().digest.to_string(), weight_epoch: 3, ..Pins::default() })
}

/// What is understood of an English message when the model says this.
async fn interpret(text: &str, asked: &[&Finding], says: Script) -> InterpretResponse {
    let request = InterpretRequest {
        pins: pins(),
        text: text.to_owned(),
        turn: 2,
        asked_finding_ids: asked.iter().map(|finding| finding.id.clone()).collect(),
        locale: Locale::En.into(),
        ..InterpretRequest::default()
    };
    client(move |_| says.clone()).interpret(request).await.unwrap().into_inner()
}

fn says(entries: &[(&str, &str, &str)]) -> Script {
    let entries: Vec<Value> =
        entries.iter().map(|(id, state, quote)| json!({"id": id, "state": state, "quote": quote})).collect();
    Script::Say(json!({"intent": "report", "findings": entries}).to_string())
}

fn dangerous(finding: &Finding) -> bool {
    let pack = pack();
    pack.safety.cues.iter().flat_map(|cue| &cue.findings).any(|ix| pack.findings[ix.at()].id == finding.id)
}

/// Findings that the built-in voice reads as present in their first English saying, and nothing else with them.
fn findings(danger: bool) -> Vec<Finding> {
    let pack = pack();
    let alone = |f: &&Finding| {
        let refined = pack.findings.iter().any(|other| other.parent == pack.finding(&f.id));
        let kin = refined || f.parent.is_some() || !f.excludes.is_empty() || !f.observable.contains(&Observer::Patient);
        !kin && dangerous(f) == danger && f.askable() && builtin(&said(f)) == [(f.id.clone(), FindingState::Present)]
    };
    let found: Vec<Finding> = pack.findings.iter().filter(alone).take(4).cloned().collect();
    assert!(found.len() >= 2, "danger {danger}: {}", found.len());
    found
}

fn said(finding: &Finding) -> String {
    let saying = finding.sayings.list(wenzhen_pack::Locale::En).first().cloned().unwrap_or_default();
    format!("I have had {saying}.")
}

fn builtin(text: &str) -> Vec<(String, FindingState)> {
    let request =
        InterpretRequest { pins: pins(), text: text.to_owned(), locale: Locale::En.into(), ..Default::default() };
    let server = GuidanceServer::over(vec![interpreter()]);
    server.interpret_now(&request).unwrap().observations.iter().map(|o| (o.finding_id.clone(), o.state())).collect()
}

fn observed<'r>(response: &'r InterpretResponse, finding: &Finding) -> Option<&'r Observation> {
    response.observations.iter().find(|o| o.finding_id == finding.id)
}

#[tokio::test]
async fn what_the_model_alone_read_is_added_with_its_place_and_a_doubt() {
    let (plain, danger) = (findings(false), findings(true));
    let (said_one, other) = (&plain[0], &plain[1]);
    let text = format!("{} And my {FOREIGN}.", said(said_one));
    let response = interpret(
        &text,
        &[other, &danger[0]],
        says(&[(&other.id, "present", FOREIGN), (&danger[0].id, "present", "AGAIN")]),
    )
    .await;
    let added = observed(&response, other).unwrap();
    assert_eq!((added.state(), added.probability, added.turn), (FindingState::Present, Some(0.8), 2));
    let span = added.span.unwrap();
    assert_eq!(&text[span.start as usize..span.end as usize], FOREIGN);
    assert!(added.answers_question && observed(&response, &danger[0]).is_some());
    assert_eq!(observed(&response, said_one).unwrap().probability, None, "the built-in reading stands as it was");
    let pins = response.pins.unwrap();
    assert_eq!((pins.model_version.as_str(), pins.weight_epoch), ("scripted", 3));
    assert_eq!(pins.prompt_version, pack().prompts.as_ref().unwrap().version);
    assert!(response.degraded.is_empty());
}

/// A finding that no word of the text is like.
fn unlike(text: &str) -> Finding {
    let said: Vec<String> = text.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let pack = pack();
    let like = |f: &Finding| {
        let phrases = f.sayings.list(wenzhen_pack::Locale::En).iter();
        let mut words =
            phrases.flat_map(|p| p.split_whitespace()).chain(f.names.text(wenzhen_pack::Locale::En).split(' '));
        words.any(|word| said.iter().any(|s| word.len() >= 3 && s.starts_with(word.get(..3).unwrap_or(word))))
    };
    pack.findings.iter().find(|f| f.askable() && !like(f)).unwrap().clone()
}

#[tokio::test]
async fn what_the_model_made_up_is_dropped() {
    let plain = findings(false);
    let text = format!("{} And my {FOREIGN}.", said(&plain[0]));
    let unasked = unlike(&text);
    let entries = [
        ("no-such-finding", "present", FOREIGN),
        (unasked.id.as_str(), "present", FOREIGN),
        (plain[2].id.as_str(), "present", "words that nobody said"),
        (plain[2].id.as_str(), "maybe", FOREIGN),
    ];
    let response = interpret(&text, &[&plain[2]], says(&entries)).await;
    let read: Vec<_> = response.observations.iter().map(|o| (o.finding_id.clone(), o.state())).collect();
    assert_eq!(
        read,
        builtin(&said(&plain[0])),
        "an unknown id, one that was not offered, a false quotation, a wrong state"
    );
    assert!(response.degraded.is_empty());
}

#[tokio::test]
async fn no_reading_of_a_model_loses_a_danger_sign() {
    let (plain, danger) = (findings(false), findings(true));
    let (sign, other) = (&danger[0], &danger[1]);
    let text = format!("{} My {FOREIGN}.", said(sign));
    let denied = says(&[(&sign.id, "denied", FOREIGN), (&other.id, "denied", FOREIGN)]);
    let response = interpret(&text, &[other], denied).await;
    let kept = observed(&response, sign).unwrap();
    assert_eq!((kept.state(), kept.probability), (FindingState::Present, None));
    assert!(observed(&response, other).is_none(), "a denial from a model alone could hide it");
    let denying = format!("I do not have {}. My {FOREIGN}.", sign.names.text(wenzhen_pack::Locale::En));
    assert!(builtin(&denying).contains(&(sign.id.clone(), FindingState::Denied)), "{denying}");
    let response = interpret(&denying, &[], says(&[(&sign.id, "present", FOREIGN)])).await;
    assert_eq!(observed(&response, sign).unwrap().state(), FindingState::Present, "what either holds present is");
    let text = format!("{} My {FOREIGN}.", said(&plain[0]));
    let response = interpret(&text, &[], says(&[(&plain[0].id, "denied", FOREIGN)])).await;
    let doubted = observed(&response, &plain[0]).unwrap();
    assert_eq!((doubted.state(), doubted.probability), (FindingState::Present, Some(0.7)), "less sure");
}

#[tokio::test]
async fn what_cannot_be_used_leaves_the_built_in_reading_and_says_so() {
    let plain = findings(false);
    let text = said(&plain[0]);
    let faults = [
        (Script::Say("{\"findings\": [{\"id\"".into()), "malformed"),
        (Script::Say("I will not.".into()), "malformed"),
        (Script::Refuse(Error::Overloaded { retry_after: Duration::from_secs(1) }), "overloaded"),
        (Script::Refuse(Error::Unavailable("x")), "unavailable"),
        (Script::Fail("{".into(), Error::Deadline), "deadline"),
        (Script::Fail("{".into(), Error::NotANumber), "internal"),
    ];
    for (script, reason) in faults {
        let response = interpret(&text, &[], script).await;
        let read: Vec<_> = response.observations.iter().map(|o| (o.finding_id.clone(), o.state())).collect();
        assert_eq!(read, builtin(&text), "{reason}");
        let degraded: Vec<_> = response.degraded.iter().map(|d| (d.reason.as_str(), d.fell_back)).collect();
        assert_eq!(degraded, [(reason, true)]);
        assert_eq!(response.pins.unwrap().model_version, "builtin");
    }
    let long = format!("{text} {}", "and so on ".repeat(700));
    let response = interpret(&long, &[], says(&[])).await;
    assert_eq!(response.degraded[0].reason, "too_long", "it is not cut");
    assert!(observed(&response, &plain[0]).is_some());
}

#[tokio::test]
async fn only_an_intent_that_was_not_understood_is_the_models() {
    let intent = |intent: &str| Script::Say(json!({"intent": intent, "findings": []}).to_string());
    let asked = &findings(false)[0];
    let hear = |words: &'static str, said: &'static str| async move {
        interpret(words, &[asked], intent(said)).await.intent()
    };
    assert_eq!(hear("zorb blink wibble", "asks_diagnosis").await, Intent::AsksDiagnosis);
    let before = interpret("zorb blink wibble", &[asked], Script::Say("x".into())).await.intent();
    assert_eq!(hear("zorb blink wibble", "wants_stop").await, before, "no model ends a consultation");
    assert_eq!(hear("I want to stop", "report").await, Intent::WantsStop);
}

#[tokio::test]
async fn a_quick_answer_needs_no_model() {
    let asked = &findings(false)[0];
    let request = InterpretRequest {
        pins: pins(),
        text: "1".into(),
        asked_finding_ids: vec![asked.id.clone()],
        quick_answers: vec!["yes".into(), "no".into()],
        locale: Locale::En.into(),
        ..InterpretRequest::default()
    };
    let mut client = client(|_| panic!("the model was asked"));
    let response = client.interpret(request).await.unwrap().into_inner();
    assert_eq!((response.pins.unwrap().model_version.as_str(), response.degraded.len()), ("builtin", 0));
}

/// The answer to a request to ask, and the words of the frame.
async fn ask(finding: &Finding, script: impl Fn(&str) -> Script + Send + Sync + 'static) -> (AskResponse, String) {
    let request = AskRequest {
        pins: pins(),
        finding_ids: vec![finding.id.clone()],
        locale: Locale::En.into(),
        seed: 5,
        ..AskRequest::default()
    };
    let frame = GuidanceServer::over(vec![interpreter()]).ask_now(&request).unwrap().text;
    let framed = frame.clone();
    let response = client(move |_| script(&framed)).ask(request).await.unwrap().into_inner();
    (response, frame)
}

/// A finding whose question reads back as itself.
fn readable() -> Vec<Finding> {
    let pack = pack();
    let reads = |f: &&Finding| {
        let ix = |id| pack.finding(id);
        let asked = f.ask.as_ref().map(|ask| ask.text(wenzhen_pack::Locale::En).to_owned()).unwrap_or_default();
        f.askable() && interpreter().mentions(&format!("{asked}?")) == ix(&f.id).into_iter().collect::<Vec<FindingIx>>()
    };
    pack.findings.iter().filter(reads).take(12).cloned().collect()
}

#[tokio::test]
async fn a_question_may_be_worded_anew_where_it_reads_back_the_same() {
    let mut worded = 0;
    for finding in readable() {
        let (response, frame) = ask(&finding, |frame| Script::Say(format!("Tell me please, {frame}"))).await;
        if response.text == format!("Tell me please, {frame}") {
            worded += 1;
            assert_eq!(response.pins.unwrap().model_version, "scripted");
            assert!(!response.frame.is_empty() && !response.quick_answers.is_empty(), "quick answers are the frame's");
        } else {
            assert_eq!(response.text, frame);
        }
    }
    assert!(worded >= 6, "{worded} of 12");
}

/// Many a quality has no name without the question around it.
#[tokio::test]
async fn a_question_that_the_lexicon_does_not_read_is_worded_anew_in_the_words_of_its_clause() {
    let readable = |f: &&Finding| {
        let asked = f.ask.as_ref().map(|ask| ask.text(wenzhen_pack::Locale::En).to_owned()).unwrap_or_default();
        interpreter().mentions(&format!("{asked}?")).contains(&pack().finding(&f.id).unwrap())
    };
    let unread: Vec<Finding> = pack().findings.iter().filter(|f| f.askable() && !readable(f)).cloned().collect();
    let mut worded = 0;
    for finding in &unread {
        let (response, frame) = ask(finding, |frame| Script::Say(format!("Tell me please, {frame}"))).await;
        worded += usize::from(response.text == format!("Tell me please, {frame}"));
        let (response, frame) = ask(finding, |_| Script::Say("Tell me please, is it so?".into())).await;
        assert_eq!(response.text, frame);
    }
    // The others name a condition, which no model may do.
    assert!(worded * 4 >= unread.len() * 3, "{worded} of {}", unread.len());
}

#[tokio::test]
async fn a_question_that_asks_something_else_gives_way_to_the_frame() {
    let (finding, other) = (&readable()[0], &readable()[1]);
    let name = other.names.text(wenzhen_pack::Locale::En).to_owned();
    let condition = pack().conditions[0].name(wenzhen_pack::Locale::En);
    type Spoil = Box<dyn Fn(&str) -> String + Send + Sync>;
    let bad: Vec<Spoil> = vec![
        Box::new(|_| "How are you?".into()),
        Box::new(move |frame| frame.replace('?', &format!(" or {name}?"))),
        Box::new(move |frame| format!("It may be {condition}, so {frame}")),
        Box::new(|frame| format!("{frame} And how long?")),
        Box::new(|frame| frame.replace('?', ".")),
        Box::new(|frame| format!("Take 30 grams. {frame}")),
        Box::new(|_| String::new()),
    ];
    for words in bad {
        let (response, frame) = ask(finding, move |frame| Script::Say(words(frame))).await;
        assert_eq!(response.text, frame);
        assert_eq!(response.degraded[0].reason, "guard");
        assert_eq!(response.pins.unwrap().model_version, "builtin");
    }
}

#[tokio::test]
async fn describe_names_the_voice_and_its_model() {
    let about = client(|_| Script::Say(String::new())).describe(DescribeRequest {}).await.unwrap().into_inner();
    assert_eq!((about.voice.as_str(), about.model.as_str()), ("scripted", "scripted"));
}
