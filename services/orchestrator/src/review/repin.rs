//! Consultations whose weight epoch is kept no more go on with the newest one, by an event of their own.

use tonic::Status;
use wenzhen_proto::clinical::v1::{Agent, Degradation, Pins};
use wenzhen_proto::kg::v1::{AdvanceRequest, AdvanceResponse, DescribeRequest, PackEpoch};
use wenzhen_proto::orchestrator::v1::Repinned;
use wenzhen_service::{Priority, status};

use crate::Agents;
use crate::agents::{call, request};
use crate::turn::Scene;

/// The label of an epoch that cannot be scored with any more; `None` for any other trouble.
pub(crate) fn gone(status: &Status) -> Option<&'static str> {
    match status::reason(status).as_deref() {
        Some("EPOCH_RETIRED") => Some("epoch_retired"),
        Some("EPOCH_UNKNOWN") => Some("epoch_unknown"),
        _ => None,
    }
}

/// The newest epoch of a pack.
pub(crate) async fn newest(agents: &Agents, digest: &str, priority: Priority) -> Result<u64, Degradation> {
    let mut kg = agents.kg.clone();
    let budget = agents.budgets.advance;
    let about = call(Agent::Kg, budget, kg.describe(request(DescribeRequest {}, priority, budget))).await?;
    Ok(of(&about.epochs, digest))
}

/// The newest epoch of a pack among those of a replica; 0, the pack as written, where it does not tell.
pub(crate) fn of(epochs: &[PackEpoch], digest: &str) -> u64 {
    epochs.iter().find(|epoch| epoch.pack_digest == digest).map_or(0, |epoch| epoch.epoch)
}

/// Scores a case. Where its epoch is gone, it is scored with the newest one, and what is to go on record of that is
/// given back too.
pub(crate) async fn advance(
    scene: &Scene<'_>,
    mut advance: AdvanceRequest,
) -> (Result<AdvanceResponse, Degradation>, Option<Repinned>) {
    let (agents, budget, mut why) = (scene.agents, scene.agents.budgets.advance, None);
    let mut kg = agents.kg.clone();
    if advance.case.as_ref().and_then(|case| case.pins.as_ref()).is_none_or(|pins| pins.weight_epoch == 0) {
        // The pack as written is always kept.
        return (call(Agent::Kg, budget, kg.advance(scene.request(advance, budget))).await, None);
    }
    let request = scene.request(advance.clone(), budget);
    let first = async { kg.advance(request).await.inspect_err(|status| why = gone(status)) };
    let scored = call(Agent::Kg, budget, first).await;
    let (Err(degraded), Some(reason)) = (&scored, why) else { return (scored, None) };
    let Some(pins) = advance.case.as_mut().and_then(|case| case.pins.as_mut()) else { return (scored, None) };
    let Ok(newest) = newest(agents, &pins.pack_digest, scene.priority).await else {
        return (Err(degraded.clone()), None);
    };
    let from_epoch = std::mem::replace(&mut pins.weight_epoch, newest);
    let repinned = Repinned { from_epoch, pins: Some(Pins::clone(pins)), reason: reason.to_owned() };
    let mut kg = agents.kg.clone();
    let scored = call(Agent::Kg, budget, kg.advance(scene.request(advance, budget))).await;
    let repinned = scored.is_ok().then_some(repinned);
    (scored, repinned)
}
