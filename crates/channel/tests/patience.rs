//! Attempts that stay without an answer: after their share of the time the call goes elsewhere as well, and the first
//! answer wins. Slow is not dead.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use support::network::{Names, Network};
use support::replica::Script;
use support::{call, caller, connect, metric};
use tokio::time::Instant;
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use wenzhen_channel::{Balanced, Settings};
use wenzhen_service::Metrics;

const SECOND: Duration = Duration::from_secs(1);

async fn over(scripts: &[&Script], idempotent: bool) -> (Balanced, Metrics) {
    let network = Network::default();
    let addresses: Vec<_> = (1..).zip(scripts).map(|(number, script)| network.start(number, script)).collect();
    let (channel, metrics) = connect(Settings {
        idempotent: Arc::new(move |_| idempotent),
        connector: Arc::new(network),
        resolver: Arc::new(Names::of(addresses)),
        seed: Some(5),
        ..Settings::default()
    });
    while channel.endpoints().ready < scripts.len() {
        tokio::time::sleep(SECOND / 1000).await;
    }
    (channel, metrics)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_answered_by_another_replica() {
    let (silent, well) = (Script::silent(), Script::well());
    let (channel, _) = over(&[&silent, &well], true).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let since = Instant::now();
        call(&channel, SECOND * 2).await.unwrap();
        slowest = slowest.max(since.elapsed());
    }
    assert!(silent.count() >= 1, "or the test shows nothing");
    assert!(slowest <= SECOND, "{slowest:?}");
}

#[tokio::test(start_paused = true)]
async fn replicas_that_are_all_slow_still_answer() {
    let scripts = [(); 2].map(|()| Script::slow(SECOND * 3 / 2));
    let (channel, metrics) = over(&[&scripts[0], &scripts[1]], true).await;
    for _ in 0..10 {
        let since = Instant::now();
        call(&channel, SECOND * 2).await.unwrap();
        assert!(since.elapsed() < SECOND * 16 / 10, "{:?}", since.elapsed());
    }
    assert!(metric(&metrics, "wenzhen_channel_calls_total{target=\"http://agent.test:1\",code=\"OK\"}") == 10);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_must_not_be_repeated_waits_for_its_answer() {
    let (slow, well) = (Script::slow(SECOND * 3 / 2), Script::well());
    let (channel, metrics) = over(&[&slow, &well], false).await;
    for _ in 0..20 {
        call(&channel, SECOND * 2).await.unwrap();
    }
    assert_eq!(slow.count() + well.count(), 20);
    assert_eq!(metric(&metrics, "wenzhen_channel_retries_total{target=\"http://agent.test:1\"}"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_call_that_nobody_answers() {
    let (channel, metrics) = over(&[&Script::silent(), &Script::silent()], true).await;
    let since = Instant::now();
    assert_eq!(call(&channel, SECOND * 2).await.unwrap_err().code(), Code::DeadlineExceeded);
    assert!((SECOND * 2..SECOND * 21 / 10).contains(&since.elapsed()), "{:?}", since.elapsed());
    let line = "wenzhen_channel_calls_total{target=\"http://agent.test:1\",code=\"DEADLINE_EXCEEDED\"}";
    assert_eq!(metric(&metrics, line), 1);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_to_the_last_frame_of_a_stream() {
    let one = || futures::stream::iter([Ok(HealthCheckResponse::default())]).chain(futures::stream::pending());
    let script = Script::well().streaming(move || Box::pin(one()));
    let (channel, _) = over(&[&script], true).await;
    let mut request = Request::new(HealthCheckRequest::default());
    request.set_timeout(SECOND);
    let since = Instant::now();
    let mut items = caller(&channel).watch(request).await.unwrap().into_inner();
    assert!(items.message().await.unwrap().is_some());
    assert_eq!(items.message().await.unwrap_err().code(), Code::DeadlineExceeded);
    assert!((SECOND..SECOND * 11 / 10).contains(&since.elapsed()), "{:?}", since.elapsed());
}
