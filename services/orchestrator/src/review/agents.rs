//! What the agents are asked for a review.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};
use wenzhen_proto::clinical::v1::{Observation, Pins, RankedCondition};
use wenzhen_proto::expert::v1::{GraphRate, ReviewRequest};
use wenzhen_proto::kg::v1::{EdgeFeedback, GetConditionRequest, ProposeFeedbackRequest};
use wenzhen_service::Priority;

use super::repin;
use crate::agents::request;
use crate::state::{Confirmed, State};
use crate::store::ConsultationId;
use crate::{Agents, Knowledge, recorder};

/// How long a call may take; nobody waits for it.
const BUDGET: Duration = Duration::from_secs(5);
/// Conditions of the decision that the expert is shown.
const RANKED: usize = 20;

/// Why a review did not come off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// An agent is away or has too much to do.
    Away,
    /// It does not work now.
    Later,
    /// It will never work.
    Never,
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::InvalidArgument | Code::NotFound | Code::OutOfRange | Code::Unimplemented => Self::Never,
            Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Cancelled => Self::Away,
            // It may be about this consultation alone: the others are not to wait for it.
            _ => Self::Later,
        }
    }
}

/// A finished consultation, as the agents are asked about it.
pub(super) struct Ask {
    consultation: ConsultationId,
    pins: Pins,
    confirmed: Confirmed,
    observations: Vec<Observation>,
    ranked: Vec<RankedCondition>,
}

impl Ask {
    /// `None` where no review is due.
    pub(super) fn new(knowledge: &Knowledge, consultation: ConsultationId, state: &State) -> Option<Self> {
        state.review_due_ms()?;
        Some(Self {
            consultation,
            pins: state.pins(),
            confirmed: Confirmed::clone(state.confirmed.as_ref()?),
            observations: recorder::current(&knowledge.pack, &state.record).cloned().collect(),
            ranked: state.ranked.iter().take(RANKED).cloned().collect(),
        })
    }

    /// Asks the graph how it rated the findings, the expert what they teach, and hands that to the graph. Gives the
    /// number of proposals.
    pub(super) async fn teach(mut self, agents: &Agents) -> Result<u32, Refusal> {
        let rates = self.rates(agents).await?;
        let edges = self.edges(agents, rates).await?;
        if edges.is_empty() {
            return Ok(0);
        }
        let proposals = u32::try_from(edges.len()).unwrap_or(u32::MAX);
        let feedback = ProposeFeedbackRequest {
            pins: Some(self.pins.clone()),
            consultation_sha256: pseudonym(self.consultation),
            confirmed_by: self.confirmed.clinician.clone(),
            confirmed_at: Some(self.confirmed.at),
            edges,
        };
        let mut kg = agents.kg.clone();
        within(kg.propose_feedback(request(feedback, Priority::New, BUDGET))).await?;
        Ok(proposals)
    }

    /// How the graph rated the observed findings under the confirmed condition. Where the pinned epoch is kept no more,
    /// the newest one says.
    async fn rates(&mut self, agents: &Agents) -> Result<Vec<GraphRate>, Refusal> {
        let mut kg = agents.kg.clone();
        let asked = within(kg.get_condition(request(self.condition(), Priority::New, BUDGET))).await;
        let answer = match asked {
            Err(status) if repin::gone(&status).is_some() => {
                let newest = repin::newest(agents, &self.pins.pack_digest, Priority::New).await;
                self.pins.weight_epoch = newest.map_err(|_| Refusal::Away)?;
                within(kg.get_condition(request(self.condition(), Priority::New, BUDGET))).await?
            }
            asked => asked?,
        };
        let rate = |f: wenzhen_proto::kg::v1::ConditionFinding| GraphRate {
            finding_id: f.finding_id,
            probability: f.learned_probability,
        };
        Ok(answer.findings.into_iter().map(rate).collect())
    }

    fn condition(&self) -> GetConditionRequest {
        GetConditionRequest {
            pack_digest: self.pins.pack_digest.clone(),
            condition_id: self.confirmed.condition_id.clone(),
            weight_epoch: self.pins.weight_epoch,
            finding_ids: self.observations.iter().map(|o| o.finding_id.clone()).collect(),
            ..GetConditionRequest::default()
        }
    }

    async fn edges(&self, agents: &Agents, rates: Vec<GraphRate>) -> Result<Vec<EdgeFeedback>, Refusal> {
        let mut expert = agents.expert.clone();
        let review = ReviewRequest {
            pins: Some(self.pins.clone()),
            observations: self.observations.clone(),
            ranked: self.ranked.clone(),
            confirmed_condition_id: self.confirmed.condition_id.clone(),
            rates,
        };
        Ok(within(expert.review(request(review, Priority::New, BUDGET))).await?.edges)
    }
}

/// What stands for a consultation outside: the id is 128 random bits, so nobody gets back from one to the other.
fn pseudonym(id: ConsultationId) -> Vec<u8> {
    Sha256::new().chain_update("wenzhen feedback ").chain_update(id.0).finalize().to_vec()
}

/// An answer within the budget.
async fn within<T>(answer: impl Future<Output = Result<tonic::Response<T>, Status>>) -> Result<T, Status> {
    let late = |_| Status::deadline_exceeded("the agent takes too long");
    Ok(tokio::time::timeout(BUDGET, answer).await.map_err(late)??.into_inner())
}
