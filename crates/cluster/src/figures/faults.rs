//! Replicas that are restarted or stand still.

use std::time::Duration;

use anyhow::Context as _;

use super::Figure;
use super::balance::{agents, target};
use crate::Program;
use crate::calls::{Caller, Outcome, Tally};

/// Calls a second.
pub(super) const RATE: u32 = 200;

/// What became of the calls that were due between two seconds.
pub(super) fn between(outcomes: &[Outcome], from: u64, to: u64) -> Tally {
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
