//! The orchestrator as a process of its own: its flags, and what they wire together.

mod access;
mod agents;
mod store;

use std::sync::Arc;

use clap::{Args, Parser, value_parser};
use wenzhen_bundle::PackArgs;
use wenzhen_service::Services;
use wenzhen_service::app::{App, AppArgs, Failure};
use wenzhen_service::layers::admission::Bounds;

use self::access::AccessArgs;
use self::agents::AgentArgs;
use self::store::StoreArgs;
use crate::server::turn_bounds;
use crate::{Agents, Budgets, Knowledge, Orchestrator, Settings};

const EXAMPLES: &str = "\
Examples:
  wenzhen-orchestrator --memory --kg http://localhost:7001 --guidance http://localhost:7002 \\
      --expert http://localhost:7003 --empathy http://localhost:7004
      A trial on one machine; consultations are gone with the process.
  wenzhen-orchestrator --listen 0.0.0.0:7000 --redis redis+sentinel://s1:26379,s2:26379/wenzhen \\
      --redis-password-file redis.pw --kg http://kg:7000 --guidance http://guidance:7000 \\
      --expert http://expert:7000 --empathy http://empathy:7000 --clinicians-file clinicians.keys
      In a cluster, with headless services: every address of a name is used, and looked up again.
  wenzhen-orchestrator --config orchestrator.toml
      Settings from a file, such as:  kg = \"http://kg:7000\"";

/// Wenzhen's orchestrator: keeps the dialogue and decides between asking and diagnosing
///
/// Starts in any order with its agents; one that is away is done without, and the reply says so. NOT_SERVING until its
/// packs are loaded and its store answers; after SIGTERM turns under way finish within the drain budget.
#[derive(Parser, Debug)]
#[command(name = "wenzhen-orchestrator", version, after_help = EXAMPLES)]
pub struct OrchestratorArgs {
    #[command(flatten, next_help_heading = "Agents")]
    agents: AgentArgs,
    #[command(flatten, next_help_heading = "Consultations")]
    store: StoreArgs,
    #[command(flatten, next_help_heading = "Callers")]
    access: AccessArgs,
    #[command(flatten, next_help_heading = "Limits")]
    turns: TurnArgs,
    #[command(flatten)]
    packs: PackArgs,
    /// What every service has.
    #[command(flatten)]
    pub app: AppArgs,
}

/// Turns at once.
#[derive(Args, Clone, Debug)]
struct TurnArgs {
    /// Turns under way at once; one that speaks of danger goes before all others
    #[arg(long, env = "WENZHEN_MAX_TURNS", default_value = "256", value_parser = value_parser!(u32).range(1..=100_000))]
    max_turns: u32,
    /// Turns that may wait for one of those places; the rest is shed with RESOURCE_EXHAUSTED
    #[arg(long, env = "WENZHEN_MAX_WAITING_TURNS", default_value = "512", value_parser = value_parser!(u32).range(0..=100_000))]
    max_waiting_turns: u32,
}

impl TurnArgs {
    fn bounds(&self) -> Bounds {
        let many = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        Bounds { permits: many(self.max_turns), waiting: many(self.max_waiting_turns), ..turn_bounds() }
    }
}

/// Serves until a signal.
///
/// # Errors
/// When the flags contradict each other, the packs do not load or the store cannot be reached.
pub async fn serve(args: OrchestratorArgs, app: App) -> Result<(), Failure> {
    let place = args.store.place()?;
    let access = args.access.load(app.stopping())?;
    let channels = args.agents.connect(&app)?;
    let packs = args.packs;
    let knowledge = app.prepare("packs", move || -> anyhow::Result<Vec<Arc<Knowledge>>> {
        packs.load()?.into_iter().map(|pack| Ok(Arc::new(Knowledge::new(pack)?))).collect()
    });
    let (knowledge, store) = tokio::try_join!(knowledge, place.open(&app))?;
    let orchestrator = Orchestrator::new(Settings {
        packs: knowledge,
        agents: Agents::new(channels, Budgets::default()),
        store,
        access,
        turns: args.turns.bounds(),
        metrics: app.metrics().clone(),
    })?;
    let background = tokio::spawn(orchestrator.clone().background(app.stopping()));
    let served = app.serve(Services::new().with(orchestrator.service())).await;
    // It ends with the port.
    let _ = background.await;
    served
}
