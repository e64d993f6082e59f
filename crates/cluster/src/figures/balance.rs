//! Who gets the calls.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use wenzhen_channel::{Authority, Resolve};

use super::Figure;
use crate::Program;
use crate::calls::{Caller, Tally};

/// Calls a second.
const RATE: u32 = 500;

/// Agents without the rest of a cluster.
pub(super) fn agent(number: usize) -> anyhow::Result<Program> {
    let arguments = ["--memory", "--instance", &format!("kg-{number}")].map(str::to_owned);
    Program::start("wenzhen-kg", "127.0.0.1:0", &arguments)
}

/// Some of them, ready, and what they are reached by.
pub(super) async fn agents(count: usize) -> anyhow::Result<(Vec<Program>, Vec<SocketAddr>)> {
    let agents = (0..count).map(agent).collect::<Result<Vec<_>, _>>()?;
    let mut addresses = Vec::new();
    for agent in &agents {
        agent.ready().await?;
        addresses.push(agent.address().await?);
    }
    Ok((agents, addresses))
}

pub(super) fn target(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(|address| format!("http://{address}")).collect::<Vec<_>>().join(",")
}

pub(super) async fn balance(seconds: u64) -> anyhow::Result<Vec<Figure>> {
    let (_agents, addresses) = agents(3).await?;
    let caller = Caller::new(&target(&addresses), None)?;
    caller.ready(Duration::from_secs(10)).await?;
    let tally = Tally::of(&caller.paced(RATE, Duration::from_secs(seconds)).await);
    let skew = tally.skew();
    Ok(vec![Figure {
        what: "three replicas, one client: most over least loaded",
        found: format!("{skew:.2} ({:?}), p50 {:.2} ms", tally.instances, tally.p50_ms),
        wanted: "<= 1.2",
        reached: skew <= 1.2 && tally.instances.len() == 3 && tally.failed() == 0,
    }])
}

/// A name server whose answer can be changed.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<SocketAddr>>>);

impl Resolve for Names {
    fn resolve(&self, _: &Authority) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let addresses = self.0.lock().clone();
        Box::pin(async move { Ok(addresses) })
    }
}

pub(super) async fn join() -> anyhow::Result<Vec<Figure>> {
    let (_agents, addresses) = agents(3).await?;
    let names = Names::default();
    let (newest, first) = addresses.split_last().context("no agents")?;
    *names.0.lock() = first.to_vec();
    let caller = Caller::new("http://kg:7000", Some(Arc::new(names.clone())))?;
    caller.ready(Duration::from_secs(10)).await?;
    let calling = tokio::spawn(async move { caller.paced(100, Duration::from_secs(25)).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    names.0.lock().push(*newest);
    let outcomes = calling.await?;
    let joined =
        outcomes.iter().find(|outcome| outcome.instance == "kg-2").map(|outcome| outcome.due.as_secs_f64() - 5.0);
    let failed = Tally::of(&outcomes).failed();
    Ok(vec![Figure {
        what: "a third replica appears in the addresses that the resolver gives: time until it serves",
        found: joined.map_or("never".to_owned(), |after| format!("{after:.1} s, {failed} calls failed")),
        wanted: "<= 10 s",
        reached: joined.is_some_and(|after| after <= 10.0) && failed == 0,
    }])
}
