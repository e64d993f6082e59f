//! The one thread that owns the decoder: it gives slots, makes passes over everything that can go on, and ends what is
//! over. Continuous batching: sequences join and leave between passes.

mod guess;
mod prompt;
mod sequence;
mod slots;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::decoder::{Decoder, Row};
use super::engine::Options;
use super::tokens::Tokens;
use crate::{Error, Outcome, Statistics, Usage};

use guess::WIDE;
pub(crate) use prompt::Job;
use sequence::Sequence;
use slots::{Place, Slot, place, shares};

/// Rows of prompts in a pass beside texts that go on: larger passes are faster and make the others wait longer.
const BESIDE: usize = 96;

/// What the owner thread and those who submit share.
pub(crate) struct Shared {
    inbox: Mutex<Inbox>,
    arrived: Condvar,
}

struct Inbox {
    queue: VecDeque<Job>,
    closed: bool,
    slots: usize,
    /// Jobs that may wait beyond free slots.
    waiting: usize,
    statistics: Statistics,
    /// How long a generation took lately, from its slot on.
    typical: Duration,
}

impl Shared {
    pub(crate) fn new(slots: usize, waiting: usize) -> Self {
        let inbox = Inbox {
            queue: VecDeque::new(),
            closed: false,
            slots,
            waiting,
            statistics: Statistics::default(),
            typical: Duration::from_secs(1),
        };
        Self { inbox: Mutex::new(inbox), arrived: Condvar::new() }
    }

    /// Queues a job.
    pub(crate) fn push(&self, job: Job) -> Result<(), Error> {
        let mut inbox = self.inbox.lock();
        if inbox.closed {
            return Err(Error::Unavailable("it is closed"));
        }
        let free = inbox.slots.saturating_sub(inbox.statistics.running as usize);
        if inbox.queue.len() >= free + inbox.waiting {
            return Err(Error::Overloaded { retry_after: inbox.retry_after() });
        }
        inbox.queue.push_back(job);
        inbox.count();
        drop(inbox);
        self.arrived.notify_one();
        Ok(())
    }

    pub(crate) fn close(&self) {
        self.inbox.lock().closed = true;
        self.arrived.notify_one();
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.inbox.lock().statistics
    }
}

impl Inbox {
    /// When there is likely room: a slot is freed every `typical / slots`.
    fn retry_after(&self) -> Duration {
        let slots = u32::try_from(self.slots.max(1)).unwrap_or(u32::MAX);
        (self.typical / slots).clamp(Duration::from_millis(20), Duration::from_secs(30))
    }

    fn count(&mut self) {
        self.statistics.waiting = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
    }
}

/// The owner.
pub(crate) struct Scheduler {
    decoder: Decoder,
    tokens: Arc<Tokens>,
    shared: Arc<Shared>,
    slots: Vec<Slot>,
    /// Rows of prompts in a pass where no text goes on.
    chunk: usize,
    reuse: bool,
    guess: bool,
    clock: u64,
}

impl Scheduler {
    pub(crate) fn new(decoder: Decoder, tokens: Arc<Tokens>, shared: Arc<Shared>, options: &Options) -> Self {
        let slots = (0..decoder.slots()).map(|_| Slot::default()).collect();
        let Options { chunk, reuse, guess, .. } = *options;
        Self { decoder, tokens, shared, slots, chunk: chunk.max(1), reuse, guess, clock: 0 }
    }

    /// Serves until it is closed.
    pub(crate) fn run(mut self) {
        // Whatever ends this thread, nobody may wait for it.
        let _closing = Closing(Arc::clone(&self.shared));
        while self.wait() {
            self.end_interrupted();
            self.admit();
            self.pass();
        }
        for index in 0..self.slots.len() {
            self.end(index, Outcome::Cancelled);
        }
    }

    /// Waits for something to do; false when it is closed.
    fn wait(&self) -> bool {
        let mut inbox = self.shared.inbox.lock();
        while !inbox.closed && inbox.queue.is_empty() && self.slots.iter().all(|slot| slot.running.is_none()) {
            self.shared.arrived.wait(&mut inbox);
        }
        !inbox.closed
    }

    fn end_interrupted(&mut self) {
        let now = Instant::now();
        for index in 0..self.slots.len() {
            if let Some(outcome) = self.slots[index].running.as_ref().and_then(|sequence| sequence.interrupted(now)) {
                self.end(index, outcome);
            }
        }
        let mut inbox = self.shared.inbox.lock();
        let (over, queue) = std::mem::take(&mut inbox.queue)
            .into_iter()
            .partition::<Vec<Job>, _>(|job| job.late(now) || job.events.is_closed());
        inbox.queue = queue.into();
        inbox.statistics.ended += over.len() as u64;
        inbox.count();
        drop(inbox);
        for job in over {
            let late = job.late(now);
            job.end(if late { Outcome::Failed(Error::Deadline) } else { Outcome::Cancelled });
        }
    }

    /// Gives free slots to whoever waits, in their order; who waits for a shared beginning lets others pass.
    fn admit(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut inbox = shared.inbox.lock();
        let mut index = 0;
        while let Some(job) = inbox.queue.get(index) {
            let place = if self.reuse { place(&self.slots, &job.prompt) } else { self.any() };
            let (slot, reused) = match place {
                Place::None => break,
                Place::Soon => {
                    index += 1;
                    continue;
                }
                Place::Here { slot, reused } => (slot, reused),
                Place::Copy { slot, from, reused } => match self.decoder.copy(from, slot, reused) {
                    Ok(()) => (slot, reused),
                    Err(error) => {
                        tracing::error!(%error, "what was computed cannot be copied; it is computed again");
                        (slot, 0)
                    }
                },
            };
            let Some(job) = inbox.queue.remove(index) else { break };
            let statistics = &mut inbox.statistics;
            statistics.prompt_tokens += job.prompt.len() as u64;
            statistics.reused_tokens += reused as u64;
            statistics.running += 1;
            self.clock += 1;
            self.slots[slot] = Slot { running: Some(Sequence::new(job, reused)), kept: Vec::new(), used: self.clock };
        }
        inbox.count();
    }

    /// A free slot, of which nothing is reused.
    fn any(&self) -> Place {
        let free = self.slots.iter().position(|slot| slot.running.is_none());
        free.map_or(Place::None, |slot| Place::Here { slot, reused: 0 })
    }

    /// One pass over everything that can go on.
    fn pass(&mut self) {
        let rows = self.rows();
        if rows.is_empty() {
            return;
        }
        let mut ended: Vec<(usize, Outcome)> = Vec::new();
        match self.decoder.forward(&rows) {
            Ok(mut logits) => {
                for row in &rows {
                    let logits = if row.logits { logits.next() } else { None };
                    let Some(sequence) = &mut self.slots[row.slot].running else { continue };
                    // A guess that was not drawn, or one behind the end of its text.
                    if !sequence.holds(row) || ended.last().is_some_and(|(slot, _)| *slot == row.slot) {
                        continue;
                    }
                    sequence.take(row);
                    if let Some(logits) = logits {
                        let before = sequence.generated();
                        ended.extend(sequence.advance(logits, &self.tokens).map(|outcome| (row.slot, outcome)));
                        // At once: whoever leaves finds all counted but the token that is just being drawn.
                        let drawn = u64::from(sequence.generated() - before);
                        self.shared.inbox.lock().statistics.generated_tokens += drawn;
                    }
                }
            }
            Err(error) => {
                // The message names shapes, no text.
                tracing::error!(%error, "a pass failed");
                let slots: std::collections::BTreeSet<usize> = rows.iter().map(|row| row.slot).collect();
                let failed = || Outcome::Failed(Error::Unavailable("a pass failed"));
                ended.extend(slots.into_iter().map(|slot| (slot, failed())));
            }
        }
        let passed = self.slots.iter_mut().filter_map(|slot| slot.running.as_mut()).map(Sequence::passed);
        let (guessed, held) = passed.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        {
            let statistics = &mut self.shared.inbox.lock().statistics;
            statistics.steps += 1;
            statistics.rows += rows.len() as u64;
            statistics.guessed_tokens += guessed as u64;
            statistics.held_tokens += held as u64;
        }
        // After they were counted: who reads a text finds its tokens in the statistics.
        for sequence in self.slots.iter_mut().filter_map(|slot| slot.running.as_mut()) {
            sequence.send();
        }
        for (slot, outcome) in ended {
            self.end(slot, outcome);
        }
    }

    /// A row for every text that goes on, with guesses where few do, and shares of the prompts.
    fn rows(&mut self) -> Vec<Row> {
        let running = self.slots.iter_mut().enumerate().filter_map(|(slot, it)| Some((slot, it.running.as_mut()?)));
        let (speaking, reading): (Vec<_>, Vec<_>) = running.partition(|(_, sequence)| sequence.speaks());
        let left: Vec<usize> = reading.iter().map(|(_, sequence)| sequence.left()).collect();
        let budget = if speaking.is_empty() { self.chunk } else { self.chunk.min(BESIDE) };
        let guesses = if self.guess { (WIDE / speaking.len().max(1)).saturating_sub(1) } else { 0 };
        let mut rows: Vec<Row> = Vec::new();
        for (slot, sequence) in speaking {
            rows.extend(sequence.guessing_rows(slot, guesses, &self.tokens));
        }
        for ((slot, sequence), share) in reading.into_iter().zip(shares(&left, budget)) {
            rows.extend(sequence.rows(slot, share));
        }
        rows
    }

    /// Frees a slot; what was computed in it stays for whoever begins the same way.
    fn end(&mut self, index: usize, outcome: Outcome) {
        self.clock += 1;
        let Some(sequence) = self.slots[index].running.take() else { return };
        let numbers = !matches!(outcome, Outcome::Failed(Error::NotANumber | Error::Unavailable(_)));
        let age = sequence.age();
        // Counted before the end is sent: who reads the end finds the slot free.
        self.count_end(age);
        let (mut tokens, computed, Usage { .. }) = sequence.end(outcome);
        tokens.truncate(if numbers { computed } else { 0 });
        if !numbers && let Err(error) = self.decoder.forget(index) {
            tracing::error!(%error, "a slot cannot be cleared");
        }
        self.slots[index] = Slot { running: None, kept: tokens, used: self.clock };
    }

    fn count_end(&self, age: Duration) {
        let mut inbox = self.shared.inbox.lock();
        inbox.typical = (inbox.typical * 7 + age) / 8;
        inbox.statistics.ended += 1;
        inbox.statistics.running = inbox.statistics.running.saturating_sub(1);
    }
}

/// Closes the engine when its thread ends, however it does.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        let mut inbox = self.0.inbox.lock();
        inbox.closed = true;
        let left = std::mem::take(&mut inbox.queue);
        inbox.statistics.running = 0;
        inbox.statistics.ended += left.len() as u64;
        inbox.count();
        drop(inbox);
        for job in left {
            job.end(Outcome::Cancelled);
        }
    }
}
