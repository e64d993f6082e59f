//! Looking back: what a finished consultation teaches, once a clinician has confirmed its outcome.
//!
//! The store is the outbox. A consultation whose review is due stays listed until the event [`Kind::Reviewed`] is on
//! record, and that is appended only after the graph has taken the feedback; so nothing is lost while an agent is away,
//! and it does not matter how many orchestrators do this or how often: to the graph a consultation teaches once. Nothing
//! of it happens in a turn, and no agent is called under a consultation's lock.

mod agents;
pub(crate) mod repin;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{ReviewOutcome, Reviewed};

use self::agents::{Ask, Refusal};
use crate::sessions::{Sessions, now};
use crate::store::{ConsultationId, Query};
use crate::{Agents, Error};

/// How often it is looked whether a review is due.
const EVERY: Duration = Duration::from_secs(2);
/// Longest pause while an agent is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Consultations listed at once.
const AT_ONCE: usize = 500;
/// Consultations looked at in one sweep: some that cannot be reviewed do not keep the others from it.
const MOST: usize = 5000;
/// So many in a row for which an agent is away end a sweep. One alone may be the consultation's own fault.
const AWAY: usize = 3;
/// What an agent refuses for want of a pack is tried for so long: by then a rollout is over.
const PATIENCE_MS: u64 = 86_400_000;

/// Reviews consultations.
#[derive(Clone)]
pub struct Reviewer {
    sessions: Arc<Sessions>,
    agents: Agents,
}

/// What came of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Consultations that were reviewed.
    pub reviewed: usize,
    /// Consultations that were due and are still.
    pub left: usize,
    /// An agent was away.
    pub away: bool,
}

impl Reviewer {
    pub(crate) fn new(sessions: Arc<Sessions>, agents: Agents) -> Self {
        Self { sessions, agents }
    }

    /// Reviews what is due, for ever; ever more seldom while an agent is away.
    pub async fn run(self) {
        let mut pause = EVERY;
        loop {
            tokio::time::sleep(pause).await;
            let swept = self.sweep().await;
            pause = match swept {
                Ok(Swept { away: false, .. }) => EVERY,
                Ok(_) | Err(_) => (pause * 2).min(LONGEST_PAUSE),
            };
            match swept {
                Ok(Swept { reviewed: 0, away: false, .. }) => {}
                Ok(Swept { reviewed, left, away }) => tracing::info!(reviewed, left, away, "consultations reviewed"),
                Err(error) => tracing::warn!(%error, "reviews that are due could not be listed"),
            }
        }
    }

    /// Reviews what is due now.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let now_ms = u64::try_from(now().seconds).unwrap_or(0) * 1000;
        let (mut swept, mut seen, mut away) = (Swept::default(), HashSet::new(), 0);
        while seen.len() < MOST {
            // What was left stands before what is next.
            let due = self.sessions.store().list(Query::ReviewDue, swept.left + AT_ONCE).await?;
            let due = due.into_iter().filter_map(|(id, summary)| Some((id, summary.review_since_ms?)));
            let due: Vec<_> = due.filter(|(id, since)| *since <= now_ms && !seen.contains(id)).collect();
            if due.is_empty() {
                break;
            }
            for (id, since) in due {
                seen.insert(id);
                if away == AWAY {
                    swept.left += 1;
                    continue;
                }
                let reviewed = self.review(id, now_ms - since).await;
                away = if reviewed == Err(Refusal::Away) { away + 1 } else { 0 };
                swept.away |= away > 0;
                if reviewed == Ok(true) { swept.reviewed += 1 } else { swept.left += 1 }
            }
            if away == AWAY {
                break;
            }
        }
        Ok(swept)
    }

    /// Reviews one consultation that has been due for some milliseconds; `false` when somebody else has it.
    async fn review(&self, id: ConsultationId, due_ms: u64) -> Result<bool, Refusal> {
        // One that is gone, or whose pack is, or whose store is away now: it is left for another time.
        let state = self.sessions.load(id).await.map_err(|_| Refusal::Later)?;
        let knowledge = self.sessions.knowledge(&state).map_err(|_| Refusal::Later)?;
        let Some(ask) = Ask::new(knowledge, id, &state) else { return Ok(false) };
        let reviewed = match ask.teach(&self.agents).await {
            Ok(0) => Reviewed { outcome: ReviewOutcome::Nothing.into(), proposals: 0 },
            Ok(proposals) => Reviewed { outcome: ReviewOutcome::Taught.into(), proposals },
            Err(Refusal::Later) if due_ms <= PATIENCE_MS => return Err(Refusal::Later),
            Err(Refusal::Away) => return Err(Refusal::Away),
            Err(Refusal::Later | Refusal::Never) => {
                tracing::warn!("an agent refuses to review a consultation; it is not tried again");
                Reviewed { outcome: ReviewOutcome::Refused.into(), proposals: 0 }
            }
        };
        self.record(id, reviewed).await.map_err(|_| Refusal::Later)
    }

    /// Puts the review on record; `false` when it is no longer due, or somebody changes the consultation now.
    async fn record(&self, id: ConsultationId, reviewed: Reviewed) -> Result<bool, Error> {
        let Ok(lock) = self.sessions.lock(id) else { return Ok(false) };
        let state = self.sessions.load(id).await?;
        if state.review_due_ms().is_none() {
            return Ok(false);
        }
        self.sessions.commit(&lock, &state, 0, vec![Kind::Reviewed(reviewed)]).await?;
        Ok(true)
    }
}
