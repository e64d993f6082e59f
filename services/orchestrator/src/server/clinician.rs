//! What clinicians do: see what waits, sign or reject plans, take over, set the urgency.

use prost_types::Timestamp;
use tonic::Request;
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::PlanStatus;
use wenzhen_proto::orchestrator::v1::event::Kind;

use super::{Open, Orchestrator};
use crate::store::Query;
use crate::{Error, context};

/// Rows in one answer at most.
const MAX_PAGE: u32 = 1000;
/// Rows when the client does not say.
const PAGE: u32 = 100;

impl Orchestrator {
    pub(super) async fn pending(
        &self,
        request: Request<api::ListPendingRequest>,
    ) -> Result<api::ListPendingResponse, Error> {
        self.0.access.clinician(request.metadata())?;
        let size = match request.get_ref().page_size {
            0 => PAGE,
            size if size <= MAX_PAGE => size,
            size => return Err(Error::field("page_size", format!("0 to {MAX_PAGE}, got {size}"))),
        };
        let waiting = self.sessions().store().list(Query::Pending, size as usize).await?;
        let mut pending = Vec::with_capacity(waiting.len());
        for (id, summary) in waiting {
            let Some(row) = summary.pending else { continue };
            // Deleted between the two reads: it no longer waits.
            let Ok(state) = self.sessions().load(id).await else { continue };
            let condition = state.diagnosis.as_ref().and_then(|d| d.differential.first());
            let milliseconds = i64::try_from(row.since_ms).unwrap_or(i64::MAX);
            pending.push(api::Pending {
                consultation_id: id.to_string(),
                reason: row.reason as i32,
                urgency: row.urgency as i32,
                condition: condition.map(|c| format!("{} {}", c.disease, c.pattern)).unwrap_or_default(),
                since: Some(Timestamp { seconds: milliseconds / 1000, nanos: 0 }),
            });
        }
        Ok(api::ListPendingResponse { pending })
    }

    pub(super) async fn sign(&self, request: Request<api::SignPlanRequest>) -> Result<api::SignPlanResponse, Error> {
        context::note("note", &request.get_ref().note, false)?;
        let (open, lock, clinician) =
            self.open_as_clinician(request.metadata(), &request.get_ref().consultation_id).await?;
        plan_waits(&open)?;
        let api::SignPlanRequest { note, confirmed_condition_id, .. } = request.into_inner();
        self.condition_of(&open, &confirmed_condition_id)?;
        let signed = Kind::PlanSigned(api::PlanSigned { clinician, note, confirmed_condition_id });
        let after = self.sessions().commit(&lock, &open.state, 0, vec![signed]).await?;
        Ok(api::SignPlanResponse { version: after.version })
    }

    pub(super) async fn reject(
        &self,
        request: Request<api::RejectPlanRequest>,
    ) -> Result<api::RejectPlanResponse, Error> {
        context::note("reason", &request.get_ref().reason, true)?;
        let (open, lock, clinician) =
            self.open_as_clinician(request.metadata(), &request.get_ref().consultation_id).await?;
        plan_waits(&open)?;
        let api::RejectPlanRequest { reason, confirmed_condition_id, .. } = request.into_inner();
        self.condition_of(&open, &confirmed_condition_id)?;
        let rejected = Kind::PlanRejected(api::PlanRejected { clinician, reason, confirmed_condition_id });
        let after = self.sessions().commit(&lock, &open.state, 0, vec![rejected]).await?;
        Ok(api::RejectPlanResponse { version: after.version })
    }

    /// A condition that a clinician may name, or none.
    fn condition_of(&self, open: &Open, id: &str) -> Result<(), Error> {
        let known = id.is_empty() || self.sessions().knowledge(&open.state)?.pack.condition(id).is_some();
        if known { Ok(()) } else { Err(Error::field("confirmed_condition_id", "a condition of the pack, or empty")) }
    }

    pub(super) async fn take(&self, request: Request<api::TakeOverRequest>) -> Result<api::TakeOverResponse, Error> {
        context::note("note", &request.get_ref().note, false)?;
        let (open, lock, clinician) =
            self.open_as_clinician(request.metadata(), &request.get_ref().consultation_id).await?;
        if open.state.status == api::ConsultationStatus::Ended {
            return Err(Error::Ended);
        }
        let taken = Kind::TakenOver(api::TakenOver { clinician, note: request.into_inner().note });
        let after = self.sessions().commit(&lock, &open.state, 0, vec![taken]).await?;
        Ok(api::TakeOverResponse { version: after.version })
    }

    pub(super) async fn urgency(
        &self,
        request: Request<api::SetUrgencyRequest>,
    ) -> Result<api::SetUrgencyResponse, Error> {
        context::note("reason", &request.get_ref().reason, true)?;
        let urgency = match Urgency::try_from(request.get_ref().urgency) {
            Ok(urgency) if urgency != Urgency::Unspecified => urgency,
            _ => return Err(Error::field("urgency", "a value of Urgency")),
        };
        let (open, lock, clinician) =
            self.open_as_clinician(request.metadata(), &request.get_ref().consultation_id).await?;
        let reason = request.into_inner().reason;
        let set = Kind::UrgencySet(api::UrgencySet { clinician, urgency: urgency as i32, reason });
        let after = self.sessions().commit(&lock, &open.state, 0, vec![set]).await?;
        Ok(api::SetUrgencyResponse { version: after.version })
    }
}

fn plan_waits(open: &Open) -> Result<(), Error> {
    let waits = open.state.diagnosis.as_ref().is_some_and(|d| d.plan_status() == PlanStatus::Waiting);
    if waits { Ok(()) } else { Err(Error::NoPlan) }
}
