//! The agents, as the orchestrator sees them: a typed client each, a budget each, and a short label
//! for why one could not be used.

use std::future::Future;
use std::time::Duration;

use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Response, Status};
use wenzhen_channel::Balanced;
use wenzhen_proto::clinical::v1::{Agent, Degradation};
use wenzhen_proto::empathy::v1::empathy_service_client::EmpathyServiceClient;
use wenzhen_proto::expert::v1::expert_service_client::ExpertServiceClient;
use wenzhen_proto::guidance::v1::guidance_service_client::GuidanceServiceClient;
use wenzhen_proto::kg::v1::kg_service_client::KgServiceClient;
use wenzhen_service::layers::admission::PRIORITY;
use wenzhen_service::{Client, Priority};

/// The channel to an agent: trace context and the remaining deadline travel with every call.
pub type AgentChannel = Client<Balanced>;

/// Clients of all agents.
#[derive(Debug, Clone)]
pub struct Agents {
    /// Knowledge graph.
    pub kg: KgServiceClient<AgentChannel>,
    /// Guidance.
    pub guidance: GuidanceServiceClient<AgentChannel>,
    /// Expert.
    pub expert: ExpertServiceClient<AgentChannel>,
    /// Empathy.
    pub empathy: EmpathyServiceClient<AgentChannel>,
    /// How long each may take.
    pub budgets: Budgets,
}

/// Channels to all agents, in this process or over the network.
#[derive(Debug, Clone)]
pub struct Channels {
    /// Knowledge graph.
    pub kg: Balanced,
    /// Guidance.
    pub guidance: Balanced,
    /// Expert.
    pub expert: Balanced,
    /// Empathy.
    pub empathy: Balanced,
}

/// How long a call of each kind may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Interpret and Assess.
    pub understand: Duration,
    /// Advance.
    pub advance: Duration,
    /// Ask.
    pub ask: Duration,
    /// Diagnose.
    pub diagnose: Duration,
    /// Modulate, to its last piece.
    pub modulate: Duration,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            understand: Duration::from_secs(8),
            advance: Duration::from_secs(2),
            ask: Duration::from_secs(6),
            diagnose: Duration::from_secs(30),
            modulate: Duration::from_secs(30),
        }
    }
}

impl Agents {
    /// Clients over these channels.
    pub fn new(channels: Channels, budgets: Budgets) -> Self {
        Self {
            kg: KgServiceClient::new(Client::new(channels.kg)),
            guidance: GuidanceServiceClient::new(Client::new(channels.guidance)),
            expert: ExpertServiceClient::new(Client::new(channels.expert)),
            empathy: EmpathyServiceClient::new(Client::new(channels.empathy)),
            budgets,
        }
    }
}

/// A request to an agent with the priority of the turn that needs it.
pub fn request<T>(message: T, priority: Priority) -> Request<T> {
    let mut request = Request::new(message);
    let value = MetadataValue::from_static(priority.as_str());
    request.metadata_mut().insert(PRIORITY, value);
    request
}

/// Waits for an agent's answer within a budget; what went wrong becomes a degradation.
pub async fn call<T>(
    agent: Agent,
    budget: Duration,
    answer: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Degradation> {
    match tokio::time::timeout(budget, answer).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(degradation(agent, label(&status))),
        Err(_) => Err(degradation(agent, "deadline")),
    }
}

/// A degradation with a fixed label.
pub fn degradation(agent: Agent, reason: &str) -> Degradation {
    tracing::warn!(agent = agent.as_str_name(), reason, "an agent could not be used");
    Degradation { agent: agent as i32, reason: reason.to_owned(), fell_back: false }
}

/// The fixed label of a status; its message is not repeated.
pub fn label(status: &Status) -> &'static str {
    match status.code() {
        Code::Unavailable | Code::Unknown => "unavailable",
        Code::DeadlineExceeded | Code::Cancelled => "deadline",
        Code::ResourceExhausted => "overloaded",
        Code::FailedPrecondition => "pack_unknown",
        _ => "internal",
    }
}
