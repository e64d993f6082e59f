//! The knowledge graph agent as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use wenzhen_bundle::PackArgs;
use wenzhen_kg::config::WeightArgs;
use wenzhen_kg::{KgServer, Settings, WeightMetrics};
use wenzhen_service::Services;
use wenzhen_service::app::{self, App, AppArgs, Failure};

/// A call makes many small messages: the system's allocator would take a quarter of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXAMPLES: &str = "\
Examples:
  wenzhen-kg --memory
      One replica for trying out: the embedded pack, and weights that go with the process.
  wenzhen-kg --listen 0.0.0.0:7000 --admin-listen 0.0.0.0:7100 --redis redis://redis:6379
      One of many replicas, which share what they learn; /readyz says when the pack is loaded.
  wenzhen-kg --config kg.toml --log-format json
      Settings from a file, such as:  listen = \"0.0.0.0:7000\"";

/// Wenzhen's knowledge graph agent: what is likely, and what is worth asking
///
/// Starts alone. NOT_SERVING until the packs are loaded; scores on while Redis is away; after SIGTERM calls finish
/// within the drain budget.
#[derive(Parser, Debug)]
#[command(name = "wenzhen-kg", version, after_help = EXAMPLES)]
#[command(mut_arg("max_in_flight", |arg| arg.default_value(app::cpu_bound())))]
struct Args {
    #[command(flatten)]
    packs: PackArgs,
    #[command(flatten)]
    weights: WeightArgs,
    #[command(flatten)]
    app: AppArgs,
}

fn main() -> ExitCode {
    app::run(|args: &Args| &args.app, serve)
}

async fn serve(args: Args, app: App) -> Result<(), Failure> {
    let packs = app.prepare("packs", move || args.packs.load()).await?;
    let server = KgServer::start(Settings {
        metrics: WeightMetrics::new(app.metrics()),
        dependency: Some(app.readiness().optional("weights")),
        shutdown: app.stopping(),
        ..args.weights.settings(packs).await?
    })
    .await;
    let served = app.serve(Services::new().with(server.clone().into_service())).await;
    server.stop().await;
    served
}
