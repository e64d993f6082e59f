//! The whole system as processes of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use futures::future::try_join_all;
use tonic::transport::Channel;

use crate::program::Watch;
use crate::proxy::Proxy;
use crate::redis::Sync;
use crate::{Program, RedisServer};

/// Names of the agents that every cluster has.
pub const AGENTS: [&str; 4] = ["kg", "guidance", "expert", "empathy"];
/// The one that some have.
const VISION: &str = "vision";
/// The model of photographs: none is built into its binary.
const TONGUE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/tongue");

/// What to start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Replicas of each agent.
    pub replicas: usize,
    /// Orchestrators.
    pub orchestrators: usize,
    /// Put a proxy in front of each replica of each agent.
    pub proxies: bool,
    /// Reach the agents over https; the flags say with which certificates.
    pub https: bool,
    /// When Redis has a write on disk.
    pub sync: Sync,
    /// Have an agent for photographs as well; its model takes a moment to load.
    pub vision: bool,
    /// Who looks at the logs.
    pub watch: Option<Arc<Watch>>,
    /// Further flags, by service.
    pub flags: Vec<(&'static str, String)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            replicas: 1,
            orchestrators: 1,
            proxies: false,
            https: false,
            sync: Sync::default(),
            vision: false,
            watch: None,
            flags: Vec::new(),
        }
    }
}

/// A running system on one Redis.
pub struct Cluster {
    /// Its Redis.
    pub redis: RedisServer,
    /// Replicas, by agent.
    pub agents: BTreeMap<&'static str, Vec<Program>>,
    /// The proxies in front of them, in the same order.
    pub proxies: BTreeMap<&'static str, Vec<Proxy>>,
    /// Orchestrators.
    pub orchestrators: Vec<Program>,
    /// What each agent is reached by.
    targets: BTreeMap<&'static str, String>,
    plan: Plan,
}

impl Cluster {
    /// Starts everything and waits until it is ready.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(plan: Plan) -> anyhow::Result<Self> {
        let redis = RedisServer::start_with(plan.sync).await?;
        let (agents, proxies, targets) = Default::default();
        let mut cluster = Self { redis, agents, proxies, orchestrators: Vec::new(), targets, plan };
        let vision = cluster.plan.vision.then_some(VISION);
        for agent in AGENTS.into_iter().chain(vision) {
            let replicas = (0..cluster.plan.replicas).map(|n| cluster.launch(agent, n, "127.0.0.1:0"));
            let replicas = replicas.collect::<Result<Vec<_>, _>>()?;
            let mut addresses = try_join_all(replicas.iter().map(Program::address)).await?;
            if cluster.plan.proxies {
                let proxies = try_join_all(addresses.iter().map(|address| Proxy::start(*address))).await?;
                addresses = proxies.iter().map(Proxy::address).collect();
                cluster.proxies.insert(agent, proxies);
            }
            let scheme = if cluster.plan.https { "https" } else { "http" };
            let urls: Vec<_> = addresses.iter().map(|address| format!("{scheme}://{address}")).collect();
            cluster.targets.insert(agent, urls.join(","));
            cluster.agents.insert(agent, replicas);
        }
        for _ in 0..cluster.plan.orchestrators {
            let orchestrator = cluster.orchestrator("127.0.0.1:0")?;
            cluster.orchestrators.push(orchestrator);
        }
        cluster.ready().await?;
        Ok(cluster)
    }

    /// Starts a replica of an agent as the plan says. Its name is `AGENT-NUMBER`.
    ///
    /// # Errors
    /// When it was not built.
    pub fn launch(&self, agent: &str, number: usize, listen: &str) -> anyhow::Result<Program> {
        let mut arguments = vec!["--instance".to_owned(), format!("{agent}-{number}")];
        if agent == "kg" {
            arguments.extend(["--redis".to_owned(), self.redis.url()]);
        }
        if agent == VISION {
            arguments.extend(["--model".to_owned(), TONGUE.to_owned()]);
        }
        arguments.extend(self.flags(agent));
        Program::watched(&format!("wenzhen-{agent}"), listen, &arguments, self.plan.watch.clone())
    }

    /// Starts an orchestrator of this cluster.
    ///
    /// # Errors
    /// When it was not built.
    pub fn orchestrator(&self, listen: &str) -> anyhow::Result<Program> {
        let mut arguments = vec!["--redis".to_owned(), self.redis.url()];
        // Unbounded for whoever measures; the tests of rates set their own.
        arguments.extend(["--message-rate".to_owned(), "100000".to_owned()]);
        for (agent, target) in &self.targets {
            arguments.extend([format!("--{agent}"), target.clone()]);
        }
        arguments.extend(self.flags("orchestrator"));
        Program::watched("wenzhen-orchestrator", listen, &arguments, self.plan.watch.clone())
    }

    fn flags(&self, service: &str) -> impl Iterator<Item = String> {
        self.plan.flags.iter().filter(move |(of, _)| *of == service).map(|(_, flag)| flag.clone())
    }

    async fn ready(&self) -> anyhow::Result<()> {
        try_join_all(self.programs().map(Program::ready)).await.map(|_| ())
    }

    /// Every process of it.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        self.agents.values().flatten().chain(&self.orchestrators)
    }

    /// A replica of an agent.
    ///
    /// # Errors
    /// When there is none.
    pub fn replica(&mut self, agent: &str, number: usize) -> anyhow::Result<&mut Program> {
        let replica = self.agents.get_mut(agent).and_then(|replicas| replicas.get_mut(number));
        replica.with_context(|| format!("no replica {number} of {agent}"))
    }

    /// What an agent is reached by.
    pub fn target(&self, agent: &str) -> &str {
        self.targets.get(agent).map_or("", String::as_str)
    }

    /// A connection to an orchestrator.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn channel(&self, number: usize) -> anyhow::Result<Channel> {
        let orchestrator = self.orchestrators.get(number).context("no such orchestrator")?;
        let endpoint = Channel::from_shared(format!("http://{}", orchestrator.address().await?))?;
        Ok(endpoint.tcp_nodelay(true).connect().await?)
    }
}
