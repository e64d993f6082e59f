//! The gRPC face: `wenzhen.kg.v1.KgService`.

mod knowledge;
mod scoring;
mod weights;

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};
use wenzhen_pack::Pack;
use wenzhen_proto::kg::v1 as kg;
use wenzhen_proto::kg::v1::kg_service_server::{KgService, KgServiceServer};
use wenzhen_service::Keys;
use wenzhen_service::health::Dependency;

use crate::metrics::WeightMetrics;
use crate::weights::{AutoPublish, Bounds, MemoryStore, Publisher, Replica, WeightStore};

/// Overlays kept unless said otherwise.
pub const KEEP_EPOCHS: u64 = 100;
/// How long a replica waits at its start for its store to tell the newest epochs.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// How often the file of the admin keys is looked at.
const KEYS_AGAIN: Duration = Duration::from_secs(10);

/// What a knowledge graph service is made of.
pub struct Settings {
    /// The packs.
    pub packs: Vec<Arc<Pack>>,
    /// Where weights are kept.
    pub store: Arc<dyn WeightStore>,
    /// Who may make epochs; without any key nobody may.
    pub admins: Keys,
    /// The file of these keys; read again when it changes.
    pub admins_file: Option<PathBuf>,
    /// How far feedback may move the graph.
    pub bounds: Bounds,
    /// So many epochs can be scored with and rolled back to, at least 1.
    pub keep_epochs: u64,
    /// When epochs are made without being asked; `None`: never.
    pub auto: Option<AutoPublish>,
    /// Gauges.
    pub metrics: WeightMetrics,
    /// Told whether the store can be reached; it should be an optional one, since scoring goes on without.
    pub dependency: Option<Dependency>,
    /// Ends the streams of those who watch.
    pub shutdown: CancellationToken,
}

impl Settings {
    /// The defaults: nobody is an admin, nothing is published without being asked.
    pub fn new(packs: Vec<Arc<Pack>>, store: Arc<dyn WeightStore>) -> Self {
        Self {
            packs,
            store,
            admins: Keys::default(),
            admins_file: None,
            bounds: Bounds::default(),
            keep_epochs: KEEP_EPOCHS,
            auto: None,
            metrics: WeightMetrics::default(),
            dependency: None,
            shutdown: CancellationToken::new(),
        }
    }
}

/// Holds packs made ready for scoring and follows their weights; cheap to clone. What works behind it ends with the
/// last clone, or with [`KgServer::stop`].
#[derive(Debug, Clone)]
pub struct KgServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    replica: Arc<Replica>,
    publisher: Arc<Publisher>,
    admins: Keys,
    shutdown: CancellationToken,
    tasks: Tasks,
}

/// What works in the background.
#[derive(Debug)]
struct Tasks {
    running: TaskTracker,
    stop: CancellationToken,
    _guard: DropGuard,
}

impl Tasks {
    fn new() -> Self {
        let stop = CancellationToken::new();
        Self { running: TaskTracker::new(), stop: stop.clone(), _guard: stop.drop_guard() }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.running.spawn(async move { stop.run_until_cancelled(task).await });
    }
}

impl KgServer {
    /// Makes the packs ready, with weights in memory that nobody may publish.
    pub fn new(packs: impl IntoIterator<Item = Arc<Pack>>) -> Self {
        Self::over(Settings::new(packs.into_iter().collect(), Arc::new(MemoryStore::default())))
    }

    /// Makes the packs ready and begins to follow their weights. Where the store does not answer it begins with the
    /// packs as written. Needs a tokio runtime.
    pub async fn start(settings: Settings) -> Self {
        let (metrics, dependency, auto) = (settings.metrics.clone(), settings.dependency.clone(), settings.auto);
        let (admins, file, shutdown) =
            (settings.admins.clone(), settings.admins_file.clone(), settings.shutdown.clone());
        let server = Self::over(settings);
        let Inner { replica, publisher, tasks, .. } = &*server.0;
        let looks = replica.packs().map(|pack| replica.look(pack, &metrics, false));
        // What fails now is tried again by those who follow.
        let _ = tokio::time::timeout(FIRST_LOOK, futures::future::join_all(looks)).await;
        for pack in replica.packs().map(str::to_owned) {
            let (replica, metrics, dependency) = (replica.clone(), metrics.clone(), dependency.clone());
            tasks.spawn(async move { replica.follow(&pack, &metrics, dependency).await });
        }
        if let Some(file) = file {
            tasks.spawn(admins.follow(file, KEYS_AGAIN, shutdown));
        }
        if let Some(auto) = auto {
            let publisher = publisher.clone();
            tasks.spawn(async move { publisher.publish_now_and_then(auto).await });
        }
        server
    }

    fn over(settings: Settings) -> Self {
        let Settings { packs, store, admins, bounds, keep_epochs, shutdown, .. } = settings;
        let replica = Arc::new(Replica::new(packs, store));
        let publisher = Arc::new(Publisher::new(replica.clone(), bounds, keep_epochs));
        Self(Arc::new(Inner { replica, publisher, admins, shutdown, tasks: Tasks::new() }))
    }

    /// Ends what works in the background, and waits for that.
    pub async fn stop(&self) {
        let tasks = &self.0.tasks;
        tasks.stop.cancel();
        tasks.running.close();
        tasks.running.wait().await;
    }

    /// The generated service around this server.
    pub fn into_service(self) -> KgServiceServer<Self> {
        KgServiceServer::new(self)
    }
}

type Streaming<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl KgService for KgServer {
    type WatchEpochsStream = Streaming<kg::WatchEpochsResponse>;

    async fn advance(&self, request: Request<kg::AdvanceRequest>) -> Result<Response<kg::AdvanceResponse>, Status> {
        Ok(Response::new(self.advance_now(request.get_ref()).await?))
    }

    async fn explain(&self, request: Request<kg::ExplainRequest>) -> Result<Response<kg::ExplainResponse>, Status> {
        Ok(Response::new(self.explain_now(request.get_ref()).await?))
    }

    async fn get_condition(
        &self,
        request: Request<kg::GetConditionRequest>,
    ) -> Result<Response<kg::GetConditionResponse>, Status> {
        Ok(Response::new(self.condition_now(request.get_ref()).await?))
    }

    async fn list_findings(
        &self,
        request: Request<kg::ListFindingsRequest>,
    ) -> Result<Response<kg::ListFindingsResponse>, Status> {
        Ok(Response::new(self.findings_now(request.get_ref())?))
    }

    async fn describe(&self, _: Request<kg::DescribeRequest>) -> Result<Response<kg::DescribeResponse>, Status> {
        Ok(Response::new(self.describe_now()))
    }

    async fn propose_feedback(
        &self,
        request: Request<kg::ProposeFeedbackRequest>,
    ) -> Result<Response<kg::ProposeFeedbackResponse>, Status> {
        Ok(Response::new(self.propose(request.get_ref()).await?))
    }

    async fn publish_epoch(
        &self,
        request: Request<kg::PublishEpochRequest>,
    ) -> Result<Response<kg::PublishEpochResponse>, Status> {
        Ok(Response::new(self.publish(request.metadata(), request.get_ref()).await?))
    }

    async fn rollback(&self, request: Request<kg::RollbackRequest>) -> Result<Response<kg::RollbackResponse>, Status> {
        Ok(Response::new(self.roll_back(request.metadata(), request.get_ref()).await?))
    }

    async fn watch_epochs(
        &self,
        request: Request<kg::WatchEpochsRequest>,
    ) -> Result<Response<Self::WatchEpochsStream>, Status> {
        Ok(Response::new(self.watch(request.into_inner().pack_digest)?))
    }

    async fn get_epoch(&self, request: Request<kg::GetEpochRequest>) -> Result<Response<kg::GetEpochResponse>, Status> {
        Ok(Response::new(self.one_epoch(request.get_ref()).await?))
    }

    async fn list_ledger(
        &self,
        request: Request<kg::ListLedgerRequest>,
    ) -> Result<Response<kg::ListLedgerResponse>, Status> {
        Ok(Response::new(self.ledger(request.get_ref()).await?))
    }
}
