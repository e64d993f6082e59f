//! Checks of what comes in for the weights.

use std::collections::BTreeSet;

use wenzhen_pack::Pack;
use wenzhen_proto::kg::v1 as kg;

use crate::error::{Error, Violation};
use crate::weights::apply::Line;
use crate::weights::feedback::{Change, Feedback, MOST_EDGES, MOST_MICROS, Reason};
use crate::weights::overlay::EdgeId;

/// Longest name of a clinician's key, in bytes.
const LONGEST_NAME: usize = 64;
/// Longest reason, in bytes.
const LONGEST_REASON: usize = 500;
/// Longest id that a client may choose, in characters.
const LONGEST_ID: usize = 64;

/// The feedback that a request holds.
///
/// # Errors
/// [`Error::Invalid`] with every wrong field.
pub fn feedback(pack: &Pack, request: &kg::ProposeFeedbackRequest) -> Result<Feedback, Error> {
    let mut wrong: Vec<Violation> = Vec::new();
    let mut require = |holds: bool, field: String, description: &'static str| {
        if !holds {
            wrong.push(Violation { field, description });
        }
    };
    require(request.consultation_sha256.len() == 32, "consultation_sha256".into(), "32 bytes");
    let named = (1..=LONGEST_NAME).contains(&request.confirmed_by.len());
    require(named, "confirmed_by".into(), "1 to 64 bytes: only what a clinician confirmed is learned");
    let at = request.confirmed_at.as_ref().and_then(millis);
    require(at.is_some(), "confirmed_at".into(), "a time since 1970");
    require((1..=MOST_EDGES).contains(&request.edges.len()), "edges".into(), "1 to 64");
    let mut seen = BTreeSet::new();
    let mut changes = Vec::new();
    for (i, edge) in request.edges.iter().take(MOST_EDGES).enumerate() {
        let field = |name: &str| format!("edges[{i}].{name}");
        require(pack.condition(&edge.condition_id).is_some(), field("condition_id"), "a condition of the pack");
        require(pack.finding(&edge.finding_id).is_some(), field("finding_id"), "a finding of the pack");
        let bounded = edge.shift_micros != 0 && (-MOST_MICROS..=MOST_MICROS).contains(&edge.shift_micros);
        require(bounded, field("shift_micros"), "-100,000 to 100,000, not 0");
        let reason = reason(edge.reason);
        require(reason.is_some(), field("reason"), "a known reason, set");
        let id = EdgeId { condition: edge.condition_id.clone(), finding: edge.finding_id.clone() };
        require(seen.insert(id.clone()), field("finding_id"), "each edge once");
        changes.extend(reason.map(|reason| Change { edge: id, micros: edge.shift_micros, reason }));
    }
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    Ok(Feedback {
        pack: pack.digest.to_string(),
        epoch: request.pins.as_ref().map_or(0, |pins| pins.weight_epoch),
        consultation: hex::encode(&request.consultation_sha256),
        confirmed_by: request.confirmed_by.clone(),
        confirmed_at_ms: at.unwrap_or_default(),
        changes,
    })
}

/// What goes with making an epoch.
///
/// # Errors
/// [`Error::Invalid`] with what is wrong.
pub fn note(publish_id: &str, reason: &str) -> Result<(), Error> {
    let plain = publish_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let mut wrong = Vec::new();
    if !plain || !(1..=LONGEST_ID).contains(&publish_id.len()) {
        let description = "1 to 64 characters of [A-Za-z0-9_-]";
        wrong.push(Violation { field: "publish_id".into(), description });
    }
    if reason.trim().is_empty() || reason.len() > LONGEST_REASON {
        wrong.push(Violation { field: "reason".into(), description: "1 to 500 bytes" });
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
}

/// Whether a line of the ledger is one of the condition's; all are of an empty one.
pub fn concerns(line: &Line, condition: &str) -> bool {
    condition.is_empty() || line.edge.condition == condition
}

fn reason(value: i32) -> Option<Reason> {
    match kg::FeedbackReason::try_from(value).ok()? {
        kg::FeedbackReason::Unspecified => None,
        kg::FeedbackReason::UnexpectedPresence => Some(Reason::UnexpectedPresence),
        kg::FeedbackReason::UnexpectedDenial => Some(Reason::UnexpectedDenial),
        kg::FeedbackReason::ExpectedPresence => Some(Reason::ExpectedPresence),
        kg::FeedbackReason::ExpectedDenial => Some(Reason::ExpectedDenial),
    }
}

fn millis(at: &prost_types::Timestamp) -> Option<u64> {
    let (seconds, nanos) = (u64::try_from(at.seconds).ok()?, u64::try_from(at.nanos).ok()?);
    seconds.checked_mul(1000)?.checked_add(nanos / 1_000_000)
}
