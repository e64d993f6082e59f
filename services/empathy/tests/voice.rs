//! Empathy through a model that a test puts words into the mouth of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{pack, pins, voice};
use serde_json::{Value, json};
use tonic::transport::Channel;
use wenzhen_empathy::EmpathyServer;
use wenzhen_llm::{Error, Request, Script, Scripted};
use wenzhen_pack::Locale;
use wenzhen_proto::clinical::v1::{
    Draft, Emotion, EmotionAssessment, EmpathyNecessity, Fact, FactKind, Locale as LocaleMessage,
};
use wenzhen_proto::empathy::v1::empathy_service_client::EmpathyServiceClient;
use wenzhen_proto::empathy::v1::empathy_service_server::EmpathyServiceServer;
use wenzhen_proto::empathy::v1::modulate_response::Piece;
use wenzhen_proto::empathy::v1::{AssessRequest, AssessResponse, ModulateDone, ModulateRequest, Order};
use wenzhen_voices::{Speaker, VoiceMetrics};

/// Plain words without a feeling that the lexicon knows.
const PLAIN: &str = "the zorblings blink again";
const KIND: &str = "I hear you, and we will go through this slowly.";

fn client(answer: impl Fn(&Request) -> Script + Send + Sync + 'static) -> EmpathyServiceClient<Channel> {
    let engine = Arc::new(Scripted::new(answer));
    let speaker = Speaker::new("scripted", engine, Duration::from_secs(10), VoiceMetrics::default());
    let server = EmpathyServer::new(vec![pack()]).unwrap().speaking(Some(speaker)).unwrap();
    let routes = tonic::service::Routes::new(EmpathyServiceServer::new(server));
    EmpathyServiceClient::new(wenzhen_service::in_process(routes).0)
}

async fn assess(text: &str, script: Script) -> AssessResponse {
    let request =
        AssessRequest { pins: pins(), text: text.into(), locale: LocaleMessage::En.into(), ..Default::default() };
    client(move |_| script.clone()).assess(request).await.unwrap().into_inner()
}

fn felt(change: impl FnOnce(&mut Value)) -> Script {
    let mut answer = json!({
        "emotion": "anxiety", "intensity": 3, "necessity": "light", "evidence": "blink again", "crisis": false, "preface": KIND,
    });
    change(&mut answer);
    Script::Say(answer.to_string())
}

#[tokio::test]
async fn an_assessment_of_the_model_is_made_to_agree_with_itself() {
    let response = assess(PLAIN, felt(|_| ())).await;
    let assessment = response.assessment.unwrap();
    let span = assessment.evidence.unwrap();
    assert_eq!(&PLAIN[span.start as usize..span.end as usize], "blink again");
    assert_eq!((assessment.emotion(), assessment.intensity), (Emotion::Anxiety, 3));
    assert_eq!((assessment.necessity(), response.preface.as_str()), (EmpathyNecessity::Light, KIND));
    let pins = response.pins.unwrap();
    assert_eq!((pins.model_version.as_str(), pins.prompt_version.len()), ("scripted", 12));
    let response = assess(PLAIN, felt(|a| a["emotion"] = "neutral".into())).await;
    let neutral = response.assessment.unwrap();
    assert_eq!((neutral.intensity, neutral.necessity(), response.preface.as_str()), (0, EmpathyNecessity::None, ""));
    let response = assess(PLAIN, felt(|a| a["intensity"] = 77.into())).await;
    assert_eq!(response.assessment.unwrap().intensity, 5);
}

#[tokio::test]
async fn a_crisis_is_never_lowered_and_one_needs_words_that_show_it() {
    let words = voice(Locale::En).modifiers.crisis[0].clone();
    let builtin = assess(&words, Script::Refuse(Error::Unavailable("x"))).await;
    assert!(builtin.assessment.unwrap().crisis);
    assert_eq!(assess(&words, felt(|_| ())).await, builtin, "the model was not even asked");
    let heard = assess(PLAIN, felt(|a| a["crisis"] = true.into())).await;
    let assessment = heard.assessment.unwrap();
    assert!(assessment.crisis && assessment.necessity() == EmpathyNecessity::Full);
    assert!(voice(Locale::En).urgent.contains(&heard.preface), "{}", heard.preface);
    let made_up = felt(|a| (a["crisis"], a["evidence"]) = (true.into(), "never said".into()));
    assert!(!assess(PLAIN, made_up).await.assessment.unwrap().crisis);
}

#[tokio::test]
async fn a_preface_that_may_not_be_said_gives_way() {
    let condition = pack().conditions[0].name(Locale::En);
    for bad in [
        format!("It is only {condition}."),
        "You will surely be cured.".into(),
        "Does it hurt?".into(),
        "Take 30 grams.".into(),
        "One. Two. Three words.".into(),
        String::new(),
    ] {
        let response = assess(PLAIN, felt(|a| a["preface"] = bad.clone().into())).await;
        assert!(response.preface.is_empty() || response.preface != bad, "{bad}");
        assert_eq!((response.degraded[0].reason.as_str(), response.degraded[0].fell_back), ("guard", true), "{bad}");
    }
}

#[tokio::test]
async fn what_cannot_be_used_leaves_the_built_in_assessment_and_says_so() {
    let builtin = EmpathyServer::new(vec![pack()]).unwrap();
    let request =
        AssessRequest { pins: pins(), text: PLAIN.into(), locale: LocaleMessage::En.into(), ..Default::default() };
    let builtin = builtin.assess_message(&request).unwrap();
    for (script, reason) in [
        (Script::Say("{\"emotion\":".into()), "malformed"),
        (felt(|a| a["emotion"] = "envy".into()), "malformed"),
        (felt(|a| a["intensity"] = "much".into()), "malformed"),
        (Script::Refuse(Error::Unavailable("x")), "unavailable"),
        (Script::Fail("{".into(), Error::Deadline), "deadline"),
    ] {
        let mut response = assess(PLAIN, script).await;
        assert_eq!(response.degraded.remove(0).reason, reason);
        assert_eq!(response, builtin);
    }
}

/// A draft of three sentences around facts that the pack words.
fn draft(kind: FactKind) -> Draft {
    let pack = pack();
    let advice = pack.conditions.iter().flat_map(|c| c.advice.list(Locale::En).to_vec()).take(3);
    let fact = |(at, text): (usize, String)| Fact {
        id: format!("f{}", at + 1),
        kind: kind.into(),
        text: text.trim_end_matches('.').to_owned(),
        ..Fact::default()
    };
    Draft {
        locale: LocaleMessage::En.into(),
        text: "{{f1}}. {{f2}}.\n{{f3}}.".into(),
        facts: advice.enumerate().map(fact).collect(),
    }
}

async fn modulate(draft: Draft, order: Order, script: Script) -> (String, ModulateDone) {
    let assessment = EmotionAssessment {
        emotion: Emotion::Anxiety.into(),
        intensity: 3,
        necessity: EmpathyNecessity::Light.into(),
        ..EmotionAssessment::default()
    };
    let request = ModulateRequest {
        pins: pins(),
        draft: Some(draft),
        assessment: Some(assessment),
        order: order.into(),
        seed: 4,
        ..ModulateRequest::default()
    };
    let mut client = client(move |_| script.clone());
    let mut pieces = client.modulate(request).await.unwrap().into_inner();
    let (mut text, mut done) = (String::new(), None);
    while let Some(response) = pieces.message().await.unwrap() {
        assert!(done.is_none(), "nothing comes after the end");
        match response.piece.unwrap() {
            Piece::Text(piece) => text.push_str(&piece),
            Piece::Done(end) => done = Some(end),
        }
    }
    (text, done.expect("an end"))
}

/// The built-in rewriting, as it is where the model cannot be used.
async fn without(draft: Draft, order: Order) -> String {
    modulate(draft, order, Script::Refuse(Error::Unavailable("x"))).await.0
}

fn once(text: &str) -> bool {
    ["{{f1}}", "{{f2}}", "{{f3}}"].iter().all(|slot| text.matches(slot).count() == 1)
}

#[tokio::test]
async fn a_clean_rewriting_goes_through_in_every_order() {
    let around = format!("{KIND} Please think of this: {{{{f1}}}}. And of this: {{{{f2}}}}. At last: {{{{f3}}}}.");
    for order in [Order::FactToEmpathy, Order::SingleStage] {
        let (text, done) = modulate(draft(FactKind::Advice), order, Script::Say(around.clone())).await;
        assert_eq!(text, around);
        assert_eq!((done.degraded.len(), done.pins.unwrap().model_version.as_str()), (0, "scripted"));
    }
    let (text, done) = modulate(draft(FactKind::Advice), Order::EmpathyToFact, Script::Say(KIND.into())).await;
    assert!(text.starts_with(KIND) && once(&text), "{text}");
    assert!(done.degraded.is_empty());
}

#[tokio::test]
async fn the_first_wrong_sentence_ends_the_models_part() {
    let condition = pack().conditions[0].name(Locale::En);
    let bad = [
        (format!("{KIND} Take this to heart: {{{{f1}}}}. It is {condition}. {{{{f2}}}}. {{{{f3}}}}."), "guard"),
        (format!("{KIND} Take this to heart: {{{{f1}}}}. And once more: {{{{f1}}}}. {{{{f2}}}}. {{{{f3}}}}."), "guard"),
        (format!("{KIND} Take this to heart: {{{{f1}}}}. {{{{f77}}}}. "), "guard"),
        (format!("{KIND} Take this to heart: {{{{f1}}}}. "), "malformed"),
    ];
    for (words, reason) in bad {
        let (text, done) = modulate(draft(FactKind::Advice), Order::FactToEmpathy, Script::Say(words.clone())).await;
        assert!(text.starts_with(&format!("{KIND} Take this to heart: {{{{f1}}}}.")), "{text}");
        assert!(once(&text) && !text.contains(&condition) && !text.contains("f77"), "{words}: {text}");
        assert_eq!((done.degraded[0].reason.as_str(), done.degraded[0].fell_back), (reason, true), "{words}");
    }
    let broken = Script::Fail(format!("{KIND} Take this to heart: {{{{f1}}}}. And th"), Error::Unavailable("x"));
    let (text, done) = modulate(draft(FactKind::Advice), Order::FactToEmpathy, broken).await;
    assert!(once(&text) && !text.contains("And th") && done.degraded[0].reason == "unavailable", "{text}");
}

#[tokio::test]
async fn nothing_clean_at_all_is_the_built_in_rewriting() {
    let condition = pack().conditions[0].name(Locale::En);
    for order in [Order::FactToEmpathy, Order::EmpathyToFact, Order::SingleStage] {
        let builtin = without(draft(FactKind::Advice), order).await;
        assert!(once(&builtin));
        for words in [String::new(), "qx zz {{f1 }} {".repeat(40), format!("You have {condition}."), "<think>hm".into()]
        {
            let (text, done) = modulate(draft(FactKind::Advice), order, Script::Say(words.clone())).await;
            assert_eq!(text, builtin, "{order:?} {words}");
            assert_eq!((done.degraded.len(), done.pins.unwrap().model_version.as_str()), (1, "builtin"), "{words}");
        }
    }
}

#[tokio::test]
async fn what_is_urgent_is_not_reworded() {
    let urgent = draft(FactKind::Urgency);
    let builtin = without(urgent.clone(), Order::FactToEmpathy).await;
    let (text, done) = modulate(urgent, Order::FactToEmpathy, Script::Say(format!("{KIND} {{{{f1}}}}."))).await;
    assert_eq!((text, done.degraded.len()), (builtin, 0));
}
