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
use driver::{Driver, Patient, Script};
use report::{Crowd, Figures, Report};
pub use vision::vision;

/// Turns behind a consultation before it is measured.
const BEFORE: usize = 5;
/// Rounds with few and with many consultations open.
const ROUNDS: usize = 15;
/// The turn that is measured in them.
const THIRD: usize = 3;
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
    durable.stop().await;

    if args.open > 0 {
        let few = start(Place::File(folder.path().join("few.redb"))).await?;
        let many = start(Place::File(folder.path().join("many.redb"))).await?;
        report.crowd = Some(crowded(&few, &many, &script, &args).await?);
        few.stop().await;
        many.stop().await;
    }
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

/// Third turns with few and with many consultations open, in turns: a round of the one, a round of the other. So
/// whatever slows the machine for a while slows both.
async fn crowded(few: &Process, many: &Process, script: &Arc<Script>, args: &BenchTurnArgs) -> anyhow::Result<Crowd> {
    let (few, many) = (Driver::new(few, script, args.clients), Driver::new(many, script, args.clients));
    let round = args.clients * 4;
    let waiting = many.open(args.open.max(round * ROUNDS)).await?;
    let mut waiting = many.turns(waiting, THIRD - 1).await?.sessions;
    driver::shuffle(&mut waiting);
    let mut timed = [Timed::default(), Timed::default()];
    let [among_few, among_many] = &mut timed;
    for _ in 0..ROUNDS {
        let pool = few.turns(few.open(round).await?, THIRD - 1).await?.sessions;
        among_few.round(&few, pool).await?;
        among_many.round(&many, waiting.split_off(waiting.len() - round)).await?;
    }
    let slower = timed[0].slower(&timed[1]);
    let [few_open, many_open] = timed.map(Timed::figures);
    Ok(Crowd { open: args.open, few_open, many_open, slower_percent: slower })
}

/// Turns of one side.
#[derive(Default)]
struct Timed {
    latencies: Vec<Duration>,
    rounds: Vec<Duration>,
}

impl Timed {
    async fn round(&mut self, driver: &Driver, pool: Vec<Patient>) -> anyhow::Result<()> {
        let began = Instant::now();
        let measured = driver.turns(pool, 1).await?;
        self.rounds.push(began.elapsed());
        self.latencies.extend(measured.latencies);
        Ok(())
    }

    /// By how much the other's rounds take longer, in per cent: the median over pairs.
    fn slower(&self, other: &Self) -> f64 {
        let pairs = self.rounds.iter().zip(&other.rounds);
        let mut ratios: Vec<f64> = pairs.map(|(a, b)| b.as_secs_f64() / a.as_secs_f64().max(1e-9)).collect();
        ratios.sort_by(f64::total_cmp);
        (ratios.get(ratios.len() / 2).copied().unwrap_or(1.0) - 1.0) * 100.0
    }

    fn figures(self) -> Figures {
        Figures::new(self.latencies, self.rounds.iter().sum())
    }
}
