//! Whole turns through six processes.

use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use wenzhen_load::metronome;

use super::Figure;
use crate::patients::{Patient, Words, opened};
use crate::redis::Sync;
use crate::{Cluster, Plan};

/// Turns behind a consultation before it is measured, and turns measured in it.
pub(super) const BEFORE: usize = 5;
pub(super) const MEASURED: usize = 4;
/// Turns a second of the steady measurement.
pub(super) const RATE: u64 = 50;
/// Clients of the measurement of throughput.
const CLIENTS: usize = 128;

pub(super) async fn turns(seconds: u64) -> anyhow::Result<Vec<Figure>> {
    let strict = Measured::new(Sync::Always, seconds).await?;
    let deployed = Measured::new(Sync::EverySecond, seconds).await?;
    let Measured { turn: (p50, p99), bare, rate } = deployed;
    Ok(vec![
        Figure {
            what: "turn at 50/s, services as six processes, Redis as deployed (a sync a second), client on the same cores",
            found: format!("p50 {p50:.2} ms, p99 {p99:.2} ms"),
            wanted: "p50 <= 2 ms, p99 <= 6 ms",
            reached: p50 <= 2.0 && p99 <= 6.0,
        },
        Figure {
            what: "the same, Redis with a sync before each write is acknowledged",
            found: format!("p50 {:.2} ms, p99 {:.2} ms", strict.turn.0, strict.turn.1),
            wanted: "-",
            reached: true,
        },
        Figure {
            what: "yardstick: the health check of one agent at 50/s in the same run; a turn is five such calls and two of Redis",
            found: format!("p50 {bare:.2} ms"),
            wanted: "-",
            reached: true,
        },
        Figure {
            what: "turns a second, closed loop of 128 clients on the same cores, Redis as deployed",
            found: format!("{rate:.0}"),
            wanted: ">= 1500",
            reached: rate >= 1500.0,
        },
    ])
}

struct Measured {
    /// Median and 99th percentile of a turn at a steady rate, in milliseconds.
    turn: (f64, f64),
    /// Median of a bare call at the same rate, in milliseconds.
    bare: f64,
    /// Turns a second in a closed loop.
    rate: f64,
}

impl Measured {
    async fn new(sync: Sync, seconds: u64) -> anyhow::Result<Self> {
        let cluster = Cluster::start(Plan { sync, ..Plan::default() }).await?;
        // A connection for some patients each, as a front end's replicas have.
        let channels = [cluster.channel(0).await?, cluster.channel(0).await?, cluster.channel(0).await?];
        let turns = usize::try_from(RATE * seconds)?;
        let patients = opened(&channels, turns.div_ceil(MEASURED), BEFORE).await?;
        let turn = steady(patients, turns).await?;
        let bare = bare(cluster.target("guidance"), turns).await?;
        let patients = opened(&channels, usize::try_from(seconds)? * 300, BEFORE).await?;
        Ok(Self { turn, bare, rate: closed(patients).await? })
    }
}

/// Median of calls that do nothing, when they are due, in milliseconds.
async fn bare(target: &str, calls: usize) -> anyhow::Result<f64> {
    let channel = Endpoint::from_shared(target.to_owned())?.connect().await?;
    let mut health = HealthClient::new(channel);
    let mut beats = metronome(Duration::from_secs(1) / u32::try_from(RATE)?, calls)?;
    let mut times = Histogram::<u64>::new(3)?;
    while let Some(due) = beats.recv().await {
        health.check(HealthCheckRequest::default()).await?;
        times.record(u64::try_from(due.elapsed().as_micros())?)?;
    }
    Ok(times.value_at_quantile(0.5) as f64 / 1000.0)
}

/// Turns when they are due; median and 99th percentile from then, in milliseconds.
pub(super) async fn steady(patients: Vec<Patient>, turns: usize) -> anyhow::Result<(f64, f64)> {
    let words = Words::load()?;
    let mut beats = metronome(Duration::from_secs(1) / u32::try_from(RATE)?, turns)?;
    let (back, mut free) = tokio::sync::mpsc::channel(patients.len().max(1));
    for patient in patients {
        back.send(patient).await?;
    }
    let mut work = JoinSet::new();
    while let Some(due) = beats.recv().await {
        let mut patient = free.recv().await.context("no patient")?;
        let (words, back) = (words.clone(), back.clone());
        work.spawn(async move {
            patient.turn(&words).await?;
            let took = due.elapsed();
            // Nobody takes the last ones.
            let _ = back.send(patient).await;
            anyhow::Ok(took)
        });
    }
    let mut times = Histogram::<u64>::new(3)?;
    while let Some(took) = work.join_next().await {
        times.record(u64::try_from(took??.as_micros())?)?;
    }
    Ok((times.value_at_quantile(0.5) as f64 / 1000.0, times.value_at_quantile(0.99) as f64 / 1000.0))
}

async fn closed(mut patients: Vec<Patient>) -> anyhow::Result<f64> {
    let words = Words::load()?;
    let began = Instant::now();
    let turns = patients.len() * MEASURED;
    let mut clients = JoinSet::new();
    let share = patients.len().div_ceil(CLIENTS).max(1);
    while !patients.is_empty() {
        let mut mine = patients.split_off(patients.len().saturating_sub(share));
        let words = words.clone();
        clients.spawn(async move {
            for patient in &mut mine {
                for _ in 0..MEASURED {
                    patient.turn(&words).await?;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    Ok(turns as f64 / began.elapsed().as_secs_f64())
}
