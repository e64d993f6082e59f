//! What a patient may read of a plan, before and after it is signed.

use wenzhen::client::Session;
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::PlanStatus;
use wenzhen_proto::orchestrator::v1::event::Kind;

use super::{export, sign};

/// Nothing of the clinician's part.
pub fn withheld(diagnosis: &api::Diagnosis, place: &str) -> Result<(), String> {
    let shown = !diagnosis.principle.is_empty()
        || !diagnosis.formula.is_empty()
        || !diagnosis.herbs.is_empty()
        || !diagnosis.cautions.is_empty();
    if shown { Err(format!("{place} shows the clinician's part before it is signed")) } else { Ok(()) }
}

/// Every view of an unsigned plan, then of the signed one. Gives the plan that the clinician sees.
pub async fn views(patient: &mut Session, clinician: &mut Session) -> Result<api::Diagnosis, String> {
    let failed = |status: tonic::Status| format!("a view could not be read: {status}");
    let plan = clinician.get().await.map_err(failed)?.diagnosis.unwrap_or_default();
    let seen = patient.get().await.map_err(failed)?.diagnosis.unwrap_or_default();
    withheld(&seen, "GetConsultation")?;
    let exported = export(patient).await.map_err(failed)?;
    withheld(&exported.consultation.unwrap_or_default().diagnosis.unwrap_or_default(), "ExportConsultation")?;
    for event in &exported.events {
        if let Some(Kind::Replied(api::Replied { diagnosis: Some(diagnosis), .. })) = &event.kind {
            withheld(diagnosis, "an exported event")?;
        }
    }
    if plan.plan_status() != PlanStatus::Waiting {
        return Ok(plan);
    }
    if plan.formula.is_empty() || plan.herbs.is_empty() {
        return Err("a plan waits for a signature and the clinician cannot read it".into());
    }
    let secret = |text: &str| text.contains(&plan.formula) || plan.herbs.iter().any(|h| text.contains(&h.name));
    if secret(&exported.markdown) {
        return Err("the exported record names the formula or a herb before it is signed".into());
    }
    sign(clinician).await.map_err(failed)?;
    let seen = patient.get().await.map_err(failed)?.diagnosis.unwrap_or_default();
    if seen.formula != plan.formula || seen.herbs != plan.herbs || seen.plan_status() != PlanStatus::Signed {
        return Err("the patient cannot read the signed plan".into());
    }
    if !secret(&export(patient).await.map_err(failed)?.markdown) {
        return Err("the exported record does not hold the signed plan".into());
    }
    Ok(plan)
}
