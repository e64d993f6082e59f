//! A request on its way to the decoder: everything that can be done before it has a slot is done where it is submitted.

use std::time::Instant;

use tokio::sync::mpsc;

use crate::candle::grammar::Grammar;
use crate::{End, Event, Outcome, Sampling, Usage};

/// A request that waits for a slot.
pub(crate) struct Job {
    /// The dialogue in tokens; at least one, and room for one more.
    pub(crate) prompt: Vec<u32>,
    /// Tokens to make at most; prompt and text fit into the context.
    pub(crate) max_tokens: u32,
    pub(crate) sampling: Sampling,
    pub(crate) stop: Vec<String>,
    pub(crate) grammar: Option<Grammar>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) submitted: Instant,
    /// Has room for every event that there can be.
    pub(crate) events: mpsc::Sender<Event>,
}

impl Job {
    /// Whether its time is over.
    pub(crate) fn late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Ends it before it had a slot.
    pub(crate) fn end(self, outcome: Outcome) {
        let waited = self.submitted.elapsed();
        let prompt_tokens = u32::try_from(self.prompt.len()).unwrap_or(u32::MAX);
        let usage = Usage { prompt_tokens, queued: waited, total: waited, ..Usage::default() };
        // The reader may have left.
        let _ = self.events.try_send(Event::End(End { outcome, usage }));
    }
}
