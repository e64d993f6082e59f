//! An engine without a model: a function of the request says what it answers. For tests of voices, and the first
//! engine that the conformance kit is tried on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::stop::Stops;
use crate::{End, Engine, Error, Event, Finish, Generation, Model, Outcome, Request, Statistics, Usage};

/// What the scripted engine does with a request.
#[derive(Clone)]
pub enum Script {
    /// Says this, a character a token, up to a stop string or `max_tokens`.
    Say(String),
    /// Says this once that is true.
    SayWhen(watch::Receiver<bool>, String),
    /// Says this, then fails.
    Fail(String, Error),
    /// Says this, then hangs until it is cancelled or the deadline comes.
    Stall(String),
    /// Refuses at once.
    Refuse(Error),
}

type Answer = dyn Fn(&Request) -> Script + Send + Sync;

/// An engine that says what a function tells it. Lives on the tokio runtime that submits to it.
pub struct Scripted {
    answer: Box<Answer>,
    slots: Arc<Semaphore>,
    waiting: usize,
    state: Arc<Mutex<Statistics>>,
    closed: watch::Sender<bool>,
}

impl Scripted {
    /// An engine with room for 8 generations and 64 in the queue.
    pub fn new(answer: impl Fn(&Request) -> Script + Send + Sync + 'static) -> Self {
        Self::with_room(8, 64, answer)
    }

    /// An engine with room for so many generations, and so many in the queue.
    pub fn with_room(
        running: usize,
        waiting: usize,
        answer: impl Fn(&Request) -> Script + Send + Sync + 'static,
    ) -> Self {
        let (closed, _) = watch::channel(false);
        let (slots, state) = (Arc::new(Semaphore::new(running)), Arc::default());
        Self { answer: Box::new(answer), slots, waiting, state, closed }
    }
}

impl Engine for Scripted {
    fn model(&self) -> Model {
        Model { name: "scripted".into(), context_tokens: 4096 }
    }

    fn submit(&self, request: Request) -> Result<Generation, Error> {
        request.validate()?;
        if *self.closed.borrow() {
            return Err(Error::Unavailable("it is closed"));
        }
        let prompt: usize = request.messages.iter().map(|message| message.content.chars().count()).sum();
        let (tokens, limit) = (u32::try_from(prompt).unwrap_or(u32::MAX), self.model().context_tokens);
        if tokens >= limit {
            return Err(Error::ContextOverflow { tokens, limit });
        }
        let script = match (self.answer)(&request) {
            Script::Refuse(error) => return Err(error),
            script => script,
        };
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok();
        if permit.is_none() {
            let mut state = self.state.lock();
            if state.waiting as usize >= self.waiting {
                return Err(Error::Overloaded { retry_after: Duration::from_millis(50) });
            }
            state.waiting += 1;
        } else {
            self.state.lock().running += 1;
        }
        let (sender, generation) = Generation::channel(1);
        let usage = Usage { prompt_tokens: tokens, ..Usage::default() };
        let speaker = Speaker { began: Instant::now(), request, script, sender, usage, state: Arc::clone(&self.state) };
        let (slots, closed) = (Arc::clone(&self.slots), self.closed.subscribe());
        tokio::spawn(async move { speaker.run(permit, slots, closed).await });
        Ok(generation)
    }

    fn statistics(&self) -> Statistics {
        *self.state.lock()
    }

    fn close(&self) {
        self.closed.send_replace(true);
    }
}

/// One generation of the scripted engine.
struct Speaker {
    began: Instant,
    request: Request,
    script: Script,
    sender: mpsc::Sender<Event>,
    usage: Usage,
    state: Arc<Mutex<Statistics>>,
}

type Permit = tokio::sync::OwnedSemaphorePermit;

impl Speaker {
    async fn run(mut self, permit: Option<Permit>, slots: Arc<Semaphore>, mut closed: watch::Receiver<bool>) {
        let sender = self.sender.clone();
        let deadline = self.request.deadline;
        let over = async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let waited = permit.is_none();
        let mut held = permit;
        let mut started = !waited;
        let outcome = tokio::select! {
            biased;
            () = sender.closed() => Outcome::Cancelled,
            () = over => Outcome::Failed(Error::Deadline),
            _ = closed.wait_for(|closed| *closed) => Outcome::Cancelled,
            outcome = self.speak(&mut held, &mut started, slots) => outcome,
        };
        {
            let mut state = self.state.lock();
            if started {
                state.running -= 1;
            } else {
                state.waiting -= 1;
            }
            state.ended += 1;
        }
        drop(held);
        self.usage.total = self.began.elapsed();
        // The reader may have left; the channel's one place is free unless it has stopped reading.
        let end = End { outcome, usage: self.usage };
        let _ = sender.send(Event::End(end)).await;
    }

    async fn speak(&mut self, held: &mut Option<Permit>, started: &mut bool, slots: Arc<Semaphore>) -> Outcome {
        if !*started {
            let Ok(permit) = slots.acquire_owned().await else { return Outcome::Cancelled };
            *held = Some(permit);
            *started = true;
            let mut state = self.state.lock();
            (state.waiting, state.running) = (state.waiting - 1, state.running + 1);
        }
        self.usage.queued = self.began.elapsed();
        self.state.lock().prompt_tokens += u64::from(self.usage.prompt_tokens);
        let (text, then) = match self.script.clone() {
            Script::Say(text) => (text, None),
            Script::SayWhen(mut when, text) => {
                if when.wait_for(|when| *when).await.is_err() {
                    return Outcome::Cancelled;
                }
                (text, None)
            }
            Script::Fail(text, error) => (text, Some(Outcome::Failed(error))),
            Script::Stall(text) => (text, Some(Outcome::Cancelled)),
            Script::Refuse(error) => return Outcome::Failed(error),
        };
        let stalls = matches!(self.script, Script::Stall(_));
        if let Some(finish) = self.say(&text).await {
            return Outcome::Finished(finish);
        }
        if stalls {
            std::future::pending::<()>().await;
        }
        then.unwrap_or(Outcome::Finished(Finish::Stop))
    }

    /// Says it character by character; gives how it finished where that was before its end.
    async fn say(&mut self, text: &str) -> Option<Finish> {
        let mut stops = Stops::new(&self.request.stop);
        let mut finish = None;
        for character in text.chars() {
            if self.usage.generated_tokens == self.request.max_tokens {
                finish = Some(Finish::Length);
                break;
            }
            self.usage.generated_tokens += 1;
            self.state.lock().generated_tokens += 1;
            self.usage.to_first_token.get_or_insert_with(|| self.began.elapsed());
            let piece = stops.push(character.encode_utf8(&mut [0; 4]));
            self.send(piece).await;
            if stops.stopped() {
                return Some(Finish::Stop);
            }
        }
        self.send(stops.rest()).await;
        finish
    }

    async fn send(&self, piece: String) {
        if piece.is_empty() {
            // A text without an awaited send would never give way.
            return tokio::task::yield_now().await;
        }
        let _ = self.sender.send(Event::Text(piece)).await;
    }
}
