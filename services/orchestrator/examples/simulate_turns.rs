//! Runs the simulation of orchestrators, agents and patients for many seeds and prints those that fail.
//!
//! `cargo run --release -p wenzhen-orchestrator --example simulate_turns -- --seeds 10000`, or `--from 17 --seeds 1` for
//! one again.

#![allow(clippy::print_stdout, reason = "this program's output is its purpose")]

#[path = "../tests/world/mod.rs"]
mod world;

use std::process::ExitCode;

use clap::Parser;

/// Simulates orchestrators over one store under faults drawn from seeds
#[derive(Parser)]
struct Options {
    /// How many seeds
    #[arg(long, default_value = "1000")]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value = "0")]
    from: u64,
    /// Say what happened in every world, not only in those that broke
    #[arg(long)]
    verbose: bool,
    /// Print all that crosses the network
    #[arg(long)]
    trace: bool,
    /// Run each seed twice: the two must agree in all that crosses the network
    #[arg(long)]
    twice: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut broken = 0_u64;
    for seed in options.from..options.from.saturating_add(options.seeds) {
        let ran = world::run(seed);
        if options.trace {
            ran.trace.iter().for_each(|step| println!("{step}"));
        }
        let again = options.twice.then(|| world::run(seed));
        let parting = again.and_then(|again| world::trace::parting(&ran.trace, &again.trace));
        let outcome = parting.map_or(ran.outcome, |parting| Err(format!("two runs part at {parting}")));
        match outcome {
            Ok(summary) if options.verbose => println!("seed {seed}: {summary}"),
            Ok(_) => {}
            Err(why) => {
                broken += 1;
                println!("seed {seed} FAILED: {why}");
            }
        }
    }
    println!("{} seeds, {broken} failed", options.seeds);
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
