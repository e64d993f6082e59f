//! How a generation fails. No message holds anything of a request's or a reply's text.

use std::time::Duration;

/// Why a request was refused, or its generation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The queue is full.
    #[error("the engine has no room; try again in {} ms", retry_after.as_millis())]
    Overloaded {
        /// Time after which there is likely room.
        retry_after: Duration,
    },
    /// The request's deadline came first.
    #[error("the deadline is over")]
    Deadline,
    /// The dialogue does not fit, or leaves no room for an answer; nothing of it was cut.
    #[error("the dialogue has {tokens} tokens, the model reads {limit}")]
    ContextOverflow {
        /// Tokens of the prompt.
        tokens: u32,
        /// Tokens that the model has for prompt and text.
        limit: u32,
    },
    /// The request is wrong in itself; the reason is fixed text.
    #[error("the request is wrong: {0}")]
    Request(&'static str),
    /// The schema is none, or nothing can be written that it allows. Names parts of the schema, never of a text.
    #[error("the schema cannot be held to: {0}")]
    Schema(String),
    /// The engine is closed, or its server cannot be reached.
    #[error("the engine is away: {0}")]
    Unavailable(&'static str),
    /// The server answered something that is no answer.
    #[error("the engine answered out of form: {0}")]
    Malformed(&'static str),
    /// The model computed NaN or only infinities.
    #[error("the model computed no numbers")]
    NotANumber,
}
