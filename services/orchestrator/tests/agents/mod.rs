//! A graph and an expert that behave as a test tells them to.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use parking_lot::Mutex;
use tonic::{Request, Response, Status};
use wenzhen_channel::Balanced;
use wenzhen_orchestrator::agents::Channels;
use wenzhen_proto::expert::v1 as expert;
use wenzhen_proto::expert::v1::expert_service_server::{ExpertService, ExpertServiceServer};
use wenzhen_proto::kg::v1 as kg;
use wenzhen_proto::kg::v1::kg_service_server::{KgService, KgServiceServer};
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
}

/// The agents.
#[derive(Clone)]
pub struct Fakes(Arc<Inner>);

struct Inner {
    digest: String,
    way: Mutex<Way>,
    reviews: Mutex<Vec<expert::ReviewRequest>>,
    feedback: Mutex<Vec<kg::ProposeFeedbackRequest>>,
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
        Self(Arc::new(Inner { digest, way, reviews: Mutex::default(), feedback: Mutex::default() }))
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

    /// Channels to them; guidance and empathy answer nothing.
    pub fn channels(&self) -> Channels {
        let routes = tonic::service::Routes::new(KgServiceServer::new(self.clone()))
            .add_service(ExpertServiceServer::new(self.clone()));
        let (channel, _running) = in_process(routes);
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
        self.0.feedback.lock().push(request.into_inner());
        Ok(Response::new(kg::ProposeFeedbackResponse { accepted: 1, known: false }))
    }

    async fn describe(&self, _: Request<kg::DescribeRequest>) -> Result<Response<kg::DescribeResponse>, Status> {
        let epochs = vec![kg::PackEpoch { pack_digest: self.0.digest.clone(), epoch: NEWEST }];
        Ok(Response::new(kg::DescribeResponse { epochs, ..Default::default() }))
    }

    async fn advance(&self, _: Request<kg::AdvanceRequest>) -> Result<Response<kg::AdvanceResponse>, Status> {
        Err(not_asked())
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
