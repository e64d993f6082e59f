//! A knowledge graph service on a loopback port, and what an admin and an orchestrator ask of it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use wenzhen_kg::weights::WeightStore;
use wenzhen_kg::weights::store::Head;
use wenzhen_kg::{KgServer, Settings};
use wenzhen_proto::clinical::v1::{FindingState, Observation, Pins};
use wenzhen_proto::kg::v1 as kg;
use wenzhen_proto::kg::v1::kg_service_client::KgServiceClient;
use wenzhen_service::{Keys, Readiness};

use crate::support::tiny;

/// The admin's key.
pub const ADMIN: &str = "key-of-the-tests-admin";

/// A running service.
pub struct Service {
    pub client: KgServiceClient<Channel>,
    pub digest: String,
    pub readiness: Readiness,
    pub shutdown: CancellationToken,
    store: Arc<dyn WeightStore>,
}

/// A request with a key.
pub fn request<T>(key: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(key) = key {
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    }
    request
}

/// The fields that a status complains about.
pub fn violated(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    status.get_details_bad_request().unwrap().field_violations.into_iter().map(|v| v.field).collect()
}

impl Service {
    /// Serves the small pack over a store.
    pub async fn start(store: Arc<dyn WeightStore>, change: impl FnOnce(Settings) -> Settings) -> Self {
        let pack = Arc::new(tiny().pack().clone());
        let digest = pack.digest.to_string();
        let (readiness, shutdown) = (Readiness::new(), CancellationToken::new());
        readiness.dependency("packs").up();
        let mut admins = Keys::default();
        admins.insert("root", ADMIN);
        let settings = Settings {
            admins,
            dependency: Some(readiness.optional("weights")),
            shutdown: shutdown.clone(),
            ..Settings::new(vec![pack], store.clone())
        };
        let kg = KgServer::start(change(settings)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().add_service(kg.into_service());
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        let client = KgServiceClient::connect(format!("http://{address}")).await.unwrap();
        Self { client, digest, readiness, shutdown, store }
    }

    /// Feedback of one consultation on one edge.
    pub fn feedback(&self, consultation: u8, shift_micros: i32) -> kg::ProposeFeedbackRequest {
        kg::ProposeFeedbackRequest {
            pins: Some(Pins { pack_digest: self.digest.clone(), ..Pins::default() }),
            consultation_sha256: vec![consultation; 32],
            confirmed_by: "ana".into(),
            confirmed_at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            edges: vec![kg::EdgeFeedback {
                condition_id: "seal_broken".into(),
                finding_id: "leak".into(),
                shift_micros,
                reason: kg::FeedbackReason::UnexpectedPresence.into(),
            }],
        }
    }

    pub async fn propose(&mut self, consultation: u8, micros: i32) -> Result<kg::ProposeFeedbackResponse, Status> {
        let feedback = self.feedback(consultation, micros);
        Ok(self.client.propose_feedback(feedback).await?.into_inner())
    }

    pub fn publish_request(&self, id: &str) -> kg::PublishEpochRequest {
        kg::PublishEpochRequest { pack_digest: self.digest.clone(), publish_id: id.into(), reason: "a test".into() }
    }

    pub async fn publish(&mut self, id: &str) -> Result<kg::PublishEpochResponse, Status> {
        let publish = request(Some(ADMIN), self.publish_request(id));
        Ok(self.client.publish_epoch(publish).await?.into_inner())
    }

    pub fn rollback_request(&self, to_epoch: u64, id: &str) -> kg::RollbackRequest {
        let (pack_digest, publish_id) = (self.digest.clone(), id.into());
        kg::RollbackRequest { pack_digest, to_epoch, publish_id, reason: "a test".into() }
    }

    pub async fn roll_back(&mut self, to_epoch: u64, id: &str) -> Result<kg::RollbackResponse, Status> {
        let rollback = request(Some(ADMIN), self.rollback_request(to_epoch, id));
        Ok(self.client.rollback(rollback).await?.into_inner())
    }

    pub async fn watch(&mut self) -> tonic::Streaming<kg::WatchEpochsResponse> {
        let pack_digest = self.digest.clone();
        self.client.watch_epochs(kg::WatchEpochsRequest { pack_digest }).await.unwrap().into_inner()
    }

    pub async fn epoch(&mut self, epoch: u64) -> Result<kg::GetEpochResponse, Status> {
        let pack_digest = self.digest.clone();
        let request = kg::GetEpochRequest { pack_digest, epoch, ..Default::default() };
        Ok(self.client.get_epoch(request).await?.into_inner())
    }

    /// The whole ledger, in pages of this size.
    pub async fn ledger(&mut self, page_size: u32) -> Vec<kg::LedgerEntry> {
        let (mut entries, mut page_token) = (Vec::new(), String::new());
        loop {
            let pack_digest = self.digest.clone();
            let request = kg::ListLedgerRequest { pack_digest, page_size, page_token, condition_id: String::new() };
            let page = self.client.list_ledger(request).await.unwrap().into_inner();
            assert!(page.entries.len() <= page_size as usize);
            entries.extend(page.entries);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return entries;
            }
        }
    }

    /// The newest epoch that this replica scores with.
    pub async fn newest(&mut self) -> u64 {
        let about = self.client.describe(kg::DescribeRequest {}).await.unwrap().into_inner();
        about.epochs.into_iter().find(|e| e.pack_digest == self.digest).unwrap().epoch
    }

    /// What the store says, whatever this replica knows of it.
    pub async fn head(&self) -> Head {
        self.store.head(&self.digest, None).await.unwrap()
    }

    /// Scores the same case under an epoch.
    pub async fn score_with(&mut self, weight_epoch: u64) -> Result<kg::AdvanceResponse, Status> {
        let observation = |id: &str, state: FindingState| Observation {
            finding_id: id.into(),
            state: state.into(),
            ..Observation::default()
        };
        let case = kg::Case {
            pins: Some(Pins { pack_digest: self.digest.clone(), weight_epoch, ..Pins::default() }),
            observations: vec![observation("leak", FindingState::Present), observation("smell", FindingState::Denied)],
            ..kg::Case::default()
        };
        let request = kg::AdvanceRequest { case: Some(case), ..Default::default() };
        Ok(self.client.advance(request).await?.into_inner())
    }

    /// The scores' bits by condition, and the recommendation.
    pub async fn score(&mut self, weight_epoch: u64) -> (Vec<(String, u64)>, kg::Recommendation) {
        let scored = self.score_with(weight_epoch).await.unwrap();
        assert_eq!(scored.pins.as_ref().unwrap().weight_epoch, weight_epoch);
        let bits = scored.ranked.iter().map(|r| (r.condition_id.clone(), r.score.to_bits())).collect();
        (bits, scored.recommendation())
    }
}
