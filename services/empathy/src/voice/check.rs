//! Whether words may be said, before they are sent. The orchestrator's guard decides all the same; this one spares a
//! patient the rest of an answer that has gone wrong.

use wenzhen_facts::{Guard, Piece, ViolationKind, pieces};
use wenzhen_pack::Locale;
use wenzhen_proto::clinical::v1::Draft;
use wenzhen_voices::native;

/// Whether a sentence around the draft's slots, taken alone, is of the language and has nothing that the guard objects
/// to. That slots are missing from one sentence, or come in another's place, is no fault of it.
pub(super) fn clean(guard: &Guard, (draft, locale): (&Draft, Locale), sentence: &str) -> bool {
    let parts = pieces(sentence);
    let words: String =
        parts.iter().filter_map(|piece| if let Piece::Text(text) = piece { Some(*text) } else { None }).collect();
    let bare = words.len() < sentence.len() && !words.contains(char::is_alphabetic);
    if !bare && !native(&words, locale) {
        return false;
    }
    let mut session = guard.session(draft);
    // The opening of an urgent draft is not this sentence's.
    session.opening();
    session.push(sentence);
    let placed = |kind| matches!(kind, ViolationKind::Missing | ViolationKind::Order);
    session.finish().1.violations.iter().all(|wrong| placed(wrong.kind))
}
