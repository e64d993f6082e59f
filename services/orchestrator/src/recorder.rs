//! The record: what was observed of the patient, merged in the order in which it was said. Pure.

use std::sync::Arc;

use wenzhen_pack::{FindingIx, Kind, Pack};
use wenzhen_proto::clinical::v1::{FindingState, Observation, PatientContext, Sex, Subject};

/// Merges new observations into the record.
///
/// The last word on a finding counts. A new presence takes back what it contradicts (an older
/// presence that it excludes, an older denial of its parent), a new denial takes back the
/// presence of what it refines, so that a correction leaves no trace in the score.
pub fn record(pack: &Pack, record: &mut Vec<Arc<Observation>>, new: &[Observation], withdrawn: &[String]) {
    record.retain(|o| !withdrawn.contains(&o.finding_id));
    for observation in new {
        let Some(finding) = pack.finding(&observation.finding_id) else { continue };
        record.retain(|old| {
            old.finding_id != observation.finding_id
                && (old.turn == observation.turn || !contradicted(pack, old, finding, observation.state()))
        });
        record.push(Arc::new(observation.clone()));
    }
}

/// Whether an older observation cannot stand beside a newer one.
fn contradicted(pack: &Pack, old: &Observation, new: FindingIx, state: FindingState) -> bool {
    let Some(old_ix) = pack.finding(&old.finding_id) else { return true };
    match (old.state(), state) {
        (FindingState::Present, FindingState::Present) => {
            pack.findings.get(new.at()).is_some_and(|f| f.excludes.contains(&old_ix))
        }
        (FindingState::Denied, FindingState::Present) => is_above(pack, old_ix, new),
        (FindingState::Present, FindingState::Denied) => is_above(pack, new, old_ix),
        _ => false,
    }
}

/// Whether `upper` is a parent, grandparent, … of `lower`.
fn is_above(pack: &Pack, upper: FindingIx, lower: FindingIx) -> bool {
    let parent = |f: FindingIx| pack.findings.get(f.at()).and_then(|f| f.parent);
    std::iter::successors(parent(lower), |f| parent(*f)).take(pack.findings.len()).any(|f| f == upper)
}

/// What of the record the graph is to score: complaints that are over say nothing about now,
/// a past illness or exposure does.
pub fn current<'a>(pack: &'a Pack, record: &'a [Arc<Observation>]) -> impl Iterator<Item = &'a Observation> {
    record.iter().map(|o| &**o).filter(|o| {
        let lasting = pack
            .finding(&o.finding_id)
            .and_then(|f| pack.findings.get(f.at()))
            .is_some_and(|f| matches!(f.kind, Kind::History | Kind::Exposure));
        !o.past || lasting
    })
}

/// Enters what was newly learned about the person; what is unset leaves the old.
pub fn learn(known: &mut PatientContext, new: &PatientContext) {
    known.age_months = new.age_months.or(known.age_months);
    known.pregnant = new.pregnant.or(known.pregnant);
    known.pregnancy_weeks = new.pregnancy_weeks.or(known.pregnancy_weeks);
    if new.sex() != Sex::Unspecified {
        known.sex = new.sex;
    }
    if new.subject() != Subject::Unspecified {
        known.subject = new.subject;
    }
    for (known, new) in [(&mut known.allergies, &new.allergies), (&mut known.medicines, &new.medicines)] {
        for item in new {
            if known.len() < 50 && !known.contains(item) {
                known.push(item.clone());
            }
        }
    }
    // Whoever is some weeks pregnant is pregnant, and is a woman.
    if new.pregnancy_weeks.is_some() && new.pregnant.is_none() {
        known.pregnant = Some(true);
    }
    if known.pregnant == Some(true) {
        known.sex = Sex::Female as i32;
    }
}
