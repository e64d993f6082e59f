//! Exchanges with a model that a test puts words into the mouth of.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use wenzhen_llm::{Engine, Error, Script, Scripted};
use wenzhen_service::Deadline;
use wenzhen_voices::{Exchange, Fault, Speaker, Task, VoiceMetrics};

fn speaker(engine: &Arc<Scripted>) -> Speaker {
    Speaker::new("scripted", engine.clone(), Duration::from_secs(30), VoiceMetrics::default())
}

fn saying(script: Script) -> Speaker {
    speaker(&Arc::new(Scripted::new(move |_| script.clone())))
}

fn exchange() -> Exchange {
    Exchange {
        task: Task::Ask,
        system: "s".into(),
        user: "u".into(),
        schema: None,
        max_tokens: 64,
        temperature: 0.0,
        seed: 1,
    }
}

#[tokio::test]
async fn what_a_model_thinks_aloud_is_not_said() {
    for (written, said) in [
        ("<think>secret</think>\nHello.", "Hello."),
        ("\n<think></think> Hello.", "Hello."),
        ("Hello <think>.", "Hello <think>."),
        ("<th", "<th"),
        ("<think>secret", ""),
        ("", ""),
    ] {
        let text = saying(Script::Say(written.into())).text(exchange()).await;
        assert_eq!(text.as_deref(), Ok(said), "{written}");
    }
}

#[tokio::test]
async fn a_text_without_an_end_is_none_but_a_whole_object_will_do() {
    let long = Script::Say(format!("{{\"a\":1}}{}", " ".repeat(100)));
    assert_eq!(saying(long.clone()).text(exchange()).await, Err(Fault::Malformed));
    assert_eq!(saying(long).json::<Value>(exchange()).await, Ok(serde_json::json!({"a": 1})));
}

#[tokio::test]
async fn every_failure_of_an_engine_is_a_fixed_reason() {
    let overflow = Error::ContextOverflow { tokens: 9, limit: 8 };
    for (error, fault) in [
        (Error::Overloaded { retry_after: Duration::from_secs(1) }, Fault::Overloaded),
        (Error::Deadline, Fault::Deadline),
        (overflow, Fault::TooLong),
        (Error::Request("x"), Fault::Internal),
        (Error::Schema("x".into()), Fault::Internal),
        (Error::Unavailable("x"), Fault::Unavailable),
        (Error::Malformed("x"), Fault::Malformed),
        (Error::NotANumber, Fault::Internal),
    ] {
        assert_eq!(saying(Script::Refuse(error.clone())).text(exchange()).await, Err(fault));
        assert_eq!(saying(Script::Fail("a".into(), error)).text(exchange()).await, Err(fault));
    }
    let engine = Arc::new(Scripted::new(|_| Script::Stall("a".into())));
    let stalled = tokio::spawn({
        let speaker = speaker(&engine);
        async move { speaker.text(exchange()).await }
    });
    while engine.statistics().running == 0 {
        tokio::task::yield_now().await;
    }
    engine.close();
    assert_eq!(stalled.await.unwrap(), Err(Fault::Deadline), "an engine that closes cancels");
}

#[tokio::test]
async fn a_model_has_a_share_of_the_calls_time() {
    let began = Instant::now();
    let call = Deadline::after(Duration::from_millis(500));
    let late = call.scope(saying(Script::Stall("a".into())).text(exchange())).await;
    assert_eq!(late, Err(Fault::Deadline));
    assert!(!call.expired(), "the built-in voice has time left after {:?}", began.elapsed());
}

#[tokio::test]
async fn words_that_nobody_waits_for_are_not_made() {
    let engine = Arc::new(Scripted::new(|_| Script::Stall("a".into())));
    let mut words = speaker(&engine).speak(exchange()).unwrap();
    assert_eq!(words.next().await, Ok(Some("a".to_owned())));
    drop(words);
    while engine.statistics().running > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_probe_is_a_real_generation() {
    assert_eq!(saying(Script::Say("yes".into())).probe().await, Ok(()));
    assert_eq!(saying(Script::Refuse(Error::Unavailable("x"))).probe().await, Err(Fault::Unavailable));
}
