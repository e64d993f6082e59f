//! A graph and an expert that behave as a test tells them to.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use wenzhen_channel::Balanced;
use wenzhen_orchestrator::agents::Channels;
use wenzhen_proto::clinical::v1::PackInfo;
use wenzhen_proto::expert::v1 as expert;
use wenzhen_proto::expert::v1::expert_service_server::{ExpertService, ExpertServiceServer};
use wenzhen_proto::kg::v1 as kg;
use wenzhen_proto::kg::v1::kg_service_server::{KgService, KgServiceServer};
use wenzhen_service::layers::deadline::requested;
use wenzhen_service::{in_process, status};

/// The newest epoch of every pack.
pub const NEWEST: u64 = 9;

/// How the agents behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As they should.
    Well,
    /// The graph does not answer.
    GraphAway,
    /// The graph cannot take feedback.
    FeedbackAway,
    /// The expert does not answer.
    ExpertAway,
    /// The expert lacks the pack.
    PackUnknown,
    /// The expert finds the request wrong.
    Invalid,
    /// The graph keeps no epoch but the newest.
    Retired,
    /// The expert learns nothing.
    NothingToTeach,
    /// The expert fails at the next review.
    FailsOnce,
    /// The expert is away for the next review.
    AwayOnce,
    /// The graph takes what it is to score, and never answers.
    Silent,
}

/// The agents.
#[derive(Clone)]
pub struct Fakes(Arc<Inner>);

struct Inner {
    digest: String,
    way: Mutex<Way>,
    reviews: Mutex<Vec<expert::ReviewRequest>>,
    feedback: Mutex<Vec<kg::ProposeFeedbackRequest>>,
    taught: Notify,
    deadlines: Mutex<Vec<Option<Duration>>>,
    scored: AtomicUsize,
}

fn away() -> Status {
    status::unavailable("AWAY", "away", None)
}

fn not_asked() -> Status {
    Status::unimplemented("nobody asks this")
}

impl Fakes {
    /// Agents that hold a pack and behave well.
    pub fn start(digest: &str) -> Self {
        let (digest, way) = (digest.to_owned(), Mutex::new(Way::Well));
        let (reviews, feedback, taught) = (Mutex::default(), Mutex::default(), Notify::default());
        let (deadlines, scored) = (Mutex::default(), AtomicUsize::new(0));
        Self(Arc::new(Inner { digest, way, reviews, feedback, taught, deadlines, scored }))
    }

    /// Changes their behaviour.
    pub fn be(&self, way: Way) {
        *self.0.way.lock() = way;
    }

    fn way(&self) -> Way {
        *self.0.way.lock()
    }

    /// Reviews asked for so far.
    pub fn reviews(&self) -> Vec<expert::ReviewRequest> {
        self.0.reviews.lock().clone()
    }

    /// Feedback taken so far.
    pub fn feedback(&self) -> Vec<kg::ProposeFeedbackRequest> {
        self.0.feedback.lock().clone()
    }

    /// Notes how long a call may take.
    fn see<T>(&self, request: &Request<T>) {
        self.0.deadlines.lock().push(requested(request.metadata().as_ref()));
    }

    /// What was left to each call that came in.
    pub fn deadlines(&self) -> Vec<Option<Duration>> {
        self.0.deadlines.lock().clone()
    }

    /// Cases that came to be scored.
    pub fn scored(&self) -> usize {
        self.0.scored.load(Ordering::Relaxed)
    }

    fn routes(&self) -> Routes {
        Routes::new(KgServiceServer::new(self.clone())).add_service(ExpertServiceServer::new(self.clone()))
    }

    /// Serves them on a port of this machine, for other processes.
    pub async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().add_routes(self.routes());
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    /// Waits until feedback was handed in.
    pub async fn taught(&self) {
        self.0.taught.notified().await;
    }

    /// Channels to them; guidance and empathy answer nothing.
    pub fn channels(&self) -> Channels {
        let (channel, _running) = in_process(self.routes());
        let channel = || Balanced::single(channel.clone());
        Channels { kg: channel(), guidance: channel(), expert: channel(), empathy: channel(), vision: None }
    }
}

#[tonic::async_trait]
impl ExpertService for Fakes {
    async fn review(
        &self,
        request: Request<expert::ReviewRequest>,
    ) -> Result<Response<expert::ReviewResponse>, Status> {
        self.see(&request);
        let request = request.into_inner();
        let edge = kg::EdgeFeedback {
            condition_id: request.confirmed_condition_id.clone(),
            finding_id: request.observations[0].finding_id.clone(),
            shift_micros: 1000,
            reason: kg::FeedbackReason::UnexpectedPresence.into(),
        };
        let edges = match self.way() {
            Way::ExpertAway => return Err(away()),
            Way::PackUnknown => return Err(status::failed_precondition("PACK_UNKNOWN", "no", &[])),
            Way::Invalid => return Err(status::invalid_argument(&[("observations", "other ones")])),
            Way::NothingToTeach => vec![],
            Way::FailsOnce | Way::AwayOnce => {
                let failure = if self.way() == Way::AwayOnce { away() } else { Status::internal("it fails") };
                self.be(Way::Well);
                return Err(failure);
            }
            _ => vec![edge],
        };
        self.0.reviews.lock().push(request);
        Ok(Response::new(expert::ReviewResponse { edges, ..Default::default() }))
    }

    async fn diagnose(
        &self,
        _: Request<expert::DiagnoseRequest>,
    ) -> Result<Response<expert::DiagnoseResponse>, Status> {
        Err(not_asked())
    }

    async fn describe(
        &self,
        _: Request<expert::DescribeRequest>,
    ) -> Result<Response<expert::DescribeResponse>, Status> {
        Err(not_asked())
    }
}

#[tonic::async_trait]
impl KgService for Fakes {
    type WatchEpochsStream = tokio_stream::Empty<Result<kg::WatchEpochsResponse, Status>>;

    async fn get_condition(
        &self,
        request: Request<kg::GetConditionRequest>,
    ) -> Result<Response<kg::GetConditionResponse>, Status> {
        self.see(&request);
        let request = request.into_inner();
        if self.way() == Way::GraphAway {
            return Err(away());
        }
        if self.way() == Way::Retired && request.weight_epoch != NEWEST {
            return Err(status::failed_precondition("EPOCH_RETIRED", "gone", &[]));
        }
        let rated =
            |finding_id: String| kg::ConditionFinding { finding_id, learned_probability: 0.25, ..Default::default() };
        let findings = request.finding_ids.into_iter().map(rated).collect();
        Ok(Response::new(kg::GetConditionResponse { findings, ..Default::default() }))
    }

    async fn propose_feedback(
        &self,
        request: Request<kg::ProposeFeedbackRequest>,
    ) -> Result<Response<kg::ProposeFeedbackResponse>, Status> {
        if self.way() == Way::FeedbackAway {
            return Err(away());
        }
        self.see(&request);
        self.0.feedback.lock().push(request.into_inner());
        self.0.taught.notify_one();
        Ok(Response::new(kg::ProposeFeedbackResponse { accepted: 1, known: false }))
    }

    async fn describe(&self, _: Request<kg::DescribeRequest>) -> Result<Response<kg::DescribeResponse>, Status> {
        let epochs = vec![kg::PackEpoch { pack_digest: self.0.digest.clone(), epoch: NEWEST }];
        let packs = vec![PackInfo { digest: self.0.digest.clone(), ..PackInfo::default() }];
        Ok(Response::new(kg::DescribeResponse { epochs, packs, ..Default::default() }))
    }

    async fn advance(&self, request: Request<kg::AdvanceRequest>) -> Result<Response<kg::AdvanceResponse>, Status> {
        self.0.scored.fetch_add(1, Ordering::Relaxed);
        self.see(&request);
        if self.way() == Way::Silent {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(kg::AdvanceResponse::default()))
    }

    async fn explain(&self, _: Request<kg::ExplainRequest>) -> Result<Response<kg::ExplainResponse>, Status> {
        Err(not_asked())
    }

    async fn list_findings(
        &self,
        _: Request<kg::ListFindingsRequest>,
    ) -> Result<Response<kg::ListFindingsResponse>, Status> {
        Err(not_asked())
    }

    async fn publish_epoch(
        &self,
        _: Request<kg::PublishEpochRequest>,
    ) -> Result<Response<kg::PublishEpochResponse>, Status> {
        Err(not_asked())
    }

    async fn rollback(&self, _: Request<kg::RollbackRequest>) -> Result<Response<kg::RollbackResponse>, Status> {
        Err(not_asked())
    }

    async fn watch_epochs(
        &self,
        _: Request<kg::WatchEpochsRequest>,
    ) -> Result<Response<Self::WatchEpochsStream>, Status> {
        Err(not_asked())
    }

    async fn get_epoch(&self, _: Request<kg::GetEpochRequest>) -> Result<Response<kg::GetEpochResponse>, Status> {
        Err(not_asked())
    }

    async fn list_ledger(&self, _: Request<kg::ListLedgerRequest>) -> Result<Response<kg::ListLedgerResponse>, Status> {
        Err(not_asked())
    }
}
