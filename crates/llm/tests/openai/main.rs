//! The `openai` engine against a good server (the conformance kit) and against broken ones.

#![cfg(feature = "openai")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::Handle;
use wenzhen_llm::conformance::{Subject, check};
use wenzhen_llm::openai::{Limits, OpenAi, Settings, SettingsError};
use wenzhen_llm::{End, Engine, Error, Finish, Message, Outcome, Request};

use server::{HEAD, Reply, Server, finish, nobody, status, text};

fn engine(urls: &[&str], limits: Limits) -> OpenAi {
    let urls = urls.iter().map(ToString::to_string).collect();
    OpenAi::start(Settings { limits, ..Settings::new(urls, "model-of-the-test") }, Handle::current()).unwrap()
}

fn quick() -> Limits {
    let soon = Duration::from_millis(200);
    Limits { connect: Duration::from_secs(5), first_byte: soon, between_bytes: soon, ..Limits::default() }
}

fn request() -> Request {
    Request::new(vec![Message::system("be brief"), Message::user("secret words")], 8)
}

/// Asks servers once; gives the text and the end.
async fn ask(urls: &[&str]) -> (String, End) {
    ask_within(urls, Limits::default()).await
}

async fn ask_within(urls: &[&str], limits: Limits) -> (String, End) {
    engine(urls, limits).submit(request()).unwrap().whole().await
}

/// The failure that an answer of these bytes leads to.
async fn failure(answer: &str) -> (String, Error) {
    let bytes = answer.as_bytes().to_vec();
    let server = Server::start(move |_| Reply::Bytes(bytes.clone())).await;
    let (text, end) = ask(&[&server.url]).await;
    let Outcome::Failed(error) = end.outcome else { panic!("{:?}", end.outcome) };
    assert!(!error.to_string().contains("secret"), "{error}");
    (text, error)
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let server = Server::good().await;
    let make = || async {
        let limits = Limits { running: 3, waiting: 2, ..Limits::default() };
        Subject { engine: Arc::new(engine(&[&server.url], limits)), running: 3, waiting: 2 }
    };
    check(make).await;
}

#[tokio::test]
async fn a_request_reaches_the_server_with_model_schema_and_key() {
    let server = Server::start(|_| Reply::Bytes(format!("{HEAD}{}{}", text("yes"), finish("stop")).into_bytes())).await;
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, "key-of-the-test\n").unwrap();
    let settings =
        Settings { key_file: Some(key_file), ..Settings::new(vec![server.url.clone()], "model-of-the-test") };
    assert!(!format!("{settings:?}").contains("key-of-the-test"));
    let engine = OpenAi::start(settings, Handle::current()).unwrap();
    let schema = json!({"type": "object"});
    let request = Request { schema: Some(Arc::new(schema.clone())), ..request() };
    let (text, end) = engine.submit(request).unwrap().whole().await;
    assert_eq!((text.as_str(), end.outcome), ("yes", Outcome::Finished(Finish::Stop)), "an end without [DONE] will do");
    let asked = server.asked.lock().pop().unwrap();
    assert!(asked.head.starts_with("post /v1/chat/completions http/1.1\r\n"), "{}", asked.head);
    assert!(asked.head.contains("authorization: bearer key-of-the-test\r\n"), "{}", asked.head);
    assert_eq!(asked.body["model"], "model-of-the-test");
    assert_eq!(asked.body["response_format"]["json_schema"]["schema"], schema);
    assert_eq!(asked.body["messages"][1]["content"], "secret words");
}

#[tokio::test]
async fn broken_answers_end_as_failed_and_keep_what_came() {
    let half = text("half");
    let cases = [
        (format!("{HEAD}{half}"), "half", "broke off"),
        (format!("{HEAD}{half}data: [DONE]\n\n"), "half", "broke off"),
        (format!("{HEAD}{half}data: {{\"secret\n\n"), "half", "no chunk"),
        (format!("{HEAD}{half}data: {{\"error\":{{\"message\":\"secret\"}}}}\n\n"), "half", "failed while it answered"),
        (format!("{HEAD}data: {}\n", "a".repeat(300 * 1024)), "", "too long"),
        (format!("{HEAD}{}", "secret words ".repeat(40_000)), "", "too long"),
        ("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\nsecret".into(), "", "no stream"),
        ("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}".into(), "", "no stream"),
        ("HTTP/1.1 301 Moved\r\nlocation: http://secret\r\ncontent-length: 0\r\n\r\n".into(), "", "status"),
        ("HTTP/1.1 500 Oh\r\ncontent-length: 6\r\n\r\nsecret".into(), "", "it failed"),
        ("HTTP/1.1 401 No\r\ncontent-length: 6\r\n\r\nsecret".into(), "", "refuses the key"),
        ("HTTP/1.1 404 No\r\ncontent-length: 6\r\n\r\nsecret".into(), "", "does not know"),
        ("HTTP/1.1 400 No\r\ncontent-length: 6\r\n\r\nsecret".into(), "", "refused"),
        ("secret\r\n\r\n".into(), "", "before it answered"),
        (String::new(), "", "before it answered"),
        (
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n{half}"),
            "half",
            "connection broke",
        ),
    ];
    for (answer, came, why) in cases {
        let (text, error) = failure(&answer).await;
        let shown: String = answer.chars().take(120).collect();
        assert_eq!(text, came, "{shown}");
        assert!(error.to_string().contains(why), "{shown}: {error}");
    }
}

#[tokio::test]
async fn no_room_comes_with_a_hint() {
    let overloaded = |headers: &'static str| async move {
        let server = Server::start(move |_| status("429 Too Many Requests", headers, "secret")).await;
        ask(&[&server.url]).await.1.outcome
    };
    let after = |seconds| Outcome::Failed(Error::Overloaded { retry_after: Duration::from_secs(seconds) });
    assert_eq!(overloaded("retry-after: 7\r\n").await, after(7));
    assert_eq!(overloaded("").await, after(1));
    assert_eq!(overloaded("retry-after: soon\r\n").await, after(1));
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_told_apart() {
    let told = r#"{"error":{"code":400,"type":"exceed_context_size_error","message":"secret","n_prompt_tokens":5000,"n_ctx":4096}}"#;
    let server = Server::start(move |_| status("400 Bad Request", "", told)).await;
    let outcome = ask(&[&server.url]).await.1.outcome;
    assert_eq!(outcome, Outcome::Failed(Error::ContextOverflow { tokens: 5000, limit: 4096 }));
    let told = r#"{"object":"error","message":"This model's maximum context length is 4096 tokens."}"#;
    let server = Server::start(move |_| status("400 Bad Request", "", told)).await;
    assert!(matches!(ask(&[&server.url]).await.1.outcome, Outcome::Failed(Error::ContextOverflow { .. })));
}

#[tokio::test]
async fn stalls_end_in_time() {
    let cases = [
        (String::new(), "begin to answer"),
        (HEAD.to_owned(), "in the middle"),
        (format!("{HEAD}{}", text("half")), "in the middle"),
    ];
    for (answer, why) in cases {
        let bytes = answer.clone().into_bytes();
        let server = Server::start(move |_| Reply::Stall(bytes.clone())).await;
        let began = Instant::now();
        let (_, end) = ask_within(&[&server.url], quick()).await;
        let Outcome::Failed(error) = end.outcome else { panic!("{:?}", end.outcome) };
        assert!(error.to_string().contains(why), "{answer}: {error}");
        assert!(began.elapsed() < Duration::from_secs(10));
        let deadline = Some(Instant::now() + Duration::from_millis(30));
        let engine = engine(&[&server.url], Limits::default());
        let late = engine.submit(Request { deadline, ..request() }).unwrap();
        assert_eq!(late.whole().await.1.outcome, Outcome::Failed(Error::Deadline), "{answer}");
    }
}

#[tokio::test]
async fn before_the_first_byte_another_server_is_asked_once() {
    let good = Server::good().await;
    let gone = nobody().await;
    let closes = Server::start(|_| Reply::Bytes(Vec::new())).await;
    let fails = Server::start(|_| status("503 Away", "", "")).await;
    let full = Server::start(|_| status("429 Too Many Requests", "retry-after: 9\r\n", "")).await;
    let page = Server::start(|_| status("200 OK", "content-type: text/html\r\n", "secret")).await;
    let stalls = Server::start(|_| Reply::Stall(Vec::new())).await;
    for bad in [&gone, &closes.url, &fails.url, &full.url, &page.url, &stalls.url] {
        // Whichever is asked first, both are asked in two generations.
        let engine = engine(&[bad, &good.url], quick());
        for _ in 0..2 {
            let (text, end) = engine.submit(request()).unwrap().whole().await;
            assert_eq!(end.outcome, Outcome::Finished(Finish::Length), "{bad}");
            assert_eq!(text.len(), 8);
        }
    }
    let outcome = ask(&[&full.url, &fails.url]).await.1.outcome;
    assert!(matches!(outcome, Outcome::Failed(Error::Overloaded { .. })), "no room says more than away: {outcome:?}");
    let outcome = ask(&[&closes.url, &fails.url, &gone]).await.1.outcome;
    assert!(matches!(outcome, Outcome::Failed(Error::Unavailable(_))), "{outcome:?}");
}

#[tokio::test]
async fn after_the_first_byte_nobody_else_is_asked() {
    let broken = Server::start(|_| Reply::Bytes(format!("{HEAD}{}", text("half")).into_bytes())).await;
    let other = Server::start(|_| Reply::Bytes(format!("{HEAD}{}", text("half")).into_bytes())).await;
    let (text, end) = ask(&[&broken.url, &other.url]).await;
    assert_eq!((text.as_str(), broken.requests() + other.requests()), ("half", 1), "{:?}", end.outcome);
    let refuses = Server::start(|_| status("400 Bad Request", "", "secret")).await;
    let other = Server::start(|_| status("400 Bad Request", "", "secret")).await;
    ask(&[&refuses.url, &other.url]).await;
    assert_eq!(refuses.requests() + other.requests(), 1, "a wrong request is wrong everywhere");
}

#[tokio::test]
async fn generations_go_round_the_servers() {
    let (one, two) = (Server::good().await, Server::good().await);
    let engine = engine(&[&one.url, &two.url], Limits::default());
    let all = (0..10).map(|_| engine.submit(request()).unwrap().whole());
    let ended = futures::future::join_all(all).await;
    assert!(ended.iter().all(|(text, _)| text == &ended[0].0));
    assert_eq!((one.requests(), two.requests()), (5, 5));
}

#[tokio::test]
async fn a_certificate_that_nobody_signed_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = Some(folder.path().join("ca.pem"));
    let own = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    std::fs::write(ca_file.as_ref().unwrap(), own.cert.pem()).unwrap();
    let server = Server::good().await;
    let url = server.url.replace("http://", "https://");
    let settings = Settings { ca_file, ..Settings::new(vec![url], "m") };
    let engine = OpenAi::start(settings, Handle::current()).unwrap();
    let end = engine.submit(request()).unwrap().whole().await.1;
    assert!(matches!(end.outcome, Outcome::Failed(Error::Unavailable(_))), "{:?}", end.outcome);
}

#[tokio::test]
async fn settings_that_cannot_work_are_told_before_anything_is_served() {
    let start = |settings| OpenAi::start(settings, Handle::current()).err();
    let good = || Settings::new(vec!["http://a".into()], "m");
    assert!(matches!(start(Settings::new(vec![], "m")), Some(SettingsError::NoUrl)));
    assert!(matches!(start(Settings::new(vec!["a".into()], "m")), Some(SettingsError::Url { .. })));
    assert!(matches!(start(Settings::new(vec!["http://a".into()], " ")), Some(SettingsError::Model)));
    let limits = Limits { running: 0, ..Limits::default() };
    assert!(matches!(start(Settings { limits, ..good() }), Some(SettingsError::Running)));
    assert!(matches!(start(Settings { key_file: Some("none".into()), ..good() }), Some(SettingsError::File { .. })));
    let urls = vec!["https://a".to_owned()];
    let ca_file = Some("none".into());
    assert!(matches!(start(Settings { urls, ca_file, ..good() }), Some(SettingsError::File { .. })));
}
