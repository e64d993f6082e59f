//! A consultation as its patient holds it: typed calls with the token in their metadata.

use anyhow::Context as _;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;

use crate::photo::Photo;

/// The orchestrator, seen by somebody with a token.
#[derive(Debug, Clone)]
pub struct Session {
    client: OrchestratorServiceClient<Channel>,
    authorization: MetadataValue<Ascii>,
    /// Id of the consultation; empty for a clinician.
    pub consultation_id: String,
    /// The token.
    pub token: String,
    next_message: u64,
    seen: Option<u64>,
}

impl Session {
    /// Opens a consultation.
    ///
    /// # Errors
    /// As the orchestrator answers.
    pub async fn start(
        channel: Channel,
        request: api::StartConsultationRequest,
    ) -> anyhow::Result<(Self, api::StartConsultationResponse)> {
        let mut client = OrchestratorServiceClient::new(channel.clone());
        let started = client.start_consultation(request).await?.into_inner();
        let session = Self::resume(channel, started.consultation_id.clone(), started.token.clone())?;
        Ok((session, started))
    }

    /// Goes on with a consultation.
    ///
    /// # Errors
    /// When the token is no header value.
    pub fn resume(channel: Channel, consultation_id: String, token: String) -> anyhow::Result<Self> {
        let authorization = format!("Bearer {token}").parse().context("the token is not valid in a header")?;
        let client = OrchestratorServiceClient::new(channel);
        Ok(Self { client, authorization, consultation_id, token, next_message: 0, seen: None })
    }

    /// Remembers the version that was shown last, so that a record that falls behind it is noticed; `None` forgets it.
    pub fn saw(&mut self, version: Option<u64>) {
        self.seen = version;
    }

    /// A request with the token.
    pub fn authorised<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }

    /// The client itself, for calls that are not wrapped.
    pub fn client(&mut self) -> &mut OrchestratorServiceClient<Channel> {
        &mut self.client
    }

    /// Sends a message under a fresh id.
    ///
    /// # Errors
    /// As the orchestrator answers.
    pub async fn send(&mut self, text: &str) -> Result<Streaming<api::SendMessageResponse>, Status> {
        self.next_message += 1;
        let message_id = format!("{}-{}", std::process::id(), nonce(self.next_message));
        self.send_as(&message_id, text).await
    }

    /// Sends a message under a given id.
    ///
    /// # Errors
    /// As the orchestrator answers.
    pub async fn send_as(
        &mut self,
        message_id: &str,
        text: &str,
    ) -> Result<Streaming<api::SendMessageResponse>, Status> {
        let request = self.authorised(api::SendMessageRequest {
            consultation_id: self.consultation_id.clone(),
            message_id: message_id.to_owned(),
            text: text.to_owned(),
            expected_version: None,
            seen_version: self.seen,
        });
        Ok(self.client.send_message(request).await?.into_inner())
    }

    /// Sends a photograph of the tongue under a fresh id.
    ///
    /// # Errors
    /// As the orchestrator answers.
    pub async fn attach(&mut self, photo: &Photo) -> Result<api::AttachTongueImageResponse, Status> {
        self.next_message += 1;
        let message_id = format!("{}-{}", std::process::id(), nonce(self.next_message));
        self.attach_as(&message_id, photo).await
    }

    /// Sends a photograph of the tongue under a given id.
    ///
    /// # Errors
    /// As the orchestrator answers.
    pub async fn attach_as(
        &mut self,
        message_id: &str,
        photo: &Photo,
    ) -> Result<api::AttachTongueImageResponse, Status> {
        let header = api::AttachTongueImageHeader {
            consultation_id: self.consultation_id.clone(),
            message_id: message_id.to_owned(),
            seen_version: self.seen,
            ..api::AttachTongueImageHeader::default()
        };
        let request = self.authorised(futures::stream::iter(photo.parts(header)));
        Ok(self.client.attach_tongue_image(request).await?.into_inner())
    }

    /// The consultation as it stands.
    ///
    /// # Errors
    /// As the orchestrator answers.
    pub async fn get(&mut self) -> Result<api::Consultation, Status> {
        let request = self.authorised(api::GetConsultationRequest { consultation_id: self.consultation_id.clone() });
        let response = self.client.get_consultation(request).await?.into_inner();
        response.consultation.ok_or_else(|| Status::internal("an answer without a consultation"))
    }

    /// All its events.
    ///
    /// # Errors
    /// As the orchestrator answers.
    pub async fn events(&mut self) -> Result<Vec<api::Event>, Status> {
        let request = self.authorised(api::ExportConsultationRequest { consultation_id: self.consultation_id.clone() });
        Ok(self.client.export_consultation(request).await?.into_inner().events)
    }
}

/// Distinct over restarts of a client within one consultation.
fn nonce(count: u64) -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{count}", since.as_micros())
}
