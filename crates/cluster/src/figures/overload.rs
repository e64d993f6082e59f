//! More calls than can be answered.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tonic::{Code, Request};
use wenzhen_channel::{Balanced, ChannelMetrics, RetryRules, Settings};
use wenzhen_proto::guidance::v1::InterpretRequest;
use wenzhen_proto::guidance::v1::guidance_service_client::GuidanceServiceClient;
use wenzhen_service::{Client, Metrics};

use super::Figure;
use super::balance::target;
use crate::{Program, dear};

/// Clients that find the peak: as many as are served at once, so that nobody is turned away.
const CLIENTS: usize = 16;
/// Deadline of a call.
const DEADLINE: Duration = Duration::from_secs(2);
/// Time after the flood within which all must be well again.
const RECOVERY: Duration = Duration::from_secs(5);
pub(super) async fn overload(seconds: u64) -> anyhow::Result<Vec<Figure>> {
    let agent = Program::start("wenzhen-guidance", "127.0.0.1:0", &[])?;
    agent.ready().await?;
    let caller = Caller::new(&target(&[agent.address().await?]))?;
    caller.ready().await?;
    let time = Duration::from_secs(seconds.max(5));
    let peak = caller.peak(time).await;
    let flood = caller.paced(rate(peak * 5.0)?, time).await;
    let after = caller.paced(rate(peak / 4.0)?, RECOVERY * 2).await;
    let answered = flood.iter().filter(|sent| sent.code == Code::Ok).count() as f64;
    let goodput = answered / time.as_secs_f64();
    let sheds: Vec<_> = flood.iter().filter(|sent| sent.code == Code::ResourceExhausted).collect();
    let mut other = BTreeMap::<String, usize>::new();
    let expected = |sent: &&Sent| !matches!(sent.code, Code::Ok | Code::ResourceExhausted);
    flood.iter().filter(expected).for_each(|sent| *other.entry(format!("{:?}", sent.code)).or_default() += 1);
    let shed = Quantiles::of(sheds.iter().map(|sent| sent.took))?;
    let lag = Quantiles::of(flood.iter().map(|sent| sent.lag))?;
    let recovered = after.iter().rev().find(|sent| sent.code != Code::Ok).map_or(Duration::ZERO, |sent| sent.due);
    let well = Quantiles::of(after.iter().filter(|sent| sent.due > recovered).map(|sent| sent.took))?;
    Ok(vec![Figure {
        what: "five times overload of one replica, generator on the same two cores",
        found: format!(
            "peak {peak:.0}/s; {:.0}/s sent, goodput {goodput:.0}/s ({:.0} %), {} sheds in p50 {:.1} ms, p99 {:.1} ms \
             (sends lagged p99 {:.1} ms), other failures {other:?}; recovered after {:.1} s, then p99 {:.1} ms",
            flood.len() as f64 / time.as_secs_f64(),
            goodput / peak * 100.0,
            sheds.len(),
            shed.p50,
            shed.p99,
            lag.p99,
            recovered.as_secs_f64(),
            well.p99
        ),
        wanted: "goodput >= 90 % of peak, sheds within 10 ms, recovery within 5 s",
        reached: !sheds.is_empty()
            && other.is_empty()
            && goodput >= peak * 0.9
            && shed.p99 <= 10.0
            && recovered <= RECOVERY,
    }])
}

fn rate(rate: f64) -> anyhow::Result<u32> {
    format!("{rate:.0}").parse().context("a rate")
}

/// One call.
struct Sent {
    /// When it was due, from the start of the run.
    due: Duration,
    /// From then until it was sent.
    lag: Duration,
    /// From then to its end.
    took: Duration,
    code: Code,
}

/// Calls that are dear to answer.
#[derive(Clone)]
struct Caller {
    client: GuidanceServiceClient<Client<Balanced>>,
    request: InterpretRequest,
}

impl Caller {
    fn new(target: &str) -> anyhow::Result<Self> {
        // Nobody tries again: the sheds themselves are what is measured.
        let settings = Settings { retry: RetryRules { attempts: 1, ..RetryRules::default() }, ..Settings::default() };
        let channel = Balanced::connect(&target.parse()?, settings, &ChannelMetrics::register(&Metrics::new()))?;
        Ok(Self { client: GuidanceServiceClient::new(Client::new(channel)), request: dear::request()? })
    }

    async fn code(&self) -> Code {
        let mut request = Request::new(self.request.clone());
        request.set_timeout(DEADLINE);
        match timeout(DEADLINE * 2, self.client.clone().interpret(request)).await {
            Ok(Ok(_)) => Code::Ok,
            Ok(Err(status)) => status.code(),
            Err(_) => Code::Unknown,
        }
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let mut pause = interval(Duration::from_millis(50));
        let answered = async {
            while self.code().await != Code::Ok {
                pause.tick().await;
            }
        };
        timeout(Duration::from_secs(10), answered).await.context("nobody answers")
    }

    /// As many calls as the clients make one after another; gives the answered calls a second.
    async fn peak(&self, time: Duration) -> f64 {
        let began = Instant::now();
        let client = |_| {
            let caller = self.clone();
            async move {
                let mut answered = 0_u32;
                while began.elapsed() < time {
                    answered += u32::from(caller.code().await == Code::Ok);
                }
                answered
            }
        };
        let answered: u32 = all((0..CLIENTS).map(client)).await.into_iter().sum();
        f64::from(answered) / began.elapsed().as_secs_f64()
    }

    /// Calls at a rate for a time, each when it is due.
    async fn paced(&self, rate: u32, time: Duration) -> Vec<Sent> {
        let mut beats = interval(Duration::from_secs(1) / rate.max(1));
        beats.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (began, mut calls) = (Instant::now(), JoinSet::new());
        loop {
            let due = beats.tick().await;
            if due.duration_since(began) >= time {
                break;
            }
            let caller = self.clone();
            calls.spawn(async move {
                let sent = Instant::now();
                let code = caller.code().await;
                Sent { due: due - began, lag: sent - due, took: sent.elapsed(), code }
            });
        }
        let mut sent = calls.join_all().await;
        sent.sort_by_key(|sent| sent.due);
        sent
    }
}

async fn all<F>(work: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let mut set = JoinSet::new();
    work.for_each(|one| drop(set.spawn(one)));
    set.join_all().await
}

/// Milliseconds.
struct Quantiles {
    p50: f64,
    p99: f64,
}

impl Quantiles {
    fn of(times: impl Iterator<Item = Duration>) -> anyhow::Result<Self> {
        let mut histogram = Histogram::<u64>::new(3)?;
        for time in times {
            histogram.record(u64::try_from(time.as_micros())?)?;
        }
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Ok(Self { p50: at(0.5), p99: at(0.99) })
    }
}
