//! Measurements that a user can repeat.

mod cold;
mod driver;
mod llm;
mod report;
mod vision;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;

pub use llm::llm;

use crate::args::BenchTurnArgs;
use crate::packs;
use crate::process::{Options, Place, Process};
use driver::{Driver, Script};
use report::{Figures, Report};
pub use vision::vision;

/// Turns behind a consultation before it is measured.
const BEFORE: usize = 5;
/// Turns of each client over scattered consultations.
const SCATTERED: usize = 48;
/// Turns measured in each consultation.
const MEASURED: usize = 5;

/// Whole turns through every service: throughput in memory and durable, latency at a steady rate, cold
/// start, memory, and the same with many consultations open.
///
/// # Errors
/// When the system cannot be started or a turn fails.
pub async fn turn(args: BenchTurnArgs) -> anyhow::Result<()> {
    let script = Script::load()?;
    let folder = TempDir::new()?;
    let mut report = Report {
        cold_start_ms: Some(cold::start_ms(&script).await?),
        resident_mib_after_one_consultation: Some(cold::resident_mib(&script).await?),
        ..Report::default()
    };

    let memory = start(Place::Memory).await?;
    report.memory = Some(throughput(&memory, &script, &args).await?);
    report.steady = Some(steady(&memory, &script, &args).await?);
    memory.stop().await;

    let durable = start(Place::File(folder.path().join("throughput.redb"))).await?;
    report.durable = Some(throughput(&durable, &script, &args).await?);
    report.steady_durable = Some(steady(&durable, &script, &args).await?);
    if args.open > 0 {
        report.open = args.open;
        report.few_open = Some(scattered(&durable, &script, &args, args.clients * 4).await?);
        report.many_open = Some(scattered(&durable, &script, &args, args.open).await?);
    }
    durable.stop().await;
    report.print(args.json)
}

async fn start(place: Place) -> anyhow::Result<Process> {
    let options = Options { place, ..Options::new(vec![packs::embedded()?]) };
    let limits = wenzhen_service::Limits { max_in_flight: 100_000, ..options.limits.clone() };
    Process::start(Options { limits, ..options }).await
}

/// Closed loop: as many turns as can be had, in consultations that have turns behind them.
async fn throughput(process: &Process, script: &Arc<Script>, args: &BenchTurnArgs) -> anyhow::Result<Figures> {
    let warm = Driver::new(process, script, args.clients);
    // As many consultations as the machine can be expected to measure in the time asked for.
    let consultations = usize::try_from(args.seconds).context("seconds")? * 800;
    let pool = warm.open(consultations).await?;
    let pool = warm.turns(pool, BEFORE).await?.sessions;
    let began = Instant::now();
    let measured = warm.turns(pool, MEASURED).await?;
    Ok(Figures::new(measured.latencies, began.elapsed()))
}

/// Open loop: turns at a steady rate, each timed from the moment at which it was due.
async fn steady(process: &Process, script: &Arc<Script>, args: &BenchTurnArgs) -> anyhow::Result<Figures> {
    let driver = Driver::new(process, script, args.clients);
    let turns = usize::try_from(u64::from(args.rate) * args.seconds).context("seconds")?;
    let pool = driver.open(turns.div_ceil(MEASURED)).await?;
    let pool = driver.turns(pool, BEFORE).await?.sessions;
    let began = Instant::now();
    let paced = driver.paced(pool, Duration::from_secs(1) / args.rate.max(1), turns).await?;
    Figures::new(paced.latencies, began.elapsed()).sent_late(&paced.late)
}

/// Closed loop over `open` consultations in random order, each taking its third turn. Fewer consultations than there
/// are turns to measure are opened again and again.
async fn scattered(
    process: &Process,
    script: &Arc<Script>,
    args: &BenchTurnArgs,
    open: usize,
) -> anyhow::Result<Figures> {
    let driver = Driver::new(process, script, args.clients);
    let (mut latencies, mut elapsed) = (Vec::new(), Duration::ZERO);
    while latencies.len() < args.clients * SCATTERED {
        let pool = driver.open(open).await?;
        let mut pool = driver.turns(pool, 2).await?.sessions;
        driver::shuffle(&mut pool);
        pool.truncate(args.clients * SCATTERED);
        let began = Instant::now();
        let measured = driver.turns(pool, 1).await?;
        elapsed += began.elapsed();
        latencies.extend(measured.latencies);
    }
    Ok(Figures::new(latencies, elapsed))
}
