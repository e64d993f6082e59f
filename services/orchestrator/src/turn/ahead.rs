//! Answers of agents that are asked for before it is certain that they will be needed.
//!
//! An agent's answer depends on nothing but the request. So whoever asks the same in one turn, be it in anticipation
//! ([`super::anticipation`]) or in earnest, shares one call and its outcome; and where nothing was said that is new to
//! the graph, what it answered in the turn before is its answer.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;
use wenzhen_proto::clinical::v1::Degradation;
use wenzhen_proto::guidance::v1::{AskRequest, AskResponse};
use wenzhen_proto::kg::v1::{AdvanceRequest, AdvanceResponse};
use wenzhen_proto::orchestrator::v1::Repinned;

/// What came of scoring, and what is to go on record where the consultation was pinned anew.
pub(crate) type Scored = (Result<AdvanceResponse, Degradation>, Option<Repinned>);

/// A case as the graph was asked for it, and its answer.
pub(crate) type ScoredCase = (AdvanceRequest, AdvanceResponse);

/// What one turn asks of the graph, and of guidance for the words of a question.
#[derive(Default)]
pub(crate) struct Ahead {
    /// The last case of the consultation.
    last: Mutex<Option<Arc<ScoredCase>>>,
    score: Once<AdvanceRequest, Scored>,
    words: Once<AskRequest, Result<AskResponse, Degradation>>,
    /// Who anticipates; to be stopped once the turn takes another course.
    anticipation: OnceLock<AbortHandle>,
}

/// The first request with its outcome.
struct Once<Q, A>(Mutex<Option<(Q, Arc<OnceCell<A>>)>>);

impl<Q, A> Default for Once<Q, A> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<Q: Clone + PartialEq, A> Once<Q, A> {
    /// Where the outcome of a request is, or will be; `None` for another request than the first.
    fn place(&self, request: &Q) -> Option<Arc<OnceCell<A>>> {
        let mut first = self.0.lock();
        let (asked, outcome) = first.get_or_insert_with(|| (request.clone(), Arc::default()));
        (asked == request).then(|| outcome.clone())
    }
}

impl Ahead {
    /// Whom to stop once the turn takes another course.
    pub(super) fn anticipated_by(&self, task: AbortHandle) {
        let _ = self.anticipation.set(task);
    }

    /// Nothing was asked yet; this was the last case that the graph scored in the consultation.
    pub(super) fn after(last: Option<Arc<ScoredCase>>) -> Self {
        Self { last: Mutex::new(last), ..Self::default() }
    }

    /// The last case that was scored.
    pub(super) fn last(&self) -> Option<Arc<ScoredCase>> {
        self.last.lock().clone()
    }

    /// The graph's answer.
    pub(super) async fn score(
        &self,
        request: AdvanceRequest,
        ask: impl AsyncFnOnce(AdvanceRequest) -> Scored,
    ) -> Scored {
        if let Some(last) = self.last().filter(|last| last.0 == request) {
            return (Ok(last.1.clone()), None);
        }
        let scored = self.shared(self.score.place(&request), request.clone(), ask).await;
        // What was scored with other weights than it was asked for is no answer to this request.
        if let (Ok(answer), None) = &scored {
            *self.last.lock() = Some(Arc::new((request, answer.clone())));
        }
        scored
    }

    /// The words of a question.
    pub(crate) async fn words(
        &self,
        request: AskRequest,
        ask: impl AsyncFnOnce(AskRequest) -> Result<AskResponse, Degradation>,
    ) -> Result<AskResponse, Degradation> {
        self.shared(self.words.place(&request), request, ask).await
    }

    async fn shared<Q, A: Clone>(
        &self,
        place: Option<Arc<OnceCell<A>>>,
        request: Q,
        ask: impl AsyncFnOnce(Q) -> A,
    ) -> A {
        if let Some(place) = place {
            // Whoever is stopped while asking leaves the call to the next one.
            return place.get_or_init(async || ask(request).await).await.clone();
        }
        if let Some(task) = self.anticipation.get() {
            task.abort();
        }
        ask(request).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use wenzhen_proto::kg::v1::Case;

    use super::*;

    fn request(seed: u64) -> AskRequest {
        AskRequest { seed, ..AskRequest::default() }
    }

    async fn asked(ahead: &Ahead, seed: u64, calls: &AtomicUsize) -> Result<AskResponse, Degradation> {
        let ask = async |request: AskRequest| {
            calls.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            match request.seed {
                13 => Err(Degradation::default()),
                seed => Ok(AskResponse { text: seed.to_string(), ..AskResponse::default() }),
            }
        };
        ahead.words(request(seed), ask).await
    }

    #[tokio::test]
    async fn the_same_request_is_one_call_whatever_comes_of_it() {
        for (seed, well) in [(1, true), (13, false)] {
            let (ahead, calls) = (Ahead::default(), AtomicUsize::new(0));
            let (one, two) = tokio::join!(asked(&ahead, seed, &calls), asked(&ahead, seed, &calls));
            assert_eq!(one, two);
            assert_eq!(one.is_ok(), well);
            assert_eq!(asked(&ahead, seed, &calls).await, one);
            assert_eq!(calls.load(Ordering::Relaxed), 1);
        }
    }

    #[tokio::test]
    async fn a_case_that_was_scored_last_is_not_scored_again() {
        let calls = AtomicUsize::new(0);
        let repinned = AtomicUsize::new(0);
        let score = async |ahead: &Ahead, round: u32| {
            let case = Some(Case { round, ..Case::default() });
            let ask = async |request: AdvanceRequest| {
                calls.fetch_add(1, Ordering::Relaxed);
                let moved = repinned.load(Ordering::Relaxed) > 0;
                let reason = i32::try_from(request.case.unwrap_or_default().round).unwrap();
                (Ok(AdvanceResponse { reason, ..AdvanceResponse::default() }), moved.then(Repinned::default))
            };
            ahead.score(AdvanceRequest { case, ..AdvanceRequest::default() }, ask).await.0.unwrap().reason
        };
        let first = Ahead::default();
        assert_eq!(score(&first, 1).await, 1);
        let second = Ahead::after(first.last());
        assert_eq!((score(&second, 1).await, calls.load(Ordering::Relaxed)), (1, 1));
        assert_eq!((score(&second, 2).await, calls.load(Ordering::Relaxed)), (2, 2));
        let third = Ahead::after(second.last());
        assert_eq!((score(&third, 1).await, calls.load(Ordering::Relaxed)), (1, 3), "only the last");
        repinned.store(1, Ordering::Relaxed);
        let fourth = Ahead::after(third.last());
        score(&fourth, 5).await;
        assert_eq!((score(&Ahead::after(fourth.last()), 5).await, calls.load(Ordering::Relaxed)), (5, 5));
    }

    #[tokio::test]
    async fn another_request_is_a_call_of_its_own_and_ends_the_anticipation() {
        let (ahead, calls) = (Ahead::default(), AtomicUsize::new(0));
        let never = tokio::spawn(std::future::pending::<()>());
        ahead.anticipated_by(never.abort_handle());
        assert_eq!(asked(&ahead, 1, &calls).await.unwrap().text, "1");
        assert!(!never.is_finished());
        assert_eq!(asked(&ahead, 2, &calls).await.unwrap().text, "2");
        assert!(never.await.unwrap_err().is_cancelled());
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_call_whose_caller_is_gone_is_made_again() {
        let (ahead, calls) = (Ahead::default(), AtomicUsize::new(0));
        {
            let gone = ahead.words(request(1), async |_| std::future::pending().await);
            tokio::pin!(gone);
            assert!(futures::poll!(&mut gone).is_pending());
        }
        assert_eq!(asked(&ahead, 1, &calls).await.unwrap().text, "1");
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}
