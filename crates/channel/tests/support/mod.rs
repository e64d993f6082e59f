//! Replicas that answer as a test says, a network in memory with faults, and a caller. The service is gRPC's own health
//! service, so that no contract of ours is needed.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test uses a part; a failed setup fails the test"
)]

pub mod network;
pub mod replica;
pub mod traffic;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use wenzhen_channel::{Backoff, Balanced, ChannelMetrics, Settings};
use wenzhen_service::{Client, Metrics};

/// A client over a balanced channel.
pub type Caller = HealthClient<Client<Balanced>>;

/// Wraps a channel as every user does.
pub fn caller(channel: &Balanced) -> Caller {
    HealthClient::new(Client::new(channel.clone()))
}

/// One call with this deadline; gives the status of what went wrong.
pub async fn call(channel: &Balanced, deadline: Duration) -> Result<(), Status> {
    let mut request = Request::new(HealthCheckRequest::default());
    request.set_timeout(deadline);
    caller(channel).check(request).await.map(drop)
}

/// Settings for loopback: as by default, but every method may be repeated, and troubles are noticed sooner.
pub fn quick() -> Settings {
    Settings {
        idempotent: Arc::new(|_| true),
        resolve_interval: Duration::from_millis(50),
        resolve_pause: Duration::from_millis(10),
        reconnect: Backoff { base: Duration::from_millis(10), cap: Duration::from_millis(50) },
        ..Settings::default()
    }
}

/// A channel to `http://agent.test:1` and the metrics it counts in.
pub fn connect(settings: Settings) -> (Balanced, Metrics) {
    let metrics = Metrics::new();
    let target = "http://agent.test:1".parse().unwrap();
    (Balanced::connect(&target, settings, &ChannelMetrics::register(&metrics)).unwrap(), metrics)
}

/// Waits until a condition holds; a test that waits too long fails.
pub async fn until(mut holds: impl FnMut() -> bool) {
    let patience = Duration::from_secs(20);
    let waited = tokio::time::timeout(patience, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    waited.await.expect("the condition came true in time");
}

/// Runs `count` calls of a kind, `at_once` of them at any time; gives their outcomes.
pub async fn many<F>(count: usize, at_once: usize, one: impl Fn(usize) -> F) -> Vec<F::Output>
where
    F: Future,
{
    use futures::StreamExt;
    futures::stream::iter((0..count).map(one)).buffer_unordered(at_once).collect().await
}

/// The value of a metric's line, 0 where there is none. `line` is the name with its labels.
pub fn metric(metrics: &Metrics, line: &str) -> u64 {
    let text = metrics.text();
    let found = text.lines().find_map(|candidate| candidate.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or(0)
}
