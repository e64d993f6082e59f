//! An orchestrator of the simulation: the real one, over simulated connections.

use std::net::SocketAddr;
use std::sync::Arc;

use tower::Layer;
use wenzhen_channel::{Balanced, ChannelMetrics, Settings as ChannelSettings};
use wenzhen_orchestrator::agents::Channels;
use wenzhen_orchestrator::server::turn_bounds;
use wenzhen_orchestrator::{AccessRules, Agents, Budgets, Orchestrator, Settings};
use wenzhen_service::{Guard, Limits, Metrics, Services};

use super::store::Shared;
use super::{KNOWLEDGE, PORT, World, settings, wire};

/// Serves until the host crashes.
pub async fn serve(seed: u64, agents: Vec<(&'static str, SocketAddr)>, world: Arc<World>) -> turmoil::Result {
    let metrics = Metrics::new();
    let counted = ChannelMetrics::register(&metrics);
    let channel = |agent: &str| {
        let addresses = agents.iter().filter(|(of, _)| *of == agent).map(|(_, address)| format!("http://{address}"));
        let target = addresses.collect::<Vec<_>>().join(",").parse().unwrap();
        let settings = ChannelSettings { idempotent: Arc::new(|_| true), ..settings(seed, &world) };
        Balanced::connect(&target, settings, &counted).unwrap()
    };
    let channels = Channels {
        vision: None,
        kg: channel("kg"),
        guidance: channel("guidance"),
        // Nobody asks the expert.
        expert: channel("guidance"),
        empathy: channel("empathy"),
    };
    let orchestrator = Orchestrator::new(Settings {
        packs: vec![KNOWLEDGE.clone()],
        agents: Agents::new(channels, Budgets::default()),
        store: Arc::new(Shared(Arc::clone(&world.store))),
        access: AccessRules::default(),
        turns: turn_bounds(),
        metrics: metrics.clone(),
    })?;
    let guard = Guard::new(metrics, Limits::default());
    let service = guard.layer(Services::new().with(orchestrator.service()).into_routes());
    Ok(wire::serve(PORT, Arc::clone(&world.trace), service).await?)
}
