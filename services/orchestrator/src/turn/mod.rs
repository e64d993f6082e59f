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

mod person;
mod photo;
mod replayed;
mod scoring;
mod understanding;
mod updates;

use std::sync::Arc;
use std::time::Duration;

use tonic::Request;
use wenzhen_proto::clinical::v1::{Locale, RedFlag, Urgency};
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{
    ConsultationStatus, Decided, Decision, DecisionKind, MessageReceived, Replied, SendMessageResponse, TurnCompleted,
    UrgencyRaised, send_message_response::Update,
};
use wenzhen_service::Priority;

use crate::auth::{Caller, sha256};
use crate::metrics::TurnMetrics;
use crate::reply::{self, Composer};
use crate::sessions::{Lock, Prepared, Sessions};
use crate::state::{Stage, State, Turn};
use crate::store::StoreError;
use crate::{Agents, Error, Knowledge, agents, policy, view};

pub(crate) use photo::Photo;
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
        &self,
        lock: Lock,
        state: Arc<State>,
        (message, heard): (&Message, Heard),
        out: &Updates,
    ) -> Result<(), Error> {
        let knowledge = self.sessions.knowledge(&state)?.clone();
        let scene = |number| Scene { knowledge: &knowledge, agents: &self.agents, number, priority: heard.priority };
        match state.turn_of(&message.id).cloned() {
            Some(turn) if *turn.text_sha256 != sha256(message.text.as_bytes()) => Err(Error::MessageReused),
            Some(turn) => self.again(&scene(turn.number), lock, &state, (&turn, message, heard), out).await,
            None => {
                refuse_late(&state, message)?;
                self.fresh(&scene(state.next_turn()), lock, &state, (message, heard), out).await
            }
        }
    }

    async fn fresh(
        &self,
        scene: &Scene<'_>,
        lock: Lock,
        state: &Arc<State>,
        (message, heard): (&Message, Heard),
        out: &Updates,
    ) -> Result<(), Error> {
        let received = Kind::MessageReceived(MessageReceived {
            message_id: message.id.clone(),
            text_sha256: sha256(message.text.as_bytes()).to_vec(),
            text: message.text.clone(),
        });
        self.think(scene, lock, state, (heard, &message.text, Some(received)), out).await
    }

    /// From the words to the reply. An input that the agents read at once goes on record together with
    /// the decision; where they take longer, or there is danger, it goes first and on its own.
    async fn think(
        &self,
        scene: &Scene<'_>,
        lock: Lock,
        before: &Arc<State>,
        (heard, text, received): (Heard, &str, Option<Kind>),
        out: &Updates,
    ) -> Result<(), Error> {
        let Heard { words, danger, .. } = heard;
        let dangerous = danger.is_some();
        // Before anything that may fail or take time: the store may be away.
        out.urgency(danger).await;
        let said = understanding::Said { text, locale: words.locale };
        let patience = if dangerous { Duration::ZERO } else { RECORD_WAITS };
        let understood = understanding::understand(scene, before, said, out);
        tokio::pin!(understood);
        let at_once = tokio::time::timeout(patience, &mut understood).await;
        let (recorded, pending, mut inputs) = match (at_once, received) {
            (Ok(inputs), received) => (before.clone(), received, inputs),
            (Err(_), received) => {
                let record = self.record(&lock, before, scene.number, received);
                let (recorded, inputs) = tokio::join!(record, understood);
                (recorded?, None, inputs)
            }
        };
        words.enter(&mut inputs);
        let state = match &pending {
            Some(received) => Arc::new(self.sessions.preview(&recorded, scene.number, received.clone())?),
            None => recorded.clone(),
        };
        let repinned = scoring::advance(scene, &state, &mut inputs, out).await;
        let decision = policy::decide(scene.knowledge, &state, &inputs);
        let decided = Decided { inputs: Some(inputs), decision: Some(decision) };
        let kinds: Vec<Kind> = pending.into_iter().chain(repinned).collect();
        self.decide(scene, lock, (&state, &recorded), (kinds, decided), out).await
    }

    /// Words the reply to a decision, and records both: together where the words come at once and there is no danger,
    /// else the decision first, while the reply is worded. Nothing of the reply is seen before.
    async fn decide(
        &self,
        scene: &Scene<'_>,
        lock: Lock,
        (before, recorded): (&State, &State),
        (mut kinds, decided): (Vec<Kind>, Decided),
        out: &Updates,
    ) -> Result<(), Error> {
        kinds.push(Kind::Decided(decided.clone()));
        let prepared = self.sessions.prepare(&lock, recorded, scene.number, kinds)?;
        let after = prepared.state().clone();
        let danger = scene.priority == Priority::Urgent || after.urgency > Urgency::Today;
        out.hold();
        let worded = word(scene, (before, &after), &decided, out);
        tokio::pin!(worded);
        match tokio::time::timeout(if danger { Duration::ZERO } else { RECORD_WAITS }, &mut worded).await {
            Ok(Ok(replied)) => {
                let reply = Kind::Replied(replied.clone());
                let prepared = self.sessions.further(prepared, scene.number, reply)?;
                let last = self.sessions.store_prepared(&lock, prepared).await?;
                self.tell(scene, lock, &last, (&decided, &replied), out).await;
                Ok(())
            }
            Ok(Err(error)) => {
                self.sessions.store_prepared(&lock, prepared).await?;
                Err(error)
            }
            Err(_) => {
                let replied = self.meanwhile((&lock, prepared), worded, out).await?;
                self.conclude(scene, lock, &after, (&decided, replied), out).await
            }
        }
    }

    /// Records a decision while its reply is worded; shows what there is of the reply from then on.
    async fn meanwhile(
        &self,
        (lock, prepared): (&Lock, Prepared),
        worded: impl Future<Output = Result<Replied, Error>>,
        out: &Updates,
    ) -> Result<Replied, Error> {
        let stored = async {
            self.sessions.store_prepared(lock, prepared).await?;
            out.let_go().await;
            Ok::<_, Error>(())
        };
        tokio::pin!(stored, worded);
        // A reply to what could not be recorded is given up; a record that was begun is not.
        tokio::select! {
            biased;
            stored = &mut stored => { stored?; worded.await }
            replied = &mut worded => { stored.await?; replied }
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

    /// Words, guards, streams and records the reply to a decision that is on record.
    async fn answer(
        &self,
        scene: &Scene<'_>,
        lock: Lock,
        state: &Arc<State>,
        decided: &Decided,
        out: &Updates,
    ) -> Result<(), Error> {
        let replied = word(scene, (state, state), decided, out).await?;
        self.conclude(scene, lock, state, (decided, replied), out).await
    }

    /// Records a reply and tells how the turn ended.
    async fn conclude(
        &self,
        scene: &Scene<'_>,
        lock: Lock,
        after: &State,
        (decided, replied): (&Decided, Replied),
        out: &Updates,
    ) -> Result<(), Error> {
        let last = self.sessions.commit(&lock, after, scene.number, vec![Kind::Replied(replied.clone())]).await?;
        self.tell(scene, lock, &last, (decided, &replied), out).await;
        Ok(())
    }

    /// Shows what is on record now, and how the turn ended.
    async fn tell(
        &self,
        scene: &Scene<'_>,
        lock: Lock,
        last: &State,
        (decided, replied): (&Decided, &Replied),
        out: &Updates,
    ) {
        let kind = decided.decision.as_ref().map_or(DecisionKind::Unspecified, Decision::kind);
        self.metrics.answered(kind, &replied.degraded);
        drop(lock);
        out.let_go().await;
        close(out, last, scene.number, decided, replied, false).await;
    }

    /// The same message again: replay what happened, or go on where the turn was cut off.
    async fn again(
        &self,
        scene: &Scene<'_>,
        lock: Lock,
        state: &Arc<State>,
        (turn, message, heard): (&Turn, &Message, Heard),
        out: &Updates,
    ) -> Result<(), Error> {
        match turn.stage {
            Stage::Received => self.think(scene, lock, state, (heard, &message.text, None), out).await,
            Stage::Decided | Stage::Replied => {
                let past = replayed::Past::read(&self.sessions, lock.id(), turn).await?;
                match (past.decided, past.replied) {
                    (Some(decided), Some(replied)) => {
                        drop(lock);
                        replayed::tell(scene, state, (&decided, &replied), out).await;
                        Ok(())
                    }
                    (Some(decided), None) if turn.stage == Stage::Decided => {
                        self.answer(scene, lock, state, &decided, out).await
                    }
                    // It is not answered a second time.
                    _ => Err(StoreError::Damaged("a turn is not whole".into()).into()),
                }
            }
        }
    }
}

/// Words, guards and streams the reply to a decision.
async fn word(
    scene: &Scene<'_>,
    (before, after): (&State, &State),
    decided: &Decided,
    out: &Updates,
) -> Result<Replied, Error> {
    let (Some(inputs), Some(decision)) = (&decided.inputs, &decided.decision) else {
        return Err(StoreError::Damaged("a decision is not whole".into()).into());
    };
    out.urgency(raised(scene.knowledge, after.locale, decision.urgency(), &decision.raised_flag_ids)).await;
    let mut composer = Composer::new(out, inputs.degraded.clone());
    reply::compose(scene, (before, after), (inputs, decision), &mut composer).await?;
    Ok(composer.finish())
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

/// The update that shows red flags; `None` when none rose.
pub(crate) fn raised(
    knowledge: &Knowledge,
    locale: Locale,
    urgency: Urgency,
    flags: &[String],
) -> Option<UrgencyRaised> {
    let locale = knowledge.locale(locale);
    let mut red_flags: Vec<RedFlag> = flags
        .iter()
        .filter_map(|id| knowledge.pack.safety.red_flags.iter().find(|flag| flag.id == *id))
        .map(|flag| RedFlag {
            id: flag.id.clone(),
            urgency: policy::urgency(flag.level) as i32,
            message: flag.message.text(locale).to_owned(),
        })
        .collect();
    red_flags.sort_by_key(|flag| std::cmp::Reverse(flag.urgency));
    (!red_flags.is_empty()).then_some(UrgencyRaised { urgency: urgency as i32, red_flags })
}

/// The last update of a turn.
pub(crate) async fn close(out: &Updates, state: &State, turn: u32, decided: &Decided, replied: &Replied, again: bool) {
    if let Some(question) = &replied.question {
        out.send(Update::Question(question.clone())).await;
    }
    if let Some(diagnosis) = &replied.diagnosis {
        let shown = view::diagnosis(state.diagnosis.as_deref().unwrap_or(diagnosis), &Caller::Patient);
        out.send(Update::Diagnosis(shown)).await;
    }
    out.send(Update::Completed(TurnCompleted {
        turn,
        version: state.version,
        decision: decided.decision.as_ref().map_or(0, |d| d.kind),
        degraded: replied.degraded.clone(),
        text: replied.text.clone(),
        urgency: state.urgency as i32,
        ended: state.status == ConsultationStatus::Ended,
        replayed: again,
    }))
    .await;
}

/// A response with one update.
pub(crate) fn response(update: Update) -> SendMessageResponse {
    SendMessageResponse { update: Some(update) }
}

/// The words of a message whose turn never came to a decision still count for red flags.
pub(crate) fn unheard<'s>(state: &'s State, text: &'s str) -> impl Iterator<Item = &'s str> {
    state.unheard.iter().map(String::as_str).filter(move |earlier| *earlier != text)
}
