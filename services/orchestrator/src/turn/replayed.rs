//! A turn told again from its record.

use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{Decided, Replied};

use super::{Scene, Updates, close, raised};
use crate::Error;
use crate::sessions::Sessions;
use crate::state::{State, Turn};
use crate::store::ConsultationId;

/// Events read at once. A turn has few, but what clinicians do may stand between them.
const PAGE: usize = 32;

/// What is on record of a turn.
pub(super) struct Past {
    pub decided: Option<Decided>,
    pub replied: Option<Replied>,
}

impl Past {
    pub(super) async fn read(sessions: &Sessions, id: ConsultationId, turn: &Turn) -> Result<Self, Error> {
        let mut past = Self { decided: None, replied: None };
        let mut after = turn.version.saturating_sub(1);
        while past.replied.is_none() {
            let events = sessions.store().read(id, after, PAGE).await?;
            let Some(last) = events.last() else { break };
            after = last.version;
            for event in events.into_iter().filter(|event| event.turn == turn.number) {
                match event.kind {
                    Some(Kind::Decided(decided)) => past.decided = Some(decided),
                    Some(Kind::Replied(replied)) => past.replied = Some(replied),
                    _ => {}
                }
            }
        }
        Ok(past)
    }
}

/// Tells a turn again.
pub(super) async fn tell(scene: &Scene<'_>, state: &State, (decided, replied): (&Decided, &Replied), out: &Updates) {
    if let Some(decision) = &decided.decision {
        out.urgency(raised(scene.knowledge, state.locale, decision.urgency(), &decision.raised_flag_ids)).await;
    }
    out.text(&replied.text).await;
    close(out, state, scene.number, decided, replied, true).await;
}
