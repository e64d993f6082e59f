//! Photographs of the tongue: when one is asked for, and what is done after one. Pure.

use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::CandidateFinding;
use wenzhen_proto::orchestrator::v1::{ConsultationStatus, Decision, DecisionInputs, DecisionKind, PhotoReading};
use wenzhen_proto::vision::v1::Quality;

use super::{AWAITED, PHOTO, TONGUE_PHOTO, decision};
use crate::Knowledge;
use crate::state::State;

/// Questions for findings before a photograph is asked for: words first, they cost the patient less.
const LEAST_ROUNDS: u32 = 1;

/// Whether a photograph is worth asking for: once, where one can be read and none was, when what it may show is expected
/// to tell as much as the pack asks for, and more than the best question.
pub(super) fn worth_asking(pack: &Pack, before: &State, inputs: &DecisionInputs) -> bool {
    let Some(table) = &pack.tongue else { return false };
    let open = before.started.takes_photographs
        && !before.photographed
        && before.rounds >= LEAST_ROUNDS
        && before.status == ConsultationStatus::Open
        && !before.context_asked.contains(TONGUE_PHOTO);
    let best = |found: &[CandidateFinding]| found.iter().map(|c| c.value).fold(0.0, f64::max);
    open && {
        let gain = gain(pack, &inputs.worth_showing);
        gain >= table.ask_gain_bits && gain >= best(&inputs.worth_asking)
    }
}

/// What a photograph is expected to tell, in bits: of each feature the finding that tells most, all of them together.
/// They are taken as independent, so this is the most that it can be.
fn gain(pack: &Pack, shown: &[CandidateFinding]) -> f64 {
    let Some(table) = &pack.tongue else { return 0.0 };
    let of_feature = |classes: &std::collections::BTreeMap<String, wenzhen_pack::ClassMeaning>| {
        let means = |c: &&CandidateFinding| {
            pack.finding(&c.finding_id).is_some_and(|f| classes.values().any(|class| class.present.contains(&f)))
        };
        shown.iter().filter(means).map(|c| c.value).fold(0.0, f64::max)
    };
    table.features.values().map(of_feature).sum()
}

/// After a photograph: back to the question that stands where it was not the photograph that was asked for, or where the
/// picture has to be taken again; else on as after any answer.
pub(super) fn looked_at(knowledge: &Knowledge, before: &State, inputs: &DecisionInputs) -> Option<Decision> {
    let photo = inputs.photo.as_ref()?;
    let back = || decision(DecisionKind::Redirect, PHOTO);
    let asked_for = before.question.as_ref().is_some_and(|q| q.context_field == TONGUE_PHOTO);
    let standing = before.question.is_some() && !asked_for;
    let concluded = before.status == ConsultationStatus::Concluded;
    let useful = photo.seen.iter().any(|seen| knowledge.pack.finding(&seen.finding_id).is_some());
    match verdict(photo) {
        // Taken again, it may serve.
        Verdict::Refused => Some(back()),
        Verdict::Away | Verdict::Read if standing => Some(back()),
        Verdict::Away | Verdict::Read if concluded && !useful => Some(back()),
        Verdict::Away | Verdict::Read => None,
    }
}

/// Whoever says yes to the question for a photograph is waited for.
pub(super) fn awaited(inputs: &DecisionInputs) -> Option<Decision> {
    inputs.agreed_to_photograph.then(|| decision(DecisionKind::Redirect, AWAITED))
}

/// How a photograph came out.
enum Verdict {
    /// It could not be looked at.
    Away,
    /// It cannot be used.
    Refused,
    /// It was read.
    Read,
}

fn verdict(photo: &PhotoReading) -> Verdict {
    match photo.quality() {
        Quality::Unspecified => Verdict::Away,
        Quality::Ok => Verdict::Read,
        Quality::NotATongue
        | Quality::Blurred
        | Quality::TooDark
        | Quality::TooBright
        | Quality::ColourCast
        | Quality::TooSmall
        | Quality::Covered => Verdict::Refused,
    }
}
