//! What the tests of the stores share: events to append, and Redis servers of their own.

#![allow(dead_code, reason = "not every test file uses everything")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

pub mod groups;
pub mod server;
pub mod writers;

use std::time::{Duration, Instant};

use wenzhen_orchestrator::store::{Append, ConsultationId, RedisStore, Summary};
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{Event, MessageReceived};
use wenzhen_redis::{Redis, RedisError, Settings};

pub fn event(version: u64, text: &str) -> Event {
    let kind = Kind::MessageReceived(MessageReceived { text: text.into(), ..MessageReceived::default() });
    Event { version, turn: 1, kind: Some(kind), ..Event::default() }
}

/// The text of an event made by [`event`].
pub fn text(event: &Event) -> &str {
    match &event.kind {
        Some(Kind::MessageReceived(message)) => &message.text,
        other => panic!("not an event of these tests: {other:?}"),
    }
}

pub fn append(id: ConsultationId, expected: u64, texts: &[&str]) -> Append {
    let events = (expected + 1..).zip(texts).map(|(version, text)| event(version, text)).collect();
    Append { id, expected, events, summary: Summary { expires_day: 20_000, ..Summary::default() } }
}

/// Settings with short timeouts.
pub fn settings(url: &str) -> Settings {
    Settings {
        response_timeout: Duration::from_millis(400),
        connect_timeout: Duration::from_millis(400),
        ..Settings::at(url).unwrap()
    }
}

pub async fn connect(settings: Settings) -> Result<Redis, RedisError> {
    Redis::connect(settings, Duration::ZERO).await
}

pub async fn store(url: &str) -> RedisStore {
    RedisStore::new(connect(settings(url)).await.unwrap())
}

/// Asks until it is so. A test that waits for more than 20 seconds has failed.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    while !so().await {
        assert!(begin.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        pause.tick().await;
    }
}
