//! A client that is gone: nobody works for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use futures::future::try_join_all;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};
use tonic::Request;
use tonic::transport::Channel;
use wenzhen_proto::guidance::v1::guidance_service_client::GuidanceServiceClient;
use wenzhen_proto::kg::v1::WatchEpochsRequest;
use wenzhen_proto::kg::v1::kg_service_client::KgServiceClient;

use super::Figure;
use crate::proxy::{Fault, Proxy};
use crate::{Program, dear};

/// Calls of the client, over so many connections; the agent does one at a time.
const CALLS: usize = 2000;
const CONNECTIONS: usize = 10;
/// Calls that are answered before the client goes.
const ANSWERED: usize = 100;
/// Streams of the client.
const STREAMS: usize = 200;
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

const IN_FLIGHT: &str = "wenzhen_rpc_in_flight";

pub(super) async fn gone() -> anyhow::Result<Vec<Figure>> {
    Ok(vec![calls().await?, streams().await?])
}

/// An agent that does one call at a time, behind a proxy, and connections to it.
async fn agent(binary: &str, more: &[&str]) -> anyhow::Result<(Program, Proxy, Vec<Channel>)> {
    let flags = ["--max-in-flight=1", "--max-waiting=10000", "--max-wait-ms=60000"];
    let flags: Vec<_> = flags.iter().chain(more).map(|flag| (*flag).to_owned()).collect();
    let agent = Program::start(binary, "127.0.0.1:0", &flags)?;
    agent.ready().await?;
    let proxy = Proxy::start(agent.address().await?).await?;
    let endpoint = Channel::from_shared(format!("http://{}", proxy.address()))?.tcp_nodelay(true);
    let channels = try_join_all((0..CONNECTIONS).map(|_| endpoint.connect())).await?;
    Ok((agent, proxy, channels))
}

/// Calls wait, and the client's connections break.
async fn calls() -> anyhow::Result<Figure> {
    let (agent, proxy, channels) = agent("wenzhen-guidance", &[]).await?;
    // Made once: it takes a pack to make one.
    let (asked, answered) = (dear::request()?, Arc::new(AtomicUsize::new(0)));
    let mut work = JoinSet::new();
    for channel in channels.iter().cycle().take(CALLS) {
        let (mut client, answered) = (GuidanceServiceClient::new(channel.clone()), answered.clone());
        let mut request = Request::new(asked.clone());
        request.set_timeout(PATIENCE);
        work.spawn(async move {
            if client.interpret(request).await.is_ok() {
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let enough = async { while answered.load(Ordering::Relaxed) < ANSWERED && work.join_next().await.is_some() {} };
    timeout(PATIENCE, enough).await.context("the agent answers too slowly")?;
    let waiting = agent.metric("wenzhen_admission_queue_depth", "").await?;
    proxy.set(Fault::Reset);
    let took = idle(&agent, "GuidanceService/Interpret").await?;
    work.join_all().await;
    let done = agent.metric("wenzhen_rpc_requests_total", "GuidanceService/Interpret\",code=\"OK\"").await?;
    let left = agent.metric("wenzhen_rpc_requests_total", "GuidanceService/Interpret\",code=\"CANCELLED\"").await?;
    let for_nobody = done - f64::from(u32::try_from(answered.load(Ordering::Relaxed))?);
    Ok(Figure {
        what: "client gone with calls waiting at an agent that does one at a time",
        found: format!(
            "{waiting:.0} waited; {for_nobody:.0} were still computed, {left:.0} dropped, the last after {:.0} ms",
            took.as_secs_f64() * 1000.0
        ),
        wanted: "at most a tenth of those that waited are computed, nothing left after 1 s",
        reached: waiting >= 200.0 && left > 0.0 && for_nobody * 10.0 <= waiting && took <= Duration::from_secs(1),
    })
}

/// Streams stand open, and the client's connections break.
async fn streams() -> anyhow::Result<Figure> {
    let (agent, proxy, channels) = agent("wenzhen-kg", &["--memory"]).await?;
    let pack_digest = wenzhen_bundle::embedded()?.digest.to_string();
    let open = channels.iter().cycle().take(STREAMS).map(|channel| {
        let (mut client, pack_digest) = (KgServiceClient::new(channel.clone()), pack_digest.clone());
        async move { client.watch_epochs(WatchEpochsRequest { pack_digest }).await }
    });
    let held = try_join_all(open).await?;
    let standing = agent.metric(IN_FLIGHT, "KgService/WatchEpochs").await?;
    proxy.set(Fault::Reset);
    let took = idle(&agent, "KgService/WatchEpochs").await?;
    drop(held);
    Ok(Figure {
        what: "client gone with streams open",
        found: format!("{standing:.0} streams, none left after {:.0} ms", took.as_secs_f64() * 1000.0),
        wanted: "200 streams, none left after 1 s",
        reached: standing >= 200.0 && took <= Duration::from_secs(1),
    })
}

/// Time until no call of a method is under way.
async fn idle(agent: &Program, method: &str) -> anyhow::Result<Duration> {
    let (began, mut pause) = (Instant::now(), interval(Duration::from_millis(5)));
    while agent.metric(IN_FLIGHT, method).await? > 0.0 {
        anyhow::ensure!(began.elapsed() < PATIENCE, "{method} does not end");
        pause.tick().await;
    }
    Ok(began.elapsed())
}
