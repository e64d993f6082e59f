//! The graph's opinion on everything recorded so far.

use wenzhen_proto::clinical::v1::Observation;
use wenzhen_proto::kg::v1::{AdvanceRequest, Case, Observer, Strategy};
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{DecisionInputs, Stage};

use super::{Scene, Updates};
use crate::policy::TONGUE_PHOTO;
use crate::recorder;
use crate::review::repin;
use crate::state::State;

/// Conditions that are kept in a decision.
const CONDITIONS: u32 = 10;
/// Findings that are kept in a decision.
const FINDINGS: u32 = 6;
/// Findings of a photograph that are kept in a decision.
const SHOWN: u32 = 16;

/// Asks the graph and enters its answer; without one the decision rests on the rest. Gives what is to go on record
/// where the consultation's weights were kept no more.
pub(super) async fn advance(
    scene: &Scene<'_>,
    state: &State,
    inputs: &mut DecisionInputs,
    out: &Updates,
) -> Option<Kind> {
    // Only as long as a photograph may still be asked for.
    let takes = state.started.takes_photographs && !state.photographed && !state.context_asked.contains(TONGUE_PHOTO);
    let request = AdvanceRequest {
        case: Some(case(scene, state, inputs)),
        max_conditions: CONDITIONS,
        max_findings: FINDINGS,
        max_shown_findings: if takes { SHOWN } else { 0 },
    };
    let asked = scene.ahead.score(request, async |request| repin::advance(scene, request).await);
    let (scored, repinned) = out.during(Stage::Scoring, asked).await;
    match scored {
        Ok(scored) => {
            inputs.ranked = scored.ranked;
            inputs.worth_asking = scored.worth_asking;
            inputs.recommendation = scored.recommendation;
            inputs.reason = scored.reason;
            inputs.worth_showing = scored.worth_showing;
        }
        Err(why) => inputs.degraded.push(why),
    }
    repinned.map(Kind::Repinned)
}

fn case(scene: &Scene<'_>, state: &State, inputs: &DecisionInputs) -> Case {
    let pack = &scene.knowledge.pack;
    let (mut record, mut patient) = (state.record.clone(), state.patient.clone());
    recorder::record(pack, &mut record, &inputs.observations, &inputs.withdrawn_finding_ids);
    if let Some(learned) = &inputs.patient {
        recorder::learn(&mut patient, learned);
    }
    // What is said to be over is not scored, and whoever said so is not asked for it.
    let over = record.iter().filter(|o| o.past).map(|o| o.finding_id.clone());
    let asked_finding_ids = state.asked.iter().map(ToString::to_string).chain(over).collect();
    Case {
        pins: Some(state.pins()),
        observations: recorder::current(pack, &record).map(scored).collect(),
        asked_finding_ids,
        round: state.rounds,
        seed: state.started.seed,
        patient: Some(patient),
        strategy: strategy(&state.started.strategy) as i32,
        observer: Observer::Patient as i32,
    }
}

/// What the graph reads of an observation. Without the rest, two readings that differ in that alone are the same case.
fn scored(observation: &Observation) -> Observation {
    Observation { span: None, duration_days: None, severity: 0, value: None, ..observation.clone() }
}

/// The strategy of a name; unset for the pack's default.
pub(crate) fn strategy(name: &str) -> Strategy {
    match name {
        "bayes-plain" => Strategy::BayesPlain,
        "dopi" => Strategy::Dopi,
        _ => Strategy::Unspecified,
    }
}
