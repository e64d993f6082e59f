//! The conformance kit: what every engine must do, whatever it runs on. A case panics and names what was broken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt, future};

use crate::{Engine, Error, Event, Finish, Generation, Message, Outcome, Request, Sampling};

/// Longest that anything in the kit is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tokens that are enough for the engine to be seen at work.
const LONG: u32 = 1500;

/// An engine under test. Its texts do not end by themselves, and 1,500 tokens take it longer than a few milliseconds.
#[derive(Clone)]
pub struct Subject {
    /// The engine, fresh.
    pub engine: Arc<dyn Engine>,
    /// Generations that it runs at once; 2 to 8.
    pub running: usize,
    /// Requests that wait in its queue beyond those; 1 to 8.
    pub waiting: usize,
}

/// Runs every case, each on an engine of its own.
pub async fn check<F: Future<Output = Subject>>(make: impl Fn() -> F) {
    one_end(make().await).await;
    stop_strings(make().await).await;
    wrong_requests(make().await).await;
    cancelled_within_one_token(make().await).await;
    a_dropped_reader_frees_its_slot(make().await).await;
    deadlines(make().await).await;
    overload(make().await).await;
    a_batch_equals_single_runs(make().await).await;
    closing_twice(make().await).await;
}

/// Every stream has texts, then exactly one end, which accounts for them.
pub async fn one_end(subject: Subject) {
    let events: Vec<Event> = within(subject.submit(request(0, 24)).collect()).await;
    let ends = events.iter().filter(|event| matches!(event, Event::End(_))).count();
    assert_eq!(ends, 1, "a generation has exactly one end");
    let Some(Event::End(end)) = events.last() else { panic!("the last item is the end") };
    assert_eq!(end.outcome, Outcome::Finished(Finish::Length), "24 tokens were allowed");
    assert!(events.len() > 1, "there is a text");
    assert!(!events.contains(&Event::Text(String::new())), "no text is empty");
    assert_eq!(end.usage.generated_tokens, 24, "every token is counted");
    assert!(end.usage.prompt_tokens > 0, "the prompt is counted");
    let first = end.usage.to_first_token.expect("there was a first token");
    assert!(end.usage.queued <= first && first <= end.usage.total, "times are in order");
    let statistics = subject.engine.statistics();
    assert_eq!((statistics.waiting, statistics.running, statistics.ended), (0, 0, 1), "nothing is left behind");
    assert!(statistics.generated_tokens >= 24 && statistics.prompt_tokens > 0, "totals hold what was made");
}

/// A text ends before its stop string.
pub async fn stop_strings(subject: Subject) {
    let (text, _) = within(subject.submit(request(1, 24)).whole()).await;
    let characters: Vec<char> = text.chars().collect();
    assert!(characters.len() >= 6, "a text of 24 tokens has at least 6 characters");
    let stop: String = characters[3..5].iter().collect();
    let expected = text.split(&stop).next().unwrap_or_default();
    let (stopped, end) = within(subject.submit(Request { stop: vec![stop.clone()], ..request(1, 24) }).whole()).await;
    assert_eq!(stopped, expected, "the text goes up to its stop string");
    assert_eq!(end.outcome, Outcome::Finished(Finish::Stop), "a stop string finishes");
}

/// What is wrong in itself is refused before it is queued.
pub async fn wrong_requests(subject: Subject) {
    let refused = |request| subject.engine.submit(request).err();
    assert!(matches!(refused(Request::new(Vec::new(), 8)), Some(Error::Request(_))), "no message");
    assert!(matches!(refused(request(0, 0)), Some(Error::Request(_))), "no token");
    let over = Request { deadline: Some(Instant::now()), ..request(0, 8) };
    assert_eq!(refused(over), Some(Error::Deadline), "a deadline that is over");
    assert_eq!(subject.engine.statistics().running, 0, "nothing was begun");
}

/// A dropped generation costs one more token at most.
pub async fn cancelled_within_one_token(subject: Subject) {
    for _ in 0..4 {
        let mut generation = subject.submit(request(2, LONG));
        let event = within(generation.next()).await;
        assert!(matches!(event, Some(Event::Text(_))), "a text comes first");
        drop(generation);
        let before = subject.engine.statistics();
        subject.until(|engine| engine.statistics().running == 0, "its slot is freed").await;
        let made = subject.engine.statistics().generated_tokens - before.generated_tokens;
        assert!(made <= 1, "{made} tokens were made for nobody");
    }
}

/// Whoever waits gets the slot of a reader who left, and who left the queue is skipped.
pub async fn a_dropped_reader_frees_its_slot(subject: Subject) {
    let mut running: Vec<Generation> = Vec::new();
    for index in 0..subject.running {
        running.push(subject.started(index).await);
    }
    let mut waiting = subject.submit(request(9, 24));
    assert!(waiting.next().now_or_never().is_none(), "all slots are taken");
    running.pop();
    let (text, end) = within(waiting.whole()).await;
    assert!(!text.is_empty() && matches!(end.outcome, Outcome::Finished(_)), "the slot was free: {:?}", end.outcome);
    drop(running);
    subject.until(|engine| engine.statistics().running == 0, "all slots are freed").await;
    let left = subject.submit(request(3, LONG));
    drop(left);
    subject.until(|engine| engine.statistics().waiting == 0, "nobody is left in the queue").await;
}

/// A deadline ends a generation while it runs, and while it waits.
pub async fn deadlines(subject: Subject) {
    let soon = || Some(Instant::now() + Duration::from_millis(3));
    let outcome = match subject.engine.submit(Request { deadline: soon(), ..request(4, LONG) }) {
        Ok(running) => within(running.whole()).await.1.outcome,
        Err(error) => Outcome::Failed(error),
    };
    assert_eq!(outcome, Outcome::Failed(Error::Deadline), "it was over while it ran");
    let mut taken = Vec::new();
    for index in 0..subject.running {
        taken.push(subject.started(index).await);
    }
    let waiting =
        subject.submit(Request { deadline: Some(Instant::now() + Duration::from_millis(50)), ..request(5, LONG) });
    let (text, end) = within(waiting.whole()).await;
    assert_eq!((text.as_str(), end.outcome), ("", Outcome::Failed(Error::Deadline)), "it was over while it waited");
    assert_eq!(subject.engine.statistics().waiting, 0, "who is late waits no more");
}

/// Beyond its bound the queue refuses, with a hint; and it takes again when there is room.
pub async fn overload(subject: Subject) {
    let mut taken = Vec::new();
    for index in 0..subject.running {
        taken.push(subject.started(index).await);
    }
    for index in 0..subject.waiting {
        taken.push(subject.submit(request(index, LONG)));
    }
    match subject.engine.submit(request(7, 8)) {
        Err(Error::Overloaded { retry_after }) => assert!(retry_after > Duration::ZERO, "the hint is a time"),
        other => panic!("a full queue refuses, this one said {:?}", other.map(|_| ())),
    }
    drop(taken);
    subject.until(|engine| engine.statistics().waiting == 0, "the queue is empty").await;
    let (_, end) = within(subject.submit(request(7, 8)).whole()).await;
    assert!(matches!(end.outcome, Outcome::Finished(_)), "there is room again");
}

/// A text is the same alone and among others, greedy and drawn.
pub async fn a_batch_equals_single_runs(subject: Subject) {
    let requests: Vec<Request> = (0..subject.running)
        .map(|index| {
            let drawn = Sampling { temperature: 0.8, top_p: 0.9, top_k: 40, seed: 7, ..Sampling::default() };
            let sampling = if index % 2 == 0 { Sampling::default() } else { drawn };
            Request { sampling, ..request(index, 16 + 4 * u32::try_from(index).unwrap_or(0)) }
        })
        .collect();
    let mut single = Vec::new();
    for request in &requests {
        single.push(within(subject.submit(request.clone()).whole()).await.0);
    }
    let together: Vec<Generation> = requests.into_iter().map(|request| subject.submit(request)).collect();
    let together = within(future::join_all(together.into_iter().map(Generation::whole))).await;
    let batch: Vec<String> = together.into_iter().map(|(text, _)| text).collect();
    assert_eq!(batch, single, "what else is in the batch changes nothing");
}

/// Closing ends what is under way, refuses what comes, and may be done again.
pub async fn closing_twice(subject: Subject) {
    let generation = subject.started(0).await;
    subject.engine.close();
    subject.engine.close();
    let (_, end) = within(generation.whole()).await;
    assert_eq!(end.outcome, Outcome::Cancelled, "what was under way is cancelled");
    let refused = subject.engine.submit(request(0, 8)).err();
    assert!(matches!(refused, Some(Error::Unavailable(_))), "a closed engine refuses");
    subject.engine.close();
    subject.until(|engine| engine.statistics().running == 0, "nothing runs any more").await;
}

impl Subject {
    fn submit(&self, request: Request) -> Generation {
        self.engine.submit(request).unwrap_or_else(|error| panic!("a good request was refused: {error}"))
    }

    /// A long generation that holds a slot: its first text has come.
    async fn started(&self, index: usize) -> Generation {
        let mut generation = self.submit(request(index, LONG));
        let event = within(generation.next()).await;
        assert!(matches!(event, Some(Event::Text(_))), "a text comes first");
        generation
    }

    async fn until(&self, holds: impl Fn(&dyn Engine) -> bool, what: &str) {
        let began = Instant::now();
        while !holds(self.engine.as_ref()) {
            assert!(began.elapsed() < PATIENCE, "it never came that {what}");
            tokio::task::yield_now().await;
        }
    }
}

/// A request of its own kind.
fn request(index: usize, max_tokens: u32) -> Request {
    let task = Message::system("Count on from where the other left off, and do not stop.");
    Request::new(vec![task, Message::user(format!("{index}: one two three {}", "and on ".repeat(index)))], max_tokens)
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("the engine is stuck")
}
