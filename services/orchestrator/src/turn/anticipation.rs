//! Going ahead of guidance: while a model reads the words, the turn is gone through with the orchestrator's own reading
//! of them, up to the words of the next question. Where the model then reads the same, as it mostly does, the graph has
//! been asked and the question worded or half worded; where it does not, the turn asks anew.
//!
//! Nothing is decided or recorded by this: it only asks what the turn is likely to ask, and [`Ahead`] holds the answers.
//! Two generations, one after the other, so take the time of the longer one.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{Decided, DecisionKind};
use wenzhen_service::Deadline;

use super::understanding::{self, Said, Words};
use super::{Message, Runner, Scene, Updates, ending, scoring, thinking};
use crate::policy;
use crate::state::State;

/// How long guidance may read before somebody goes ahead of it: its built-in voice is done in a fraction of this.
const READS: Duration = Duration::from_millis(10);

impl Runner {
    /// Goes ahead of guidance where that takes long. It ends by itself, when the turn takes another course, or when what
    /// is given back is dropped.
    pub(super) fn anticipate(
        self: &Arc<Self>,
        scene: &Scene<'_>,
        before: &Arc<State>,
        (said, words): (Said<'_>, &Words),
    ) -> AbortOnDropHandle<()> {
        let (runner, knowledge, before) = (self.clone(), scene.knowledge.clone(), before.clone());
        let (number, priority, ahead) = (scene.number, scene.priority, scene.ahead.clone());
        let (text, locale, words) = (said.text.to_owned(), said.locale, words.clone());
        let going = async move {
            tokio::time::sleep(READS).await;
            let scene = Scene { knowledge: &knowledge, agents: &runner.agents, number, priority, ahead };
            // Whether it came to a question or not: what was asked is kept.
            let _ = runner.go_ahead(&scene, &before, (Said { text: &text, locale }, words)).await;
        };
        let going = going.in_current_span();
        let going = match Deadline::current() {
            Some(deadline) => tokio::spawn(deadline.scope(going)),
            None => tokio::spawn(going),
        };
        scene.ahead.anticipated_by(going.abort_handle());
        AbortOnDropHandle::new(going)
    }

    /// `None`: there was nothing more to ask.
    async fn go_ahead(&self, scene: &Scene<'_>, before: &State, (said, words): (Said<'_>, Words)) -> Option<()> {
        let out = Updates::unheard();
        let mut inputs = understanding::by_rule(scene, before, said);
        words.enter(&mut inputs);
        let repinned = scoring::advance(scene, before, &mut inputs, &out).await;
        if repinned.is_some() || !inputs.degraded.is_empty() {
            return None;
        }
        let received = thinking::received(&Message::of(said.text));
        let state = self.sessions.preview(before, scene.number, received).ok()?;
        let decision = policy::decide(scene.knowledge, &state, &inputs);
        if !matches!(decision.kind(), DecisionKind::Ask | DecisionKind::Clarify) {
            return None;
        }
        let decided = Decided { inputs: Some(inputs), decision: Some(decision) };
        let after = self.sessions.preview(&state, scene.number, Kind::Decided(decided.clone())).ok()?;
        ending::word(scene, (&state, &after), &decided, &out).await.ok().map(drop)
    }
}
