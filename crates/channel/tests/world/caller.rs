//! The caller of the simulation: a balanced channel, and a steady stream of calls with deadlines.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, sleep_until};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use wenzhen_channel::{Authority, Backoff, Balanced, ChannelMetrics, EjectionRules, Resolve, Settings};
use wenzhen_service::{Client, Metrics};

use super::wire::Simulated;
use super::{TRAFFIC, World};

/// Time between calls.
const PAUSE: Duration = Duration::from_millis(50);

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    pub id: String,
    pub idempotent: bool,
    pub at: Duration,
    pub deadline: Duration,
    pub took: Duration,
    /// None: it never ended.
    pub outcome: Option<Result<(), Code>>,
}

/// All calls of a world.
pub struct Made {
    pub calls: Vec<Call>,
    pub retries: u64,
}

impl Made {
    /// A line about it, the same for the same course of events.
    pub fn summary(&self) -> String {
        let well = self.calls.iter().filter(|call| call.outcome == Some(Ok(()))).count();
        let took: Duration = self.calls.iter().map(|call| call.took).sum();
        format!("{} calls, {well} answered, {} retries, {took:?} in all", self.calls.len(), self.retries)
    }
}

struct Names(Arc<World>);

impl Resolve for Names {
    fn resolve(&self, _: &Authority) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let known = self.0.names.lock().clone();
        Box::pin(async move { Ok(known) })
    }
}

/// As by default, but what takes a quarter of a minute takes seconds, so that a world is over sooner.
fn settings(seed: u64, world: Arc<World>) -> Settings {
    let backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(3) };
    Settings {
        idempotent: Arc::new(|path| path.ends_with("/Check")),
        connector: Arc::new(Simulated(Arc::clone(&world.trace))),
        resolver: Arc::new(Names(world)),
        keep_alive: Duration::from_secs(2),
        keep_alive_timeout: Duration::from_secs(1),
        resolve_interval: Duration::from_secs(1),
        ejection: EjectionRules { backoff, slow_start: Duration::from_secs(2), ..EjectionRules::default() },
        seed: Some(seed),
        ..Settings::default()
    }
}

/// Makes all calls, and waits for their outcomes.
pub async fn drive(seed: u64, world: Arc<World>) -> Made {
    let metrics = Metrics::new();
    let target = "http://agent.test:7000".parse().unwrap();
    let channel = Balanced::connect(&target, settings(seed, world), &ChannelMetrics::register(&metrics)).unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let mut dice = StdRng::seed_from_u64(seed ^ 0xca11);
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..(TRAFFIC.as_millis() / PAUSE.as_millis()) as u32 {
        let at = PAUSE * number;
        sleep_until(start + at).await;
        let place = calls.lock().len();
        let call = Call {
            id: format!("call-{number}"),
            idempotent: dice.random_ratio(3, 4),
            at,
            deadline: Duration::from_millis(dice.random_range(200..3_000)),
            took: Duration::ZERO,
            outcome: None,
        };
        calls.lock().push(call.clone());
        let (channel, calls) = (channel.clone(), Arc::clone(&calls));
        tasks.spawn(async move {
            let begun = Instant::now();
            let outcome = make(&channel, &call).await;
            let mut calls = calls.lock();
            calls[place] = Call { took: begun.elapsed(), outcome: Some(outcome), ..call };
        });
    }
    // A call that never ends is found by its missing outcome.
    let _ = tokio::time::timeout(Duration::from_secs(20), async { while tasks.join_next().await.is_some() {} }).await;
    let text = metrics.text();
    let line = "wenzhen_channel_retries_total{target=\"http://agent.test:7000\"} ";
    let retries = text.lines().find_map(|candidate| candidate.strip_prefix(line)?.parse().ok()).unwrap_or_default();
    let calls = calls.lock().clone();
    Made { calls, retries }
}

/// A unary call that may be repeated, or a stream that may not, read to its end.
async fn make(channel: &Balanced, call: &Call) -> Result<(), Code> {
    let mut client = HealthClient::new(Client::new(channel.clone()));
    let mut request = Request::new(HealthCheckRequest { service: call.id.clone() });
    request.set_timeout(call.deadline);
    if call.idempotent {
        return client.check(request).await.map(drop).map_err(|status| status.code());
    }
    let mut items = client.watch(request).await.map_err(|status| status.code())?.into_inner();
    while items.message().await.map_err(|status| status.code())?.is_some() {}
    Ok(())
}
