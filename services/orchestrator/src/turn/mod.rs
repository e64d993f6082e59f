//! One turn: a message through the agents to a decision and a reply.
//!
//! 1. red flags that the words raise are shown before anything else, whether or not the store is there;
//!    guidance and empathy read the input; it is committed at the latest after 20 ms, and at once where
//!    there is danger,
//! 2. the recorder merges what was understood and the graph scores it,
//! 3. the policy decides and the reply is worded and guarded; **the decision is on record before the first byte of
//!    the reply is seen**: together with the reply where that is worded at once, else after 20 ms while wording goes on,
//! 4. the reply is streamed, and recorded at the latest when it has ended.
//!
//! A turn that was cut off goes on where it stopped when its message is sent again.

mod ahead;
mod anticipation;
mod ending;
mod person;
mod photo;
mod qualified;
mod replayed;
mod scoring;
mod thinking;
mod understanding;
mod updates;

use std::sync::Arc;
use std::time::Duration;

use tonic::Request;
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1::{
    ConsultationStatus, SendMessageResponse, UrgencyRaised, send_message_response::Update,
};
use wenzhen_service::Priority;

use crate::auth::sha256;
use crate::metrics::TurnMetrics;
use crate::sessions::{Lock, Sessions};
use crate::state::{Stage, State, Turn};
use crate::store::StoreError;
use crate::{Agents, Error, Knowledge, agents};

pub(crate) use ahead::{Ahead, ScoredCase};
pub(crate) use ending::{close, raised};
pub(crate) use photo::Photo;
pub(crate) use thinking::Basis;
pub(crate) use updates::Updates;

/// How long an input may wait for the agents before it goes on record alone, and a decision for the words of its reply.
/// Built-in voices are done in a fraction of it; nothing has been acknowledged by then.
const RECORD_WAITS: Duration = Duration::from_millis(20);

/// A message that was checked.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub id: String,
    pub text: String,
    pub expected_version: Option<u64>,
    pub seen_version: Option<u64>,
}

impl Message {
    /// Words alone.
    fn of(text: &str) -> Self {
        Self { id: String::new(), text: text.to_owned(), expected_version: None, seen_version: None }
    }
}

/// Everything that a turn needs.
pub(crate) struct Runner {
    pub sessions: Arc<Sessions>,
    pub agents: Agents,
    pub metrics: TurnMetrics,
}

/// What stays the same over a turn.
pub(crate) struct Scene<'a> {
    pub knowledge: &'a Arc<Knowledge>,
    pub agents: &'a Agents,
    pub number: u32,
    pub priority: Priority,
    /// What was asked in this turn.
    pub ahead: Arc<Ahead>,
}

impl Scene<'_> {
    /// A request to an agent that may take so long.
    pub(crate) fn request<T>(&self, message: T, budget: Duration) -> Request<T> {
        agents::request(message, self.priority, budget)
    }
}

/// What rules alone made of a message, before any model and before anybody was asked.
pub(crate) struct Heard {
    words: understanding::Words,
    pub(crate) danger: Option<UrgencyRaised>,
    /// How much its turn matters where not all can be served.
    pub(crate) priority: Priority,
}

impl Runner {
    /// Hears a message by rule: cheap enough to be done for those who will be turned away.
    pub(crate) fn hear(&self, state: &State, text: &str) -> Result<Heard, Error> {
        let knowledge = self.sessions.knowledge(state)?;
        let words = understanding::words(knowledge, state, text);
        let danger = words.raised(knowledge, state);
        let urgent = danger.is_some() || state.urgency > Urgency::Today;
        Ok(Heard { words, danger, priority: if urgent { Priority::Urgent } else { Priority::Ongoing } })
    }

    /// The danger that rules alone hear where the consultation cannot be read: measured by what was last known of it,
    /// and by a person of whom nothing is known.
    pub(crate) fn danger(&self, known: Option<&State>, text: &str) -> Option<UrgencyRaised> {
        let known = known.and_then(|state| self.hear(state, text).ok()?.danger);
        known.or_else(|| {
            self.sessions.library.iter().find_map(|knowledge| {
                let nothing = State::fold(&knowledge.pack, &[]);
                understanding::words(knowledge, &nothing, text).raised(knowledge, &nothing)
            })
        })
    }

    /// Runs the turn of a message to its end. Every update goes to `out`; a listener who left does
    /// not keep the turn from being recorded. The lock is given back before the last update: whoever
    /// has that may send the next message.
    pub(crate) async fn run(
        self: &Arc<Self>,
        lock: Lock,
        basis: Basis,
        (message, heard): (&Message, Heard),
        out: &Updates,
    ) -> Result<(), Error> {
        let Some((lock, state)) = self.attempt(lock, basis, (message, heard), out).await? else { return Ok(()) };
        let heard = self.hear(&state, &message.text)?;
        self.attempt(lock, Basis::Read(state), (message, heard), out).await.map(drop)
    }

    async fn attempt(
        self: &Arc<Self>,
        lock: Lock,
        basis: Basis,
        (message, heard): (&Message, Heard),
        out: &Updates,
    ) -> Result<Option<thinking::Moved>, Error> {
        let state = basis.state();
        let knowledge = self.sessions.knowledge(state)?.clone();
        let priority = heard.priority;
        let (agents, ahead) = (&self.agents, Arc::new(Ahead::after(self.sessions.scored(lock.id()))));
        let scene = |number| Scene { knowledge: &knowledge, agents, number, priority, ahead };
        match state.turn_of(&message.id).cloned() {
            Some(turn) if *turn.text_sha256 != sha256(message.text.as_bytes()) => Err(Error::MessageReused),
            Some(turn) => self.again(&scene(turn.number), lock, &basis, (&turn, message, heard), out).await,
            None => {
                refuse_late(state, message)?;
                let said = (heard, message.text.as_str(), Some(thinking::received(message)));
                self.think(&scene(state.next_turn()), lock, &basis, said, out).await
            }
        }
    }

    /// The same message again: replay what happened, or go on where the turn was cut off.
    async fn again(
        self: &Arc<Self>,
        scene: &Scene<'_>,
        lock: Lock,
        basis: &Basis,
        (turn, message, heard): (&Turn, &Message, Heard),
        out: &Updates,
    ) -> Result<Option<thinking::Moved>, Error> {
        if turn.stage == Stage::Received {
            return self.think(scene, lock, basis, (heard, &message.text, None), out).await;
        }
        let state = self.sessions.load(lock.id()).await?;
        let past = replayed::Past::read(&self.sessions, lock.id(), turn).await?;
        match (past.decided, past.replied) {
            (Some(decided), Some(replied)) => {
                drop(lock);
                replayed::tell(scene, &state, (&decided, &replied), out).await;
            }
            (Some(decided), None) if turn.stage == Stage::Decided => {
                self.answer(scene, lock, &state, &decided, out).await?;
            }
            // It is not answered a second time.
            _ => return Err(StoreError::Damaged("a turn is not whole".into()).into()),
        }
        Ok(None)
    }
}

/// A new message needs a consultation that goes on, at the version that its sender has seen.
fn refuse_late(state: &State, message: &Message) -> Result<(), Error> {
    if state.status == ConsultationStatus::Ended {
        return Err(Error::Ended);
    }
    // The sender was shown a version that is no longer there.
    if let Some(expected) = message.seen_version.filter(|seen| *seen > state.version) {
        return Err(Error::RecordLost { expected, actual: state.version });
    }
    match message.expected_version {
        Some(expected) if expected != state.version => Err(Error::VersionMismatch { expected, actual: state.version }),
        _ => Ok(()),
    }
}

/// A response with one update.
pub(crate) fn response(update: Update) -> SendMessageResponse {
    SendMessageResponse { update: Some(update) }
}

/// The words of a message whose turn never came to a decision still count for red flags.
pub(crate) fn unheard<'s>(state: &'s State, text: &'s str) -> impl Iterator<Item = &'s str> {
    state.unheard.iter().map(String::as_str).filter(move |earlier| *earlier != text)
}
