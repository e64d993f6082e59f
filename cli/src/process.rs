//! All services in this process, joined by in-memory gRPC connections.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use wenzhen_channel::Balanced;
use wenzhen_empathy::EmpathyServer;
use wenzhen_expert::ExpertServer;
use wenzhen_guidance::GuidanceServer;
use wenzhen_kg::weights::{AutoPublish, WeightStore};
use wenzhen_kg::{KgServer, WeightMetrics};
use wenzhen_language::Interpreter;
use wenzhen_orchestrator::agents::Channels;
use wenzhen_orchestrator::server::turn_bounds;
use wenzhen_orchestrator::store::{MemoryStore, RedbStore, Store};
use wenzhen_orchestrator::{AccessRules, Agents, Budgets, Knowledge, Orchestrator, Settings};
use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::Agent;
use wenzhen_proto::empathy::v1::empathy_service_server::EmpathyServiceServer;
use wenzhen_proto::expert::v1::expert_service_server::ExpertServiceServer;
use wenzhen_proto::guidance::v1::guidance_service_server::GuidanceServiceServer;
use wenzhen_proto::kg::v1::kg_service_server::KgServiceServer;
use wenzhen_service::layers::admission::Bounds;
use wenzhen_service::local::{LocalServer, in_process_guarded};
use wenzhen_service::{Guard, Keys, Limits, Metrics, Services};
use wenzhen_vision::{Gathering, VisionMetrics, VisionServer};
use wenzhen_voices::Speaker;

/// Where consultations are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In memory; gone with the process.
    Memory,
    /// In a file.
    File(PathBuf),
}

/// What to start.
pub struct Options {
    /// Packs, the default first.
    pub packs: Vec<Arc<Pack>>,
    /// Where consultations are kept.
    pub place: Place,
    /// Who may do what, and how often.
    pub access: AccessRules,
    /// Agents that are not started: calls to them are refused.
    pub away: Vec<Agent>,
    /// Where every server counts.
    pub metrics: Metrics,
    /// Limits of every server.
    pub limits: Limits,
    /// Bounds on turns.
    pub turns: Bounds,
    /// How weights learn.
    pub learning: Learning,
    /// The model that guidance, expert and empathy speak through; `None`: their built-in voices alone.
    pub speaker: Option<Speaker>,
    /// Who reads photographs; `None`: the built-in model, where there is one.
    pub vision: Option<Services>,
}

/// How weights learn.
#[derive(Debug, Clone)]
pub struct Learning {
    /// Who may publish weight epochs; without any key nobody may.
    pub admins: Keys,
    /// When weight epochs are published without being asked; `None`: never.
    pub publish: Option<AutoPublish>,
    /// Epochs that can be scored with, at least 1.
    pub keep_epochs: u64,
}

impl Default for Learning {
    fn default() -> Self {
        Self { admins: Keys::default(), publish: None, keep_epochs: wenzhen_kg::server::KEEP_EPOCHS }
    }
}

impl Options {
    /// The defaults over these packs: in memory, nobody away.
    pub fn new(packs: Vec<Arc<Pack>>) -> Self {
        Self {
            packs,
            place: Place::Memory,
            access: AccessRules::default(),
            away: Vec::new(),
            metrics: Metrics::default(),
            limits: Limits::default(),
            turns: turn_bounds(),
            learning: Learning::default(),
            speaker: None,
            vision: None,
        }
    }
}

/// The services of each agent, not yet bound to any connection.
#[derive(Clone)]
pub struct Agencies {
    /// Knowledge graph.
    pub kg: Services,
    /// Guidance.
    pub guidance: Services,
    /// Expert.
    pub expert: Services,
    /// Empathy.
    pub empathy: Services,
    /// Vision.
    pub vision: Services,
}

impl Agencies {
    fn new(options: &Options, kg: KgServer, interpreters: Vec<Arc<Interpreter>>) -> anyhow::Result<Self> {
        let (all, speaker) = (options.packs.clone(), || options.speaker.clone());
        let guidance = GuidanceServer::over(interpreters).speaking(speaker())?;
        let expert = ExpertServer::new(all.clone()).speaking(speaker())?;
        let empathy = EmpathyServer::new(all)?.speaking(speaker())?;
        Ok(Self {
            vision: vision(options)?,
            kg: Services::new().with(KgServiceServer::new(kg)),
            guidance: Services::new().with(GuidanceServiceServer::new(guidance)),
            expert: Services::new().with(ExpertServiceServer::new(expert)),
            empathy: Services::new().with(EmpathyServiceServer::new(empathy)),
        })
    }
}

/// A running system.
pub struct Process {
    /// The orchestrator, as a client sees it.
    pub channel: Channel,
    /// The agents, as the orchestrator sees them.
    pub agents: Channels,
    /// The orchestrator itself.
    pub orchestrator: Orchestrator,
    /// The agents' services, to be put on real ports too.
    pub services: Agencies,
    servers: Vec<LocalServer>,
    background: (tokio::task::JoinHandle<()>, CancellationToken),
    graph: KgServer,
}

impl Process {
    /// Starts everything. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// When the store cannot be opened or a pack cannot be used.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        // A guard each: a turn holds a permit of the orchestrator's while it waits for one of an agent's.
        let guard = || Guard::new(options.metrics.clone(), options.limits.clone());
        // Compiled once: guidance speaks from it, the orchestrator falls back on it.
        let interpreters = options.packs.iter().map(|pack| Interpreter::new(pack.clone()).map(Arc::new));
        let interpreters: Vec<_> = interpreters.collect::<Result<_, _>>()?;
        let graph = KgServer::start(weights(&options)?).await;
        let services = Agencies::new(&options, graph.clone(), interpreters.clone())?;
        let agencies = services.clone();
        let mut servers = Vec::new();
        let mut channels = Vec::new();
        for (agent, services) in [
            (Agent::Kg, agencies.kg),
            (Agent::Guidance, agencies.guidance),
            (Agent::Expert, agencies.expert),
            (Agent::Empathy, agencies.empathy),
            (Agent::Vision, agencies.vision),
        ] {
            let (channel, server) = in_process_guarded(services, &guard());
            channels.push(channel);
            // An agent that is away refuses connections, as one does that was never started.
            if options.away.contains(&agent) { server.stop().await } else { servers.push(server) }
        }
        let channels = <[Channel; 5]>::try_from(channels).map_err(|_| anyhow::anyhow!("one channel per agent"))?;
        let [kg, guidance, expert, empathy, vision] = channels.map(Balanced::single);
        let agents = Channels { kg, guidance, expert, empathy, vision: Some(vision) };
        let knowledge = interpreters.into_iter().map(|interpreter| Knowledge::over(interpreter).map(Arc::new));
        let orchestrator = Orchestrator::new(Settings {
            packs: knowledge.collect::<Result<_, _>>()?,
            agents: Agents::new(agents.clone(), Budgets::default()),
            store: store(&options.place)?,
            access: options.access,
            turns: options.turns,
            metrics: options.metrics.clone(),
        })?;
        let (channel, server) = in_process_guarded(Services::new().with(orchestrator.service()), &guard());
        servers.push(server);
        let stop = CancellationToken::new();
        let background = (tokio::spawn(orchestrator.clone().background(stop.clone())), stop);
        Ok(Self { channel, agents, orchestrator, services, servers, background, graph })
    }

    /// Lets calls in flight finish, then stops everything.
    pub async fn stop(self) {
        let (background, stop) = self.background;
        stop.cancel();
        // It ends at once, or has ended already.
        let _ = background.await;
        for server in self.servers.into_iter().rev() {
            server.stop().await;
        }
        self.graph.stop().await;
    }
}

/// Weights are kept where consultations are, in a file of their own (`.weights` appended).
fn weights(options: &Options) -> anyhow::Result<wenzhen_kg::Settings> {
    let store: Arc<dyn WeightStore> = match &options.place {
        Place::Memory => Arc::new(wenzhen_kg::weights::MemoryStore::default()),
        Place::File(path) => {
            make_folder(path)?;
            let mut file = path.as_os_str().to_owned();
            file.push(".weights");
            let open = wenzhen_kg::weights::RedbStore::open(Path::new(&file));
            Arc::new(open.with_context(|| format!("cannot open {}", Path::new(&file).display()))?)
        }
    };
    Ok(wenzhen_kg::Settings {
        admins: options.learning.admins.clone(),
        auto: options.learning.publish,
        keep_epochs: options.learning.keep_epochs,
        metrics: WeightMetrics::new(&options.metrics),
        ..wenzhen_kg::Settings::new(options.packs.clone(), store)
    })
}

/// Who reads photographs. Nothing is loaded for an agent that is away.
fn vision(options: &Options) -> anyhow::Result<Services> {
    if let Some(services) = &options.vision {
        return Ok(services.clone());
    }
    let model = match options.away.contains(&Agent::Vision) {
        true => None,
        false => wenzhen_vision::model::embedded_later().context("the built-in model")?,
    };
    let server = VisionServer::new(wenzhen_vision::Settings {
        packs: options.packs.clone(),
        model,
        limits: wenzhen_vision::Limits::default(),
        gathering: Gathering::default(),
        metrics: VisionMetrics::register(&options.metrics),
    });
    Ok(Services::new().with(server.into_service()))
}

fn make_folder(file: &Path) -> anyhow::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

fn store(place: &Place) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match place {
        Place::Memory => Arc::new(MemoryStore::default()),
        Place::File(path) => {
            make_folder(path)?;
            let hint =
                || format!("cannot open {} (if another wenzhen has it: --connect to it, or --memory)", path.display());
            Arc::new(RedbStore::open(path).with_context(hint)?)
        }
    })
}
