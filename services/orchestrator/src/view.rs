//! What a caller may see. Redaction is done here, on the server, and nowhere else. Pure.

use wenzhen_proto::clinical::v1::RankedCondition;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{Consultation, Diagnosis, Event, PhotoReading, PlanStatus};

use crate::auth::Caller;
use crate::sessions::expires_at;
use crate::state::State;
use crate::store::ConsultationId;
use crate::{Error, Knowledge, reply};

/// Conditions that a patient is shown.
const RANKED_FOR_PATIENT: usize = 3;

/// The consultation as the caller may see it.
///
/// # Errors
/// When the pack has no voice.
pub(crate) fn consultation(
    id: ConsultationId,
    knowledge: &Knowledge,
    state: &State,
    caller: &Caller,
) -> Result<Consultation, Error> {
    let question = state.question.as_deref().cloned();
    let why = if question.is_some() { state.why.to_vec() } else { Vec::new() };
    Ok(Consultation {
        consultation_id: id.to_string(),
        version: state.version,
        status: state.status as i32,
        locale: state.locale as i32,
        pins: Some(state.pins()),
        patient: Some(state.patient.clone()),
        observations: state.record.iter().map(|o| (**o).clone()).collect(),
        urgency: state.urgency as i32,
        turns: u32::try_from(state.turns.iter().filter(|turn| !turn.undone).count()).unwrap_or(u32::MAX),
        question,
        diagnosis: state.diagnosis.as_ref().map(|d| diagnosis(d, caller)),
        started_at: Some(state.started_at),
        expires_at: Some(expires_at(state)),
        why,
        ranked: ranked(&state.ranked, caller),
        why_text: reply::why_asked(knowledge, state, state.locale)?,
    })
}

fn ranked(ranked: &[RankedCondition], caller: &Caller) -> Vec<RankedCondition> {
    let shown = if caller.is_clinician() { ranked.len() } else { RANKED_FOR_PATIENT };
    ranked.iter().take(shown).cloned().collect()
}

/// A diagnosis: principle, formula, herbs and cautions are the clinician's until the plan is signed.
pub(crate) fn diagnosis(diagnosis: &Diagnosis, caller: &Caller) -> Diagnosis {
    let mut shown = diagnosis.clone();
    if !caller.is_clinician() && diagnosis.plan_status() != PlanStatus::Signed {
        shown.principle.clear();
        shown.formula.clear();
        shown.herbs.clear();
        shown.cautions.clear();
    }
    shown
}

/// A photograph's reading: a constitution is a judgement, and the clinician's.
pub(crate) fn photo(mut reading: PhotoReading, caller: &Caller) -> PhotoReading {
    if !caller.is_clinician() {
        reading.constitutions.clear();
    }
    reading
}

/// An event. The diagnosis in it is shown by the state of the plan *now*, so that a signed plan can
/// be read in the record and a rejected one cannot.
pub(crate) fn event(event: &Event, state: &State, caller: &Caller) -> Event {
    let mut shown = event.clone();
    match &mut shown.kind {
        Some(Kind::Started(started)) => started.token_sha256.clear(),
        Some(Kind::MessageReceived(message)) => message.text_sha256.clear(),
        Some(Kind::ImageReceived(image)) => image.image_sha256.clear(),
        Some(Kind::Decided(decided)) => {
            if let Some(inputs) = &mut decided.inputs {
                inputs.ranked = ranked(&inputs.ranked, caller);
                inputs.photo = inputs.photo.take().map(|reading| photo(reading, caller));
            }
        }
        Some(Kind::Replied(replied)) => {
            if let Some(given) = &mut replied.diagnosis {
                let plan_status = state.diagnosis.as_ref().map_or(given.plan_status, |now| now.plan_status);
                let as_now = Diagnosis { plan_status, ..given.clone() };
                *given = diagnosis(&as_now, caller);
            }
        }
        // What a clinician makes of it goes to the patient in the clinician's own words.
        Some(Kind::PlanSigned(signed)) if !caller.is_clinician() => signed.confirmed_condition_id.clear(),
        Some(Kind::PlanRejected(rejected)) if !caller.is_clinician() => rejected.confirmed_condition_id.clear(),
        _ => {}
    }
    shown
}
