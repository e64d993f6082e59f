//! Whether words may be said, before they are sent. The orchestrator's guard decides all the same; this one spares a
//! patient the rest of an answer that has gone wrong.

use wenzhen_facts::{Guard, ViolationKind};
use wenzhen_proto::clinical::v1::Draft;

/// Whether a sentence around the draft's slots, taken alone, has nothing that the guard objects to. That slots are
/// missing from one sentence, or come in another's place, is no fault of it.
pub(super) fn clean(guard: &Guard, draft: &Draft, sentence: &str) -> bool {
    let mut session = guard.session(draft);
    // The opening of an urgent draft is not this sentence's.
    session.opening();
    session.push(sentence);
    let placed = |kind| matches!(kind, ViolationKind::Missing | ViolationKind::Order);
    session.finish().1.violations.iter().all(|wrong| placed(wrong.kind))
}
