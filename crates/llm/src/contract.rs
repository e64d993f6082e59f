//! What an engine is asked, what it answers, and how it fails. Every engine passes the one conformance kit.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::Stream;
use tokio::sync::mpsc;

/// Who speaks a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    System,
    User,
    Assistant,
}

/// One message of a dialogue. `content` may hold patient text: it is in no `Debug`, log or error.
#[derive(Clone)]
pub struct Message {
    pub role: Role,
    pub content: String,
}

/// How the next token is drawn. The same seed gives the same tokens, whatever else is in the batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    pub temperature: f32,
    pub top_p: f32,
    pub top_k: u32,
    pub min_p: f32,
    pub repetition_penalty: f32,
    pub seed: u64,
}

/// One generation to make.
#[derive(Clone)]
pub struct Request {
    pub messages: Vec<Message>,
    pub max_tokens: u32,
    pub sampling: Sampling,
    /// Strings that end the text; they are not part of it.
    pub stop: Vec<String>,
    /// JSON Schema that the text is held to while it is decoded.
    pub schema: Option<Arc<serde_json::Value>>,
    pub deadline: Option<Instant>,
}

/// An item of a generation: any number of texts, then exactly one end.
#[derive(Debug)]
pub enum Event {
    Text(String),
    End(End),
}

/// How a generation ended, with what it cost.
#[derive(Debug)]
pub struct End {
    pub outcome: Outcome,
    pub usage: Usage,
}

#[derive(Debug)]
pub enum Outcome {
    Finished(Finish),
    Cancelled,
    Failed(Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Stop,
    Length,
}

/// Tokens and times of one generation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub prompt_tokens: u32,
    pub reused_tokens: u32,
    pub generated_tokens: u32,
    pub queued: Duration,
    pub to_first_token: Option<Duration>,
    pub total: Duration,
}

/// What the engine serves.
#[derive(Debug, Clone)]
pub struct Model {
    pub name: String,
    pub context_tokens: u32,
}

/// What the engine is doing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Statistics {
    pub waiting: u32,
    pub running: u32,
    pub prompt_tokens: u64,
    pub reused_tokens: u64,
    pub generated_tokens: u64,
    pub steps: u64,
    pub rows: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the engine has no room; try again in {} ms", retry_after.as_millis())]
    Overloaded { retry_after: Duration },
    #[error("the deadline is over")]
    Deadline,
    #[error("the dialogue has {tokens} tokens, the model reads {limit}")]
    ContextOverflow { tokens: u32, limit: u32 },
    #[error("the request is wrong: {0}")]
    Request(&'static str),
    #[error("the schema cannot be held to: {0}")]
    Schema(String),
    #[error("the engine is away: {0}")]
    Unavailable(&'static str),
    #[error("the engine answered out of form: {0}")]
    Malformed(&'static str),
    #[error("the model computed no numbers")]
    NotANumber,
}

/// The items of a generation. Dropping it cancels: the engine frees its slot within one token.
#[derive(Debug)]
pub struct Generation(pub mpsc::Receiver<Event>);

impl Stream for Generation {
    type Item = Event;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(cx)
    }
}

/// A model that generates for many at once.
pub trait Engine: Send + Sync + 'static {
    fn model(&self) -> Model;
    /// Queues a request; fails at once where it can be known to fail (no room, wrong, too long).
    fn submit(&self, request: Request) -> Result<Generation, Error>;
    fn statistics(&self) -> Statistics;
}
