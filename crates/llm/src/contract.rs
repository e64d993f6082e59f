//! The engine contract: what an engine is asked through, and what it may never do. Every engine passes the one
//! conformance kit (`conformance`, feature `testing`), which is this page put to the test.
//!
//! - The items of a generation are any number of [`Event::Text`], then exactly one [`Event::End`].
//! - Dropping a [`Generation`] cancels it: the engine frees its slot within one token.
//! - A deadline ends a generation wherever it stands, in the queue too, as failed with [`Error::Deadline`].
//! - What does not fit into the bounded queue is refused at once, with the time after which to try again.
//! - A text depends on its request alone, whatever else is in the batch.
//! - What goes wrong with one request fails that request alone.

use std::time::Duration;

use crate::{Error, Generation, Request, Statistics};

/// An item of a generation. Its text may hold patient text, which no `Debug` shows.
#[derive(Clone, PartialEq)]
pub enum Event {
    /// The next piece of text; whole characters, never empty.
    Text(String),
    /// The last item.
    End(End),
}

/// How a generation ended, with what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// Why there is no more text.
    pub outcome: Outcome,
    /// Tokens and times up to the end.
    pub usage: Usage,
}

/// Why a generation has no more text.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The text is whole, or as long as it was allowed to be.
    Finished(Finish),
    /// The engine is closing.
    Cancelled,
    /// This generation failed; what came before is not to be relied on.
    Failed(Error),
}

/// What finished a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model ended its turn, a stop string came, or the schema was fulfilled.
    Stop,
    /// `max_tokens` were made, or the model's context is full.
    Length,
}

/// Tokens and times of one generation; a remote engine reports what its server says, else what it counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the prompt that had been computed before and were not computed again.
    pub reused_tokens: u32,
    /// Tokens drawn, the one that ended the turn included.
    pub generated_tokens: u32,
    /// From submission until it left the queue.
    pub queued: Duration,
    /// From submission to the first token; unset when there was none.
    pub to_first_token: Option<Duration>,
    /// From submission to the end.
    pub total: Duration,
}

/// Which model answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its name: of the folder or file, or as the server knows it.
    pub name: String,
    /// Tokens that prompt and text have together.
    pub context_tokens: u32,
}

/// A model that generates for many at once.
pub trait Engine: Send + Sync + 'static {
    /// Which model answers.
    fn model(&self) -> Model;

    /// Queues a request. What can be known to fail fails at once: no room, a wrong request, a dialogue too long.
    fn submit(&self, request: Request) -> Result<Generation, Error>;

    /// What the engine is doing, and what it has done since it started.
    fn statistics(&self) -> Statistics;

    /// Refuses what comes from now on, ends what is under way as cancelled. Doing it twice is doing it once.
    fn close(&self);
}
