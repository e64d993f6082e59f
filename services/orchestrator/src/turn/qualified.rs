//! Sayings that say more of what is there (`worse after meals`): what is on record tells of what. Pure.

use std::collections::HashSet;

use wenzhen_pack::{Ambiguity, FindingIx, Pack};
use wenzhen_proto::clinical::v1::{FindingState, Observation, ObservationSource};
use wenzhen_proto::guidance::v1::InterpretResponse;

use crate::state::State;

/// Records what such a saying means where one of its findings alone refines what is present.
pub(super) fn settle(pack: &Pack, state: &State, turn: u32, read: &mut InterpretResponse) {
    let present: HashSet<FindingIx> = state
        .record
        .iter()
        .map(AsRef::as_ref)
        .chain(&read.observations)
        .filter(|o: &&Observation| o.state() == FindingState::Present && !o.past)
        .filter_map(|o| pack.finding(&o.finding_id))
        .collect();
    let (known, mut found) = (&present, Vec::new());
    read.ambiguous.retain(|saying| {
        let Some(ambiguity) = pack.ambiguities.iter().find(|a| a.qualifies && a.id == saying.ambiguity_id) else {
            return true;
        };
        let refined = refining(pack, ambiguity, known);
        if let [only] = refined.as_slice()
            && let Some(finding) = pack.findings.get(only.at())
        {
            found.push(Observation {
                finding_id: finding.id.clone(),
                state: FindingState::Present.into(),
                source: ObservationSource::Patient.into(),
                turn,
                span: saying.span,
                ..Observation::default()
            });
        }
        refined.len() != 1
    });
    let new = |o: &Observation| !read.observations.iter().any(|known| known.finding_id == o.finding_id);
    let found: Vec<Observation> = found.into_iter().filter(new).collect();
    read.observations.extend(found);
}

/// The candidates that refine what is present.
fn refining(pack: &Pack, ambiguity: &Ambiguity, present: &HashSet<FindingIx>) -> Vec<FindingIx> {
    let parent = |f: &FindingIx| pack.findings.get(f.at()).and_then(|f| f.parent);
    ambiguity.candidates.iter().copied().filter(|f| parent(f).is_some_and(|p| present.contains(&p))).collect()
}
