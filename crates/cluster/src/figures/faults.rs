//! Replicas that stop, fail, or are not there.

use std::time::Duration;

use anyhow::Context as _;
use tonic::Code;

use super::Figure;
use super::balance::{agents, target};
use crate::calls::{Caller, Outcome, Tally};
use crate::patients::{Words, opened};
use crate::proxy::{Fault, Proxy};
use crate::system::AGENTS;
use crate::{Cluster, Plan, Program};

/// Calls a second.
const RATE: u32 = 200;

fn between(outcomes: &[Outcome], from: u64, to: u64) -> Tally {
    let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
    Tally::of(outcomes.iter().filter(|outcome| (from..to).contains(&outcome.due)))
}

/// Each replica in turn is told to go and is started again at its address.
pub(super) async fn rolling() -> anyhow::Result<Vec<Figure>> {
    let (mut replicas, addresses) = agents(3).await?;
    let caller = Caller::new(&target(&addresses), None)?;
    caller.ready(Duration::from_secs(10)).await?;
    let calling = tokio::spawn(async move { caller.paced(RATE, Duration::from_secs(30)).await });
    for (number, (replica, address)) in replicas.iter_mut().zip(&addresses).enumerate() {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let status = replica.stop().await?;
        anyhow::ensure!(status.success(), "a replica did not drain: {status}");
        let arguments = ["--memory", "--instance", &format!("kg-{number}")].map(str::to_owned);
        *replica = Program::start("wenzhen-kg", &address.to_string(), &arguments)?;
        replica.ready().await?;
    }
    let tally = Tally::of(&calling.await?);
    Ok(vec![Figure {
        what: "rolling restart of three replicas at 200 calls/s: failed calls",
        found: format!("{} of {} ({:?}), p99 {:.1} ms", tally.failed(), tally.calls, tally.codes, tally.p99_ms),
        wanted: "0",
        reached: tally.failed() == 0,
    }])
}

/// One of three stands still: its connections stay open, nothing is answered.
pub(super) async fn stopped() -> anyhow::Result<Vec<Figure>> {
    let (replicas, addresses) = agents(3).await?;
    let caller = Caller::new(&target(&addresses), None)?;
    caller.ready(Duration::from_secs(10)).await?;
    let calling = tokio::spawn(async move { caller.paced(RATE, Duration::from_secs(40)).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let stopped = replicas.first().context("no replica")?;
    stopped.signal("STOP").await?;
    let outcomes = calling.await?;
    stopped.signal("CONT").await?;
    let (before, after, all) = (between(&outcomes, 0, 5), between(&outcomes, 20, 40), between(&outcomes, 5, 40));
    let errors = all.failed() as f64 / all.calls as f64;
    Ok(vec![Figure {
        what: "one of three replicas stopped (SIGSTOP) at 200 calls/s",
        found: format!(
            "p99 before {:.1} ms, from 15 s on {:.1} ms; errors {:.2} % ({:?}); longest {:.0} ms",
            before.p99_ms,
            after.p99_ms,
            errors * 100.0,
            all.codes,
            all.max_ms
        ),
        wanted: "p99 back within 15 s, errors <= 0.5 %",
        reached: after.p99_ms <= (before.p99_ms * 2.0).max(before.p99_ms + 5.0) && errors <= 0.005,
    }])
}

/// One of three cuts every connection at once.
pub(super) async fn fast_fail() -> anyhow::Result<Vec<Figure>> {
    let (_replicas, mut addresses) = agents(3).await?;
    let last = addresses.pop().context("no replica")?;
    let proxy = Proxy::start(last).await?;
    addresses.push(proxy.address());
    let caller = Caller::new(&target(&addresses), None)?;
    caller.ready(Duration::from_secs(10)).await?;
    let watching = caller.clone();
    let calling = tokio::spawn(async move { caller.paced(RATE, Duration::from_secs(20)).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    proxy.set(Fault::Reset);
    let outcomes = calling.await?;
    let all = between(&outcomes, 5, 20);
    let settled = between(&outcomes, 10, 20);
    // Nobody can answer from there: what shows is the calls that had to be made again.
    let retries = watching.metrics().lines().filter(|line| line.starts_with("wenzhen_channel_retries_total")).count();
    let errors = all.failed() as f64 / all.calls as f64;
    Ok(vec![Figure {
        what: "one of three replicas cuts every connection",
        found: format!(
            "errors {:.2} % of all, {:.2} % after 5 s ({:?}), {retries} kinds of retries counted",
            errors * 100.0,
            settled.failed() as f64 / settled.calls as f64 * 100.0,
            all.codes,
        ),
        wanted: "calls that meet it after 5 s <= 2 %",
        reached: settled.failed() * 50 <= settled.calls && all.with(Code::Unavailable) * 50 <= all.calls,
    }])
}

/// Guidance is gone: consultations go on degraded, and the network is not flooded with calls that cannot succeed.
pub(super) async fn agent_down() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for agent in AGENTS {
        let mut cluster = Cluster::start(Plan::default()).await?;
        let channels = [cluster.channel(0).await?];
        let orchestrator = cluster.orchestrators.first().context("no orchestrator")?;
        let (calls, retries) = ("wenzhen_channel_calls_total", "wenzhen_channel_retries_total");
        let mut patients = opened(&channels, 20, 0).await?;
        let before = (orchestrator.metric(calls, "").await?, orchestrator.metric(retries, "").await?);
        cluster.replica(agent, 0)?.signal("KILL").await?;
        let words = Words::load()?;
        let (mut turns, mut degraded) = (0, 0);
        for patient in &mut patients {
            for _ in 0..5 {
                let completed = patient.turn(&words).await?;
                turns += 1;
                degraded += usize::from(!completed.degraded.is_empty());
            }
            patient.check().await?;
        }
        let orchestrator = cluster.orchestrators.first().context("no orchestrator")?;
        let made = orchestrator.metric(calls, "").await? - before.0;
        let again = orchestrator.metric(retries, "").await? - before.1;
        let factor = (made + again) / made.max(1.0);
        figures.push(Figure {
            what: match agent {
                "kg" => "kg wholly down",
                "guidance" => "guidance wholly down",
                "expert" => "expert wholly down",
                _ => "empathy wholly down",
            },
            found: format!("{turns} turns answered, {degraded} said to be degraded; {factor:.2} attempts a call"),
            wanted: "every turn answered; <= 1.2 attempts a call",
            reached: turns == 100 && factor <= 1.2,
        });
    }
    Ok(figures)
}
