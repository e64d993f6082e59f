//! Channels to the agents.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, value_parser};
use futures::future::join_all;
use wenzhen_channel::{Balanced, ChannelArgs, ChannelMetrics, Settings, Target, TlsSource};
use wenzhen_service::app::{App, Failure};
use wenzhen_service::health::Dependency;

use crate::agents::Channels;

/// How often the state of a channel is told to the readiness.
const LOOK: Duration = Duration::from_secs(1);

/// Where the agents are.
#[derive(Args, Clone, Debug)]
pub(super) struct AgentArgs {
    /// The knowledge graph agent: http(s)://HOST:PORT, or a list with commas; all addresses of a name are used
    #[arg(long, env = "WENZHEN_KG", value_name = "URL")]
    kg: Target,
    /// The guidance agent
    #[arg(long, env = "WENZHEN_GUIDANCE", value_name = "URL")]
    guidance: Target,
    /// The expert agent
    #[arg(long, env = "WENZHEN_EXPERT", value_name = "URL")]
    expert: Target,
    /// The empathy agent
    #[arg(long, env = "WENZHEN_EMPATHY", value_name = "URL")]
    empathy: Target,
    /// The vision agent; without one, no photographs are taken
    #[arg(long, env = "WENZHEN_VISION", value_name = "URL")]
    vision: Option<Target>,
    /// How long to be NOT_SERVING at the start for want of an agent, in milliseconds; after that it is done without
    #[arg(long, env = "WENZHEN_AGENTS_PATIENCE_MS", default_value = "15000", value_parser = value_parser!(u64).range(0..=3_600_000))]
    agents_patience_ms: u64,
    #[command(flatten)]
    channel: ChannelArgs,
}

impl AgentArgs {
    /// Opens the channels; nobody needs to be there yet. Each agent is an optional dependency of the process.
    pub(super) fn connect(&self, app: &App) -> Result<Channels, Failure> {
        let settings = Settings {
            // Everything that the orchestrator asks of an agent may be asked twice: their answers depend on nothing but
            // the request, and proposals carry an id.
            idempotent: Arc::new(|_| true),
            tls: self.tls(app)?,
            ..self.channel.settings()
        };
        let metrics = ChannelMetrics::register(app.metrics());
        let open = |flag: &str, target: &Target| {
            let channel = Balanced::connect(target, settings.clone(), &metrics);
            channel.map_err(|error| Failure::configuration(format!("{flag} {target}: {error}")))
        };
        let channels = Channels {
            kg: open("--kg", &self.kg)?,
            guidance: open("--guidance", &self.guidance)?,
            expert: open("--expert", &self.expert)?,
            empathy: open("--empathy", &self.empathy)?,
            vision: self.vision.as_ref().map(|target| open("--vision", target)).transpose()?,
        };
        self.watch(app, &channels);
        Ok(channels)
    }

    fn tls(&self, app: &App) -> Result<Option<TlsSource>, Failure> {
        let targets = [&self.kg, &self.guidance, &self.expert, &self.empathy].into_iter().chain(&self.vision);
        let wanted = targets.into_iter().any(|target| target.scheme() == wenzhen_channel::Scheme::Https);
        let Some(tls) = app.tls().filter(|_| wanted).cloned() else { return Ok(None) };
        let first = tls.client()?;
        Ok(Some(Arc::new(move || tls.client().unwrap_or_else(|_| first.clone()))))
    }

    fn watch(&self, app: &App, channels: &Channels) {
        let named = [
            ("kg", &channels.kg),
            ("guidance", &channels.guidance),
            ("expert", &channels.expert),
            ("empathy", &channels.empathy),
        ];
        let named = named.into_iter().chain(channels.vision.as_ref().map(|channel| ("vision", channel)));
        let all: Vec<Balanced> = named
            .map(|(name, channel)| {
                tokio::spawn(follow(channel.clone(), app.readiness().optional(name)));
                channel.clone()
            })
            .collect();
        let (begun, patience) = (app.readiness().dependency("agents"), Duration::from_millis(self.agents_patience_ms));
        tokio::spawn(async move {
            let everyone = join_all(all.iter().map(Balanced::ready));
            if tokio::time::timeout(patience, everyone).await.is_err() {
                tracing::warn!("not every agent was there at the start; those who are not are done without");
            }
            begun.up();
        });
    }
}

/// Tells the readiness how a channel is.
async fn follow(channel: Balanced, dependency: Dependency) {
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        match channel.endpoints().ready {
            0 => dependency.down("no endpoint is reachable"),
            _ => dependency.up(),
        }
    }
}
