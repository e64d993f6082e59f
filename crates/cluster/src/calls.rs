//! A client of the knowledge graph agent with an open loop: calls are due at a steady rate, whatever becomes of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tonic::{Code, Request};
use wenzhen_channel::{Balanced, ChannelMetrics, Resolve, Settings, Target};
use wenzhen_proto::clinical::v1::{FindingState, Observation, Pins};
use wenzhen_proto::kg::v1::kg_service_client::KgServiceClient;
use wenzhen_proto::kg::v1::{AdvanceRequest, Case};
use wenzhen_service::{Client, Metrics};

/// Deadline of a call.
const DEADLINE: Duration = Duration::from_secs(2);
/// Findings in the case that is scored.
const FINDINGS: usize = 3;

/// How one call went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// When it was due, from the start of the run.
    pub due: Duration,
    /// From then to its end.
    pub took: Duration,
    /// Its status.
    pub code: Code,
    /// Who answered; empty when nobody did.
    pub instance: String,
}

/// Calls one target.
#[derive(Clone)]
pub struct Caller {
    client: KgServiceClient<Client<Balanced>>,
    request: AdvanceRequest,
    metrics: Metrics,
}

impl Caller {
    /// A caller over a balanced channel. `resolver`: instead of the system's.
    ///
    /// # Errors
    /// When the target is none.
    pub fn new(target: &str, resolver: Option<Arc<dyn Resolve>>) -> anyhow::Result<Self> {
        let settings = Settings { idempotent: Arc::new(|_| true), ..Settings::default() };
        let settings = Settings { resolver: resolver.unwrap_or_else(|| settings.resolver.clone()), ..settings };
        Self::with(target, settings)
    }

    /// A caller with settings of its own.
    ///
    /// # Errors
    /// When the target is none.
    pub fn with(target: &str, settings: Settings) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        let target: Target = target.parse()?;
        let channel = Balanced::connect(&target, settings, &ChannelMetrics::register(&metrics))?;
        Ok(Self { client: KgServiceClient::new(Client::new(channel)), request: request()?, metrics })
    }

    /// The metrics of the channel, as text.
    pub fn metrics(&self) -> String {
        self.metrics.text()
    }

    /// One call.
    pub async fn call(&self, began: Instant, due: Instant) -> Outcome {
        let mut request = Request::new(self.request.clone());
        request.set_timeout(DEADLINE);
        let answer = timeout(DEADLINE * 2, self.client.clone().advance(request)).await;
        let (code, metadata) = match answer {
            Ok(Ok(response)) => (Code::Ok, response.metadata().clone()),
            Ok(Err(status)) => (status.code(), status.metadata().clone()),
            Err(_) => (Code::Unknown, tonic::metadata::MetadataMap::new()),
        };
        let instance = metadata.get("wenzhen-instance").and_then(|name| name.to_str().ok());
        Outcome { due: due - began, took: due.elapsed(), code, instance: instance.unwrap_or_default().to_owned() }
    }

    /// Calls at a rate for a time, each when it is due.
    pub async fn paced(&self, rate: u32, time: Duration) -> Vec<Outcome> {
        let mut beats = interval(Duration::from_secs(1) / rate.max(1));
        beats.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let began = Instant::now();
        let mut calls = JoinSet::new();
        loop {
            let due = beats.tick().await;
            if due.duration_since(began) >= time {
                break;
            }
            let caller = self.clone();
            calls.spawn(async move { caller.call(began, due).await });
        }
        let mut outcomes = calls.join_all().await;
        outcomes.sort_by_key(|outcome| outcome.due);
        outcomes
    }

    /// As many calls as `clients` make one after another; gives the answered calls a second.
    pub async fn peak(&self, clients: usize, time: Duration) -> f64 {
        let began = Instant::now();
        let mut workers = JoinSet::new();
        for _ in 0..clients {
            let caller = self.clone();
            workers.spawn(async move {
                let mut answered = 0u32;
                while began.elapsed() < time {
                    let outcome = caller.call(began, Instant::now()).await;
                    answered += u32::from(outcome.code == Code::Ok);
                }
                answered
            });
        }
        let answered: u32 = workers.join_all().await.into_iter().sum();
        f64::from(answered) / began.elapsed().as_secs_f64()
    }

    /// Waits until the target answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ready(&self, within: Duration) -> anyhow::Result<()> {
        let mut pause = interval(Duration::from_millis(50));
        let answered = async {
            loop {
                pause.tick().await;
                if self.call(Instant::now(), Instant::now()).await.code == Code::Ok {
                    return;
                }
            }
        };
        timeout(within, answered).await.context("nobody answers")
    }
}

/// A case with a few findings of the embedded pack's first condition.
///
/// # Errors
/// Never: the pack is embedded.
pub fn request() -> anyhow::Result<AdvanceRequest> {
    let pack = wenzhen_bundle::embedded()?;
    let condition = pack.conditions.first().context("no condition")?;
    let findings = condition.edges.iter().filter_map(|edge| pack.findings.get(edge.finding.at()));
    let observations = findings.take(FINDINGS).map(|finding| Observation {
        finding_id: finding.id.clone(),
        state: FindingState::Present as i32,
        ..Observation::default()
    });
    let case = Case {
        pins: Some(Pins { pack_digest: pack.digest.to_string(), ..Pins::default() }),
        observations: observations.collect(),
        ..Case::default()
    };
    Ok(AdvanceRequest { case: Some(case), max_conditions: 10, max_findings: 6, ..AdvanceRequest::default() })
}

/// What calls came to.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Tally {
    /// All of them.
    pub calls: usize,
    /// By status, in the words of gRPC.
    pub codes: BTreeMap<String, usize>,
    /// Answered ones by instance.
    pub instances: BTreeMap<String, usize>,
    /// Median time from due to done, in milliseconds, of the answered ones.
    pub p50_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Tally {
    /// Counts them.
    pub fn of<'o>(outcomes: impl IntoIterator<Item = &'o Outcome>) -> Self {
        let mut tally = Self::default();
        let mut times = Histogram::<u64>::new(3).ok();
        for outcome in outcomes {
            tally.calls += 1;
            *tally.codes.entry(format!("{:?}", outcome.code)).or_default() += 1;
            if outcome.code == Code::Ok {
                *tally.instances.entry(outcome.instance.clone()).or_default() += 1;
                if let Some(times) = &mut times {
                    // A time that the histogram cannot hold would be longer than any deadline.
                    let _ = times.record(u64::try_from(outcome.took.as_micros()).unwrap_or(u64::MAX));
                }
            }
        }
        let at = |q| times.as_ref().map_or(0.0, |times| times.value_at_quantile(q) as f64 / 1000.0);
        (tally.p50_ms, tally.p99_ms, tally.max_ms) = (at(0.5), at(0.99), at(1.0));
        tally
    }

    /// Calls that were not answered.
    pub fn failed(&self) -> usize {
        self.calls - self.codes.get("Ok").copied().unwrap_or(0)
    }

    /// Calls with a status.
    pub fn with(&self, code: Code) -> usize {
        self.codes.get(&format!("{code:?}")).copied().unwrap_or(0)
    }

    /// Most over least calls of an instance.
    pub fn skew(&self) -> f64 {
        let (most, least) = (self.instances.values().max(), self.instances.values().min());
        most.zip(least).map_or(f64::NAN, |(most, least)| *most as f64 / *least as f64)
    }
}
