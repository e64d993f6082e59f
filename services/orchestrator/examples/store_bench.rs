//! How fast the stores append, read and list: `cargo run --release --example store_bench -- --redis redis://HOST:PORT`.

#![allow(clippy::print_stdout, reason = "it prints what it measures")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use tokio::task::JoinSet;
use wenzhen_orchestrator::store::{
    Append, ConsultationId, MemoryStore, PendingSummary, Query, RedbStore, RedisStore, Store, StoreError, Summary,
};
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{Event, MessageReceived, PendingReason};
use wenzhen_redis::{Redis, RedisArgs};

/// Measures appends (two events of 300 bytes each) by many writers, each at its own consultation, then reads and lists.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    redis: RedisArgs,
    /// File for redb; unset: in the system's folder for temporary files
    #[arg(long)]
    file: Option<std::path::PathBuf>,
    /// Writers at once
    #[arg(long, default_value_t = 64)]
    writers: usize,
    /// Duration of each measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let file = args.file.clone().unwrap_or_else(|| folder.path().join("bench.redb"));
    println!("{} writers, {} s each; times in ms", args.writers, args.seconds);
    println!(
        "{:>8} {:>10} {:>8} {:>8} {:>8} {:>10} {:>10}",
        "store", "appends/s", "p50", "p99", "max", "read p50", "list p50"
    );
    measure("memory", Arc::new(MemoryStore::default()), &args).await?;
    measure("redb", Arc::new(RedbStore::open(&file)?), &args).await?;
    if let Some(settings) = args.redis.settings()? {
        let redis = Redis::connect(settings, Duration::ZERO).await.context("no Redis to measure")?;
        measure("redis", Arc::new(RedisStore::new(redis)), &args).await?;
    }
    Ok(())
}

async fn measure(name: &str, store: Arc<dyn Store>, args: &Args) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(args.seconds);
    let mut writers = JoinSet::new();
    for number in 0..args.writers {
        writers.spawn(write(store.clone(), number, until));
    }
    let mut times = Vec::new();
    let mut ids = Vec::new();
    while let Some(done) = writers.join_next().await {
        let (id, mine) = done??;
        ids.push(id);
        times.extend(mine);
    }
    let rate = times.len() as f64 / args.seconds as f64;
    let reads = repeat(|at| store.read(ids[at % ids.len()], 0, 20)).await?;
    let lists = repeat(|_| store.list(Query::Pending, 100)).await?;
    for id in ids {
        store.delete(id).await?;
    }
    let (p50, p99, max) = (part(&mut times, 0.5), part(&mut times, 0.99), part(&mut times, 1.0));
    let (read, list) = (part(&mut reads.clone(), 0.5), part(&mut lists.clone(), 0.5));
    println!("{name:>8} {rate:>10.0} {p50:>8.3} {p99:>8.3} {max:>8.3} {read:>10.3} {list:>10.3}");
    Ok(())
}

async fn write(
    store: Arc<dyn Store>,
    number: usize,
    until: Instant,
) -> Result<(ConsultationId, Vec<Duration>), StoreError> {
    let id = ConsultationId::random();
    let mut times = Vec::new();
    let mut expected = 0;
    let pending = PendingSummary { reason: PendingReason::Plan, urgency: Urgency::Routine, since_ms: number as u64 };
    loop {
        let events = (1..=2).map(|step| event(expected + step)).collect();
        let summary = Summary { expires_day: 30_000, pending: Some(pending), review_since_ms: None };
        let begin = Instant::now();
        store.append(Append { id, expected, events, summary }).await?;
        times.push(begin.elapsed());
        expected += 2;
        if Instant::now() >= until {
            return Ok((id, times));
        }
        // A store that never waits would let only as many writers write as there are cores.
        tokio::task::yield_now().await;
    }
}

/// Times of a thousand calls, one after the other.
async fn repeat<T, F>(mut call: impl FnMut(usize) -> F) -> Result<Vec<Duration>, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut times = Vec::new();
    for at in 0..1000 {
        let begin = Instant::now();
        call(at).await?;
        times.push(begin.elapsed());
    }
    Ok(times)
}

fn event(version: u64) -> Event {
    let kind = Kind::MessageReceived(MessageReceived { text: "word ".repeat(60), ..MessageReceived::default() });
    Event { version, turn: 1, kind: Some(kind), ..Event::default() }
}

/// The time below which a share of the times lies, in ms.
fn part(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let at = ((times.len() as f64 - 1.0) * share).round() as usize;
    times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}
