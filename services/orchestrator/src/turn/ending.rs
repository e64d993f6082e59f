//! From a decision to the end of a turn: worded, guarded, recorded, shown.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use wenzhen_proto::clinical::v1::{Locale, RedFlag, Urgency};
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::send_message_response::Update;
use wenzhen_proto::orchestrator::v1::{
    ConsultationStatus, Decided, Decision, DecisionKind, Replied, TurnCompleted, UrgencyRaised,
};
use wenzhen_service::Priority;

use super::{RECORD_WAITS, Runner, Scene, Updates};
use crate::auth::Caller;
use crate::reply::{self, Composer};
use crate::sessions::{Lock, Prepared};
use crate::state::State;
use crate::store::StoreError;
use crate::{Error, Knowledge, policy, view};

impl Runner {
    /// Words the reply to a decision, and records both: together where the words come at once and there is no danger,
    /// else the decision first, while the reply is worded. Nothing of the reply is seen before.
    pub(super) async fn decide(
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

    /// Words, guards, streams and records the reply to a decision that is on record.
    pub(super) async fn answer(
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
        self.sessions.keep_scored(lock.id(), scene.ahead.last());
        drop(lock);
        out.let_go().await;
        close(out, last, scene.number, decided, replied, false).await;
    }
}

/// Words, guards and streams the reply to a decision.
pub(super) async fn word(
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
