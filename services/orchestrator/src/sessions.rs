//! Consultations under way: one writer at a time each, recent states in memory, events to the store.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use lru::LruCache;
use parking_lot::Mutex;
use prost::Message as _;
use prost_types::Timestamp;
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{ConsultationStatus, Event, PendingReason, PlanStatus, Started, TurnUndone};

use crate::auth::sha256;
use crate::knowledge::Library;
use crate::state::State;
use crate::store::{Append, ConsultationId, PendingSummary, Store, StoreError, Summary};
use crate::turn::ScoredCase;
use crate::{Error, Knowledge};

/// States kept in memory (some 6 KiB each); the others are folded from their events when next needed. Of a store that
/// others write to as well, so many are kept: a pod's memory is small, and they are caught up before each turn anyway.
const CACHED_SHARED: usize = 16_384;
/// The same where this process alone has the store.
const CACHED_ALONE: usize = 131_072;
/// Events read at once.
const PAGE: usize = 1000;
const SECONDS_A_DAY: i64 = 86_400;
/// Last scored cases in memory, a few kilobytes each; of others the graph is asked again.
const CASES: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// All consultations of this process.
pub(crate) struct Sessions {
    store: Arc<dyn Store>,
    pub(crate) library: Library,
    cache: Mutex<Cache>,
    busy: Mutex<HashSet<ConsultationId>>,
}

/// States in memory.
struct Cache {
    states: LruCache<ConsultationId, Cached>,
    cases: LruCache<ConsultationId, Arc<ScoredCase>>,
    /// Deletions so far: what was read before one may be what was deleted.
    deletions: u64,
}

/// A state and what it ended with.
#[derive(Clone)]
struct Cached {
    state: Arc<State>,
    last: Mark,
}

/// Tells one event from another under the same version; zeros where nobody else could have put another there.
type Mark = [u8; 32];

fn mark(event: &Event) -> Mark {
    sha256(&event.encode_to_vec())
}

impl Cache {
    /// Keeps a state, unless a later one is there or something was deleted since `deletions` were counted.
    fn keep(&mut self, id: ConsultationId, read: Cached, deletions: u64) {
        let newest = self.states.peek(&id).is_none_or(|held| held.state.version <= read.state.version);
        if newest && self.deletions == deletions {
            self.states.put(id, read);
        }
    }
}

/// Events that are about to be appended, and what they will make of the consultation.
pub(crate) struct Prepared {
    append: Append,
    state: Arc<State>,
}

impl Prepared {
    /// The state once the events are on record.
    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
    }
}

/// The right to change one consultation; given back on drop.
pub(crate) struct Lock {
    sessions: Arc<Sessions>,
    id: ConsultationId,
}

impl Lock {
    pub(crate) fn id(&self) -> ConsultationId {
        self.id
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.sessions.busy.lock().remove(&self.id);
    }
}

impl Sessions {
    pub(crate) fn new(store: Arc<dyn Store>, library: Library) -> Self {
        let cached = if store.shared() { CACHED_SHARED } else { CACHED_ALONE };
        let capacity = NonZeroUsize::new(cached).unwrap_or(NonZeroUsize::MIN);
        let cache = Cache { states: LruCache::new(capacity), cases: LruCache::new(CASES), deletions: 0 };
        Self { store, library, cache: Mutex::new(cache), busy: Mutex::default() }
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Takes the right to change a consultation.
    pub(crate) fn lock(self: &Arc<Self>, id: ConsultationId) -> Result<Lock, Error> {
        if !self.busy.lock().insert(id) {
            return Err(Error::Busy);
        }
        Ok(Lock { sessions: self.clone(), id })
    }

    /// What opened a consultation: that never changes, so memory will do.
    pub(crate) async fn started(&self, id: ConsultationId) -> Result<Arc<Started>, Error> {
        match self.known(id) {
            Some(state) => Ok(state.started.clone()),
            None => Ok(self.load(id).await?.started.clone()),
        }
    }

    /// The state of a consultation, from memory or from its events.
    pub(crate) async fn load(&self, id: ConsultationId) -> Result<Arc<State>, Error> {
        let (cached, deletions) = {
            let mut cache = self.cache.lock();
            (cache.states.get(&id).cloned(), cache.deletions)
        };
        let read = match cached {
            Some(cached) if self.store.shared() => self.catch_up(id, cached).await.inspect_err(|error| {
                // While the store is away it is what is known; whether it still holds is seen afterwards.
                if !matches!(error, Error::Store(StoreError::Unavailable(_))) {
                    self.forget(id);
                }
            })?,
            Some(cached) => return Ok(cached.state),
            None => self.fold(&self.events(id, 0).await?)?,
        };
        self.cache.lock().keep(id, read.clone(), deletions);
        Ok(read.state)
    }

    /// What this process last saw of a consultation, which may be behind.
    pub(crate) fn known(&self, id: ConsultationId) -> Option<Arc<State>> {
        self.cache.lock().states.peek(&id).map(|cached| cached.state.clone())
    }

    /// The last case that the graph scored for a consultation.
    pub(crate) fn scored(&self, id: ConsultationId) -> Option<Arc<ScoredCase>> {
        self.cache.lock().cases.get(&id).cloned()
    }

    /// Keeps the last scored case of a consultation that is in memory: one that was deleted is not.
    pub(crate) fn keep_scored(&self, id: ConsultationId, case: Option<Arc<ScoredCase>>) {
        let mut cache = self.cache.lock();
        if let Some(case) = case.filter(|_| cache.states.contains(&id)) {
            cache.cases.put(id, case);
        }
    }

    fn forget(&self, id: ConsultationId) {
        self.cache.lock().states.pop(&id);
    }

    /// What other processes appended since the state was last seen here. The last event that was seen is read again: a
    /// store that has another one in its place, or none, has lost what it acknowledged, and the state stands on nothing.
    async fn catch_up(&self, id: ConsultationId, cached: Cached) -> Result<Cached, Error> {
        let Cached { state, last } = &cached;
        let events = self.events(id, state.version.saturating_sub(1)).await?;
        let Some((seen, news)) = events.split_first().filter(|(seen, _)| mark(seen) == *last) else {
            let actual = self.events(id, 0).await?.last().map_or(0, |event| event.version);
            tracing::error!(expected = state.version, actual, "the store has lost acknowledged events");
            return Err(Error::RecordLost { expected: state.version, actual });
        };
        if news.is_empty() {
            return Ok(cached);
        }
        if news.iter().any(|event| matches!(event.kind, Some(Kind::TurnUndone(_)))) {
            return self.fold(&self.events(id, 0).await?);
        }
        let knowledge = self.knowledge(state)?;
        let mut state = State::clone(state);
        for event in news {
            state.apply(&knowledge.pack, event);
        }
        Ok(Cached { state: Arc::new(state), last: mark(news.last().unwrap_or(seen)) })
    }

    /// The pack that a consultation is pinned to.
    pub(crate) fn knowledge(&self, state: &State) -> Result<&Arc<Knowledge>, Error> {
        self.library.get(&state.pins().pack_digest)
    }

    /// All events after a version.
    pub(crate) async fn events(&self, id: ConsultationId, after: u64) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        let mut after = after;
        loop {
            let page = self.store.read(id, after, PAGE).await?;
            let full = page.len() == PAGE;
            after = page.last().map_or(after, |event| event.version);
            events.extend(page);
            if !full {
                return Ok(events);
            }
        }
    }

    fn fold(&self, events: &[Event]) -> Result<Cached, Error> {
        let started = events.first().and_then(|event| match &event.kind {
            Some(Kind::Started(started)) => started.pins.as_ref(),
            _ => None,
        });
        let pins = started.ok_or_else(|| StoreError::Damaged("the first event does not open a consultation".into()))?;
        let state = Arc::new(State::fold(&self.library.get(&pins.pack_digest)?.pack, events));
        Ok(Cached { state, last: self.mark(events) })
    }

    /// Opens a consultation.
    pub(crate) async fn create(&self, id: ConsultationId, pack: &Knowledge, kind: Kind) -> Result<Arc<State>, Error> {
        self.append(prepare(id, State::fold(&pack.pack, &[]), pack, 0, vec![kind])).await
    }

    /// Makes events of a turn (0: outside turns) without storing them.
    pub(crate) fn prepare(&self, lock: &Lock, state: &State, turn: u32, kinds: Vec<Kind>) -> Result<Prepared, Error> {
        Ok(prepare(lock.id, state.clone(), self.knowledge(state)?, turn, kinds))
    }

    /// Adds one more event of a turn to what was prepared.
    pub(crate) fn further(&self, prepared: Prepared, turn: u32, kind: Kind) -> Result<Prepared, Error> {
        let Prepared { append, state } = prepared;
        let next = prepare(append.id, State::clone(&state), self.knowledge(&state)?, turn, vec![kind]);
        let events = append.events.into_iter().chain(next.append.events).collect();
        Ok(Prepared { append: Append { expected: append.expected, events, ..next.append }, state: next.state })
    }

    /// Appends what was prepared and gives the state after it. Nothing is changed in memory before the store has it.
    pub(crate) async fn store_prepared(&self, lock: &Lock, prepared: Prepared) -> Result<Arc<State>, Error> {
        self.append(prepared).await.inspect_err(|_| self.forget(lock.id))
    }

    /// Appends events of a turn (0: outside turns) and gives the state after them.
    pub(crate) async fn commit(
        &self,
        lock: &Lock,
        state: &State,
        turn: u32,
        kinds: Vec<Kind>,
    ) -> Result<Arc<State>, Error> {
        self.store_prepared(lock, self.prepare(lock, state, turn, kinds)?).await
    }

    /// The state as it will be once an event is on record; nothing is stored.
    pub(crate) fn preview(&self, state: &State, turn: u32, kind: Kind) -> Result<State, Error> {
        let knowledge = self.knowledge(state)?;
        let mut preview = state.clone();
        let event = Event { version: state.version + 1, at: Some(now()), turn, kind: Some(kind) };
        preview.apply(&knowledge.pack, &event);
        Ok(preview)
    }

    /// Takes a turn back: the state is folded anew without it.
    pub(crate) async fn undo(&self, lock: &Lock, state: &State, turn: u32) -> Result<Arc<State>, Error> {
        self.commit(lock, state, 0, vec![Kind::TurnUndone(TurnUndone { undone_turn: turn })]).await?;
        self.forget(lock.id);
        self.load(lock.id).await
    }

    /// Deletes a consultation.
    pub(crate) async fn delete(&self, lock: &Lock) -> Result<bool, Error> {
        let deleted = self.store.delete(lock.id).await;
        let mut cache = self.cache.lock();
        // Only now: whoever reads meanwhile may still find it.
        cache.deletions += 1;
        cache.states.pop(&lock.id);
        cache.cases.pop(&lock.id);
        Ok(deleted?)
    }

    async fn append(&self, prepared: Prepared) -> Result<Arc<State>, Error> {
        let Prepared { append, state } = prepared;
        let (id, expected) = (append.id, append.expected);
        let last = self.mark(&append.events);
        match self.store.append(append).await {
            Ok(()) => {}
            // Versions only grow: a store that is behind what it acknowledged has lost it.
            Err(StoreError::Conflict { actual }) if actual < expected => {
                return Err(Error::RecordLost { expected, actual });
            }
            Err(error) => return Err(error.into()),
        }
        self.cache.lock().states.put(id, Cached { state: state.clone(), last });
        Ok(state)
    }

    /// The mark of the last event; nobody asks for it where this process has the store alone.
    fn mark(&self, events: &[Event]) -> Mark {
        events.last().filter(|_| self.store.shared()).map(mark).unwrap_or_default()
    }
}

/// Stamps events that follow a state and folds them into it.
fn prepare(id: ConsultationId, mut state: State, knowledge: &Knowledge, turn: u32, kinds: Vec<Kind>) -> Prepared {
    let (expected, at) = (state.version, now());
    let versions = expected + 1..;
    let stamped = versions.zip(kinds).map(|(version, kind)| Event { version, at: Some(at), turn, kind: Some(kind) });
    let events: Vec<Event> = stamped.collect();
    for event in &events {
        state.apply(&knowledge.pack, event);
    }
    let summary = summary(&state);
    Prepared { append: Append { id, expected, events, summary }, state: Arc::new(state) }
}

/// What the store is to know of a consultation without reading it.
fn summary(state: &State) -> Summary {
    let days = i64::from(state.started.retention_days) + 1;
    let expires_day = u32::try_from(state.last_at.seconds / SECONDS_A_DAY + days).unwrap_or(u32::MAX);
    let ended = state.status == ConsultationStatus::Ended;
    let waiting = |wanted: bool, reason| wanted.then_some(reason);
    let plan = state.diagnosis.as_ref().is_some_and(|d| d.plan_status() == PlanStatus::Waiting);
    let handed_over = state.status == ConsultationStatus::HandedOver && state.waiting_since.is_some();
    let reason = waiting(state.urgency > Urgency::Today && state.waiting_since.is_some(), PendingReason::Urgent)
        .or_else(|| waiting(handed_over, PendingReason::HandedOver))
        .or_else(|| waiting(plan && !ended, PendingReason::Plan));
    let since_ms = u64::try_from(state.waiting_since.unwrap_or(state.last_at).seconds).unwrap_or(0) * 1000;
    let pending = reason.map(|reason| PendingSummary { reason, urgency: state.urgency, since_ms });
    Summary { expires_day, pending, review_since_ms: state.review_due_ms() }
}

/// The day after which a consultation is deleted, as seconds since 1970.
pub(crate) fn expires_at(state: &State) -> Timestamp {
    Timestamp { seconds: i64::from(summary(state).expires_day) * SECONDS_A_DAY, nanos: 0 }
}

/// Today, as days since 1970.
pub(crate) fn today() -> u32 {
    u32::try_from(now().seconds / SECONDS_A_DAY).unwrap_or(u32::MAX)
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = i32::try_from(since.subsec_nanos()).unwrap_or(0);
    Timestamp { seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX), nanos }
}
