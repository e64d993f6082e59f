//! Prints figures about a cluster on this machine, or runs a command against one.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use wenzhen_cluster::figures::{ALL, Figure, measure};
use wenzhen_cluster::guest;

/// Measure a cluster of the built binaries on this machine
///
/// Needs redis-server and `cargo build --release --bins`. Exit code 1 when a figure was not reached.
#[derive(Parser, Debug)]
#[command(name = "wenzhen-cluster")]
struct Args {
    /// What to measure; unset: everything
    #[arg(value_parser = ALL.to_vec())]
    figures: Vec<String>,
    /// Seconds of each measurement that runs for a time
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Print one JSON object a figure
    #[arg(long)]
    json: bool,
    /// Measure nothing: start a cluster and run this command, which finds the addresses in CLUSTER_ORCHESTRATOR,
    /// CLUSTER_KG and so on, a clinician's key in CLUSTER_CLINICIAN_KEY and the binaries in CLUSTER_BIN
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true, conflicts_with_all = ["figures", "json"])]
    run: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    wenzhen_service::install_crypto();
    if !args.run.is_empty() {
        let status = guest::run(&args.run).await?;
        return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let names = if args.figures.is_empty() { ALL.map(str::to_owned).to_vec() } else { args.figures };
    let mut all_reached = true;
    for name in names {
        for figure in measure(&name, args.seconds).await.with_context(|| format!("measuring {name}"))? {
            all_reached &= figure.reached;
            print(&figure, args.json)?;
        }
    }
    Ok(if all_reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(figure: &Figure, json: bool) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(figure)?)?;
    } else {
        let verdict = if figure.reached { "reached" } else { "MISSED" };
        writeln!(out, "{}\n    {}\n    wanted {}: {verdict}", figure.what, figure.found, figure.wanted)?;
    }
    Ok(())
}
