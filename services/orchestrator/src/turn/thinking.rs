//! From the words of a message to a decision.

use std::sync::Arc;
use std::time::Duration;

use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{Decided, MessageReceived};

use super::{Heard, Message, RECORD_WAITS, Runner, Scene, Updates, understanding};
use crate::auth::sha256;
use crate::sessions::Lock;
use crate::state::State;
use crate::{Error, policy};

/// What a turn starts from.
#[derive(Debug, Clone)]
pub(crate) enum Basis {
    /// What is on record.
    Read(Arc<State>),
    /// What this process last knew, which is what the sender has seen last too. Whether it still holds is read while
    /// the words are understood.
    Known(Arc<State>),
}

impl Basis {
    /// The state.
    pub(crate) fn state(&self) -> &Arc<State> {
        match self {
            Self::Read(state) | Self::Known(state) => state,
        }
    }
}

/// A consultation that others went on with, as it stands now.
pub(super) type Moved = (Lock, Arc<State>);

/// The event that puts a message on record.
pub(super) fn received(message: &Message) -> Kind {
    Kind::MessageReceived(MessageReceived {
        message_id: message.id.clone(),
        text_sha256: sha256(message.text.as_bytes()).to_vec(),
        text: message.text.clone(),
    })
}

impl Runner {
    /// From the words to the reply. An input that the agents read at once goes on record together with the decision;
    /// where they take longer, or there is danger, it goes first and on its own. Where the basis does not hold, nothing
    /// is recorded and the lock is given back with what does.
    pub(super) async fn think(
        self: &Arc<Self>,
        scene: &Scene<'_>,
        lock: Lock,
        basis: &Basis,
        (heard, text, received): (Heard, &str, Option<Kind>),
        out: &Updates,
    ) -> Result<Option<Moved>, Error> {
        let (before, Heard { words, danger, .. }) = (basis.state(), heard);
        let patience = if danger.is_some() { Duration::ZERO } else { RECORD_WAITS };
        // Before anything that may fail or take time: the store may be away.
        out.urgency(danger).await;
        let said = understanding::Said { text, locale: words.locale };
        let _going_ahead = self.anticipate(scene, before, (said, &words));
        let understood = understanding::understand(scene, before, (said, words), out);
        tokio::pin!(understood);
        let at_once = tokio::time::timeout(patience, &mut understood);
        let (now, at_once) = tokio::join!(self.read(&lock, basis), at_once);
        let now = now?;
        if now.version != before.version {
            return Ok(Some((lock, now)));
        }
        let (recorded, pending, (inputs, repinned)) = match (at_once, received) {
            (Ok(understood), received) => (before.clone(), received, understood),
            (Err(_), received) => {
                let record = self.record(&lock, before, scene.number, received);
                let (recorded, understood) = tokio::join!(record, understood);
                (recorded?, None, understood)
            }
        };
        let state = match &pending {
            Some(received) => Arc::new(self.sessions.preview(&recorded, scene.number, received.clone())?),
            None => recorded.clone(),
        };
        let decision = policy::decide(scene.knowledge, &state, &inputs);
        let decided = Decided { inputs: Some(inputs), decision: Some(decision) };
        let kinds: Vec<Kind> = pending.into_iter().chain(repinned).collect();
        self.decide(scene, lock, (&state, &recorded), (kinds, decided), out).await.map(|()| None)
    }

    /// What is on record.
    async fn read(&self, lock: &Lock, basis: &Basis) -> Result<Arc<State>, Error> {
        match basis {
            Basis::Read(state) => Ok(state.clone()),
            Basis::Known(_) => self.sessions.load(lock.id()).await,
        }
    }

    /// Puts an input on record, where it is not there yet.
    async fn record(
        &self,
        lock: &Lock,
        before: &Arc<State>,
        turn: u32,
        received: Option<Kind>,
    ) -> Result<Arc<State>, Error> {
        match received {
            Some(received) => self.sessions.commit(lock, before, turn, vec![received]).await,
            None => Ok(before.clone()),
        }
    }
}
