//! The question that a careful clinician asks first: is one sign of a danger there, the other may be too.
//!
//! A row of a red flag that lacks one cue of two is worth a question, where the cue is a finding that
//! the patient can be asked for and where the other was found in this patient, not merely worded. A row
//! may be one of certain persons only: what it asks of age, sex or pregnancy must be known to hold.

use std::collections::BTreeSet;

use wenzhen_pack::{CueRef, Finding, FindingIx, Level, Pack};
use wenzhen_proto::clinical::v1::{FindingState, Sex};

use crate::state::State;

/// Findings that one such question asks for.
const MOST: usize = 2;

/// Ids of the findings to ask for; empty when nothing is one sign away from an emergency.
pub(super) fn findings(pack: &Pack, state: &State) -> Vec<String> {
    let present: BTreeSet<FindingIx> = state
        .record
        .iter()
        .filter(|o| o.state() == FindingState::Present && !o.past)
        .filter_map(|o| pack.finding(&o.finding_id))
        .collect();
    let mut chosen: Vec<FindingIx> = Vec::new();
    for flag in pack.safety.red_flags.iter().filter(|f| f.level == Level::Emergency && !state.flags.contains(&f.id)) {
        for row in flag.when.iter().filter(|row| concerns_person(state, row)) {
            let Some(missing) = missing(pack, state, row, &present) else { continue };
            let open = missing.iter().copied().find(|f| askable(pack, state, *f) && !chosen.contains(f));
            chosen.extend(open.filter(|_| chosen.len() < MOST));
        }
    }
    chosen.iter().filter_map(|f| pack.findings.get(f.at())).map(|f| f.id.clone()).collect()
}

/// Whether a row of two signs is one of such persons as this patient.
fn concerns_person(state: &State, row: &[CueRef]) -> bool {
    let context = super::screen_context(state);
    let (signs, of_person): (Vec<CueRef>, Vec<CueRef>) = row.iter().partition(|cue| matches!(cue, CueRef::Cue(_)));
    signs.len() == 2 && of_person.into_iter().all(|cue| context.holds(cue))
}

/// Findings that would light the one dark cue of a row whose other cue is lit by a finding of this patient.
fn missing<'p>(
    pack: &'p Pack,
    state: &State,
    row: &[CueRef],
    present: &BTreeSet<FindingIx>,
) -> Option<&'p [FindingIx]> {
    let mut dark = None;
    let mut found = false;
    for cue in row {
        let CueRef::Cue(at) = cue else { continue };
        let cue = pack.safety.cues.get(*at)?;
        let by_finding = cue.findings.iter().any(|f| present.contains(f));
        found |= by_finding;
        if !by_finding && !state.cues.contains(&cue.id) && dark.replace(cue.findings.as_slice()).is_some() {
            return None;
        }
    }
    dark.filter(|_| found)
}

fn askable(pack: &Pack, state: &State, finding: FindingIx) -> bool {
    let Some(known) = pack.findings.get(finding.at()) else { return false };
    let said = state.record.iter().any(|o| o.finding_id == known.id) || state.asked.iter().any(|id| **id == *known.id);
    known.askable() && !said && concerns(known, state)
}

fn concerns(finding: &Finding, state: &State) -> bool {
    let sex = match state.patient.sex() {
        Sex::Unspecified => None,
        Sex::Female => Some(wenzhen_pack::Sex::Female),
        Sex::Male => Some(wenzhen_pack::Sex::Male),
    };
    finding.gate.admits(sex, state.age_years())
}
